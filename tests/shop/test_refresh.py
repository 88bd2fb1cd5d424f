"""What is held of an account follows the account: renamed, recycled, lost, back again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes import FakeLookup, profile
from tests.shop.accounts import MONTH_S, account, sign_up, sweep
from tests.shop.by_hand import deliver, record, rows, token_of
from tests.shops import HANDLE, ShopUnderTest

from regulars.app import make_refresh
from regulars.check.lookup import Found, NotFound, Reason, Suspended, Unavailable
from regulars.keep.contact_points import contact_point_table
from regulars.keep.finding import find_customers
from regulars.keep.in_step import former_handle_table
from regulars.tell.deliveries import attempt_table
from regulars.tell.endpoints import Recipient
from regulars.x_accounts.settling import Change


@pytest.fixture
def known(shop: ShopUnderTest, lookup: FakeLookup) -> str:
    """Ana's customer id; her account was found a month ago."""
    shop.add_endpoint()
    lookup.found(HANDLE, "42")
    customer_id = sign_up(shop)
    shop.clock.advance(MONTH_S)
    return customer_id


def test_nothing_new_is_no_event(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """An account as before is noted as checked, by number, and nobody is told."""
    assert sweep(shop) == {Change.UNCHANGED: 1}
    assert lookup.asked_ids == [["42"]]
    assert len(shop.events()) == 1
    (row,) = rows(shop, contact_point_table)
    assert row.checked_at == shop.clock()
    assert record(shop, known)["customer"]["version"] == 1


def test_what_is_not_due_is_not_asked(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Younger than the setting: no call; with everything asked for there is one."""
    shop.clock.advance(-1)
    assert sweep(shop) == {}
    assert lookup.asked_ids == []
    assert sweep(shop, everything=True) == {Change.UNCHANGED: 1}


def test_with_0_days_everything_is_due(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> None:
    """``X_REFRESH_DAYS=0`` asks for what was checked a moment ago."""
    shop = open_under_test(lookup.found(HANDLE, "42"), X_REFRESH_DAYS="0")
    sign_up(shop)
    assert sweep(shop) == {Change.UNCHANGED: 1}


def test_a_renamed_account_goes_by_its_new_handle(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Label and link follow X, the typed handle stays, the old label is kept beside it."""
    lookup.renamed("42", "Ana_Souza")
    assert sweep(shop) == {Change.CHANGED: 1, Change.RENAMED: 1}
    point = account(shop)
    assert (point["value"], point["normalized"], point["url"]) == (
        HANDLE,
        "ana_souza",
        "https://x.com/Ana_Souza",
    )
    event = shop.events()[-1]
    assert event["type"] == "customer.updated"
    assert "/customer/contact_points/0/normalized" in event["data"]["changed"]
    assert event["data"]["profile"]["username"] == "Ana_Souza"
    (former,) = rows(shop, former_handle_table)
    assert (former.handle, former.until) == (HANDLE.lower(), shop.clock())
    assert sweep(shop, everything=True) == {}


def test_a_third_party_is_not_told_of_the_new_handle(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Its body has the handle as typed, and a mere rename is no event for it."""
    shop.add_endpoint("https://mailer.example/hook", recipient=Recipient.THIRD_PARTY)
    deliver(shop)
    lookup.renamed("42", "ana_souza")
    sweep(shop)
    assert len(deliver(shop)) == 1
    (point,) = shop.events(third_party=True)[-1]["data"]["customer"]["contact_points"]
    assert (point["normalized"], point["url"]) == ("analima", f"https://x.com/{HANDLE}")


def test_who_was_renamed_is_found_by_either_handle(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Staff look for what is on the old receipt."""
    lookup.renamed("42", "ana_souza")
    sweep(shop)
    with shop.house.database.reading() as connection:
        for text in (HANDLE, "@ana_souza"):
            assert find_customers(connection, text, "US") == [known]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Suspended(), "suspended"),
        (NotFound(), "not_found"),
        (Found("42", HANDLE, None), "found"),
    ],
    ids=["suspended", "gone", "protected"],
)
def test_what_x_said_of_a_lost_account_goes_everywhere(
    shop: ShopUnderTest, lookup: FakeLookup, known: str, answer: Any, verdict: str
) -> None:
    """Profile and X's spelling leave record, stored bodies and echoes; what was typed stays."""
    lookup.renamed("42", "Ana_Souza")
    sweep(shop)
    deliver(shop, head=b'{"echo":"Ana_Souza"}')
    shop.clock.advance(MONTH_S)
    lookup.now("42", answer)
    assert sweep(shop)[Change.LOST] == 1
    point = account(shop)
    assert (point["value"], point["verdict"]) == (HANDLE, verdict)
    assert point["platform_user_id"] == "42"
    assert [event["data"]["profile"] for event in shop.events()] == [None] * 3
    assert "Ana_Souza" not in str(shop.events())
    assert "Ana_Souza" not in str(rows(shop, contact_point_table))
    assert {row.response_head for row in rows(shop, attempt_table)} == {b""}
    assert "/profile" in shop.events()[-1]["data"]["changed"]
    assert len(deliver(shop)) == 1
    blocked = shop.last_customer()["channels"]["x"]["blocked"]
    assert (blocked.get("order") == "undeliverable") is (verdict != "found")


