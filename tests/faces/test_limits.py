"""How often one visitor may call, and who counts as one visitor."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.shops import EMAIL, HANDLE, ORIGIN, PHONE, ShopUnderTest

ROOM = 60
# Empty forms: they count like any other and write nothing.
Open = Callable[..., ShopUnderTest]


def call(shop: ShopUnderTest, address: str = "203.0.113.9", **headers: str) -> Any:
    """An empty form from a page of the site."""
    return shop.client.post(
        "/v1/signups",
        json={"site": shop.site.publishable_key},
        headers={"Origin": ORIGIN, **headers},
        environ_overrides={"REMOTE_ADDR": address},
    )


def exhaust(shop: ShopUnderTest, address: str = "203.0.113.9", **headers: str) -> None:
    """Use up all the room of *address*."""
    for _ in range(ROOM):
        assert call(shop, address, **headers).status_code == 204


def test_sixty_a_minute_and_no_more(shop: ShopUnderTest) -> None:
    """The 61st call of one address is refused, and the refusal says when to come again."""
    exhaust(shop)
    answer = call(shop)
    assert answer.status_code == 429
    assert answer.mimetype == "application/problem+json"
    assert [error["code"] for error in answer.get_json()["errors"]] == ["rate.limited"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer.vary
    assert call(shop, "203.0.113.10").status_code == 204


def test_refused_forms_count(shop: ShopUnderTest) -> None:
    """Guessing is not free: calls that are refused use up room too."""
    for _ in range(ROOM):
        assert call(shop, Origin="https://evil.example").status_code == 403
    assert call(shop).status_code == 429


def test_a_key_has_room_of_its_own(shop: ShopUnderTest) -> None:
    """The shop's server is neither held to the public limit nor counted by its address."""
    headers = {"Authorization": f"Bearer {shop.key}"}
    for _ in range(ROOM + 20):
        answer = shop.client.post(
            "/v1/signups",
            json={},
            headers=headers,
            environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
        )
        assert answer.status_code == 204
    exhaust(shop)
    assert call(shop).status_code == 429
    again = shop.client.post("/v1/signups", json={}, headers=headers)
    assert again.status_code == 204


def test_pages_are_limited_readably(shop: ShopUnderTest) -> None:
    """Who presses too often on the hosted page reads a page, not JSON."""
    for _ in range(ROOM):
        shop.client.post("/signup", data={"site": "pk_unknown"})
    answer = shop.client.post("/signup", data={"site": "pk_unknown"})
    assert (answer.status_code, answer.mimetype) == (429, "text/html")
    assert "Retry-After" in answer.headers


def test_private_links_are_limited(shop: ShopUnderTest) -> None:
    """Links cannot be guessed by trying many."""
    statuses = [shop.client.get(f"/p/{n}").status_code for n in range(ROOM + 1)]
    assert statuses == [404] * ROOM + [429]


def test_looking_is_free(shop: ShopUnderTest) -> None:
    """The page, health and schemas are not limited: they cost nothing and change nothing."""
    page = f"/signup?site={shop.site.publishable_key}"
    for path in (page, "/healthz", "/readyz", "/schemas/test.ping.json"):
        statuses = {shop.client.get(path).status_code for _ in range(ROOM + 1)}
        assert statuses == {200}


def test_without_proxies_the_header_is_nobodys_word(shop: ShopUnderTest) -> None:
    """With TRUSTED_PROXIES 0 whoever claims other addresses is still one visitor."""
    for number in range(ROOM):
        call(shop, **{"X-Forwarded-For": f"198.51.100.{number}"})
    assert call(shop, **{"X-Forwarded-For": "198.51.100.99"}).status_code == 429


def test_with_a_proxy_the_last_hop_counts(open_under_test: Open) -> None:
    """With TRUSTED_PROXIES 1 the address is what our proxy saw, whatever was sent to it."""
    shop = open_under_test(TRUSTED_PROXIES="1")
    for number in range(ROOM):
        claimed = f"198.51.100.{number}, 192.0.2.1"
        call(shop, "10.0.0.1", **{"X-Forwarded-For": claimed})
    claim = {"X-Forwarded-For": "198.51.100.99, 192.0.2.1"}
    assert call(shop, "10.0.0.1", **claim).status_code == 429
    other = {"X-Forwarded-For": "198.51.100.99, 192.0.2.2"}
    assert call(shop, "10.0.0.1", **other).status_code == 204


