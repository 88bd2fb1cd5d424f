"""In the background accounts are asked for again slowly, and never at the signups' expense."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.accounts import MONTH_S, sign_up
from tests.shop.by_hand import rows
from tests.shops import HANDLE, ShopUnderTest

from regulars.app import make_refresh
from regulars.check.lookup import Reason, Unavailable, Window
from regulars.check.pace import note_windows
from regulars.keep.contact_points import contact_point_table
from regulars.x_accounts.refresh import Refresh


def with_guests(shop: ShopUnderTest, lookup: FakeLookup, count: int) -> Refresh:
    """*count* accounts that were found a month ago, and the loop that asks again."""
    for number in range(count):
        lookup.found(f"guest_{number}", str(number))
        sign_up(shop, f"guest_{number}")
        shop.clock.advance(1)
    shop.clock.advance(MONTH_S)
    return make_refresh(shop.house)


def test_a_batch_now_and_then(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """What is due is asked for in one call; the next look is ten seconds later."""
    background = with_guests(shop, lookup, 3)
    assert background.run_due(shop.clock()) == 3
    assert [sorted(call) for call in lookup.asked_ids] == [["0", "1", "2"]]
    shop.clock.advance(MONTH_S)
    assert background.run_due(shop.clock()) == 3
    shop.clock.advance(9)
    lookup.renamed("1", "guest_new")
    assert background.run_due(shop.clock()) == 0


def test_nothing_due_is_no_call(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """A month less a second: nobody is asked for."""
    background = with_guests(shop, lookup, 1)
    shop.clock.advance(-2)
    assert background.run_due(shop.clock()) == 0
    assert lookup.asked_ids == []


def test_who_was_here_last_comes_first(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> None:
    """Within a small budget the records in use are kept true before the others."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="4", X_MONTHLY_BUDGET_USD="100")
    background = with_guests(shop, lookup, 3)
    shop.sign_up(
        by_key=True, x_handle="guest_1", given_name="Bea"
    )  # unasked, so not looked up
    assert background.run_due(shop.clock()) == 2
    assert lookup.asked_ids[0][0] == "1"


