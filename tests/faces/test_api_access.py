"""Who may post: a site's own pages by their origin, the shop's server by its secret key."""

from typing import Any

import pytest
from sqlalchemy import select
from tests.shops import EMAIL, ORIGIN, ShopUnderTest

from regulars.keep.sites import (
    Site,
    add_key,
    add_site,
    key_table,
    list_keys,
    revoke_key,
)

OTHER_ORIGIN = "https://other.example"
SHARED = "Access-Control-Allow-Origin"


@pytest.fixture
def other_site(shop: ShopUnderTest) -> Site:
    with shop.house.database.transaction() as connection:
        return add_site(connection, "Other", [OTHER_ORIGIN], shop.clock())


def post(
    shop: ShopUnderTest, fields: dict[str, Any] | None = None, **headers: str
) -> Any:
    sent = {"site": shop.site.publishable_key, "contact_email": EMAIL}
    return shop.client.post(
        "/v1/signups",
        json=sent if fields is None else fields,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def codes(answer: Any) -> list[str]:
    assert answer.mimetype == "application/problem+json"
    return [error["code"] for error in answer.get_json()["errors"]]


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        (None, "origin.missing"),
        ("null", "origin.missing"),
        ("https://evil.example", "origin.not_allowed"),
        (OTHER_ORIGIN, "origin.not_allowed"),
        ("http://tonys.example", "origin.not_allowed"),
        ("https://tonys.example:444", "origin.not_allowed"),
        ("https://tonys.example.evil.example", "origin.not_allowed"),
        ("https://TONYS.example", "origin.not_allowed"),
        (f"{ORIGIN}/", "origin.not_allowed"),
        ("", "origin.not_allowed"),
    ],
)
def test_a_site_takes_its_own_origins_alone(
    shop: ShopUnderTest, other_site: Site, origin: str | None, code: str
) -> None:
    """With only a site key, a missing, null or foreign origin is 403 and nothing is stored."""
    before = shop.rows()
    headers = {} if origin is None else {"Origin": origin}
    answer = post(shop, **headers)
    assert (answer.status_code, codes(answer)) == (403, [code])
    assert shop.rows() == before


def test_a_site_without_origins_takes_none(shop: ShopUnderTest) -> None:
    """A site for which no origin was allowed cannot be posted to from any page."""
    with shop.house.database.transaction() as connection:
        bare = add_site(connection, "Counter", [], shop.clock())
    fields = {"site": bare.publishable_key, "contact_email": EMAIL}
    assert post(shop, fields, Origin=ORIGIN).status_code == 403


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contact_email": EMAIL}, "site.missing"),
        ({"site": "", "contact_email": EMAIL}, "site.missing"),
        ({"site": "pk_unknown", "contact_email": EMAIL}, "site.unknown"),
        ({"site": ["a"], "contact_email": EMAIL}, "site.missing"),
    ],
    ids=["none", "blank", "unknown", "of another type"],
)
def test_no_site_no_right(
    shop: ShopUnderTest, fields: dict[str, Any], code: str
) -> None:
    """Without a site that we know and without a key, the answer is 401."""
    before = shop.rows()
    answer = post(shop, fields, Origin=ORIGIN)
    assert (answer.status_code, codes(answer)) == (401, [code])
    assert shop.rows() == before


def schemes(key: str) -> dict[str, str]:
    return {
        "another key": "Bearer sk_unknown",
        "a truncated key": f"Bearer {key[:-1]}",
        "no key": "Bearer ",
        "no scheme": key,
        "another scheme": f"Basic {key}",
        "nothing": "",
        "not ascii": "Bearer sk_é",
    }


@pytest.mark.parametrize("case", schemes(""))
def test_a_key_that_is_none(shop: ShopUnderTest, case: str) -> None:
    """A wrong key or scheme is 401, even beside a site and origin that would do."""
    before = shop.rows()
    answer = post(shop, Origin=ORIGIN, Authorization=schemes(shop.key)[case])
    assert (answer.status_code, codes(answer)) == (401, ["key.unknown"])
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert shop.rows() == before


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_needs_no_origin(shop: ShopUnderTest, scheme: str) -> None:
    """The shop's server posts with its key alone, however it spells the scheme."""
    answer = post(shop, {"contact_email": EMAIL}, Authorization=f"{scheme} {shop.key}")
    assert answer.status_code == 201
    assert set(answer.get_json()["customer"]) == {"id", "version", "preferred_channel"}


