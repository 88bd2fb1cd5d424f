"""The public check of a handle: what a page is told, and what it is never told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shops import EMAIL, HANDLE, ORIGIN, ShopUnderTest

from regulars.check.lookup import Answer
from regulars.keep.sites import add_site
from regulars.values.handle import Handle
from regulars_webhooks.receipt import VALID_FOR, verify

Open = Callable[..., ShopUnderTest]
ROOM = 60
IN_MEMORY = "visitors are counted in memory, whatever the database"


def check(
    shop: ShopUnderTest,
    handle: str | None = HANDLE,
    *,
    address: str = "203.0.113.9",
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> Any:
    """The answer to a page that asks of *handle*, under the sentence beside its field."""
    sent = {
        "site": shop.site.publishable_key,
        "handle": handle,
        "consent_x_link": shop.wording("x_link"),
        **fields,
    }
    return shop.client.post(
        "/v1/check",
        data={name: value for name, value in sent.items() if value is not None},
        headers={"Origin": ORIGIN, **(headers or {})},
        environ_overrides={"REMOTE_ADDR": address},
    )


def codes(answer: Any) -> list[tuple[str, str]]:
    assert answer.mimetype == "application/problem+json"
    return [(e["field"], e["code"]) for e in answer.get_json()["errors"]]


def test_an_account_that_exists(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The verdict, the handle as it was typed, and a receipt that the site's secret verifies."""
    lookup.found("AnaLima", "2244994945")
    answer = check(shop, " https://x.com/analima?s=21 ")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    told = answer.get_json()
    assert set(told) == {"verdict", "handle", "receipt"}
    assert (told["verdict"], told["handle"]) == ("found", "analima")
    receipt = verify(told["receipt"], shop.site.receipt_secret, now=shop.clock())
    assert (receipt.handle, receipt.id) == ("analima", "2244994945")
    assert (receipt.verdict, receipt.site) == ("found", shop.site.id)
    assert receipt.expires - receipt.issued == VALID_FOR


@pytest.mark.parametrize(
    ("say", "verdict"),
    [(FakeLookup.not_found, "not_found"), (FakeLookup.suspended, "suspended")],
)
def test_other_settled_verdicts(
    shop: ShopUnderTest,
    lookup: FakeLookup,
    say: Callable[[FakeLookup, str], FakeLookup],
    verdict: str,
) -> None:
    """Whatever X has settled is put on a receipt, without an id where there is none."""
    say(lookup, HANDLE)
    told = check(shop).get_json()
    assert told["verdict"] == verdict
    receipt = verify(told["receipt"], shop.site.receipt_secret, now=shop.clock())
    assert (receipt.verdict, receipt.id) == (verdict, None)


