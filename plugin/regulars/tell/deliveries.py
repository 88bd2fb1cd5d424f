"""Deliveries: one per event and endpoint, in what state, and what was tried.

``next_at`` is null exactly when there is nothing to do, so the hot indexes hold only
what is due or leased, however long the history grows.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)

from regulars.keep.db import Instant, database_now, metadata
from regulars.tell.endpoints import Endpoint, EndpointState, reopen, set_state
from regulars.tell.events import event_table
from regulars.values.ids import new_id


class DeliveryState(StrEnum):
    """Where a delivery stands; only the first two have a ``next_at``."""

    PENDING = "pending"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"
    HELD = "held"


delivery_table = Table(
    "delivery",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("event_id", ForeignKey("event.id"), nullable=False),
    Column("endpoint_id", ForeignKey("endpoint.id"), nullable=False),
    Column("state", String(10), nullable=False),
    # A claim that crashed is no attempt; only what was sent moves the retry schedule.
    Column("claims", Integer, nullable=False),
    # Claims since the last attempt that ended: of what kills its worker they are many.
    Column("unfinished", Integer, nullable=False, server_default=text("0")),
    Column("attempts", Integer, nullable=False),
    # Attempts of the present run of the schedule; a retry by hand starts a new run.
    Column("step", Integer, nullable=False),
    Column("next_at", Instant),
    # When it was due that is or was leased last.
    Column("due_at", Instant),
    Column("lease_token", String(32)),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("event_id", "endpoint_id"),
    CheckConstraint(
        "(next_at IS NULL) = (state NOT IN ('pending', 'leased'))", name="next_at"
    ),
)
IS_OPEN = delivery_table.c.next_at.is_not(None)
# By endpoint first: what one of them is due is found past whatever waits for the others.
Index(
    "ix_delivery_due",
    delivery_table.c.endpoint_id,
    delivery_table.c.next_at,
    delivery_table.c.id,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
IS_LEASED = delivery_table.c.lease_token.is_not(None)
Index(
    "ix_delivery_leased",
    delivery_table.c.endpoint_id,
    sqlite_where=IS_LEASED,
    postgresql_where=IS_LEASED,
)
# Literal text: a bound list would keep either database from using the partial index.
IS_STOPPED = text("state IN ('dead', 'held')")
Index(
    "ix_delivery_stopped",
    delivery_table.c.endpoint_id,
    delivery_table.c.state,
    sqlite_where=IS_STOPPED,
    postgresql_where=IS_STOPPED,
)

attempt_table = Table(
    "attempt",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("error", String(30)),
    # Whose trouble a failure was: the endpoint's, or ours ("us").
    Column("blame", String(10), nullable=False, server_default="endpoint"),
    Column("response_head", LargeBinary),
)

DeliveryRow = Row[tuple[Any, ...]]
# How ``last_error`` of a delivery begins that must not go out any more.
CANCELLED = "cancelled:"

# Made once: making a statement costs more than running it.
_ADD_DUE = delivery_table.insert().values(next_at=database_now())


def enqueue(
    connection: Connection, event_id: str, endpoints: Iterable[Endpoint], now: datetime
) -> None:
    """One delivery per endpoint, in the transaction that made the event."""
    for endpoint in endpoints:
        state = DeliveryState.PENDING if endpoint.is_active else DeliveryState.HELD
        connection.execute(
            _ADD_DUE if endpoint.is_active else delivery_table.insert(),
            {
                "id": new_id("dlv", now),
                "event_id": event_id,
                "endpoint_id": endpoint.id,
                "state": state.value,
                "claims": 0,
                "attempts": 0,
                "step": 0,
                "created_at": now,
            },
        )


def hold_endpoint(
    connection: Connection, endpoint_id: str, state: EndpointState, reason: str | None
) -> bool:
    """Whether the endpoint exists; it is paused or disabled and what waits is held."""
    if not set_state(connection, endpoint_id, state, reason):
        return False
    connection.execute(
        delivery_table.update()
        .where(
            delivery_table.c.endpoint_id == endpoint_id,
            delivery_table.c.state == DeliveryState.PENDING.value,
            IS_OPEN,
        )
        .values(state=DeliveryState.HELD.value, next_at=None)
    )
    return True


def resume_endpoint(connection: Connection, endpoint_id: str) -> int | None:
    """How many held deliveries go out again; None if there is no such endpoint.

    One of them finds out whether the endpoint is back, the others follow.
    """
    if not reopen(connection, endpoint_id):
        return None
    return requeue(
        connection,
        delivery_table.c.endpoint_id == endpoint_id,
        delivery_table.c.state == DeliveryState.HELD.value,
        IS_STOPPED,
    )


def put_back_undelivered(connection: Connection) -> int:
    """How many deliveries are due at once: all that waited or that somebody had taken up.

    For a database that was put back: whoever held a lease then is gone by now. Some may
    have arrived after the copy was made: the same id tells receivers so.
    """
    return requeue(connection, IS_OPEN)


def requeue(connection: Connection, *where: Any) -> int:
    """How many deliveries are due now, from the start of their schedule."""
    result = connection.execute(
        delivery_table.update()
        .where(*where)
        .values(
            state=DeliveryState.PENDING.value,
            step=0,
            unfinished=0,
            next_at=database_now(),
            lease_token=None,
        )
    )
    return result.rowcount


def cancel_unattempted(connection: Connection, customer_id: str) -> None:
    """End the customer's deliveries that no worker ever took up."""
    events = select(event_table.c.id).where(event_table.c.customer_id == customer_id)
    waiting = (DeliveryState.PENDING.value, DeliveryState.HELD.value)
    connection.execute(
        delivery_table.update()
        .where(
            delivery_table.c.event_id.in_(events),
            delivery_table.c.state.in_(waiting),
            delivery_table.c.claims == 0,
        )
        .values(
            state=DeliveryState.DEAD.value,
            next_at=None,
            last_error=f"{CANCELLED} the customer was erased",
        )
    )


