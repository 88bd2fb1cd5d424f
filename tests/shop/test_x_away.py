"""X away, short of calls, or swept by strangers: signups go on, and every verdict arrives."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from examples.fake_x import FakeX
from tests.fakes import Clock, FakeLookup
from tests.shop.by_hand import open_again, recheck, rows
from tests.shops import BEARER, ShopUnderTest

from regulars.check.lookup import (
    Answer,
    Found,
    Reason,
    Unavailable,
    Window,
)
from regulars.check.pace import note_windows
from regulars.check.trouble import take_probe
from regulars.check.x_api import XLookup
from regulars.keep.contact_points import contact_point_table, count_pending
from regulars.values.handle import Handle

Open = Callable[..., ShopUnderTest]
AMPLE = {"X_DAILY_LOOKUPS": "100000", "X_MONTHLY_BUDGET_USD": "1000"}


class AwayX:
    """X by the clock of the test: away until ``back_at``, then with its limit of calls."""

    def __init__(self, back_at: datetime) -> None:
        self.shop: ShopUnderTest | None = None
        self.calls: list[tuple[datetime, int]] = []
        self.back_at = back_at
        self._windows: dict[str, tuple[datetime, int]] = {}

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        self.calls.append((now, len(handles)))
        if now < self.back_at:
            return {it.key: Unavailable(Reason.UNREACHABLE) for it in handles}
        call = "users/by" if len(handles) > 1 else "users/by/username"
        began, used = self._windows.get(call, (now, 0))
        if now - began >= timedelta(minutes=15):
            began, used = now, 0
        self._windows[call] = began, used + 1
        assert used < 300, "X was asked beyond its limit"
        ends = began + timedelta(minutes=15)
        assert self.shop is not None
        with self.shop.house.database.transaction() as connection:
            window = Window(300, 299 - used, ends)
            note_windows(connection, {call: window}, is_public=False)
        return {
            it.key: Found(it.key.removeprefix("guest"), it.key, None) for it in handles
        }


@pytest.mark.sqlite_only("about time and numbers, not about the database")
@pytest.mark.timeout(180)
def test_an_hour_without_x_under_load(open_under_test: Open, clock: Clock) -> None:
    """Every signup is taken, X is asked now and then, and an hour's handles go in hundreds."""
    x = AwayX(clock() + timedelta(hours=1))
    shop = x.shop = open_under_test(x, **AMPLE)
    number = 0
    # A signup every ten seconds, the dispatcher twice in between.
    for _ in range(420):
        told = shop.sign_up(by_key=True, x_handle=f"guest{number}", **shop.consent())
        assert told.status_code == 201
        number += 1
        for _ in range(2):
            clock.advance(5)
            recheck(shop)
    while_away = [at for at, _ in x.calls if at < x.back_at]
    # 5, 10, 20 … seconds, then every quarter of an hour: no herd, and no silence.
    assert len(while_away) <= 14
    for _ in range(360):
        if not pending(shop):
            break
        clock.advance(5)
        recheck(shop)
    assert pending(shop) == 0
    assert {row.verdict for row in rows(shop, contact_point_table)} == {"found"}
    back = [size for at, size in x.calls if at >= x.back_at]
    assert back[0] == 1
    assert max(back) == 100
    assert len(shop.events()) == number + sum(
        event["type"] == "customer.updated" for event in shop.events()
    )


def pending(shop: ShopUnderTest) -> int:
    with shop.house.database.reading() as connection:
        return count_pending(connection)


