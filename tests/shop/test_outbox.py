"""The outbox: what is due is leased, attempted and settled once, and nothing is lost."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from tests.shop.by_hand import (
    TAKEN,
    claim_due,
    deliver,
    in_5_minutes,
    limit,
    make_due,
    only_delivery,
    resume,
    retry,
    rows,
    settle_as,
    sign_up,
    states,
)
from tests.shops import ShopUnderTest

from regulars.tell.deliveries import attempt_table, delivery_table
from regulars.tell.endpoints import endpoint_table
from regulars.tell.waiting import backlog
from regulars_webhooks.retry import Delivered, DeliveryResult, Disable, GiveUp, RetryAt


def seconds_until_due(shop: ShopUnderTest) -> float:
    """By the real clock, which is the database's."""
    due: datetime = only_delivery(shop).next_at
    return (due - datetime.now(UTC)).total_seconds()


def test_a_delivery_is_due_at_once(shop: ShopUnderTest, endpoint: str) -> None:
    """One per event and endpoint, pending from the moment of the signup."""
    sign_up(shop)
    assert only_delivery(shop).state == "pending"
    assert -5 < seconds_until_due(shop) <= 0


def test_a_claim_is_a_lease_of_a_minute(shop: ShopUnderTest, endpoint: str) -> None:
    """What is leased is nobody else's for that long."""
    sign_up(shop)
    (claimed,) = claim_due(shop)
    row = only_delivery(shop)
    assert (row.state, row.claims, row.attempts) == ("leased", 1, 0)
    assert row.lease_token == claimed.lease_token
    assert 50 < seconds_until_due(shop) <= 60
    assert claim_due(shop) == []


def test_no_more_than_asked_for(shop: ShopUnderTest, endpoint: str) -> None:
    """The limit holds, and what was not taken is there for the next."""
    sign_up(shop, 5)
    assert [len(claim_due(shop, 2)) for _ in range(4)] == [2, 2, 1, 0]


