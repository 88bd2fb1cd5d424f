"""The record of one customer: its channels object, and what names a change."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import rows, token_of
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars.keep.contact_points import contact_point_table
from regulars.keep.record import changed_pointers

PURPOSES = {"conversation", "order", "service_news", "offers"}
ALL_CHANNELS = "x,email,sms,phone,whatsapp,facebook"
EVERYTHING = {
    "x_handle": HANDLE,
    "contact_email": EMAIL,
    "contact_phone": PHONE,
    "contact_facebook": "ana.lima.9",
}


@pytest.mark.parametrize("offered", ["x,email,sms,phone,facebook", "sms,x", "whatsapp"])
def test_every_offered_channel_and_no_other(
    open_under_test: Callable[..., ShopUnderTest], offered: str
) -> None:
    """``channels`` holds what the shop offers, asked for or not."""
    shop = open_under_test(FakeLookup(), CHANNELS=offered)
    shop.sign_up(contact_email=EMAIL)
    assert list(shop.last_customer()["channels"]) == offered.split(",")


@pytest.mark.parametrize("sent", [{"contact_email": EMAIL}, EVERYTHING])
def test_each_purpose_exactly_once(
    open_under_test: Callable[..., ShopUnderTest], sent: dict[str, str]
) -> None:
    """Of each channel each of the four purposes is either allowed or blocked."""
    shop = open_under_test(FakeLookup().found(HANDLE, "42"), CHANNELS=ALL_CHANNELS)
    chosen = ["x", "sms"] if "x_handle" in sent else []
    boxes = {f"consent_offers_{c}": shop.wording(f"offers_{c}") for c in ("x", "sms")}
    shop.sign_up(contact_channel=chosen, **sent, **boxes, **shop.consent())
    for channel in shop.last_customer()["channels"].values():
        named = [*channel["allowed_for"], *channel["blocked"]]
        assert len(named) == 4
        assert set(named) == PURPOSES


DELIVERIES = {
    "x": "public_post",
    "email": "direct",
    "sms": "direct",
    "phone": "call_list",
    "whatsapp": "direct",
    "facebook": "public_post",
}


def test_how_each_channel_delivers(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """With an address the way of delivery, without one null: nobody reads x as a message."""
    shop = open_under_test(FakeLookup(), CHANNELS=ALL_CHANNELS)
    shop.sign_up(**EVERYTHING)
    channels = shop.last_customer()["channels"]
    assert {name: c["delivery"] for name, c in channels.items()} == DELIVERIES
    kinds = {row.id: row.kind for row in rows(shop, contact_point_table)}
    assert [kinds[c["contact_point_id"]] for c in channels.values()] == [
        "x_account",
        "email_address",
        "phone_number",
        "phone_number",
        "phone_number",
        "facebook_account",
    ]


def test_a_channel_without_an_address(shop: ShopUnderTest) -> None:
    """``no_contact_point`` for all four, no rank, no delivery."""
    shop.sign_up(contact_email=EMAIL)
    assert shop.last_customer()["channels"]["sms"] == {
        "rank": None,
        "contact_point_id": None,
        "delivery": None,
        "allowed_for": [],
        "blocked": dict.fromkeys(sorted(PURPOSES), "no_contact_point"),
    }


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("found", None),
        ("unavailable", None),
        ("not_found", "undeliverable"),
        ("suspended", "undeliverable"),
    ],
)
def test_undeliverable_is_x_saying_that_nobody_is_there(
    open_under_test: Callable[..., ShopUnderTest], said: str, reason: str | None
) -> None:
    """Granted purposes are blocked when X says not found or suspended, and by no other verdict."""
    lookup = FakeLookup()
    answers: dict[str, Callable[[], object]] = {
        "found": lambda: lookup.found(HANDLE, "42"),
        "unavailable": lambda: lookup.unavailable(HANDLE),
        "not_found": lambda: lookup.not_found(HANDLE),
        "suspended": lambda: lookup.suspended(HANDLE),
    }
    answers[said]()
    shop = open_under_test(lookup)
    shop.sign_up(x_handle=HANDLE, contact_channel="x", **shop.consent())
    channel = shop.last_customer()["channels"]["x"]
    assert channel["blocked"].get("order") == reason
    assert channel["blocked"]["offers"] == (reason or "no_consent")
    assert ("order" in channel["allowed_for"]) is (reason is None)


def test_withdrawn_comes_before_undeliverable(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The first reason in the order of the contract, not the last one learned."""
    lookup.suspended(HANDLE)
    boxes = {"consent_offers_x": shop.wording("offers_x")}
    fields = {"x_handle": HANDLE, "contact_channel": "x", **boxes, **shop.consent()}
    answer = shop.sign_up(**fields)
    shop.client.post(f"/p/{token_of(answer)}")
    assert shop.last_customer()["channels"]["x"]["blocked"] == {
        "conversation": "undeliverable",
        "order": "withdrawn",
        "service_news": "withdrawn",
        "offers": "withdrawn",
    }