def test_a_proxy_that_says_nothing(open_under_test: Open) -> None:
    """Behind a proxy that sends no header its own address counts: nobody is without a limit."""
    shop = open_under_test(TRUSTED_PROXIES="1")
    exhaust(shop, "10.0.0.1")
    assert call(shop, "10.0.0.1").status_code == 429


@pytest.mark.parametrize("claimed", ["unknown", "", "1.2.3.4:99", "::::", "a" * 5000])
def test_nonsense_for_an_address(open_under_test: Open, claimed: str) -> None:
    """Whatever a proxy passes on is answered, and is limited like one visitor."""
    shop = open_under_test(TRUSTED_PROXIES="1")
    exhaust(shop, "10.0.0.1", **{"X-Forwarded-For": claimed})
    answer = call(shop, "10.0.0.1", **{"X-Forwarded-For": claimed})
    assert answer.status_code == 429


def test_an_ipv6_household_is_one_visitor(shop: ShopUnderTest) -> None:
    """All addresses of one /64 share their room; the next /64 has its own."""
    for number in range(ROOM):
        call(shop, f"2001:db8:0:1::{number:x}")
    assert call(shop, "2001:db8:0:1:ffff::1").status_code == 429
    assert call(shop, "2001:db8:0:2::1").status_code == 204


def test_an_ipv4_visitor_of_a_socket_for_both_is_one_of_their_own(
    shop: ShopUnderTest,
) -> None:
    """As ``::ffff:…`` they are not one household: one of them cannot lock out all others."""
    exhaust(shop, "::ffff:203.0.113.9")
    assert call(shop, "::ffff:203.0.113.9").status_code == 429
    assert call(shop, "203.0.113.9").status_code == 429
    assert call(shop, "::ffff:203.0.113.10").status_code == 204


def test_shops_do_not_share_room(open_under_test: Open) -> None:
    """Counters are of one service: another one starts afresh."""
    exhaust(open_under_test())
    assert call(open_under_test()).status_code == 204


def send(shop: ShopUnderTest, number: int, **fields: str) -> Any:
    """A signup from a page of the site, by the visitor of that *number*."""
    return shop.client.post(
        "/v1/signups",
        json={"site": shop.site.publishable_key, **fields},
        headers={"Origin": ORIGIN},
        environ_overrides={"REMOTE_ADDR": f"198.51.100.{number}"},
    )


@pytest.mark.parametrize(
    ("first", "same"),
    [
        ({"contact_email": EMAIL}, {"contact_email": EMAIL.upper()}),
        ({"contact_phone": PHONE}, {"contact_phone": "+1 212 456 7890"}),
        ({"x_handle": HANDLE}, {"x_handle": f"https://x.com/{HANDLE.lower()}"}),
    ],
    ids=["email", "phone", "handle"],
)
def test_one_address_is_sent_ten_times_a_minute(
    shop: ShopUnderTest, first: dict[str, str], same: dict[str, str]
) -> None:
    """From however many visitors and in whatever spelling; nothing is kept of the eleventh."""
    for number in range(10):
        assert send(shop, number, **first).status_code == 201
    before = shop.rows()
    answer = send(shop, 10, **same, given_name="Ana")
    assert answer.status_code == 429
    assert [error["code"] for error in answer.get_json()["errors"]] == ["rate.limited"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert shop.rows() == before
    assert send(shop, 11, contact_email="bob@example.com").status_code == 201


def test_the_hosted_page_counts_addresses_too(shop: ShopUnderTest) -> None:
    """Both public ways share an address's room."""
    for number in range(10):
        assert send(shop, number, contact_email=EMAIL).status_code == 201
    sent = {"site": shop.site.publishable_key, "contact_email": EMAIL}
    answer = shop.client.post("/signup", data=sent)
    assert (answer.status_code, answer.mimetype) == (429, "text/html")


def test_the_shops_server_may_send_an_address_as_often_as_it_likes(
    shop: ShopUnderTest,
) -> None:
    """Under a secret key no address is counted: a shop has regulars."""
    for _ in range(12):
        assert shop.sign_up(by_key=True, contact_email=EMAIL).status_code == 201


def test_no_address_is_kept_to_count_it(shop: ShopUnderTest) -> None:
    """Not even the memory of the process holds what was counted, only keyed digests."""
    send(shop, 1, contact_email=EMAIL, x_handle=HANDLE, contact_phone=PHONE)
    counters: Any = shop.house.limiter.storage
    keys = " ".join(counters.storage).lower()
    assert "address" in keys
    for needle in (EMAIL, HANDLE, "2124567890"):
        assert needle.lower() not in keys
