"""X's limit on calls: what is left of it is for full batches, and never used up."""

from datetime import datetime, timedelta

import pytest
from tests.fakes import START, FakeLookup
from tests.shop.by_hand import recheck
from tests.shops import ShopUnderTest

from regulars.check.lookup import Found, Reason, Unavailable, Window
from regulars.check.pace import Pace, note_windows, pace_at
from regulars.values.handle import Handle

ENDS = START + timedelta(minutes=15)


def note(
    shop: ShopUnderTest,
    remaining: int,
    *,
    call: str = "users/by",
    reset_at: datetime = ENDS,
    is_public: bool = False,
) -> None:
    """X said how many of its 300 calls are left."""
    with shop.house.database.transaction() as connection:
        window = Window(300, remaining, reset_at)
        note_windows(connection, {call: window}, is_public=is_public)


def pace(shop: ShopUnderTest) -> Pace | None:
    with shop.house.database.reading() as connection:
        return pace_at(connection, shop.clock())


def sign_up(shop: ShopUnderTest, handle: str) -> str:
    answer = shop.sign_up(by_key=True, x_handle=handle, **shop.consent())
    verdict: str = answer.json["handle"]["verdict"]
    return verdict


def test_the_scarcest_window_counts(shop: ShopUnderTest) -> None:
    """X counts each kind of call by itself; over is what was reset."""
    assert pace(shop) is None
    note(shop, 200)
    note(shop, 120, call="users/by/username")
    assert pace(shop) == Pace(300, 120, ENDS)
    shop.clock.advance(15 * 60 + 1)
    assert pace(shop) is None


def test_an_answer_that_was_overtaken_gives_no_calls_back(shop: ShopUnderTest) -> None:
    """Within a window what is left only falls; a new window begins anew."""
    note(shop, 150)
    note(shop, 180)
    assert pace(shop) == Pace(300, 150, ENDS)
    note(shop, 299, reset_at=ENDS + timedelta(minutes=14))
    shop.clock.advance(14 * 60)
    assert pace(shop) == Pace(300, 299, ENDS + timedelta(minutes=14))


def test_a_window_of_a_clock_that_was_ahead_is_not_believed(
    shop: ShopUnderTest,
) -> None:
    """It cannot end later than a window lasts."""
    note(shop, 0, reset_at=START + timedelta(hours=5))
    assert pace(shop) is None


def test_below_half_signups_do_not_wait(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """150 of 300 left: X is asked; 149: the handle is pending without a call."""
    lookup.found("ana", "1").found("bea", "2")
    note(shop, 150)
    assert sign_up(shop, "ana") == "found"
    note(shop, 149)
    assert sign_up(shop, "bea") == "pending"
    assert lookup.asked == [["ana"]]


def test_the_public_check_has_a_fifth_of_the_calls(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Sixty of 300, whatever they find; signups go on."""
    lookup.found("ana", "1").found("bea", "2")
    check, now = shop.house.check_lookup, shop.clock()
    for used in range(1, 61):
        told = check.look_up([Handle("ana")], timeout_s=2.0, now=now)["ana"]
        assert isinstance(told, Found)
        note(shop, 300 - used, is_public=True)
    told = check.look_up([Handle("bea")], timeout_s=2.0, now=now)["bea"]
    assert told == Unavailable(Reason.SPARING, ENDS)
    assert sign_up(shop, "bea") == "found"


@pytest.mark.parametrize(
    ("remaining", "minutes_left", "has_room"),
    [
        (300, 15, True),
        (150, 15, True),
        (149, 15, False),
        (149, 14, True),
        (83, 7.5, True),
        (82, 7.5, False),
        (16, 0.01, True),
        (15, 0.01, False),
    ],
)
def test_the_second_half_is_spread_over_the_window(
    remaining: int, minutes_left: float, has_room: bool
) -> None:
    """A call with few handles is made when the calls left last for the time left."""
    now = ENDS - timedelta(minutes=minutes_left)
    assert Pace(300, remaining, ENDS).has_room(now) is has_room


def test_the_dispatcher_gathers_a_hundred(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Below half and early in the window few handles wait; a hundred are worth a call."""
    note(shop, 140)
    for number in range(99):
        lookup.found(f"guest{number}", str(number))
        assert sign_up(shop, f"guest{number}") == "pending"
    assert recheck(shop) == 0
    lookup.found("last", "1000")
    sign_up(shop, "last")
    assert recheck(shop) == 100
    assert [len(keys) for keys in lookup.asked] == [100]


def test_the_last_calls_are_not_made(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """A twentieth is left over, whoever wants to ask, until the window begins anew."""
    lookup.found("ana", "1")
    note(shop, 15)
    sign_up(shop, "ana")
    shop.clock.advance(10 * 60)
    assert recheck(shop) == 0
    answers = shop.house.gate.probe([Handle("X")], timeout_s=2, now=shop.clock())
    assert answers == {"x": Unavailable(Reason.SPARING, ENDS)}
    assert lookup.asked == []
    shop.clock.advance(5 * 60 + 1)
    assert recheck(shop) == 1
