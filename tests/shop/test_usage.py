"""What X may cost: users returned are counted, and beyond the caps nobody is asked."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.fakes import START, Clock, FakeLookup
from tests.shop.by_hand import recheck
from tests.shops import ShopUnderTest

from regulars.check.usage import Caps, Usage, count_users

Open = Callable[..., ShopUnderTest]


def sign_up(shop: ShopUnderTest, handle: str) -> str:
    answer = shop.sign_up(x_handle=handle, **shop.consent())
    assert answer.status_code == 201
    verdict: str = answer.json["handle"]["verdict"]
    return verdict


def usage(shop: ShopUnderTest) -> Usage:
    with shop.house.database.reading() as connection:
        return shop.house.gate.usage(connection, shop.clock())


def test_users_returned_are_counted_and_no_others(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """X bills the accounts that it returns, not those that it does not know."""
    lookup.found("ana", "1").found("bento", "2", protected=True).suspended("caio")
    for handle in ("ana", "bento", "caio", "nobody"):
        sign_up(shop, handle)
    assert usage(shop).users_today == 2
    assert usage(shop).usd_this_month == pytest.approx(0.02)


def test_beyond_the_cap_of_a_day_handles_wait(
    open_under_test: Open, lookup: FakeLookup, clock: Clock
) -> None:
    """The signup is accepted, X is not asked, and the next UTC day brings the verdict."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="1")
    lookup.found("ana", "1").found("bento", "2")
    assert sign_up(shop, "ana") == "found"
    assert sign_up(shop, "bento") == "pending"
    assert recheck(shop) == 0
    assert lookup.asked == [["ana"]]
    clock.advance(86_400)
    assert recheck(shop) == 1
    assert lookup.asked == [["ana"], ["bento"]]


def test_beyond_the_budget_of_a_month_handles_wait(
    open_under_test: Open, lookup: FakeLookup, clock: Clock
) -> None:
    """Two cents are two users; a new day does not help, a new month does."""
    shop = open_under_test(lookup, X_MONTHLY_BUDGET_USD="0.02")
    for number in range(3):
        lookup.found(f"user{number}", str(number))
    verdicts = [sign_up(shop, f"user{number}") for number in range(3)]
    assert verdicts == ["found", "found", "pending"]
    clock.advance(86_400)
    assert recheck(shop) == 0
    clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert recheck(shop) == 1


def test_a_spent_budget_is_no_trouble_of_x(
    open_under_test: Open, lookup: FakeLookup
) -> None:
    """The gate stays open, and the share of the cap is there for the operator to see."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="0")
    assert sign_up(shop, "ana") == "pending"
    told = shop.client.get("/readyz").json["x"]
    assert told["trouble"] is None
    assert told["users_billed_today"] == 0
    assert usage(shop).users_left == 0


def test_a_recheck_asks_for_no_more_than_is_left(
    open_under_test: Open, lookup: FakeLookup, clock: Clock
) -> None:
    """Of five that wait, three are asked for where three are left."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="3")
    count_users(shop.house.database, 3, clock())
    for number in range(5):
        lookup.found(f"user{number}", str(number))
        assert sign_up(shop, f"user{number}") == "pending"
    clock.advance(86_400)
    assert recheck(shop) == 3
    assert usage(shop).users_left == 0


@pytest.mark.parametrize(
    ("today", "month", "left", "again"),
    [
        (0, 0, 5, datetime(2026, 11, 22, tzinfo=UTC)),
        (5, 5, 0, datetime(2026, 11, 22, tzinfo=UTC)),
        (6, 6, 0, datetime(2026, 11, 22, tzinfo=UTC)),
        (1, 10, 0, datetime(2026, 12, 1, tzinfo=UTC)),
        (4, 8, 1, datetime(2026, 11, 22, tzinfo=UTC)),
    ],
    ids=["nothing", "day spent", "day overspent", "month spent", "both near"],
)
def test_what_is_left_and_until_when(
    today: int, month: int, left: int, again: datetime
) -> None:
    """The nearer cap decides; it begins anew at midnight UTC or with the month."""
    found = Usage(today, month, Caps(users_a_day=5, usd_a_month=0.10))
    assert found.users_left == left
    assert found.free_again_at(START) == again