def test_undeliverable_comes_before_pending_consent(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A second yes that waits for proof says undeliverable while the account is suspended."""
    lookup.suspended(HANDLE)
    answer = shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert answer.json["handle"]["verdict"] == "suspended"
    key = shop.wording("offers_x")
    shop.sign_up(x_handle=HANDLE, consent_offers_x=key)
    blocked = shop.last_customer()["channels"]["x"]["blocked"]
    assert blocked["offers"] == "undeliverable"


def test_the_rank_follows_the_order_of_choice(shop: ShopUnderTest) -> None:
    """Repeating ``contact_channel`` ranks; the first is the preferred one."""
    shop.sign_up(contact_channel=["sms", "x", "email"], **EVERYTHING)
    told = shop.last_customer()
    assert told["preferred_channels"] == ["sms", "x", "email"]
    ranks = {name: channel["rank"] for name, channel in told["channels"].items()}
    assert ranks == {"x": 2, "email": 3, "sms": 1, "phone": None, "facebook": None}


def test_a_contact_point_as_in_the_event(shop: ShopUnderTest) -> None:
    """A number keeps what was typed and is compared in E.164; it has no verdict."""
    shop.sign_up(contact_phone=PHONE)
    (row,) = rows(shop, contact_point_table)
    assert shop.last_customer()["contact_points"] == [
        {
            "id": row.id,
            "kind": "phone_number",
            "value": PHONE,
            "normalized": "+12124567890",
            "url": "tel:+12124567890",
            "platform_user_id": None,
            "verdict": None,
            "ownership": "claimed",
            "checked_at": None,
            "is_primary": True,
        }
    ]


def test_the_profile_as_in_the_event(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """What X said, with its provider and age."""
    lookup.found(HANDLE, "42")
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert shop.events()[0]["data"]["profile"] == {
        "provider": "x",
        "fetched_at": "2026-11-21T20:15:04.318Z",
        "username": HANDLE,
        "display_name": "Ana Lima",
        "description": "Rio. Football. Coffee.",
        "url": "https://ana.example",
        "image_url": "https://pbs.example/ana_normal.jpg",
        "followers_count": 321,
        "created_at": "2012-03-04T05:06:07.000Z",
        "verified_type": "none",
    }


def test_a_new_customers_event(shop: ShopUnderTest) -> None:
    """The envelope, an empty ``changed`` and version 1."""
    shop.sign_up(contact_email=EMAIL)
    (event,) = shop.events()
    assert event["type"] == "customer.created"
    assert event["api_version"] == "2026-11-01"
    assert event["timestamp"] == "2026-11-21T20:15:04.318Z"
    assert event["data"]["changed"] == []
    customer = event["data"]["customer"]
    assert (customer["version"], customer["status"]) == (1, "active")
    assert customer["created_at"] == customer["updated_at"] == event["timestamp"]


BEFORE: dict[str, Any] = {
    "customer": {
        "version": 1,
        "updated_at": "then",
        "given_name": "Ana",
        "topics": ["a"],
        "contact_points": [{"verdict": "pending"}, {"verdict": None}],
    },
    "profile": None,
}
CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "version and time are no news": ({"version": 2, "updated_at": "now"}, []),
    "a value": ({"given_name": "Anna"}, ["/customer/given_name"]),
    "a longer list": ({"topics": ["a", "b"]}, ["/customer/topics"]),
    "within a list": (
        {"contact_points": [{"verdict": "found"}, {"verdict": None}]},
        ["/customer/contact_points/0/verdict"],
    ),
}


@pytest.mark.parametrize(("changed", "pointers"), CHANGES.values(), ids=CHANGES)
def test_changed_pointers(changed: dict[str, Any], pointers: list[str]) -> None:
    """JSON Pointers below ``data``, as deep as both records agree."""
    after = {**BEFORE, "customer": {**BEFORE["customer"], **changed}}
    assert changed_pointers(BEFORE, after) == pointers


def test_a_profile_that_came_is_one_pointer() -> None:
    """From null to an object: the whole of it is new."""
    assert changed_pointers(BEFORE, {**BEFORE, "profile": {"a": 1}}) == ["/profile"]
