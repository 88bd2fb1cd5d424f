"""Sending again: one delivery by hand, or all that an endpoint has missed since a day."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from regulars.keep.customers import customer_table
from regulars.keep.db import Database
from regulars.tell.deliveries import (
    CANCELLED,
    DeliveryState,
    delivery_table,
    enqueue,
    requeue,
)
from regulars.tell.endpoints import Endpoint, endpoint_table, lock_endpoints
from regulars.tell.events import ERASED, concerns, event_table
from regulars.values.ids import first_id
from regulars_webhooks.events import TEST_PING

AT_ONCE: Final = 500
_columns = delivery_table.c
_WAITING: Final = (DeliveryState.PENDING.value, DeliveryState.LEASED.value)


class Retried(StrEnum):
    """What became of a wish to send one delivery again."""

    DUE = "due"
    UNKNOWN = "unknown"
    UNDER_WAY = "under_way"
    CANCELLED = "cancelled"
    EMPTIED = "emptied"
    REMOVED = "removed"


def retry_delivery(connection: Connection, delivery_id: str) -> Retried:
    """Let the delivery be due now, from the start of its schedule, if it may be."""
    row = connection.execute(
        select(
            _columns.state,
            _columns.last_error,
            func.length(event_table.c.body_own).label("size"),
            endpoint_table.c.removed_at,
        )
        .join(event_table, event_table.c.id == _columns.event_id)
        .join(endpoint_table, endpoint_table.c.id == _columns.endpoint_id)
        .where(_columns.id == delivery_id)
        # Until it is due nobody empties it.
        .with_for_update(read=True, of=event_table)
    ).one_or_none()
    if row is None:
        return Retried.UNKNOWN
    if _is_cancelled(row):
        return Retried.CANCELLED
    if row.removed_at is not None:
        return Retried.REMOVED
    if not row.size:
        return Retried.EMPTIED
    found = requeue(
        connection,
        _columns.id == delivery_id,
        # A lease that is held stays whole: its attempt is under way.
        _columns.state != DeliveryState.LEASED.value,
    )
    return Retried.DUE if found else Retried.UNDER_WAY


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery has come to so far, in deliveries.

    ``due`` go out now, ``held`` when their endpoint is active again; ``waiting`` were on
    their way already; ``emptied`` cannot be sent any more, because their bodies are gone.
    """

    due: int = 0
    held: int = 0
    waiting: int = 0
    emptied: int = 0

    def plus(self, other: "Recovered") -> "Recovered":
        """Both together."""
        names = [entry.name for entry in fields(Recovered)]
        return Recovered(*(getattr(self, it) + getattr(other, it) for it in names))


@dataclass(frozen=True, slots=True)
class Span:
    """Which deliveries are to be recovered.

    Of events made from ``since`` until before ``until``, at ``endpoint_id`` or at all
    of them; those that were delivered only where ``delivered`` says so.
    """

    since: datetime
    until: datetime
    endpoint_id: str | None = None
    delivered: bool = False


def recover(
    database: Database,
    span: Span,
    now: datetime,
    progress: Callable[[Recovered], None] = lambda so_far: None,
) -> Recovered:
    """Send again what is dead or held, and what an endpoint never had because it is younger.

    In transactions of ``AT_ONCE`` events, *progress* after each. Repeated, it finds what
    it did on its way already, so it may be broken off and begun again. Nobody is told
    of a customer who was erased since.
    """
    total = Recovered()
    last = first_id("evt", span.since)
    while True:
        with database.transaction() as connection:
            events = _next_events(connection, last, span)
            if not events:
                return total
            total = total.plus(_recover_some(connection, events, span, now))
        last = events[-1].id
        progress(total)


Rows = list[Row[tuple[Any, ...]]]


def _next_events(connection: Connection, last: str, span: Span) -> Rows:
    return list(
        connection.execute(
            select(
                event_table.c.id,
                event_table.c.type,
                event_table.c.body_own,
                customer_table.c.status,
            )
            .join(customer_table, customer_table.c.id == event_table.c.customer_id)
            .where(
                event_table.c.id > last,
                event_table.c.id < first_id("evt", span.until),
                event_table.c.type != TEST_PING,
            )
            .order_by(event_table.c.id)
            .limit(AT_ONCE)
            # Until they are due nobody empties them.
            .with_for_update(read=True, of=event_table)
        )
    )


def _recover_some(
    connection: Connection, events: Rows, span: Span, now: datetime
) -> Recovered:
    # Locked, so that two recoveries at once do not both add what is missing.
    wanted = None if span.endpoint_id is None else [span.endpoint_id]
    endpoints = lock_endpoints(connection, wanted, now)
    known = {
        (row.event_id, row.endpoint_id): row
        for row in connection.execute(
            select(delivery_table).where(
                _columns.event_id.in_([event.id for event in events]),
                _columns.endpoint_id.in_(list(endpoints)),
            )
        )
    }
    total = Recovered()
    for event, endpoint in _pairs(events, endpoints):
        row = known.get((event.id, endpoint.id))
        if row is None:
            part = _add_missing(connection, event, endpoint, now)
        else:
            part = _send_again(connection, event, endpoint, row, span)
        total = total.plus(part)
    return total


def _pairs(
    events: Rows, endpoints: Mapping[str, Endpoint]
) -> Iterator[tuple[Row[tuple[Any, ...]], Endpoint]]:
    for event in events:
        for endpoint in endpoints.values():
            yield event, endpoint


def _add_missing(
    connection: Connection,
    event: Row[tuple[Any, ...]],
    endpoint: Endpoint,
    now: datetime,
) -> Recovered:
    if event.status == ERASED or not endpoint.wants(event.type):
        return Recovered()
    if not event.body_own:
        return Recovered(emptied=1)
    if not concerns(endpoint.recipient, json.loads(event.body_own)["data"]["changed"]):
        return Recovered()
    enqueue(connection, event.id, [endpoint], now)
    return Recovered(due=1) if endpoint.is_active else Recovered(held=1)


def _send_again(
    connection: Connection,
    event: Row[tuple[Any, ...]],
    endpoint: Endpoint,
    row: Row[tuple[Any, ...]],
    span: Span,
) -> Recovered:
    if row.state in _WAITING:
        return Recovered(waiting=1)
    if row.state == DeliveryState.DELIVERED and not span.delivered:
        return Recovered()
    if _is_cancelled(row):
        return Recovered()
    if not event.body_own:
        return Recovered(emptied=1)
    if not endpoint.is_active:
        return _hold_again(connection, row)
    return Recovered(due=requeue(connection, _columns.id == row.id))


def _hold_again(connection: Connection, row: Row[tuple[Any, ...]]) -> Recovered:
    if row.state == DeliveryState.HELD:
        return Recovered(waiting=1)
    connection.execute(
        delivery_table.update()
        .where(_columns.id == row.id)
        .values(state=DeliveryState.HELD.value)
    )
    return Recovered(held=1)


def _is_cancelled(row: Any) -> bool:
    return row.state == DeliveryState.DEAD and (row.last_error or "").startswith(
        CANCELLED
    )
