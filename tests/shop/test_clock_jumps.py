"""The process's clock jumps: forwards by a day, back by an hour. The database's own does not."""

import pytest
from tests.fakes import Clock, FakeLookup
from tests.shop.by_hand import claim_due, recheck
from tests.shops import EMAIL, ShopUnderTest

from regulars.check.lookup import Reason

JUMPS = pytest.mark.parametrize(
    "seconds", [86_400, -3_600], ids=["a day on", "an hour back"]
)


@JUMPS
def test_signups_go_on(shop: ShopUnderTest, clock: Clock, seconds: int) -> None:
    """The same customer is known on both sides of the jump, and versions go on by one."""
    for jump in (0, seconds):
        clock.advance(jump)
        answer = shop.sign_up(by_key=True, external_id="A-1", contact_email=EMAIL)
        assert answer.status_code == 201
    assert [event["data"]["customer"]["version"] for event in shop.events()] == [1, 2]


@JUMPS
def test_what_is_due_stays_due(shop: ShopUnderTest, clock: Clock, seconds: int) -> None:
    """A delivery is due, and a lease runs, by the clock of the database alone."""
    shop.add_endpoint()
    shop.sign_up(by_key=True, external_id="A-1", contact_email=EMAIL)
    clock.advance(seconds)
    assert len(claim_due(shop)) == 1
    clock.advance(seconds)
    assert claim_due(shop) == []


def test_trouble_met_before_the_clock_was_set_back_passes(
    shop: ShopUnderTest, lookup: FakeLookup, clock: Clock
) -> None:
    """X is asked again once the clock has come to the time that was set, and the verdict arrives."""
    lookup.unavailable("ana", Reason.SERVER_ERROR)
    shop.sign_up(x_handle="ana", **shop.consent())
    lookup.found("ana", "1")
    clock.advance(-60)
    assert recheck(shop) == 0
    clock.advance(60 + 5)
    assert recheck(shop) == 1


def test_an_idempotency_key_outlives_the_jump(
    shop: ShopUnderTest, clock: Clock
) -> None:
    """A repeat after the clock went back gets the first answer, not a second customer."""
    headers = {"Idempotency-Key": "order-1"}
    first = shop.sign_up(headers=headers, contact_email=EMAIL)
    clock.advance(-3_600)
    again = shop.sign_up(headers=headers, contact_email=EMAIL)
    assert (again.status_code, again.json) == (201, first.json)
    assert len(shop.events()) == 1
