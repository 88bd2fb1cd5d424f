"""What was pending is asked again, and the shop is told by an event of its own."""

from collections.abc import Callable

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import (
    customer_id_of,
    deliver,
    recheck,
    record,
    rows,
    token_of,
)
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars.check.lookup import Reason
from regulars.keep.contact_points import contact_point_table
from regulars.keep.customers import customer_table
from regulars.tell.endpoints import Recipient


def pending(shop: ShopUnderTest, lookup: FakeLookup, handle: str = HANDLE) -> str:
    """The token of a signup whose handle X did not answer for."""
    lookup.unavailable(handle)
    answer = shop.sign_up(x_handle=handle, contact_channel="x", **shop.consent())
    assert answer.json["handle"]["verdict"] == "pending"
    return token_of(answer)


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.BUSY])
def test_the_verdict_comes_by_a_later_event(
    shop: ShopUnderTest, lookup: FakeLookup, reason: Reason
) -> None:
    """Whatever the trouble was, ``customer.updated`` carries verdict, id and profile."""
    lookup.unavailable(HANDLE, reason)
    shop.sign_up(x_handle=HANDLE, contact_channel="x", **shop.consent())
    lookup.found(HANDLE, "42")
    shop.clock.advance(5)
    assert recheck(shop) == 1
    created, updated = shop.events()
    assert created["data"]["profile"] is None
    assert updated["type"] == "customer.updated"
    assert updated["data"]["changed"] == [
        "/customer/contact_points/0/platform_user_id",
        "/customer/contact_points/0/verdict",
        "/customer/contact_points/0/checked_at",
        "/profile",
    ]
    (point,) = updated["data"]["customer"]["contact_points"]
    assert (point["verdict"], point["platform_user_id"]) == ("found", "42")
    assert point["checked_at"] == "2026-11-21T20:15:09.318Z"
    assert updated["data"]["customer"]["version"] == 2
    assert updated["data"]["profile"]["username"] == HANDLE


@pytest.mark.parametrize("said", ["not_found", "suspended"])
def test_a_verdict_against_the_handle(
    shop: ShopUnderTest, lookup: FakeLookup, said: str
) -> None:
    """The event says so and blocks the channel."""
    pending(shop, lookup)
    getattr(lookup, said)(HANDLE)
    shop.clock.advance(5)
    recheck(shop)
    event = shop.events()[-1]
    channel = event["data"]["customer"]["channels"]["x"]
    assert event["data"]["customer"]["contact_points"][0]["verdict"] == said
    assert channel["allowed_for"] == []
    assert channel["blocked"]["order"] == "undeliverable"
    assert "/customer/channels/x/allowed_for" in event["data"]["changed"]


