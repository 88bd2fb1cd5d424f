"""Retention: what was delivered long ago is emptied, and nothing that is still to be told."""

import logging
import threading
from dataclasses import asdict
from datetime import timedelta

import pytest
from tests.fakes import START
from tests.shop.by_hand import (
    TAKEN,
    change,
    claim_due,
    customer_id_of,
    deliver,
    only_delivery,
    pause,
    rows,
    settle_as,
    sign_up,
    states,
)
from tests.shops import EMAIL, ShopUnderTest

from regulars.app import make_retention
from regulars.check.usage import usage_table
from regulars.erasure import erase
from regulars.keep.idempotency import idempotency_table
from regulars.retention import Retention, Swept
from regulars.tell.changing import remove_endpoint
from regulars.tell.deliveries import attempt_table, delivery_table
from regulars.tell.endpoints import endpoint_table
from regulars.tell.events import event_table, rewrite_without_profile
from regulars.tell.recovery import Recovered, Retried, Span, recover, retry_delivery
from regulars_webhooks.retry import Decision, Delivered, GiveUp, RetryAt

MONTH = timedelta(days=30)


def sweep(shop: ShopUnderTest, days: int = 30, batch: int = 2) -> Swept:
    retention = Retention(shop.house.database, delivery_days=days, batch=batch)
    return retention.run(shop.clock())


def bodies(shop: ShopUnderTest) -> list[bool]:
    """Of each event, oldest first, whether it has both its bodies."""
    found = [(row.body_own, row.body_third_party) for row in rows(shop, event_table)]
    assert all(bool(own) is bool(other) for own, other in found)
    return [bool(own) for own, _ in found]


def later(shop: ShopUnderTest, span: timedelta = MONTH + timedelta(days=1)) -> None:
    shop.clock.now += span


