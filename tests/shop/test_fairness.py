"""One claim is shared out: nobody's trouble, backlog or rate is anybody else's."""

from collections import Counter
from datetime import timedelta

import pytest
from tests.shop.by_hand import (
    DOWN,
    TAKEN,
    change,
    claim_due,
    deliver,
    in_5_minutes,
    limit,
    make_due,
    only_delivery,
    rows,
    settle_as,
    sign_up,
    states,
)
from tests.shops import ShopUnderTest

from regulars.tell.deliveries import delivery_table
from regulars.tell.endpoints import endpoint_table
from regulars.tell.outbox import MOST_UNFINISHED, claim
from regulars.tell.waiting import backlog
from regulars_webhooks.retry import Delivered, DeliveryResult, Failure, GiveUp

HUNG = DeliveryResult(None, Failure.TIMEOUT, "no answer in time", None, 15_000, b"")


def shares(shop: ShopUnderTest, size: int = 100) -> Counter[str]:
    """How many of a claim each endpoint got."""
    return Counter(item.endpoint.id for item in claim_due(shop, size))


def test_a_claim_takes_from_each_endpoint(shop: ShopUnderTest, endpoint: str) -> None:
    """One each in turn, however much waits for one of them."""
    sign_up(shop, 6)
    other, _ = shop.add_endpoint("https://other.example/hook")
    sign_up(shop, 2)
    assert shares(shop, 4) == {endpoint: 2, other: 2}
    assert shares(shop, 4) == {endpoint: 4}