def test_a_protected_account_that_was_renamed(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """It is still found, so its label follows, in lower case: X's own spelling is X's."""
    lookup.now("42", Found("42", "Ana_Souza", None))
    sweep(shop)
    point = account(shop)
    assert (point["verdict"], point["normalized"]) == ("found", "ana_souza")
    assert point["url"] == "https://x.com/ana_souza"
    assert shop.events()[-1]["data"]["profile"] is None
    shop.clock.advance(MONTH_S)
    assert sweep(shop) == {Change.UNCHANGED: 1}


def test_an_account_that_comes_back(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Suspended for a while: asked for as before, and found again with its profile."""
    lookup.now("42", Suspended())
    sweep(shop)
    shop.clock.advance(MONTH_S)
    assert sweep(shop) == {Change.UNCHANGED: 1}
    shop.clock.advance(MONTH_S)
    lookup.renamed("42", HANDLE)
    assert sweep(shop) == {Change.CHANGED: 1}
    assert account(shop)["verdict"] == "found"
    assert shop.events()[-1]["data"]["profile"]["username"] == HANDLE


def test_a_changed_profile_is_told(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """The shop's own system gets the new number; a third party hears nothing."""
    shop.add_endpoint("https://mailer.example/hook", recipient=Recipient.THIRD_PARTY)
    deliver(shop)
    told = profile(HANDLE)
    lookup.now(
        "42",
        Found(
            "42",
            HANDLE,
            type(told)(
                **{
                    **told.as_json(),
                    "created_at": told.created_at,
                    "followers_count": 400,
                }
            ),
        ),
    )
    assert sweep(shop) == {Change.CHANGED: 1}
    assert shop.events()[-1]["data"]["profile"]["followers_count"] == 400
    assert len(deliver(shop)) == 1


def test_without_consent_nobody_asks(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """An account whose owner took the consent back is not asked for again."""
    lookup.found(HANDLE, "42")
    answer = shop.sign_up(x_handle=HANDLE, contact_channel="x", **shop.consent())
    shop.client.post(f"/p/{token_of(answer)}")
    shop.clock.advance(MONTH_S)
    assert sweep(shop, everything=True) == {}
    assert lookup.asked_ids == []


@pytest.mark.parametrize("setting", ["proven", "never"])
def test_x_profile_holds_for_what_is_asked_again(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup, setting: str
) -> None:
    """No profile is taken, and the label follows all the same."""
    shop = open_under_test(lookup.found(HANDLE, "42"), X_PROFILE=setting)
    sign_up(shop)
    shop.clock.advance(MONTH_S)
    lookup.renamed("42", "Ana_Souza")
    assert sweep(shop) == {Change.CHANGED: 1, Change.RENAMED: 1}
    assert shop.events()[-1]["data"]["profile"] is None
    assert account(shop)["url"] == "https://x.com/ana_souza"


def test_a_sweep_that_was_broken_off_goes_on(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Trouble stops it; begun again it asks for the rest alone, whatever the age."""
    for number, handle in enumerate(("ana", "bea", "cai")):
        lookup.found(handle, str(number))
        sign_up(shop, handle)
        shop.clock.advance(1)
    asking = make_refresh(shop.house)
    due, total = asking.begin_sweep(shop.clock(), everything=True)
    assert total == 3
    lookup.now("1", Unavailable(Reason.SERVER_ERROR))
    for number in ("0", "2"):
        lookup.now(number, Unavailable(Reason.SERVER_ERROR))
    assert asking.sweep(due, shop.clock()).stopped == Unavailable(Reason.SERVER_ERROR)
    lookup.renamed("0", "ana").renamed("1", "bea").renamed("2", "cai")
    # One tells that X is back.
    assert asking.sweep(due, shop.clock.advance(5)).asked == 1
    again, left = make_refresh(shop.house).begin_sweep(
        shop.clock.advance(60), everything=True
    )
    assert (again, left) == (due, 2)
    assert sweep(shop, everything=True) == {Change.UNCHANGED: 2}
    assert len(lookup.asked_ids[-1]) == 2
    shop.clock.advance(1)
    assert sweep(shop, everything=True) == {Change.UNCHANGED: 3}


def test_a_spent_budget_stops_a_sweep(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> None:
    """It says so and when; on the next day it goes on."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="3")
    for number, handle in enumerate(("ana", "bea")):
        lookup.found(handle, str(number))
        sign_up(shop, handle)
    asking = make_refresh(shop.house)
    due, _ = asking.begin_sweep(shop.clock(), everything=True)
    assert asking.sweep(due, shop.clock()).asked == 1
    stopped = asking.sweep(due, shop.clock()).stopped
    assert stopped is not None
    assert stopped.reason is Reason.BUDGET_SPENT
    assert stopped.retry_at is not None
    shop.clock.now = stopped.retry_at + timedelta(seconds=1)
    assert asking.sweep(due, shop.clock()).asked == 1
    assert asking.sweep(due, shop.clock()).asked == 0
