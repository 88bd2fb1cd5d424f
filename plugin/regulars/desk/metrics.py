"""``GET /metrics`` for Prometheus: what the database knows is asked there, at each scrape.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from regulars.check.gate import find_trouble
from regulars.check.pace import Pace
from regulars.check.usage import Usage
from regulars.keep.contact_points import count_pending
from regulars.tell.tally import (
    ATTEMPTS,
    LAG,
    LAG_BOUNDS,
    LAG_SUM_MS,
    LOST,
    Key,
    read_tally,
)
from regulars.tell.waiting import backlog, count_by_state, list_waiting
from regulars.web.house import House


def metrics_blueprint(house: House) -> Blueprint:
    """The numbers of *house*; labels are ids and closed words, never personal data."""
    blueprint = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(_State(house))
    registry.register(house.counts)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return blueprint


class _State(Collector):
    """Reads the state of the shop; holds nothing, so every process says the same."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        """One reading of the database."""
        now = self._house.clock()
        with self._house.database.reading() as connection:
            yield from _queue(connection, now)
            yield from _endpoints(connection, now)
            yield from _attempts(read_tally(connection))
            yield from _x(connection, self._house.gate.usage(connection, now), now)
            yield from _calls(self._house.gate.pace(connection, now))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing beforehand: registering must not ask the database."""
        return iter(())


def _queue(connection: Connection, now: datetime) -> Iterator[GaugeMetricFamily]:
    waiting = backlog(connection)
    yield _gauge(
        "regulars_deliveries_due", "Deliveries that are due or leased.", waiting.due
    )
    yield _gauge(
        "regulars_deliveries_oldest_due_seconds",
        "How long the oldest due delivery has waited.",
        waiting.age_s(now),
    )
    by_state = GaugeMetricFamily(
        "regulars_deliveries",
        "Deliveries by endpoint and state.",
        labels=["endpoint", "state"],
    )
    for endpoint_id, state, count in count_by_state(connection):
        by_state.add_metric([endpoint_id, state], count)
    yield by_state


def _endpoints(connection: Connection, now: datetime) -> Iterator[GaugeMetricFamily]:
    active = GaugeMetricFamily(
        "regulars_endpoint_active",
        "1 where the endpoint takes deliveries, 0 where it is paused or disabled.",
        labels=["endpoint"],
    )
    failing = GaugeMetricFamily(
        "regulars_endpoint_failing_seconds",
        "For how long the endpoint has taken nothing that it was sent; 0: it takes all.",
        labels=["endpoint"],
    )
    backlog_age = GaugeMetricFamily(
        "regulars_endpoint_backlog_oldest_seconds",
        "Age of the oldest delivery that is due, waits for its next try or is held.",
        labels=["endpoint"],
    )
    for row in list_waiting(connection, now):
        endpoint, since = row.endpoint, row.endpoint.pace.failing_since
        active.add_metric([endpoint.id], endpoint.is_active)
        failing_s = 0.0 if since is None else (now - since).total_seconds()
        failing.add_metric([endpoint.id], max(failing_s, 0.0))
        backlog_age.add_metric([endpoint.id], row.age_s(now))
    yield from (active, failing, backlog_age)


def _attempts(counts: Mapping[Key, int]) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "regulars_delivery_attempts",
        "Attempts by endpoint and class: of the status, or why there is none.",
        labels=["endpoint", "class"],
    )
    lost = CounterMetricFamily(
        "regulars_leases_lost",
        "Attempts that ended after another dispatcher had taken the delivery over.",
        labels=["endpoint"],
    )
    for (name, endpoint_id, label), count in sorted(counts.items()):
        if name == ATTEMPTS:
            attempts.add_metric([endpoint_id, label], count)
        elif name == LOST:
            lost.add_metric([endpoint_id], count)
    yield from (attempts, lost)
    buckets, total = [], 0
    for bound in LAG_BOUNDS:
        total += counts.get((LAG, "", bound), 0)
        buckets.append((bound, float(total)))
    yield HistogramMetricFamily(
        "regulars_delivery_lag_seconds",
        "How late deliveries were sent, from when they were due.",
        buckets=buckets,
        sum_value=counts.get((LAG_SUM_MS, "", ""), 0) / 1000,
    )


def _x(
    connection: Connection, usage: Usage, now: datetime
) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "regulars_x_users_billed_today",
        "Users that X has billed in this UTC day.",
        usage.users_today,
    )
    yield _gauge(
        "regulars_x_usd_this_month",
        "What X has billed in this UTC month, in US dollars.",
        usage.usd_this_month,
    )
    yield _gauge(
        "regulars_x_share_of_caps",
        "How much of the fuller cap on look-ups is used; at 1 handles wait.",
        usage.share,
    )
    yield _gauge(
        "regulars_x_public_users_billed_today",
        "Of the users billed today, those returned to the public check.",
        usage.public_today,
    )
    yield _gauge(
        "regulars_handles_pending",
        "Handles whose check is still to be made.",
        count_pending(connection),
    )
    trouble = find_trouble(connection)
    state = GaugeMetricFamily(
        "regulars_x_trouble_seconds",
        "How long X has not answered; absent while it does.",
        labels=["reason"],
    )
    if trouble is not None:
        state.add_metric(
            [trouble.reason.value], max((now - trouble.since).total_seconds(), 0)
        )
    yield state


def _calls(pace: Pace | None) -> Iterator[GaugeMetricFamily]:
    left = GaugeMetricFamily(
        "regulars_x_calls_remaining",
        "Calls that X still allows in its window; absent while it has not said.",
    )
    if pace is not None:
        left.add_metric([], pace.remaining)
    yield left


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