def test_what_was_delivered_long_ago_is_emptied(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """After the days that are set, in batches, with what the receiver answered; not before."""
    sign_up(shop, 5)
    deliver(shop, head=b"thanks")
    assert sweep(shop).events == 0
    later(shop, MONTH - timedelta(minutes=1))
    assert sweep(shop).events == 0
    later(shop, timedelta(minutes=2))
    assert sweep(shop) == Swept(events=5, answers=5)
    assert bodies(shop) == [False] * 5
    assert {row.response_head for row in rows(shop, attempt_table)} == {b""}
    assert sweep(shop) == Swept()


def test_days_0_keep_for_ever(shop: ShopUnderTest, endpoint: str) -> None:
    """An operator may want every event for all time."""
    sign_up(shop)
    deliver(shop)
    later(shop)
    assert sweep(shop, days=0).events == 0
    assert bodies(shop) == [True]


UNDELIVERED: dict[str, Decision | None] = {
    "leased": None,
    "pending": RetryAt(START + timedelta(days=90)),
    "held": GiveUp(),
    "dead": GiveUp(),
}


@pytest.mark.parametrize("state", UNDELIVERED)
def test_what_is_undelivered_is_kept(shop: ShopUnderTest, state: str) -> None:
    """However old it is, and though another endpoint took it."""
    took, _ = shop.add_endpoint()
    other, _ = shop.add_endpoint("https://other.example/hook")
    sign_up(shop)
    claimed = {it.endpoint.id: it for it in claim_due(shop)}
    settle_as(shop, [claimed[took]], Delivered(), TAKEN)
    if state == "dead":
        # Given up only where the endpoint took something else meanwhile.
        is_it = endpoint_table.c.id == other
        change(shop, endpoint_table, is_it, last_success_at=shop.clock() + MONTH)
    decision = UNDELIVERED[state]
    if decision is not None:
        settle_as(shop, [claimed[other]], decision)
    assert sorted(states(shop)) == sorted(["delivered", state])
    later(shop)
    assert sweep(shop).events == 0
    assert bodies(shop) == [True]


def test_what_is_dead_for_no_known_reason_is_kept(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Only what was cancelled is no loss, and a cancellation always says so."""
    other, _ = shop.add_endpoint("https://other.example/hook")
    sign_up(shop)
    deliver(shop)
    is_it = delivery_table.c.endpoint_id == other
    change(shop, delivery_table, is_it, state="dead", last_error=None)
    later(shop)
    assert sweep(shop).events == 0


def test_a_retry_at_the_same_moment(shop: ShopUnderTest, endpoint: str) -> None:
    """Whoever comes second sees what the first did: nothing goes out without a body."""
    sign_up(shop)
    deliver(shop)
    later(shop)
    database, swept = shop.house.database, []
    sweeping = threading.Thread(target=lambda: swept.append(sweep(shop)))
    with database.transaction() as connection:
        assert retry_delivery(connection, only_delivery(shop).id) is Retried.DUE
        sweeping.start()
        sweeping.join(0.5)
        assert swept == []
    sweeping.join(30)
    assert [it.events for it in swept] == [0]
    assert bodies(shop) == [True]


def test_what_was_told_to_nobody_is_kept(shop: ShopUnderTest) -> None:
    """An endpoint that is added later may ask for it."""
    sign_up(shop)
    later(shop)
    assert sweep(shop).events == 0


def test_what_was_emptied_is_not_sent_again(shop: ShopUnderTest, endpoint: str) -> None:
    """A retry says so, a recovery counts it, and nothing goes out without a body."""
    sign_up(shop)
    deliver(shop)
    later(shop)
    sweep(shop)
    with shop.house.database.transaction() as connection:
        assert retry_delivery(connection, only_delivery(shop).id) is Retried.EMPTIED
    span = Span(shop.clock() - 2 * MONTH, shop.clock(), delivered=True)
    assert recover(shop.house.database, span, shop.clock()) == Recovered(emptied=1)
    assert states(shop) == ["delivered"]


def test_an_erasure_writes_over_what_was_emptied(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Its form is valid and names nobody, so the next sweep leaves it; the fixture validates it."""
    customer = customer_id_of(shop.sign_up(contact_email=EMAIL, by_key=True))
    deliver(shop)
    later(shop)
    assert sweep(shop).events == 1
    with shop.house.database.transaction() as connection:
        rewrite_without_profile(connection, customer)
    house = shop.house
    erase(
        house.database,
        customer,
        secret_key=house.settings.secret_key,
        journal_folder=house.journal_folder,
        now=shop.clock(),
    )
    deliver(shop)
    later(shop)
    assert sweep(shop).events == 0
    assert bodies(shop) == [True, True]


def test_a_removed_endpoint_keeps_nothing_back(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """What was cancelled for it waits no more; what the others took is emptied."""
    gone, _ = shop.add_endpoint("https://gone.example/")
    pause(shop, gone)
    sign_up(shop)
    deliver(shop)
    with shop.house.database.transaction() as connection:
        remove_endpoint(connection, gone, shop.clock())
    later(shop)
    assert sweep(shop).events == 1


def test_other_rows_that_are_over(shop: ShopUnderTest) -> None:
    """Answers to repeats go after 30 days, counts of look-ups after more than a year."""
    shop.sign_up(contact_email=EMAIL, headers={"Idempotency-Key": "a"})
    with shop.house.database.transaction() as connection:
        days = [{"day": "2025-01-01", "users": 3}, {"day": "2026-11-01", "users": 4}]
        connection.execute(usage_table.insert(), days)
    assert sweep(shop) == Swept(usage_days=1)
    later(shop)
    assert sweep(shop).repeats == 1
    assert rows(shop, idempotency_table) == []
    assert [row.users for row in rows(shop, usage_table)] == [4]


def test_once_a_day_by_whoever_comes_first(
    shop: ShopUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    """Of several processes one sweeps; the log has the counts; a clock that jumped stops nobody."""
    caplog.set_level(logging.INFO)
    first, second = make_retention(shop.house), make_retention(shop.house)
    assert first.run_due(shop.clock()) == Swept()
    assert second.run_due(shop.clock()) is None
    (record,) = [it for it in caplog.records if it.message == "retention done"]
    assert asdict(Swept()).items() <= vars(record).items()
    later(shop, timedelta(days=1))
    assert second.run_due(shop.clock()) == Swept()
    later(shop, timedelta(days=-90))
    assert first.run_due(shop.clock()) == Swept()


def test_a_stop_ends_it_between_batches(shop: ShopUnderTest, endpoint: str) -> None:
    """What is left is done the next time."""
    sign_up(shop, 5)
    deliver(shop)
    later(shop)
    answers = iter([False, True])
    retention = Retention(shop.house.database, delivery_days=30, batch=2)
    assert retention.run(shop.clock(), lambda: next(answers, True)).events == 2
    assert sweep(shop).events == 3