def test_an_endpoint_never_has_more_under_way_than_its_limit(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Over any number of claims; what ended makes room."""
    limit(shop, endpoint, max_inflight=2)
    sign_up(shop, 5)
    first = claim_due(shop)
    assert (len(first), claim_due(shop)) == (2, [])
    settle_as(shop, first[:1], Delivered(), TAKEN)
    assert len(claim_due(shop)) == 1


def test_a_lease_that_ran_out_takes_no_slot(shop: ShopUnderTest, endpoint: str) -> None:
    """What a dead worker had under way is claimed again, within the limit."""
    limit(shop, endpoint, max_inflight=2)
    sign_up(shop, 3)
    claim_due(shop)
    make_due(shop)
    assert len(claim_due(shop)) == 2


def test_a_rate_holds_over_claims(shop: ShopUnderTest, endpoint: str) -> None:
    """A burst of one second, and then nothing before its time."""
    limit(shop, endpoint, rate_per_s=2.0)
    sign_up(shop, 5)
    assert len(deliver(shop)) == 2
    assert claim_due(shop) == []
    # A second passes, by the database's clock.
    row = rows(shop, endpoint_table)[0]
    earlier = row.busy_until - timedelta(seconds=1)
    change(shop, endpoint_table, busy_until=earlier)
    assert len(deliver(shop)) == 2


def test_one_that_hangs_is_left_alone(shop: ShopUnderTest, endpoint: str) -> None:
    """After an attempt in vain nothing more is taken up for it, and all for the others."""
    sign_up(shop, 4)
    (first, *_) = hanging = claim_due(shop)
    settle_as(shop, hanging, in_5_minutes(shop), HUNG)
    other, _ = shop.add_endpoint("https://other.example/hook")
    sign_up(shop, 2)
    assert shares(shop) == {other: 2}
    # Its time passes: one delivery finds out.
    reopen_by_time(shop)
    probe = claim_due(shop)
    assert [item.endpoint.id for item in probe] == [first.endpoint.id]
    settle_as(shop, probe, Delivered(), TAKEN)
    make_due(shop, "pending")
    assert len(claim_due(shop)) == 2


def reopen_by_time(shop: ShopUnderTest) -> None:
    row = rows(shop, endpoint_table)[0]
    change(shop, endpoint_table, closed_until=row.created_at - timedelta(days=9999))


def test_trouble_has_a_part_of_the_threads(shop: ShopUnderTest, endpoint: str) -> None:
    """Endpoints that failed last get no more together than the caller leaves them."""
    sign_up(shop, 1)
    settle_as(shop, claim_due(shop), in_5_minutes(shop))
    other, _ = shop.add_endpoint("https://other.example/hook")
    sign_up(shop, 6)
    with shop.house.database.transaction() as connection:
        claimed = claim(connection, 10, shop.clock(), troubled_limit=1)
    assert Counter(it.endpoint.id for it in claimed) == {endpoint: 1, other: 6}


def test_what_just_became_due_does_not_wait_behind_a_backlog(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """A quarter of an endpoint's share is for the newest."""
    sign_up(shop, 10)
    make_due(shop, "pending")
    sign_up(shop)
    newest = max(rows(shop, delivery_table), key=lambda row: str(row.next_at)).id
    claimed = [item.id for item in claim_due(shop, 4)]
    assert newest in claimed
    assert len(claimed) == len(set(claimed)) == 4


def test_what_ends_its_workers_is_given_up(shop: ShopUnderTest, endpoint: str) -> None:
    """Taken up ten times without an end it is dead, and says why; a retry by hand counts anew."""
    sign_up(shop)
    for _ in range(MOST_UNFINISHED):
        assert len(claim_due(shop)) == 1
        make_due(shop)
    assert claim_due(shop) == []
    row = only_delivery(shop)
    assert (row.state, row.attempts) == ("dead", 0)
    assert "without an attempt that ended" in str(row.last_error)


def test_an_attempt_that_ends_counts_the_claims_anew(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Crashes long ago are no poison."""
    sign_up(shop)
    for _ in range(MOST_UNFINISHED - 1):
        claim_due(shop)
        make_due(shop)
    settle_as(shop, claim_due(shop), in_5_minutes(shop))
    make_due(shop, "pending")
    assert only_delivery(shop).unfinished == 0
    assert len(claim_due(shop)) == 1


@pytest.mark.parametrize("days", [4.9, 5.0])
def test_five_days_of_nothing_but_failures_disable(
    shop: ShopUnderTest, endpoint: str, days: float
) -> None:
    """All that waits is held, none is dropped, and the reason stands for the operator."""
    sign_up(shop, 2)
    first, second = claim_due(shop)
    settle_as(shop, [first], in_5_minutes(shop))
    shop.clock.now += timedelta(days=days)
    settle_as(shop, [second], in_5_minutes(shop))
    row = rows(shop, endpoint_table)[0]
    is_over = days >= 5
    assert row.state == ("disabled" if is_over else "active")
    assert row.notice == (100 if is_over else 90)
    assert states(shop) == ["held" if is_over else "pending"] * 2


def test_a_success_ends_the_count(shop: ShopUnderTest, endpoint: str) -> None:
    """Nothing but failures means nothing but failures."""
    sign_up(shop, 3)
    first, second, third = claim_due(shop)
    settle_as(shop, [first], in_5_minutes(shop))
    shop.clock.now += timedelta(days=4)
    settle_as(shop, [second], Delivered(), TAKEN)
    shop.clock.now += timedelta(days=4)
    settle_as(shop, [third], GiveUp(), DOWN)
    assert rows(shop, endpoint_table)[0].state == "active"


def test_what_waits_for_a_slow_endpoint_is_no_stalled_queue(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """A dispatcher was there lately; only where none comes the queue stands still."""
    limit(shop, endpoint, max_inflight=1)
    sign_up(shop, 2)
    make_due(shop, "pending")
    with shop.house.database.reading() as connection:
        assert backlog(connection).unheeded_s(shop.clock()) > 300
    claim_due(shop)
    with shop.house.database.reading() as connection:
        waiting = backlog(connection)
    assert waiting.due == 1
    assert waiting.age_s(shop.clock()) > 300
    assert waiting.unheeded_s(shop.clock()) < 300
