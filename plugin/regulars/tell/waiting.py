"""What has not been told yet, in all and for each endpoint: for owner, doctor and metrics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from regulars.keep.db import is_past
from regulars.tell.deliveries import (
    IS_OPEN,
    IS_STOPPED,
    DeliveryState,
    delivery_table,
)
from regulars.tell.endpoints import (
    Endpoint,
    EndpointState,
    endpoint_table,
    list_endpoints,
)
from regulars.tell.events import event_table
from regulars_webhooks.events import TEST_PING

# A due delivery waits for a poll, not for minutes: by then no dispatcher is at work.
STALLED_S = 300

_columns = delivery_table.c
_IS_HELD = _columns.state == DeliveryState.HELD.value


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due and not yet sent.

    An endpoint that is slow, in trouble or limited to a rate lets things be due for
    long. ``unheeded_since`` is since when a dispatcher could have taken something up
    and none did.
    """

    due: int
    oldest_due_at: datetime | None
    unheeded_since: datetime | None

    def age_s(self, now: datetime) -> float:
        """For how many seconds the oldest has been due at *now*."""
        return _seconds(self.oldest_due_at, now)

    def unheeded_s(self, now: datetime) -> float:
        """For how many seconds nobody has taken up what could go out at *now*."""
        return _seconds(self.unheeded_since, now)


def _seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)


def backlog(connection: Connection) -> Backlog:
    """How much is due by the database's clock, and since when."""
    row = connection.execute(
        select(func.count(), func.min(_columns.next_at)).where(
            is_past(_columns.next_at)
        )
    ).one()
    return Backlog(row[0], row[1], _unheeded_since(connection) if row[0] else None)


def _unheeded_since(connection: Connection) -> datetime | None:
    first = (
        select(func.min(_columns.next_at))
        .where(_columns.endpoint_id == endpoint_table.c.id, is_past(_columns.next_at))
        .scalar_subquery()
    )
    waits = connection.execute(
        select(
            first.label("due_at"),
            endpoint_table.c.claimed_at,
            endpoint_table.c.closed_until,
            endpoint_table.c.busy_until,
        ).where(endpoint_table.c.state == EndpointState.ACTIVE.value)
    )
    return min(
        (
            max(instant for instant in row if instant is not None)
            for row in waits
            if row.due_at is not None
        ),
        default=None,
    )


def count_by_state(connection: Connection) -> list[tuple[str, str, int]]:
    """(endpoint id, state, how many) of every delivery that is not delivered."""
    counted = select(_columns.endpoint_id, _columns.state, func.count()).group_by(
        _columns.endpoint_id, _columns.state
    )
    return [
        (row[0], row[1], row[2])
        # Two readings, each of a small partial index: the history is never counted.
        for unfinished in (IS_OPEN, IS_STOPPED)
        for row in connection.execute(counted.where(unfinished))
    ]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one endpoint.

    ``due`` of the ``open`` ones should have gone out by now, the others wait for their
    next try; ``held`` ones go out when the endpoint is resumed, ``dead`` ones only by
    hand. ``oldest_at`` is when the oldest that is open or held was made.
    """

    endpoint: Endpoint
    due: int
    open: int
    held: int
    dead: int
    oldest_at: datetime | None

    @property
    def total(self) -> int:
        """How many the endpoint has yet to be told, the given up ones left out."""
        return self.open + self.held

    def age_s(self, now: datetime) -> float:
        """How many seconds before *now* the oldest of those was made; 0 where all is told."""
        return _seconds(self.oldest_at, now)


def list_waiting(connection: Connection, now: datetime) -> list[Waiting]:
    """One row for each endpoint, oldest endpoint first; all zero where all is told."""
    due = _counted(connection, is_past(_columns.next_at))
    opened = _counted(connection, IS_OPEN)
    held = _counted(connection, IS_STOPPED, _IS_HELD)
    dead = _counted(connection, IS_STOPPED, *_given_up())
    nothing = (0, None)
    return [
        Waiting(
            endpoint,
            due=due.get(endpoint.id, nothing)[0],
            open=opened.get(endpoint.id, nothing)[0],
            held=held.get(endpoint.id, nothing)[0],
            dead=dead.get(endpoint.id, nothing)[0],
            oldest_at=min(
                (
                    found[endpoint.id][1]
                    for found in (opened, held)
                    if endpoint.id in found
                ),
                default=None,
            ),
        )
        for endpoint in list_endpoints(connection, now)
    ]


def _given_up() -> tuple[Any, ...]:
    # What was cancelled because its customer was erased is in order, and no failure; a
    # test that failed has told whoever made it.
    error = _columns.last_error
    is_news = (
        select(event_table.c.id)
        .where(event_table.c.id == _columns.event_id, event_table.c.type != TEST_PING)
        .exists()
    )
    return (
        is_news,
        _columns.state == DeliveryState.DEAD.value,
        or_(error.is_(None), error.not_like("cancelled:%")),
    )


def _counted(connection: Connection, *where: Any) -> dict[str, tuple[int, datetime]]:
    """How many deliveries, and when the oldest was made, by endpoint."""
    query: Select[Any] = (
        select(_columns.endpoint_id, func.count(), func.min(_columns.created_at))
        .where(*where)
        .group_by(_columns.endpoint_id)
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}