def blank_answers_of_receivers(connection: Connection, customer_id: str) -> None:
    """Forget what receivers answered about the customer: some repeat what they were sent."""
    of_customer = (
        select(delivery_table.c.id)
        .join(event_table, event_table.c.id == delivery_table.c.event_id)
        .where(event_table.c.customer_id == customer_id)
    )
    connection.execute(
        attempt_table.update()
        .where(attempt_table.c.delivery_id.in_(of_customer))
        .values(response_head=b"")
    )


def endpoints_reached(connection: Connection, customer_id: str) -> set[str]:
    """The ids of the endpoints where an attempt to tell of this customer was begun."""
    return set(
        connection.execute(
            select(delivery_table.c.endpoint_id)
            .join(event_table, event_table.c.id == delivery_table.c.event_id)
            .where(
                event_table.c.customer_id == customer_id, delivery_table.c.claims > 0
            )
        ).scalars()
    )


def list_deliveries(
    connection: Connection, *, state: DeliveryState | None = None, limit: int = 1000
) -> list[DeliveryRow]:
    """The newest *limit* deliveries with ``event_type``, newest first."""
    query = (
        select(delivery_table, event_table.c.type.label("event_type"))
        .join(event_table, event_table.c.id == delivery_table.c.event_id)
        .order_by(delivery_table.c.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(delivery_table.c.state == state.value)
    return list(connection.execute(query))


def find_delivery(connection: Connection, delivery_id: str) -> DeliveryRow | None:
    """The delivery of this id, with ``event_type``."""
    return connection.execute(
        select(delivery_table, event_table.c.type.label("event_type"))
        .join(event_table, event_table.c.id == delivery_table.c.event_id)
        .where(delivery_table.c.id == delivery_id)
    ).one_or_none()


def attempts_of(connection: Connection, delivery_id: str) -> list[DeliveryRow]:
    """What was tried, first attempt first."""
    return list(
        connection.execute(
            select(attempt_table)
            .where(attempt_table.c.delivery_id == delivery_id)
            .order_by(attempt_table.c.number)
        )
    )
