"""What X may cost: users returned are counted, and beyond the caps nobody is asked."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.fakes import START, Clock, FakeLookup
from tests.shop.by_hand import recheck
from tests.shops import ShopUnderTest

from regulars.check.lookup import HandleLookup, Reason, Unavailable
from regulars.check.usage import Bill, Caps, Usage, reserve, settle
from regulars.values.handle import Handle

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
    assert told["share_of_caps"] == 0.0
    assert usage(shop).users_left == 0


def test_a_recheck_asks_for_no_more_than_is_left(
    open_under_test: Open, lookup: FakeLookup, clock: Clock
) -> None:
    """Of five that wait, three are asked for where three are left."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="3")
    caps = Caps(users_a_day=3, usd_a_month=10.0)
    with shop.house.database.transaction() as connection:
        settle(
            connection,
            caps,
            reserve(connection, caps, Bill(3), clock()),
            Bill(3),
            clock(),
        )
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


def test_what_is_put_by_cannot_be_spent_twice(
    shop: ShopUnderTest, clock: Clock
) -> None:
    """A call under way keeps its share; what it did not bring back is there again."""
    caps = Caps(users_a_day=100, usd_a_month=10.0)
    database = shop.house.database
    with database.transaction() as connection:
        first = reserve(connection, caps, Bill(own=70), clock())
    with database.transaction() as connection:
        second = reserve(connection, caps, Bill(own=70), clock())
        assert (first.bill, second.bill) == (Bill(70), Bill(30))
        settle(connection, caps, first, Bill(own=20), clock())
        third = reserve(connection, caps, Bill(own=70), clock())
    assert third.bill == Bill(50)
    assert usage(shop).users_today == 20


def test_many_at_once_do_not_overspend(
    open_under_test: Open, lookup: FakeLookup
) -> None:
    """Twelve threads, seven users left: seven are asked for."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="7")
    for number in range(12):
        lookup.found(f"user{number}", str(number))
    start = threading.Barrier(12)
    gate = shop.house.gate

    def ask(number: int) -> None:
        start.wait()
        gate.probe([Handle(f"user{number}")], timeout_s=20, now=shop.clock())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(lookup.asked) == 7
    assert (usage(shop).users_today, usage(shop).reserved) == (7, 0)


def sweep(check: HandleLookup, shop: ShopUnderTest, count: int) -> list[object]:
    """What the public check says of *count* handles that exist, one after the other."""
    told = []
    for number in range(count):
        handle = Handle(f"swept{number}")
        answers = check.look_up([handle], timeout_s=2.0, now=shop.clock())
        told.append(answers[handle.key])
    return told


def test_the_public_check_has_a_fifth(
    open_under_test: Open, lookup: FakeLookup, clock: Clock
) -> None:
    """A sweep spends a fifth of the day's users, then X is not asked, and signups go on."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="50")
    for number in range(30):
        lookup.found(f"swept{number}", str(number))
    told = sweep(shop.house.check_lookup, shop, 30)
    spent = Unavailable(Reason.BUDGET_SPENT, datetime(2026, 11, 22, tzinfo=UTC))
    assert told[10:] == [spent] * 20
    assert len(lookup.asked) == 10
    assert (usage(shop).public_today, usage(shop).public_left) == (10, 0)
    lookup.found("ana", "1000")
    assert sign_up(shop, "ana") == "found"
    assert usage(shop).users_left == 39
    clock.advance(86_400)
    assert usage(shop).public_left == 10


def test_the_fifth_holds_for_the_month_too(
    open_under_test: Open, lookup: FakeLookup, clock: Clock
) -> None:
    """Ten cents are ten users, of which two are the public check's, on whatever day."""
    shop = open_under_test(lookup, X_MONTHLY_BUDGET_USD="0.10")
    for number in range(5):
        lookup.found(f"swept{number}", str(number))
    sweep(shop.house.check_lookup, shop, 2)
    clock.advance(86_400)
    told = sweep(shop.house.check_lookup, shop, 5)
    spent = Unavailable(Reason.BUDGET_SPENT, datetime(2026, 12, 1, tzinfo=UTC))
    assert told[2:] == [spent] * 3
    assert usage(shop).users_left == 8


def test_what_the_public_check_learned_a_signup_does_not_pay_again(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """For an hour: what a visitor only tried is not kept for longer."""
    lookup.found("swept0", "42")
    sweep(shop.house.check_lookup, shop, 1)
    shop.clock.advance(3599)
    assert sign_up(shop, "swept0") == "found"
    assert len(lookup.asked) == 1
    shop.clock.advance(1)
    sign_up(shop, "swept0")
    assert len(lookup.asked) == 2


def test_the_operator_is_told_at_80_and_100_percent(
    open_under_test: Open, lookup: FakeLookup, caplog: pytest.LogCaptureFixture
) -> None:
    """Once each a day in the log, and whenever the doctor or the metrics are asked."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="10")
    caplog.set_level(logging.WARNING, "regulars.check.usage")
    for number in range(10):
        lookup.found(f"user{number}", str(number))
        sign_up(shop, f"user{number}")
    assert [record.percent for record in caplog.records] == [80, 100]
    assert "regulars_x_share_of_caps 1.0" in shop.client.get("/metrics").text
