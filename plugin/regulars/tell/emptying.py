"""What was delivered long ago is emptied: who was told what need not be kept for ever.

An event is finished once somebody took it and nobody has yet to. What is undelivered
keeps its body however old it is, and so does what an erasure wrote over: nobody is in it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, func, or_, select

from regulars.keep.customers import customer_table
from regulars.keep.db import Database
from regulars.tell.deliveries import (
    CANCELLED,
    DeliveryState,
    attempt_table,
    delivery_table,
)
from regulars.tell.events import ERASED, event_table
from regulars.values.ids import first_id

BATCH: Final = 5000
_event, _delivery = event_table.c, delivery_table.c
_is_delivered = _delivery.state == DeliveryState.DELIVERED.value
_is_cancelled = and_(
    _delivery.state == DeliveryState.DEAD.value,
    _delivery.last_error.startswith(CANCELLED),
)


def _has_delivery(*where: Any) -> Any:
    return (
        exists(select(_delivery.id).where(_delivery.event_id == _event.id, *where))
    ).correlate(event_table)


_IS_FINISHED: Final = and_(
    func.length(_event.body_own) > 0,
    _has_delivery(_is_delivered),
    # A null error is no cancellation: "or" with it must not come to null.
    ~_has_delivery(
        ~_is_delivered,
        or_(_delivery.last_error.is_(None), ~_is_cancelled),
    ),
    ~exists(
        select(customer_table.c.id).where(
            customer_table.c.id == _event.customer_id,
            customer_table.c.status == ERASED,
        )
    ).correlate(event_table),
)


@dataclass(frozen=True, slots=True)
class Emptied:
    """What one batch came to; ``last`` is the id of the newest event looked at, None at the end."""

    last: str | None
    events: int = 0
    answers: int = 0


def empty_some(
    database: Database, after: str, before: datetime, *, batch: int = BATCH
) -> Emptied:
    """Empty what is finished of the next *batch* events past the id *after*, made before *before*.

    Their bodies go, and what receivers answered. Begin with ``after=""``.
    """
    with database.reading() as connection:
        ids = _next_ids(connection, after, before, batch)
        finished = _finished(connection, ids)
    if not ids:
        return Emptied(None)
    if not finished:
        return Emptied(ids[-1])
    with database.transaction() as connection:
        # Whoever sends one again holds it meanwhile: then it is not finished any more.
        is_among = _event.id.in_(finished)
        query = select(_event.id).where(is_among).order_by(_event.id)
        connection.execute(query.with_for_update())
        gone = _finished(connection, finished)
        connection.execute(
            event_table.update()
            .where(_event.id.in_(gone))
            .values(body_own=b"", body_third_party=b"")
        )
        return Emptied(ids[-1], len(gone), _empty_answers(connection, gone))


def _next_ids(
    connection: Connection, after: str, before: datetime, batch: int
) -> list[str]:
    return list(
        connection.execute(
            select(_event.id)
            .where(_event.id > after, _event.id < first_id("evt", before))
            .order_by(_event.id)
            .limit(batch)
        ).scalars()
    )


def _finished(connection: Connection, ids: list[str]) -> list[str]:
    if not ids:
        return []
    query = select(_event.id).where(_event.id.in_(ids), _IS_FINISHED)
    return sorted(connection.execute(query).scalars())


def _empty_answers(connection: Connection, event_ids: list[str]) -> int:
    theirs = select(_delivery.id).where(_delivery.event_id.in_(event_ids))
    result = connection.execute(
        attempt_table.update()
        .where(
            attempt_table.c.delivery_id.in_(theirs),
            func.length(attempt_table.c.response_head) > 0,
        )
        .values(response_head=b"")
    )
    return result.rowcount