def test_x_in_trouble(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """What X did not say is pending, and no receipt is given for it."""
    lookup.unavailable(HANDLE)
    told = check(shop).get_json()
    assert told == {"verdict": "pending", "handle": HANDLE, "receipt": None}


@pytest.mark.parametrize("agreed", [None, "", "  "])
def test_no_consent_no_question(
    shop: ShopUnderTest, lookup: FakeLookup, agreed: str | None
) -> None:
    """Without the sentence's key X is not asked, and the page learns the canonical form alone."""
    answer = check(shop, "@AnaLima", consent_x_link=agreed)
    assert answer.get_json() == {
        "verdict": "unchecked",
        "handle": "AnaLima",
        "receipt": None,
    }
    assert lookup.asked == []


@pytest.mark.parametrize("mode", ["format", "off"])
def test_checking_is_off(open_under_test: Open, mode: str) -> None:
    """Where the shop asks X nothing, a check asks nothing either: no test may reach X."""
    shop = open_under_test(X_MODE=mode)
    assert check(shop).get_json() == {
        "verdict": "unchecked",
        "handle": HANDLE,
        "receipt": None,
    }
    assert check(shop, "a b").status_code == 422


def test_a_sentence_that_was_never_shown(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A key of no wording is refused, and X is not asked."""
    answer = check(shop, consent_x_link="999.en")
    assert answer.status_code == 422
    assert codes(answer) == [("consent_x_link", "wording.unknown")]
    assert lookup.asked == []


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        (None, "handle.empty"),
        ("", "handle.empty"),
        (" \t", "handle.empty"),
        ("@", "handle.empty"),
        ("Ana Lima", "handle.has_spaces"),
        ("a" * 16, "handle.too_long"),
        ("a?user.fields=location", "handle.characters"),
        ("../me", "handle.not_x"),
        ("https://x.com/i/user/42", "handle.user_id_link"),
        ("ana@shop.example", "handle.looks_like_email"),
        ("a\x00b", "text.not_text"),
        ("x" * 5000, None),
    ],
)
def test_what_is_no_handle(
    shop: ShopUnderTest, lookup: FakeLookup, handle: str | None, code: str | None
) -> None:
    """A mistyped handle is refused under its code in the field that the page sent, unasked."""
    answer = check(shop, handle)
    assert answer.status_code == 422
    ((field, said),) = codes(answer)
    assert field == "handle"
    assert code in {None, said}
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert lookup.asked == []


def test_a_sentence_in_the_requests_language(shop: ShopUnderTest) -> None:
    """What the widget may show is in the language of the page's visitor."""
    said = {
        language: check(shop, "a b", headers={"Accept-Language": language}).get_json()[
            "errors"
        ][0]["message"]
        for language in ("en", "de", "pt-BR")
    }
    assert len(set(said.values())) == 3


def test_fields_that_repeat(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """Of several handles the first that is not blank counts; other fields are nobody's business."""
    several = {
        "site": [shop.site.publishable_key, "pk_unknown"],
        "handle": ["", HANDLE, "bob"],
        "consent_x_link": ["", shop.wording("x_link")],
        "extra": "1",
    }
    answer = shop.client.post("/v1/check", data=several, headers={"Origin": ORIGIN})
    assert answer.get_json()["handle"] == HANDLE
    assert lookup.asked == [[HANDLE.lower()]]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"handle": "AnaLima"}', "application/json"),
        (b"handle=AnaLima", "text/plain"),
        (b"", ""),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_other_bodies(shop: ShopUnderTest, body: bytes, content_type: str) -> None:
    """The check takes a form alone, which a browser sends without asking beforehand."""
    answer = shop.client.post(
        "/v1/check", data=body, content_type=content_type, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 415
    assert codes(answer) == [("", "content_type.unsupported")]


def test_a_body_that_is_no_text(shop: ShopUnderTest) -> None:
    """A form that is not UTF-8 is refused, not garbled."""
    answer = shop.client.post(
        "/v1/check",
        data=b"handle=%ff%fe",
        content_type="application/x-www-form-urlencoded",
        headers={"Origin": ORIGIN},
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("site", "origin", "status", "code"),
    [
        (None, ORIGIN, 401, ("site", "site.missing")),
        ("pk_unknown", ORIGIN, 401, ("site", "site.unknown")),
        ("", "https://evil.example", 403, ("", "origin.not_allowed")),
        ("", "null", 403, ("", "origin.missing")),
        ("", None, 403, ("", "origin.missing")),
    ],
)
def test_who_may_ask(
    shop: ShopUnderTest,
    lookup: FakeLookup,
    site: str | None,
    origin: str | None,
    status: int,
    code: tuple[str, str],
) -> None:
    """A site's own pages alone, as for signups; X is asked for nobody else."""
    sent = {"handle": HANDLE, "consent_x_link": shop.wording("x_link")}
    if site is not None:
        sent["site"] = site or shop.site.publishable_key
    headers = {} if origin is None else {"Origin": origin}
    answer = shop.client.post("/v1/check", data=sent, headers=headers)
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert answer.headers["Vary"] == "Origin"
    is_shared = "Access-Control-Allow-Origin" in answer.headers
    assert is_shared == (origin == ORIGIN)
    assert lookup.asked == []


def test_the_shops_own_server(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """Under a secret key no Origin is needed; without a site there is no receipt to sign."""
    lookup.found(HANDLE, "42")
    sent = {"handle": HANDLE, "consent_x_link": shop.wording("x_link")}
    headers = {"Authorization": f"Bearer {shop.key}"}
    told = shop.client.post("/v1/check", data=sent, headers=headers).get_json()
    assert (told["verdict"], told["receipt"]) == ("found", None)
    sent["site"] = shop.site.publishable_key
    told = shop.client.post("/v1/check", data=sent, headers=headers).get_json()
    assert (
        verify(told["receipt"], shop.site.receipt_secret, now=shop.clock()).id == "42"
    )


def test_headers(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The page may read the answer and its timing; no cookie is set and nothing is cached."""
    headers = check(shop).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Timing-Allow-Origin"] == ORIGIN
    assert headers["Vary"] == "Origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers
    assert "Access-Control-Allow-Credentials" not in headers


def test_no_word_of_x(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """Name, bio, picture and X's own spelling stay out of the answer, also out of the receipt."""
    lookup.found("AnaLima", "2244994945")
    told = check(shop, "analima").get_json()
    read = verify(told["receipt"], shop.site.receipt_secret, now=shop.clock())
    text = f"{told} {read}"
    for word in ("AnaLima", "Ana Lima", "Football", "pbs.example", "321"):
        assert word not in text


def test_nothing_is_kept(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """A check makes no customer, no consent, no event."""
    lookup.found(HANDLE, "42")
    before = shop.rows()
    check(shop)
    after = shop.rows()
    kept = {name for name in after if after[name] != before[name]}
    assert {name for name in kept if not name.startswith("lookup_")} == set()


def test_the_answer_is_the_same_whoever_is_known(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Nothing in status, headers or body says whether the shop has a customer of this handle."""

    def form_of(answer: Any) -> tuple[Any, ...]:
        told = answer.get_json()
        shape = (told["verdict"], told["handle"], len(told["receipt"]))
        return answer.status_code, sorted(answer.headers), shape

    lookup.found(HANDLE, "42")
    before = form_of(check(shop))
    shop.sign_up(by_key=True, x_handle=HANDLE, contact_email=EMAIL, **shop.consent())
    assert form_of(check(shop)) == before


@pytest.mark.sqlite_only(IN_MEMORY)
def test_sixty_a_minute_and_address(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The 61st check of one address is refused in words that say when to come again; signups go on."""
    for _ in range(ROOM):
        assert check(shop, consent_x_link=None).status_code == 200
    answer = check(shop, consent_x_link=None)
    assert answer.status_code == 429
    assert codes(answer) == [("", "rate.limited")]
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert check(shop, address="203.0.113.10").status_code == 200
    assert shop.sign_up(contact_email=EMAIL).status_code == 201


@pytest.mark.sqlite_only(IN_MEMORY)
def test_a_sites_total_is_bounded(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """From however many addresses: 600 a minute; another site has room of its own, and so have signups."""
    # Who is refused by the origin counts for the own address alone.
    evil = {"Origin": "https://evil.example"}
    assert check(shop, headers=evil, address="192.0.2.2").status_code == 403
    for number in range(600):
        address = f"198.51.100.{number % 200}"
        assert check(shop, consent_x_link=None, address=address).status_code == 200
    answer = check(shop, consent_x_link=None, address="192.0.2.1")
    assert (answer.status_code, codes(answer)) == (429, [("", "rate.limited")])
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    with shop.house.database.transaction() as connection:
        other = add_site(connection, "Other", [ORIGIN], shop.clock())
    more = {"site": other.publishable_key, "consent_x_link": None}
    assert check(shop, address="192.0.2.1", **more).status_code == 200
    assert shop.sign_up(contact_email=EMAIL).status_code == 201


def test_a_sweep_spends_a_fifth_at_most(open_under_test: Open) -> None:
    """Whoever tries handle after handle has 20 of 100 users; then checks wait and signups go on."""
    lookup = FakeLookup()
    for number in range(30):
        lookup.found(f"guest{number}", f"{1000 + number}")
    shop = open_under_test(lookup.found(HANDLE, "42"), X_DAILY_LOOKUPS="100")
    said = [
        check(shop, f"guest{number}", address=f"198.51.100.{number}").get_json()
        for number in range(30)
    ]
    assert [told["verdict"] for told in said] == ["found"] * 20 + ["pending"] * 10
    assert [told["receipt"] is None for told in said] == [False] * 20 + [True] * 10
    told = shop.sign_up(x_handle=HANDLE, **shop.consent()).get_json()
    assert told["handle"]["verdict"] == "found"


def test_who_is_known_cannot_be_told_when_checks_wait(open_under_test: Open) -> None:
    """A handle that was given here waits like all others: what is kept of it says nothing."""
    lookup = FakeLookup().found(HANDLE, "42").found("bob", "43")
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="5")
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert check(shop, "bob").get_json()["verdict"] == "found"
    said = [check(shop, name).get_json() for name in (HANDLE, "carol")]
    assert [told["verdict"] for told in said] == ["pending", "pending"]


def test_checks_are_counted(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The operator sees how many of each verdict; the numbers name nobody."""
    lookup.found(HANDLE, "42")
    check(shop)
    check(shop, "bob")
    check(shop, "carol", consent_x_link=None)
    page = shop.client.get("/metrics").get_data(as_text=True)
    for verdict, count in [
        ("found", 1), ("not_found", 1), ("unchecked", 1), ("suspended", 0), ("pending", 0),
    ]:  # fmt: skip
        assert f'regulars_checks_total{{verdict="{verdict}"}} {count}.0' in page
    assert HANDLE.lower() not in page.lower()


def test_the_time_it_may_take(open_under_test: Open) -> None:
    """X is given no longer than it has for a signup."""
    given = []

    class Noting(FakeLookup):
        def look_up(
            self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
        ) -> Mapping[str, Answer]:
            given.append(timeout_s)
            return super().look_up(handles, timeout_s=timeout_s, now=now)

    shop = open_under_test(Noting(), X_TIMEOUT_S="1.5")
    assert check(shop).status_code == 200
    assert len(given) == 1
    assert given[0] <= 1.5