def test_two_dispatchers_never_share_a_delivery(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Claims at the same time are of different rows."""
    limit(shop, endpoint, max_inflight=12)
    sign_up(shop, 12)
    taken: list[str] = []
    start = threading.Barrier(4)

    def take() -> None:
        start.wait(10)
        # Nothing, where another is at this endpoint in that moment.
        while len(taken) < 12:
            taken.extend(item.id for item in claim_due(shop, 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(taken) == len(set(taken)) == 12


def test_a_lease_that_ran_out_is_due_again(shop: ShopUnderTest, endpoint: str) -> None:
    """The same event, the same bytes, the same step: a crash is no attempt."""
    sign_up(shop)
    (first,) = claim_due(shop)
    make_due(shop)
    (second,) = claim_due(shop)
    assert (second.id, second.event_id, second.body, second.step) == (
        first.id,
        first.event_id,
        first.body,
        0,
    )
    assert second.lease_token != first.lease_token
    assert (only_delivery(shop).claims, only_delivery(shop).attempts) == (2, 0)


DECISIONS = {
    "delivered": Delivered(),
    "retry": RetryAt(datetime(2027, 1, 1, tzinfo=UTC)),
    "gone": Disable(),
    "over": GiveUp(),
}


@pytest.mark.parametrize("decision", DECISIONS.values(), ids=DECISIONS)
@pytest.mark.parametrize("then", ["leased again", "settled"])
def test_a_worker_that_lost_its_lease_changes_no_row(
    shop: ShopUnderTest, endpoint: str, then: str, decision: Delivered | GiveUp
) -> None:
    """Neither the delivery nor the endpoint nor the attempts, whatever it was told."""
    sign_up(shop)
    slow = claim_due(shop)
    make_due(shop)
    quick = claim_due(shop)
    if then == "settled":
        settle_as(shop, quick, Delivered(), TAKEN)
    tables = (delivery_table, attempt_table, endpoint_table)
    before = [rows(shop, table) for table in tables]
    assert settle_as(shop, slow, decision) == [slow[0].id]
    assert [rows(shop, table) for table in tables] == before


def test_delivered(shop: ShopUnderTest, endpoint: str) -> None:
    """Done, not due, one attempt on record, and the endpoint's last success."""
    sign_up(shop)
    took = DeliveryResult(202, None, "202", None, 34, b"thanks" * 400)
    assert settle_as(shop, claim_due(shop), Delivered(), took) == []
    row = only_delivery(shop)
    assert (row.state, row.next_at, row.lease_token) == ("delivered", None, None)
    assert (row.attempts, row.last_error) == (1, None)
    (attempt,) = rows(shop, attempt_table)
    assert (attempt.number, attempt.status, attempt.error) == (1, 202, None)
    assert (attempt.duration_ms, len(attempt.response_head)) == (34, 1024)
    assert rows(shop, endpoint_table)[0].last_success_at == shop.clock()
    assert claim_due(shop) == []


def test_retry(shop: ShopUnderTest, endpoint: str) -> None:
    """Due again at the time decided, a step further, with what went wrong."""
    sign_up(shop)
    settle_as(shop, claim_due(shop), in_5_minutes(shop))
    row = only_delivery(shop)
    assert (row.state, row.attempts, row.step) == ("pending", 1, 1)
    assert row.last_error == "500 Internal Server Error"
    assert 290 < seconds_until_due(shop) <= 300
    assert claim_due(shop) == []
    make_due(shop, "pending")
    (again,) = claim_due(shop)
    assert again.step == 1
    settle_as(shop, [again], in_5_minutes(shop))
    assert [a.number for a in rows(shop, attempt_table)] == [1, 2]


def test_held_where_the_endpoint_took_nothing_meanwhile(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """The schedule is over, but the receiver was away for all: it goes out when it is back."""
    sign_up(shop)
    settle_as(shop, claim_due(shop), GiveUp())
    assert (only_delivery(shop).state, only_delivery(shop).next_at) == ("held", None)
    assert resume(shop, endpoint) == 1
    assert len(deliver(shop)) == 1


def test_dead_where_the_endpoint_took_others_meanwhile(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """It was there and did not want this one: nothing but a retry by hand sends it."""
    sign_up(shop)
    refused = claim_due(shop)
    shop.clock.advance(1)
    sign_up(shop)
    deliver(shop)
    settle_as(shop, refused, GiveUp())
    assert states(shop) == ["dead", "delivered"]
    assert resume(shop, endpoint) == 0
    assert retry(shop, refused[0].id)
    assert [item.id for item in deliver(shop)] == [refused[0].id]


def test_a_success_before_the_event_counts_for_nothing(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Meanwhile is since this delivery was made."""
    sign_up(shop)
    deliver(shop)
    shop.clock.advance(1)
    sign_up(shop)
    settle_as(shop, claim_due(shop), GiveUp())
    assert states(shop) == ["delivered", "held"]


def test_another_endpoints_success_counts_for_nothing(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Dead is between one event and one endpoint."""
    shop.add_endpoint("https://other.example/hook")
    sign_up(shop)
    shop.clock.advance(1)
    both = {item.endpoint.id: item for item in claim_due(shop)}
    mine = both.pop(endpoint)
    settle_as(shop, list(both.values()), Delivered(), TAKEN)
    settle_as(shop, [mine], GiveUp())
    assert sorted(states(shop)) == ["delivered", "held"]


@pytest.mark.sqlite_only("the plan is of SQLite")
def test_the_claim_uses_the_partial_index(shop: ShopUnderTest, endpoint: str) -> None:
    """SQLite's plan of the very statements, with their parameters bound, however long the history."""
    sign_up(shop, 9)
    engine, seen = shop.house.database.engine, []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "delivery" in statement:
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    claim_due(shop)
    event.remove(engine, "before_cursor_execute", note)
    steps = []
    with engine.connect() as connection:
        for statement, parameters in seen:
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            )
            steps += [row.detail for row in plan]
    by_index = [s for s in steps if "INDEX ix_delivery_due (endpoint_id=?" in s]
    assert any("ix_delivery_leased (endpoint_id=?)" in s for s in steps)
    # Who has something due; the oldest of it; the newest of it.
    assert len(by_index) == 3, steps
    assert [s for s in steps if s.startswith("SCAN delivery")] == []


def test_the_index_holds_only_what_is_due_or_leased(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """A finished delivery has no due time, and the database refuses one that has."""
    sign_up(shop, 3)
    deliver(shop)
    assert {row.next_at for row in rows(shop, delivery_table)} == {None}
    with (
        pytest.raises(IntegrityError, match="ck_delivery_next_at"),
        shop.house.database.transaction() as connection,
    ):
        connection.execute(delivery_table.update().values(next_at=shop.clock()))


def test_the_backlog(shop: ShopUnderTest, endpoint: str) -> None:
    """What is due and since when; what is leased, waits or is held is not due."""
    sign_up(shop, 2)
    with shop.house.database.reading() as connection:
        found = backlog(connection)
    assert found.due == 2
    assert found.oldest_due_at == rows(shop, delivery_table)[0].next_at
    claim_due(shop)
    with shop.house.database.reading() as connection:
        assert backlog(connection).due == 0