def test_a_key_without_a_site(shop: ShopUnderTest) -> None:
    """A record sent by a key that names no site comes from none."""
    shop.sign_up(by_key=True, contact_email=EMAIL)
    assert shop.last_customer()["source"]["site_id"] is None


def test_a_key_with_a_site(shop: ShopUnderTest, other_site: Site) -> None:
    """A key may post for any site of the business, and the record says which."""
    shop.sign_up(by_key=True, site=other_site.publishable_key, contact_email=EMAIL)
    assert shop.last_customer()["source"]["site_id"] == other_site.id


def test_a_key_with_an_unknown_site(shop: ShopUnderTest) -> None:
    """Under a key an unknown site is a mistake in a field: 422."""
    before = shop.rows()
    answer = shop.sign_up(by_key=True, site="pk_unknown", contact_email=EMAIL)
    assert (answer.status_code, codes(answer)) == (422, ["site.unknown"])
    assert shop.rows() == before


def test_an_external_id_is_the_keys_alone(shop: ShopUnderTest) -> None:
    """A customer number is taken under a key and refused from a page."""
    answer = shop.sign_up(external_id="A-1029", contact_email=EMAIL)
    assert (answer.status_code, codes(answer)) == (422, ["external_id.needs_key"])
    shop.sign_up(by_key=True, external_id="A-1029", contact_email=EMAIL)
    assert shop.last_customer()["external_id"] == "A-1029"


def test_a_page_is_not_told_of_the_customer(shop: ShopUnderTest) -> None:
    """A public answer has the three members and no other, whether the person is known or not."""
    first = shop.sign_up(contact_email=EMAIL).get_json()
    again = shop.sign_up(contact_email=EMAIL).get_json()
    assert set(first) == set(again) == {"id", "handle", "preferences_url"}
    assert first["id"] != again["id"]


def test_a_revoked_key_ends_at_once(shop: ShopUnderTest) -> None:
    """The request after the revocation is refused, and so are those after it."""
    assert shop.sign_up(by_key=True, contact_email=EMAIL).status_code == 201
    with shop.house.database.transaction() as connection:
        (key,) = list_keys(connection)
        assert revoke_key(connection, key.id, shop.clock())
    before = shop.rows()
    for _ in range(2):
        answer = shop.sign_up(by_key=True, contact_email=EMAIL)
        assert (answer.status_code, codes(answer)) == (401, ["key.unknown"])
    assert shop.rows() == before


def test_a_new_key_works_at_once(shop: ShopUnderTest) -> None:
    """A key that was made while the service runs is good for the next request."""
    with shop.house.database.transaction() as connection:
        _, key = add_key(connection, "till", shop.clock())
    fields = {"contact_email": EMAIL}
    assert post(shop, fields, Authorization=f"Bearer {key}").status_code == 201


@pytest.mark.sqlite_only("reads the file of the database")
def test_keys_are_kept_as_hashes(shop: ShopUnderTest) -> None:
    """No part of a secret key that could be used stands in the database."""
    with shop.house.database.reading() as connection:
        (row,) = connection.execute(select(key_table))
    assert shop.key.removeprefix("sk_") not in str(row)
    assert len(row.hash) == 64
    shop.house.database.scrub()
    file = shop.house.settings.data_dir / "regulars.sqlite3"
    assert shop.key.encode() not in file.read_bytes()


def test_idempotency_keys_belong_to_a_credential(shop: ShopUnderTest) -> None:
    """The same key under another credential is another key, and repeats tell nothing to strangers."""
    headers = {"Idempotency-Key": "order-1029"}
    mine = shop.sign_up(by_key=True, contact_email=EMAIL, headers=headers)
    other = shop.sign_up(contact_email="b@example.com", headers=headers)
    again = shop.sign_up(by_key=True, contact_email=EMAIL, headers=headers)
    assert (mine.status_code, other.status_code) == (201, 201)
    assert again.get_json() == mine.get_json() != other.get_json()