def test_half_of_the_budget_is_the_signups(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> None:
    """The background stops at half of the daily cap, and goes on the next day."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="10", X_MONTHLY_BUDGET_USD="100")
    background = with_guests(shop, lookup, 7)
    assert background.run_due(shop.clock()) == 5
    shop.clock.advance(10)
    assert background.run_due(shop.clock()) == 0
    lookup.found("newcomer", "900")
    assert shop.sign_up(x_handle="newcomer", **shop.consent()).json["handle"] == {
        "value": "newcomer",
        "verdict": "found",
    }
    shop.clock.advance(86_400)
    assert background.run_due(shop.clock()) == 2


def test_what_cannot_be_true_is_asked_for_beyond_that_half(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> None:
    """A doubted account may cost what the signups had: what X took back may not stay."""
    shop = open_under_test(lookup, X_DAILY_LOOKUPS="4", X_MONTHLY_BUDGET_USD="100")
    lookup.found(HANDLE, "42")
    sign_up(shop)
    lookup.found("bea", "43")
    sign_up(shop, "bea")
    shop.clock.advance(3600)
    with shop.house.database.transaction() as connection:
        connection.execute(
            contact_point_table.update()
            .where(contact_point_table.c.platform_user_id == "42")
            .values(doubted_at=shop.clock())
        )
    assert make_refresh(shop.house).run_due(shop.clock()) == 1
    assert lookup.asked_ids == [["42"]]
    assert {row.doubted_at for row in rows(shop, contact_point_table)} == {None}


@pytest.mark.parametrize(("remaining", "asked"), [(150, 1), (149, 0)])
def test_half_of_the_calls_is_the_signups(
    shop: ShopUnderTest, lookup: FakeLookup, remaining: int, asked: int
) -> None:
    """Below half of what X allows in its window the background waits for the next one."""
    background = with_guests(shop, lookup, 1)
    window = Window(300, remaining, shop.clock() + timedelta(minutes=10))
    with shop.house.database.transaction() as connection:
        note_windows(connection, {"users": window}, is_public=False)
    assert background.run_due(shop.clock()) == asked
    shop.clock.advance(900)
    assert background.run_due(shop.clock()) == 1 - asked


def test_what_signups_brought_goes_first(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """While a handle is pending nobody is asked for again."""
    background = with_guests(shop, lookup, 1)
    lookup.unavailable("late", Reason.TIMEOUT)
    sign_up(shop, "late")
    shop.clock.advance(60)
    assert background.run_due(shop.clock()) == 0
    assert lookup.asked_ids == []


def test_trouble_with_x_is_waited_out(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """After trouble nobody asks before the retry time; then one account tells that X is back."""
    background = with_guests(shop, lookup, 3)
    for number in range(3):
        lookup.now(str(number), Unavailable(Reason.SERVER_ERROR))
    assert background.run_due(shop.clock()) == 0
    shop.clock.advance(4)
    assert background.run_due(shop.clock()) == 0
    assert len(lookup.asked_ids) == 1
    for number in range(3):
        lookup.renamed(str(number), f"guest_{number}")
    shop.clock.advance(10)
    assert background.run_due(shop.clock()) == 1
    shop.clock.advance(10)
    assert background.run_due(shop.clock()) == 2


@pytest.mark.parametrize("others", [0, 1])
def test_an_odd_account_waits_for_a_day(
    shop: ShopUnderTest, lookup: FakeLookup, others: int
) -> None:
    """An answer that nobody understands must not close the gate in every round."""
    background = with_guests(shop, lookup, 1 + others)
    lookup.now("0", Unavailable(Reason.UNEXPECTED))
    assert background.run_due(shop.clock()) == 1 + others
    shop.clock.advance(3600)
    assert background.run_due(shop.clock()) == 0
    assert len(lookup.asked_ids) == 1
    shop.clock.advance(86_400)
    background.run_due(shop.clock())
    assert lookup.asked_ids[-1] == ["0"]


class Interrupted(FakeLookup):
    """Lets something else happen while X is asked by id."""

    meanwhile: Callable[[], object] = dict

    def look_up_ids(self, *given: Any, **more: Any) -> Any:
        self.meanwhile()
        return super().look_up_ids(*given, **more)


def test_two_dispatchers_ask_for_each_account_once(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """X bills each user: what one process asks for another leaves alone."""
    lookup = Interrupted()
    shop = open_under_test(lookup)
    background, other = with_guests(shop, lookup, 2), make_refresh(shop.house)
    asked: list[int] = []
    lookup.meanwhile = lambda: asked.append(other.run_due(shop.clock()))
    assert background.run_due(shop.clock()) == 2
    assert asked == [0]
    assert len(lookup.asked_ids) == 1


def test_a_clock_that_was_set_back(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The pause between two batches does not last as long as the clock was wrong."""
    background = with_guests(shop, lookup, 1)
    background.run_due(shop.clock.advance(86_400))
    shop.clock.advance(-86_400)
    lookup.found("late", "77")
    sign_up(shop, "late")
    with shop.house.database.transaction() as connection:
        connection.execute(contact_point_table.update().values(doubted_at=shop.clock()))
    assert background.run_due(shop.clock()) >= 1


@pytest.mark.parametrize("mode", ["format", "off"])
def test_without_look_ups_nothing_is_asked_again(
    open_under_test: Callable[..., ShopUnderTest], mode: str
) -> None:
    """The modes that do not ask X do not ask it later either."""
    shop = open_under_test(None, X_MODE=mode)
    sign_up(shop)
    shop.clock.advance(MONTH_S)
    assert make_refresh(shop.house).run_due(shop.clock()) == 0
