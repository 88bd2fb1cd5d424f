"""What came of attempts is written down: in batches, each by whoever still holds the lease."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    cast,
    select,
)

from regulars.keep.db import Instant, database_now
from regulars.tell.deliveries import (
    DeliveryState,
    attempt_table,
    delivery_table,
    hold_endpoint,
)
from regulars.tell.endpoints import (
    Endpoint,
    EndpointState,
    Recipient,
    lock_endpoints,
    store_pace,
)
from regulars.tell.events import event_table
from regulars.tell.ordering import queue_behind
from regulars.tell.outbox import Claimed
from regulars.tell.pace import NOTICES, Moment, Pace, after_failure, after_success
from regulars_webhooks.events import CUSTOMER_ERASED, TEST_PING
from regulars_webhooks.retry import (
    Decision,
    Delivered,
    DeliveryResult,
    Disable,
    Postpone,
    RetryAt,
)

# An erasure must arrive however long the receiver is away.
_ERASURE_REPEAT: Final = timedelta(days=1)
_RESPONSE_HEAD_KEPT: Final = 1024
_columns = delivery_table.c

_NOW_MS: Final = cast(database_now(), BigInteger)
_FINISHED: Final[Mapping[str, Any]] = {
    "state": bindparam("new_state"),
    "attempts": bindparam("number"),
    "step": bindparam("new_step"),
    "unfinished": 0,
    "lease_token": None,
    "last_error": bindparam("why"),
}
# Made once: making a statement costs more than running it.
_OF_DELIVERY = delivery_table.update().where(_columns.id == bindparam("delivery"))
_END: Final = _OF_DELIVERY.values(**_FINISHED, next_at=None)
_TRY_AGAIN: Final = _OF_DELIVERY.values(
    **_FINISHED,
    next_at=cast(_NOW_MS + bindparam("wait_ms", type_=BigInteger), Instant),
)
_ADD_ATTEMPT: Final = attempt_table.insert()
_LEASES: Final = (
    select(
        _columns.id,
        _columns.lease_token,
        _columns.attempts,
        _columns.step,
        _columns.created_at,
    )
    .where(_columns.id.in_(bindparam("ids", expanding=True)))
    .order_by(_columns.id)
    .with_for_update()
)
_BODIES: Final = select(
    event_table.c.id, event_table.c.body_own, event_table.c.body_third_party
).where(event_table.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt, and what is to be done now."""

    claimed: Claimed
    started_at: datetime
    result: DeliveryResult
    decision: Decision


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling came to.

    ``lost`` are ids of deliveries whose lease was lost meanwhile: nothing was changed.
    ``notices`` are (endpoint id, percent of the time until it is disabled) just reached.
    """

    lost: Sequence[str]
    notices: Sequence[tuple[str, int]]


Leases = Mapping[str, Any]
Endpoints = Mapping[str, Endpoint]


def settle(
    connection: Connection, outcomes: Sequence[Outcome], now: datetime
) -> Settled:
    """Record what came of attempts; a worker that lost its lease changes nothing."""
    # Endpoints before deliveries, as a claim does.
    endpoints = lock_endpoints(
        connection, {outcome.claimed.endpoint.id for outcome in outcomes}, now
    )
    leases: Leases = {
        row.id: row
        for row in connection.execute(
            _LEASES, {"ids": [outcome.claimed.id for outcome in outcomes]}
        )
    }
    ours = [outcome for outcome in outcomes if _is_held(outcome.claimed, leases)]
    _finish(connection, ours, leases, endpoints, now)
    _keep_attempts(connection, ours, leases)
    notices = _tell_endpoints(connection, ours, endpoints, now)
    kept = {outcome.claimed.id for outcome in ours}
    lost = [o.claimed.id for o in outcomes if o.claimed.id not in kept]
    return Settled(lost, notices)


def _is_held(claimed: Claimed, leases: Leases) -> bool:
    row = leases.get(claimed.id)
    return row is not None and row.lease_token == claimed.lease_token


def _finish(
    connection: Connection,
    outcomes: Iterable[Outcome],
    leases: Leases,
    endpoints: Endpoints,
    now: datetime,
) -> None:
    ended, again = [], []
    for outcome in outcomes:
        lease = leases[outcome.claimed.id]
        is_delivered = isinstance(outcome.decision, Delivered)
        is_no_attempt = isinstance(outcome.decision, Postpone)
        next_step = _next_step(outcome, lease, endpoints, now)
        values = {
            "delivery": outcome.claimed.id,
            "number": lease.attempts + 1,
            "new_step": lease.step if is_no_attempt else lease.step + 1,
            "why": None if is_delivered else outcome.result.detail,
        }
        if isinstance(next_step, DeliveryState):
            ended.append({**values, "new_state": next_step.value})
        else:
            wait_ms = max(round(next_step.total_seconds() * 1000), 0)
            pending = {"new_state": DeliveryState.PENDING.value, "wait_ms": wait_ms}
            again.append({**values, **pending})
    if ended:
        connection.execute(_END, ended)
    if again:
        connection.execute(_TRY_AGAIN, again)
        queue_behind(
            connection,
            [
                row["delivery"]
                for row in again
                if _is_ordered(outcomes, row["delivery"])
            ],
        )


def _is_ordered(outcomes: Iterable[Outcome], delivery_id: str) -> bool:
    return any(
        outcome.claimed.endpoint.ordered and outcome.claimed.id == delivery_id
        for outcome in outcomes
    )


def _next_step(
    outcome: Outcome, lease: Any, endpoints: Endpoints, now: datetime
) -> DeliveryState | timedelta:
    """Where the delivery ends, or how long it waits for its next attempt."""
    claimed, decision = outcome.claimed, outcome.decision
    if isinstance(decision, Delivered):
        return DeliveryState.DELIVERED
    if claimed.event_type == TEST_PING:
        return DeliveryState.DEAD
    endpoint = endpoints.get(claimed.endpoint.id)
    if isinstance(decision, Disable) or endpoint is None or not endpoint.is_active:
        return DeliveryState.HELD
    if isinstance(decision, RetryAt | Postpone):
        return decision.at - now
    if claimed.event_type == CUSTOMER_ERASED:
        return _ERASURE_REPEAT
    # Dead only where others went through meanwhile: else the receiver was away.
    last = endpoint.last_success_at
    took_others = last is not None and last > lease.created_at
    return DeliveryState.DEAD if took_others else DeliveryState.HELD


def _keep_attempts(
    connection: Connection, outcomes: Sequence[Outcome], leases: Leases
) -> None:
    if not outcomes:
        return
    unchanged = _unchanged(connection, outcomes)
    connection.execute(
        _ADD_ATTEMPT,
        [
            {
                "delivery_id": outcome.claimed.id,
                "number": leases[outcome.claimed.id].attempts + 1,
                "started_at": outcome.started_at,
                "duration_ms": outcome.result.duration_ms,
                "status": outcome.result.status,
                "error": outcome.result.error.value if outcome.result.error else None,
                "blame": "us" if isinstance(outcome.decision, Postpone) else "endpoint",
                "response_head": outcome.result.response_head[:_RESPONSE_HEAD_KEPT]
                if outcome.claimed.id in unchanged
                else b"",
            }
            for outcome in outcomes
        ],
    )


def _unchanged(connection: Connection, outcomes: Sequence[Outcome]) -> set[str]:
    """The ids of deliveries whose answer may be kept: what they sent still stands.

    Receivers repeat what they were sent: an erasure that came during the attempt must
    not be undone by its answer.
    """
    answered = [outcome.claimed for outcome in outcomes if outcome.result.response_head]
    if not answered:
        return set()
    ids = sorted({claimed.event_id for claimed in answered})
    stored = {row.id: row for row in connection.execute(_BODIES, {"ids": ids})}
    return {
        claimed.id
        for claimed in answered
        if claimed.body
        == (
            stored[claimed.event_id].body_own
            if claimed.endpoint.recipient is Recipient.OWN
            else stored[claimed.event_id].body_third_party
        )
    }


def _tell_endpoints(
    connection: Connection,
    outcomes: Sequence[Outcome],
    endpoints: Endpoints,
    now: datetime,
) -> list[tuple[str, int]]:
    """How each endpoint fares now; those that are gone, or never answer, are disabled."""
    if not outcomes:
        return []
    by_endpoint: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_endpoint[outcome.claimed.endpoint.id].append(outcome)
    moment = Moment(now, connection.execute(select(database_now())).scalar_one())
    paces, notices = {}, []
    for endpoint_id, its in by_endpoint.items():
        before = endpoints[endpoint_id].pace
        after = _pace_after(endpoints[endpoint_id], its, moment)
        if after != before:
            paces[endpoint_id] = after
        if after.notice > before.notice:
            notices.append((endpoint_id, after.notice))
    store_pace(connection, paces)
    for endpoint_id, its in by_endpoint.items():
        reason = _reason_to_disable(its, paces.get(endpoint_id))
        if reason is not None and endpoints[endpoint_id].is_active:
            hold_endpoint(connection, endpoint_id, EndpointState.DISABLED, reason)
    return notices


def _pace_after(
    endpoint: Endpoint, outcomes: Iterable[Outcome], moment: Moment
) -> Pace:
    pace = endpoint.pace
    for outcome in outcomes:
        if isinstance(outcome.decision, Delivered):
            pace = after_success(endpoint.limits, pace, moment)
        # A test tells whoever makes it; our own trouble says nothing of the endpoint.
        elif (
            not isinstance(outcome.decision, Postpone)
            and outcome.claimed.event_type != TEST_PING
        ):
            pace = after_failure(pace, outcome.result, moment)
    return pace


def _reason_to_disable(outcomes: Iterable[Outcome], pace: Pace | None) -> str | None:
    if any(isinstance(outcome.decision, Disable) for outcome in outcomes):
        return "the receiver answered 410 Gone"
    if pace is not None and pace.notice >= NOTICES[-1]:
        return "nothing but failures for five days"
    return None
