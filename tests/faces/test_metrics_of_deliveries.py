"""What Prometheus is told of deliveries: counted by dispatchers, read from the database."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.acceptance.receiver import Receiver
from tests.shop.by_hand import change, claim_due, deliver, pause, settle_as, sign_up
from tests.shops import EMAIL, ShopUnderTest

from regulars.tell.deliveries import delivery_table
from regulars.tell.dispatcher import Dispatcher
from regulars.tell.endpoints import endpoint_table
from regulars.tell.outbox import Claimed
from regulars.tell.settling import Outcome, Settled
from regulars.tell.tally import Tally
from regulars.values.instants import now_utc
from regulars_webhooks.retry import Delivered, DeliveryResult, Failure, GiveUp
from regulars_webhooks.transport import Transport

URL = "https://shop.example/a-secret-path"


def value(shop: ShopUnderTest, name: str, **labels: str) -> float | None:
    """The one sample of that name with those labels; None if there is none."""
    text = shop.client.get("/metrics").text
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1
    return found[0] if found else None


def count(
    shop: ShopUnderTest, claimed: Claimed, result: DeliveryResult, lag_s: float = 0
) -> Outcome:
    """The outcome, as a dispatcher counts and writes it down."""
    assert claimed.due_at is not None
    sent_at = claimed.due_at + timedelta(seconds=lag_s)
    return Outcome(claimed, sent_at, result, Delivered())


def write_down(shop: ShopUnderTest, outcomes: list[Outcome], *lost: str) -> None:
    tally = Tally()
    tally.note(outcomes, Settled(lost, ()))
    with shop.house.database.transaction() as connection:
        tally.write_down(connection)


def answer(status: int | None, error: Failure | None = None) -> DeliveryResult:
    return DeliveryResult(status, error, "", None, 5, b"")


def test_attempts_by_class(shop: ShopUnderTest) -> None:
    """Each endpoint's attempts are told by status class or failure, added up over dispatchers."""
    endpoint_id, _ = shop.add_endpoint(URL)
    sign_up(shop, 4)
    first, second, third, fourth = claim_due(shop)
    write_down(
        shop, [count(shop, first, answer(204)), count(shop, second, answer(503))]
    )
    write_down(shop, [count(shop, third, answer(200))])
    write_down(shop, [count(shop, fourth, answer(None, Failure.TIMEOUT))])
    name = "regulars_delivery_attempts_total"
    assert {
        kind: value(shop, name, endpoint=endpoint_id, **{"class": kind})
        for kind in ("2xx", "4xx", "5xx", "timeout")
    } == {"2xx": 2, "4xx": None, "5xx": 1, "timeout": 1}


def test_a_dispatcher_counts(shop: ShopUnderTest) -> None:
    """What it did is in the database when it ends."""
    with Receiver() as receiver:
        endpoint_id, _ = shop.add_endpoint(receiver.url)
        sign_up(shop, 2)
        transport = Transport(allow_private=True)
        assert Dispatcher(shop.house.database, transport, now_utc).run_once() == 2
        transport.close()
    name = "regulars_delivery_attempts_total"
    assert value(shop, name, endpoint=endpoint_id, **{"class": "2xx"}) == 2
    assert value(shop, "regulars_delivery_lag_seconds_count") == 2


def test_lost_leases(shop: ShopUnderTest) -> None:
    """What another dispatcher took over is counted as that, and as no attempt."""
    endpoint_id, _ = shop.add_endpoint(URL)
    sign_up(shop)
    (claimed,) = claim_due(shop)
    write_down(shop, [count(shop, claimed, answer(200))], claimed.id)
    assert value(shop, "regulars_leases_lost_total", endpoint=endpoint_id) == 1
    assert value(shop, "regulars_delivery_attempts_total") is None


def test_lag_from_due_to_sent(shop: ShopUnderTest) -> None:
    """A histogram over all endpoints, from when each was due, be it a first attempt or a later one."""
    shop.add_endpoint(URL)
    sign_up(shop, 3)
    late = zip(claim_due(shop), (0.05, 2.0, 9000.0), strict=True)
    write_down(shop, [count(shop, it, answer(200), lag_s) for it, lag_s in late])
    name = "regulars_delivery_lag_seconds"
    counts = {le: value(shop, f"{name}_bucket", le=le) for le in ("0.1", "5.0", "+Inf")}
    assert counts == {"0.1": 1, "5.0": 2, "+Inf": 3}
    assert value(shop, f"{name}_sum") == pytest.approx(9002.05)


def test_backlog_by_endpoint(shop: ShopUnderTest) -> None:
    """Held, dead and waiting are told for each endpoint, with the age of the oldest; never its URL."""
    held, _ = shop.add_endpoint(URL)
    dead, _ = shop.add_endpoint(URL + "/2")
    pause(shop, held)
    sign_up(shop)
    is_it = endpoint_table.c.id == dead
    change(
        shop, endpoint_table, is_it, last_success_at=shop.clock() + timedelta(days=1)
    )
    settle_as(shop, claim_due(shop), GiveUp())
    shop.clock.now += timedelta(seconds=90)
    deliveries, age = "regulars_deliveries", "regulars_endpoint_backlog_oldest_seconds"
    assert value(shop, deliveries, endpoint=held, state="held") == 1
    assert value(shop, deliveries, endpoint=dead, state="dead") == 1
    assert value(shop, age, endpoint=held) == pytest.approx(90)
    assert value(shop, age, endpoint=dead) == 0
    assert value(shop, "regulars_endpoint_failing_seconds", endpoint=dead) == 90
    told = shop.client.get("/metrics").text
    assert "secret-path" not in told
    assert EMAIL not in told


def test_due_is_when_it_was_due(shop: ShopUnderTest) -> None:
    """A lease moves the next try, and not what lag is counted from."""
    shop.add_endpoint(URL)
    sign_up(shop)
    with shop.house.database.reading() as connection:
        due = connection.execute(delivery_table.select()).one().next_at
    (claimed,) = deliver(shop)
    assert claimed.due_at == due