# What each answer is caused by: the fields, the headers, the status.
ANSWERS: dict[str, tuple[dict[str, Any], dict[str, str], int]] = {
    "201": ({"contact_email": EMAIL}, {}, 201),
    "204": ({}, {}, 204),
    "400 key": (
        {"contact_email": EMAIL},
        {"Idempotency-Key": "a b"},
        400,
    ),
    "401 site": ({"site": "pk_unknown"}, {}, 401),
    "401 key": ({}, {"Authorization": "Bearer sk_unknown"}, 401),
    "415": ({}, {"Content-Type": "text/plain"}, 415),
    "413": ({"given_name": "a" * 100_000}, {}, 413),
    "422": ({"contact_email": "x"}, {}, 422),
}


@pytest.mark.parametrize(("fields", "headers", "status"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_is_shared_with_the_page(
    shop: ShopUnderTest, fields: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    """Errors too can be read by the page that posted: else it could only say "failed"."""
    answer = shop.sign_up(headers=headers, **fields)
    assert answer.status_code == status
    assert answer.headers[SHARED] == ORIGIN
    assert "Origin" in answer.vary
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_another_sites_page_can_read_its_refusal(
    shop: ShopUnderTest, other_site: Site
) -> None:
    """A 403 for the key of another site is shared with the page of a site that we know."""
    answer = post(shop, Origin=OTHER_ORIGIN)
    assert answer.status_code == 403
    assert answer.headers[SHARED] == OTHER_ORIGIN


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/signups/sgn_1"])
def test_unknown_paths_are_shared_too(shop: ShopUnderTest, path: str) -> None:
    """The rule holds for every path below /v1."""
    answer = shop.client.get(path, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers[SHARED]) == (404, ORIGIN)


def test_405_is_shared_too(shop: ShopUnderTest) -> None:
    """A method that is not taken is answered readably, naming those that are."""
    answer = shop.client.delete("/v1/signups", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers[SHARED]) == (405, ORIGIN)
    assert codes(answer) == ["method.not_allowed"]
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"{ORIGIN}/"])
def test_strangers_are_shared_nothing(shop: ShopUnderTest, origin: str | None) -> None:
    """Another origin gets no leave to read, while caches are told that it matters."""
    answer = post(shop, **({"Origin": origin} if origin else {}))
    assert SHARED not in answer.headers
    assert "Origin" in answer.vary


def preflight(shop: ShopUnderTest, origin: str) -> Any:
    return shop.client.options(
        "/v1/signups",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, idempotency-key",
        },
    )


def test_preflight_lets_json_through(shop: ShopUnderTest) -> None:
    """A page may post JSON with an idempotency key: both headers are allowed."""
    answer = preflight(shop, ORIGIN)
    assert answer.status_code in {200, 204}
    assert answer.headers[SHARED] == ORIGIN
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert {"content-type", "idempotency-key"} <= set(allowed.split(", "))
    assert "Origin" in answer.vary


def test_preflight_of_a_stranger(shop: ShopUnderTest) -> None:
    """A page of another origin is not let through."""
    headers = preflight(shop, "https://evil.example").headers
    assert not [name for name in headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_pages_are_not_shared(shop: ShopUnderTest) -> None:
    """What people read is no API: no origin gets leave to read it."""
    for path in ("/healthz", f"/signup?site={shop.site.publishable_key}", "/p/x"):
        answer = shop.client.get(path, headers={"Origin": ORIGIN})
        assert SHARED not in answer.headers


def test_a_developer_is_told_what_to_send(shop: ShopUnderTest) -> None:
    """The detail of a refusal is for whoever wrote the call; the field's message for customers."""
    told = shop.client.post("/v1/signups", json={}).json
    assert "publishable key" in told["detail"]
    assert told["errors"][0]["code"] == "site.missing"
    assert told["errors"][0]["message"] != told["detail"]
