"""What a repeat adds: the shop's id and a proven address may replace, a typed address may add."""

from typing import Any

import pytest
from tests.shop.by_hand import customer_id_of, prove
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

FIRST = {
    "external_id": "A-1",
    "given_name": "Ana",
    "family_name": "Lima",
    "locale": "pt-BR",
    "contact_email": EMAIL,
    "contact_phone": PHONE,
    "x_handle": HANDLE,
    "contact_channel": ["email", "sms"],
    "topic": ["quiet_times", "new_dishes"],
    "interest": ["Fluminense"],
}
OTHER_PHONE = "(646) 456-7891"
BY = ("external_id", "proven", "typed")


def sign_up_again(shop: ShopUnderTest, by: str, **fields: Any) -> dict[str, Any]:
    """The record after a first signup and a second one that is joined *by* a rule."""
    first = customer_id_of(shop.sign_up(by_key=True, **FIRST))
    shop.clock.advance(1)
    if by == "proven":
        prove(shop, EMAIL)
    link = {"external_id": "A-1"} if by == "external_id" else {"contact_email": EMAIL}
    assert customer_id_of(shop.sign_up(by_key=True, **link, **fields)) == first
    return shop.last_customer()


NAMES = {
    "external_id": ("Anna", "Lima", "en"),
    "proven": ("Anna", "Lima", "en"),
    "typed": ("Ana", "Lima", "pt-BR"),
}


@pytest.mark.parametrize(("by", "names"), NAMES.items(), ids=NAMES)
def test_names_and_locale(
    shop: ShopUnderTest, by: str, names: tuple[str, str, str]
) -> None:
    """What is sent replaces, what is not sent stays; nothing is replaced by a typed address."""
    again = sign_up_again(shop, by, given_name="Anna", locale="en")
    assert (again["given_name"], again["family_name"], again["locale"]) == names


def test_a_typed_address_does_not_even_fill_in_a_name(shop: ShopUnderTest) -> None:
    """No name changes: an empty one is no invitation to strangers."""
    shop.sign_up(contact_email=EMAIL)
    shop.sign_up(contact_email=EMAIL, given_name="Mallory", locale="en")
    again = shop.last_customer()
    assert (again["given_name"], again["locale"]) == (None, None)


RANKS = {
    "external_id": ["x", "sms", "email"],
    "proven": ["x", "sms", "email"],
    "typed": ["email", "sms", "x"],
}


@pytest.mark.parametrize(("by", "ranks"), RANKS.items(), ids=RANKS)
def test_order_of_channels(shop: ShopUnderTest, by: str, ranks: list[str]) -> None:
    """The order sent comes first and the rest after it; a typed address adds behind."""
    again = sign_up_again(
        shop, by, contact_channel=["x", "sms"], x_handle=HANDLE, contact_phone=PHONE
    )
    assert again["preferred_channels"] == ranks
    assert again["preferred_channel"] == ranks[0]
    held = {name: channel["rank"] for name, channel in again["channels"].items()}
    assert [held[name] for name in ranks] == [1, 2, 3]
    assert held["facebook"] is None


@pytest.mark.parametrize("by", ["external_id", "proven"])
def test_a_new_address_becomes_primary_of_its_kind(
    shop: ShopUnderTest, by: str
) -> None:
    """The one before stays, no longer primary; other kinds are not touched."""
    again = sign_up_again(shop, by, contact_phone=OTHER_PHONE)
    primary = {p["normalized"]: p["is_primary"] for p in again["contact_points"]}
    assert primary == {
        "analima": True,
        EMAIL: True,
        "+12124567890": False,
        "+16464567891": True,
    }
    new = next(p for p in again["contact_points"] if p["value"] == OTHER_PHONE)
    assert again["channels"]["sms"]["contact_point_id"] == new["id"]


@pytest.mark.parametrize("by", BY)
def test_topics_and_interests_are_united(shop: ShopUnderTest, by: str) -> None:
    """In every case, each once, the held ones first."""
    again = sign_up_again(
        shop,
        by,
        topic=["new_dishes", "music"],
        interest=["Samba", "Fluminense"],
    )
    assert again["topics"] == ["quiet_times", "new_dishes", "music"]
    assert again["interests"] == [
        {"label": "Fluminense", "source": "customer"},
        {"label": "Samba", "source": "customer"},
    ]


@pytest.mark.parametrize("by", BY)
def test_a_repeat_is_one_event_of_the_next_version(
    shop: ShopUnderTest, by: str
) -> None:
    """Exactly one, however little it brought."""
    again = sign_up_again(shop, by)
    assert [event["type"] for event in shop.events()] == [
        "customer.created",
        "customer.updated",
    ]
    assert again["version"] == 2
    assert again["created_at"] == "2026-11-21T20:15:04.318Z"
    assert again["updated_at"] == "2026-11-21T20:15:05.318Z"


def test_the_link_is_of_the_signup_that_last_touched_the_record(
    shop: ShopUnderTest,
) -> None:
    """``links.preferences`` follows, and so does the source."""
    shop.sign_up(contact_email=EMAIL, order_id="1")
    answer = shop.sign_up(contact_email=EMAIL, order_id="2")
    again = shop.last_customer()
    assert again["links"]["preferences"] == answer.json["preferences_url"]
    assert again["source"]["order_id"] == "2"