def test_a_429_without_reset_does_not_loop(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """An hour of it, a turn each five seconds: as many calls as the back-off allows."""
    for name in ("ana", "bea", "X"):
        lookup.unavailable(name, Reason.RATE_LIMITED)
    shop.sign_up(x_handle="ana", **shop.consent())
    for _ in range(720):
        shop.clock.advance(5)
        recheck(shop)
    assert len(lookup.asked) <= 12


def test_the_trouble_passes_though_nobody_waits(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The public check met it: without any signup the shop's own probe sees that X is back."""
    lookup.unavailable("ana", Reason.PAYMENT_REQUIRED)
    shop.house.check_lookup.look_up([Handle("ana")], timeout_s=2, now=shop.clock())
    lookup.unavailable("x", Reason.PAYMENT_REQUIRED)
    shop.clock.advance(5)
    recheck(shop)
    assert shop.client.get("/readyz").json["x"]["trouble"]["needs_operator"] is True
    lookup.found("x", "783214")
    shop.clock.advance(10)
    recheck(shop)
    assert shop.client.get("/readyz").json["x"]["trouble"] is None
    assert lookup.asked == [["ana"], ["x"], ["x"]]
    recheck(shop)
    assert len(lookup.asked) == 3


def test_one_dispatcher_of_many_tries_again(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The try is taken in the database; one that never came back is made by another."""
    lookup.unavailable("ana")
    shop.sign_up(x_handle="ana", **shop.consent())
    taken = []
    for seconds in (4, 1, 0, 6, 1):
        shop.clock.advance(seconds)
        with shop.house.database.transaction() as connection:
            within = timedelta(seconds=7)
            taken.append(take_probe(connection, shop.clock(), within))
    assert taken == [False, True, False, False, True]


def test_trouble_of_a_clock_that_was_ahead_does_not_last(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Noted a day ahead: once the clock is right X is asked again at once."""
    shop.clock.advance(86_400)
    lookup.unavailable("ana")
    shop.sign_up(x_handle="ana", **shop.consent())
    shop.clock.advance(-86_400)
    lookup.found("ana", "42")
    assert recheck(shop) == 1


@pytest.mark.sqlite_only("asks for thousands of handles")
@pytest.mark.timeout(240)
def test_a_sweep_spends_a_fifth_and_signups_go_on(
    open_under_test: Open, lookup: FakeLookup
) -> None:
    """10,000 handles, half of them real: a fifth of the budget, and guests are checked between."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="1000", X_MONTHLY_BUDGET_USD="100")
    for number in range(5000):
        lookup.found(f"real{number}", str(number))
    handles = [f"{kind}{n}" for n in range(5000) for kind in ("real", "made_up")]
    random.Random(7).shuffle(handles)
    check, verdicts = shop.house.check_lookup, []
    for number, handle in enumerate(handles):
        check.look_up([Handle(handle)], timeout_s=2.0, now=shop.clock())
        if number % 1000 == 0:
            guest = f"guest{number}"
            lookup.found(guest, str(10_000 + number))
            told = shop.sign_up(by_key=True, x_handle=guest, **shop.consent())
            verdicts.append(told.json["handle"]["verdict"])
    assert verdicts == ["found"] * 10
    with shop.house.database.reading() as connection:
        usage = shop.house.gate.usage(connection, shop.clock())
    assert usage.public_today == 200
    assert usage.users_today == 210


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX(everyone=True) as fake:
        yield fake


@pytest.mark.parametrize(
    "handle", ["a?user.fields=location", "../me", "a%2Fb", "a,b", "ana\nbea", "ａna#x"]
)
@pytest.mark.sqlite_only("about what goes over the wire")
def test_only_handles_reach_the_wire(
    open_under_test: Open, x: FakeX, handle: str
) -> None:
    """A path, a query or two handles in one are no handle, and X hears nothing of them."""
    shop = open_under_test(XLookup(BEARER, api_url=x.url))
    shop.sign_up(by_key=True, x_handle=handle, external_id="A-1", **shop.consent())
    recheck(shop)
    assert [it for call in x.calls for it in call if not it.isalnum()] == []
    assert "/2/users/me" not in str(x.calls)


@pytest.mark.sqlite_only("about what goes over the wire")
def test_without_the_consent_x_hears_nothing(open_under_test: Open, x: FakeX) -> None:
    """Neither at the signup nor later, nor when somebody else's consent is withdrawn."""
    shop = open_under_test(XLookup(BEARER, api_url=x.url))
    told = shop.sign_up(x_handle="ana", contact_channel="x").json["handle"]
    assert told == {"value": "ana", "verdict": "unchecked"}
    for _ in range(3):
        shop.clock.advance(3600)
        recheck(shop)
    assert x.calls == []
    shop.sign_up(x_handle="bea", **shop.consent())
    assert x.calls == [("bea",)]


def test_the_oldest_are_not_kept_waiting_by_the_newest(
    open_under_test: Open, lookup: FakeLookup
) -> None:
    """Of each hundred ninety are the newest and ten the oldest."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="0")
    for number in range(150):
        shop.clock.advance(0.01)
        shop.sign_up(by_key=True, x_handle=f"guest{number}", **shop.consent())
    assert pending(shop) == 150
    again = open_again(shop, lookup, X_DAILY_LOOKUPS="1000")
    assert recheck(again) == 100
    (asked,) = lookup.asked
    again.house.database.engine.dispose()
    numbers = sorted(int(key.removeprefix("guest")) for key in asked)
    assert numbers == [*range(10), *range(60, 150)]