def test_both_kinds_of_recipient_are_told(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The verdict is news for a third party too; the profile stays with the shop."""
    shop.add_endpoint()
    shop.add_endpoint("https://mailer.example/hook", recipient=Recipient.THIRD_PARTY)
    pending(shop, lookup)
    deliver(shop)
    lookup.found(HANDLE, "42")
    shop.clock.advance(5)
    recheck(shop)
    assert len(deliver(shop)) == 2
    third = shop.events(third_party=True)[-1]["data"]
    assert third["profile"] is None
    assert third["customer"]["contact_points"][0]["verdict"] == "found"
    assert third["changed"] == [
        "/customer/contact_points/0/platform_user_id",
        "/customer/contact_points/0/verdict",
        "/customer/contact_points/0/checked_at",
    ]


def test_nothing_is_asked_before_the_retry_time(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """``X_RETRY_S`` after the trouble, not before."""
    pending(shop, lookup)
    lookup.found(HANDLE, "42")
    shop.clock.advance(4.9)
    assert recheck(shop) == 0
    assert len(lookup.asked) == 1
    shop.clock.advance(0.1)
    assert recheck(shop) == 1


def test_while_x_is_down_one_handle_is_enough_to_find_out(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The probe asks for one; a failed one is no event, and the next waits twice as long."""
    for handle in ("ana", "bea", "cai"):
        pending(shop, lookup, handle)
    shop.clock.advance(5)
    assert recheck(shop) == 0
    assert [len(keys) for keys in lookup.asked[1:]] == [1]
    assert len(shop.events()) == 3
    shop.clock.advance(9.9)
    recheck(shop)
    assert len(lookup.asked) == 2
    shop.clock.advance(0.1)
    recheck(shop)
    assert len(lookup.asked) == 3


def test_one_success_drains_what_is_pending(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """First the probe, then the rest in one call, an event for each customer."""
    handles = ["ana", "bea", "cai", "dan"]
    for handle in handles:
        pending(shop, lookup, handle)
    for number, handle in enumerate(handles):
        lookup.found(handle, str(number))
    shop.clock.advance(5)
    assert recheck(shop) == 1
    assert recheck(shop) == 3
    assert recheck(shop) == 0
    assert [len(keys) for keys in lookup.asked[1:]] == [1, 3]
    verdicts = {row.verdict for row in rows(shop, contact_point_table)}
    assert verdicts == {"found"}
    assert len(shop.events()) == 8


def test_after_the_success_signups_are_answered_again(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The gate is open for everybody, also in the web's process."""
    pending(shop, lookup)
    lookup.found(HANDLE, "42").found("bea", "43")
    told = shop.sign_up(x_handle="bea", **shop.consent()).json["handle"]
    assert told["verdict"] == "pending"
    shop.clock.advance(5)
    recheck(shop)
    told = shop.sign_up(x_handle="bea", **shop.consent()).json["handle"]
    assert told["verdict"] == "found"


def test_one_handle_that_fails_does_not_hold_up_the_others(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The probe takes another one next time."""
    pending(shop, lookup, "ana")
    pending(shop, lookup, "bea")
    lookup.found("ana", "42")
    verdicts = set()
    for _ in range(2):
        shop.clock.advance(60)
        recheck(shop)
        verdicts = {row.verdict for row in rows(shop, contact_point_table)}
    assert verdicts == {"found", "pending"}


def test_a_handle_whose_consent_was_withdrawn_is_not_asked(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """It becomes ``unchecked``, and the shop is told."""
    token = pending(shop, lookup)
    shop.client.post(f"/p/{token}")
    lookup.found(HANDLE, "42")
    shop.clock.advance(5)
    recheck(shop)
    assert len(lookup.asked) == 1
    event = shop.events()[-1]
    assert event["data"]["customer"]["contact_points"][0]["verdict"] == "unchecked"
    assert event["data"]["changed"] == ["/customer/contact_points/0/verdict"]
    recheck(shop)
    assert len(shop.events()) == 3


@pytest.mark.parametrize("setting", ["proven", "never"])
def test_x_profile_holds_for_later_verdicts_too(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup, setting: str
) -> None:
    """The verdict comes, the profile does not."""
    shop = open_under_test(lookup, X_PROFILE=setting)
    pending(shop, lookup)
    lookup.found(HANDLE, "42")
    shop.clock.advance(5)
    recheck(shop)
    event = shop.events()[-1]
    assert event["data"]["customer"]["contact_points"][0]["verdict"] == "found"
    assert event["data"]["profile"] is None


def test_a_signup_that_learned_more_in_between_is_not_overwritten(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Whoever writes the verdict first makes the event; the second finds nothing pending."""
    lookup.unavailable(HANDLE, Reason.TIMEOUT)
    fields = {"x_handle": HANDLE, **shop.consent()}
    shop.sign_up(**fields)
    lookup.found(HANDLE, "42")
    shop.sign_up(**fields)
    assert shop.last_customer()["contact_points"][0]["verdict"] == "found"
    shop.clock.advance(60)
    assert recheck(shop) == 0
    assert len(shop.events()) == 2


def test_a_verdict_that_shows_another_customers_account(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """It names the other as a possible duplicate, and neither merges nor splits."""
    lookup.found("old_name", "42")
    first = customer_id_of(
        shop.sign_up(by_key=True, x_handle="old_name", **shop.consent())
    )
    shop.clock.advance(1)
    lookup.unavailable("new_name")
    second = customer_id_of(
        shop.sign_up(by_key=True, x_handle="new_name", **shop.consent())
    )
    assert first != second
    lookup.found("new_name", "42")
    shop.clock.advance(5)
    recheck(shop)
    told = shop.last_customer()
    assert (told["id"], told["possible_duplicates"]) == (second, [first])
    assert "/customer/possible_duplicates" in shop.events()[-1]["data"]["changed"]
    assert record(shop, first)["customer"]["version"] == 1
    assert len(rows(shop, customer_table)) == 2


def test_a_verdict_on_a_recycled_handle_does_not_split(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Joined by the handle while the id was unknown, they stay one customer."""
    shop.sign_up(x_handle=HANDLE, contact_email=EMAIL)
    lookup.unavailable(HANDLE)
    shop.sign_up(x_handle=HANDLE, contact_email=EMAIL, **shop.consent())
    lookup.found(HANDLE, "7")
    shop.clock.advance(5)
    assert recheck(shop) == 1
    assert len(rows(shop, customer_table)) == 1
    assert len(rows(shop, contact_point_table)) == 2
