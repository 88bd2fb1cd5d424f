"""The outbox at work: due deliveries are claimed by lease, attempted, and settled once."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, Row, literal_column, select

from regulars.keep.db import database_now, is_past
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
    find_endpoint,
    note_success,
)
from regulars.tell.events import event_table
from regulars_webhooks.events import CUSTOMER_ERASED, TEST_PING
from regulars_webhooks.retry import (
    Decision,
    Delivered,
    DeliveryResult,
    Disable,
    RetryAt,
)

LEASE = timedelta(seconds=60)
# An erasure must arrive however long the receiver is away.
_ERASURE_REPEAT = timedelta(days=1)
_RESPONSE_HEAD_KEPT = 1024
_LEASED: Mapping[str, Any] = {
    "state": DeliveryState.LEASED.value,
    "claims": delivery_table.c.claims + 1,
    "next_at": database_now(plus=LEASE),
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may attempt until its lease ends."""

    id: str
    lease_token: str
    step: int
    event_id: str
    event_type: str
    body: bytes
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt, and what is to be done now."""

    claimed: Claimed
    started_at: datetime
    result: DeliveryResult
    decision: Decision


def claim(connection: Connection, limit: int, now: datetime) -> list[Claimed]:
    """At most *limit* due deliveries, leased to the caller for ``LEASE``.

    A lease that ran out is due like any other row. Rows of endpoints that are not
    active are held on the way. Endpoints and secrets are read in this transaction.
    """
    token = secrets.token_hex(16)
    claimed_ids = connection.execute(_claim_statement(limit, token)).scalars().all()
    if not claimed_ids:
        return []
    rows = _claimed_rows(connection, claimed_ids)
    endpoints = {
        endpoint_id: find_endpoint(connection, endpoint_id, now)
        for endpoint_id in {row.endpoint_id for row in rows}
    }
    claimed = []
    for row in rows:
        endpoint = endpoints[row.endpoint_id]
        if endpoint is None or not endpoint.is_active:
            _finish(connection, row.delivery_id, token, state=DeliveryState.HELD.value)
            continue
        claimed.append(_claimed(row, token, endpoint))
    return claimed


def claim_event(connection: Connection, event_id: str, endpoint: Endpoint) -> Claimed:
    """The one delivery of *event_id* to *endpoint*, leased to the caller, due or not."""
    token = secrets.token_hex(16)
    columns = delivery_table.c
    delivery_id = connection.execute(
        delivery_table.update()
        .where(columns.event_id == event_id, columns.endpoint_id == endpoint.id)
        .values(**_LEASED, lease_token=token)
        .returning(columns.id)
    ).scalar_one()
    return _claimed(_claimed_rows(connection, [delivery_id])[0], token, endpoint)


def _claimed_rows(connection: Connection, delivery_ids: Sequence[str]) -> list[Any]:
    columns = delivery_table.c
    rows = connection.execute(
        select(
            columns.id.label("delivery_id"),
            columns.step,
            columns.endpoint_id,
            columns.event_id,
            event_table.c.type,
            event_table.c.body_own,
            event_table.c.body_third_party,
        )
        .join(event_table, event_table.c.id == columns.event_id)
        .where(columns.id.in_(delivery_ids))
        .order_by(event_table.c.id)
    )
    return [*rows]


def _claim_statement(limit: int, token: str) -> Any:
    columns = delivery_table.c
    # The comparison implies "is not null", so the partial index serves bound and
    # generic plans alike; the fence keeps a planner from running the limit twice. The
    # limit stands in the text: of one that it does not know a generic plan thinks that
    # it is a tenth of the history, and reads all of that.
    due = (
        select(columns.id)
        .where(is_past(columns.next_at))
        .order_by(columns.next_at, columns.id)
        .limit(literal_column(str(limit), Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        delivery_table.update()
        .where(columns.id.in_(select(due.c.id)))
        .values(
            **_LEASED,
            lease_token=token,
        )
        .returning(columns.id)
    )


def _claimed(row: Row[Any], token: str, endpoint: Endpoint) -> Claimed:
    is_own = endpoint.recipient is Recipient.OWN
    return Claimed(
        id=row.delivery_id,
        lease_token=token,
        step=row.step,
        event_id=row.event_id,
        event_type=row.type,
        body=row.body_own if is_own else row.body_third_party,
        endpoint=endpoint,
    )


def settle(
    connection: Connection, outcomes: Sequence[Outcome], now: datetime
) -> list[str]:
    """Record what came of attempts; the ids of deliveries whose lease was lost meanwhile.

    A worker that lost its lease changes nothing.
    """
    lost = []
    # In one order for all: two dispatchers must not wait for each other's endpoints.
    for outcome in sorted(outcomes, key=lambda outcome: outcome.claimed.endpoint.id):
        claimed = outcome.claimed
        changes = _changes(connection, outcome, now)
        error = outcome.result.error.value if outcome.result.error else None
        number = _finish(
            connection,
            claimed.id,
            claimed.lease_token,
            attempts=delivery_table.c.attempts + 1,
            step=delivery_table.c.step + 1,
            last_error=None
            if isinstance(outcome.decision, Delivered)
            else outcome.result.detail,
            **changes,
        )
        if number is None:
            lost.append(claimed.id)
            continue
        connection.execute(
            attempt_table.insert().values(
                delivery_id=claimed.id,
                number=number,
                started_at=outcome.started_at,
                duration_ms=outcome.result.duration_ms,
                status=outcome.result.status,
                error=error,
                response_head=_head_to_keep(connection, outcome),
            )
        )
        _tell_endpoint(connection, outcome, now)
    return lost


def _head_to_keep(connection: Connection, outcome: Outcome) -> bytes:
    """The beginning of the answer; nothing if what was sent has been rewritten since.

    Receivers repeat what they were sent: an erasure that came during the attempt must
    not be undone by its answer.
    """
    head = outcome.result.response_head[:_RESPONSE_HEAD_KEPT]
    claimed = outcome.claimed
    if not head:
        return head
    is_own = claimed.endpoint.recipient is Recipient.OWN
    columns = event_table.c
    stored = connection.execute(
        select(columns.body_own if is_own else columns.body_third_party).where(
            columns.id == claimed.event_id
        )
    ).scalar_one()
    return head if stored == claimed.body else b""


def _changes(connection: Connection, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """The state and due time that follow from the decision."""
    claimed, decision = outcome.claimed, outcome.decision
    if isinstance(decision, Delivered):
        return {"state": DeliveryState.DELIVERED.value}
    endpoint = find_endpoint(connection, claimed.endpoint.id, now)
    if claimed.event_type == TEST_PING:
        return {"state": DeliveryState.DEAD.value}
    if isinstance(decision, Disable) or endpoint is None or not endpoint.is_active:
        return {"state": DeliveryState.HELD.value}
    if isinstance(decision, RetryAt):
        return _due_in(decision.at - now)
    if claimed.event_type == CUSTOMER_ERASED:
        return _due_in(_ERASURE_REPEAT)
    # Dead only where others went through meanwhile: else the receiver was away.
    took_others = (
        endpoint.last_success_at is not None
        and endpoint.last_success_at > _created_at(connection, claimed.id)
    )
    return {"state": (DeliveryState.DEAD if took_others else DeliveryState.HELD).value}


def _due_in(wait: timedelta) -> dict[str, Any]:
    return {
        "state": DeliveryState.PENDING.value,
        "next_at": database_now(plus=max(wait, timedelta())),
    }


def _created_at(connection: Connection, delivery_id: str) -> datetime:
    created_at: datetime = connection.execute(
        select(delivery_table.c.created_at).where(delivery_table.c.id == delivery_id)
    ).scalar_one()
    return created_at


def _finish(
    connection: Connection, delivery_id: str, token: str, **values: Any
) -> int | None:
    """The number of attempts after ending the lease; None if it is not ours any more."""
    values = {"next_at": None, "lease_token": None, **values}
    number: int | None = connection.execute(
        delivery_table.update()
        .where(
            delivery_table.c.id == delivery_id, delivery_table.c.lease_token == token
        )
        .values(**values)
        .returning(delivery_table.c.attempts)
    ).scalar_one_or_none()
    return number


def _tell_endpoint(connection: Connection, outcome: Outcome, now: datetime) -> None:
    endpoint_id = outcome.claimed.endpoint.id
    if isinstance(outcome.decision, Delivered):
        note_success(connection, endpoint_id, now)
    elif isinstance(outcome.decision, Disable):
        hold_endpoint(
            connection,
            endpoint_id,
            EndpointState.DISABLED,
            "the receiver answered 410 Gone",
        )
