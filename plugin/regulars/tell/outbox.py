"""The outbox: due deliveries are leased to one dispatcher, a fair share of each endpoint's.

Between claims of one endpoint nothing else is claimed for it, so that no number of
dispatchers sends it more than its limits. ``settling`` writes down what came of it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, case, select

from regulars.tell.deliveries import DeliveryState, delivery_table
from regulars.tell.endpoints import (
    Endpoint,
    EndpointState,
    Recipient,
    endpoint_of,
    endpoint_table,
    limits_of,
    pace_of,
    store_pace,
)
from regulars.tell.events import event_table
from regulars.tell.pace import spend
from regulars.tell.shares import DUE, Due, alone_with, room_of, share_out
from regulars.tell.taking import HOLD_DUE, leased, take_statement

LEASE: Final = timedelta(seconds=60)
# Taken up so often and never finished: whatever it is, it ends those who try it.
MOST_UNFINISHED: Final = 10
# Of what waits long for one endpoint, a part of each claim is for what just became due.
_FRESH_PART: Final = 4

_columns = delivery_table.c


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
    due_at: datetime | None = None


def claim(
    connection: Connection,
    limit: int,
    now: datetime,
    *,
    lease: timedelta = LEASE,
    troubled_limit: int | None = None,
) -> list[Claimed]:
    """At most *limit* due deliveries, leased to the caller for *lease*.

    A lease that ran out is due like any other row. Each endpoint gets a share, and no
    more than its limits leave; those whose last attempt failed get *troubled_limit*
    together. What is due for an endpoint that is not active is held on the way.
    Endpoints and secrets are read in this transaction.
    """
    due = connection.execute(DUE).all()
    if not due:
        return []
    if connection.dialect.name == "postgresql":
        due = alone_with(connection, due)
    _hold_inactive(connection, due)
    shares = share_out(due, limit, limit if troubled_limit is None else troubled_limit)
    token = secrets.token_hex(16)
    taken = {
        row.id: _take(connection, row, shares[row.id], token, lease)
        for row in due
        if shares.get(row.id)
    }
    spent = {
        row.id: spend(limits_of(row), pace_of(row), len(taken[row.id]), row.database_at)
        for row in due
        if taken.get(row.id)
    }
    store_pace(connection, spent)
    endpoints = {row.id: endpoint_of(row, now) for row in due if taken.get(row.id)}
    return _read(connection, taken, token, endpoints)


def _hold_inactive(connection: Connection, due: Due) -> None:
    for row in due:
        if row.state != EndpointState.ACTIVE:
            connection.execute(
                HOLD_DUE, {"endpoint": row.id, "state": DeliveryState.HELD.value}
            )


def _take(
    connection: Connection,
    row: Row[tuple[Any, ...]],
    share: int,
    token: str,
    lease: timedelta,
) -> list[str]:
    """The ids of what is now leased for one endpoint."""
    fresh = 0 if row.ordered else share // _FRESH_PART
    taken: list[Row[tuple[Any, ...]]] = []
    for count, newest_first in ((share - fresh, False), (fresh, True)):
        if not count:
            continue
        statement = take_statement(
            count, lease, newest_first=newest_first, ordered=bool(row.ordered)
        )
        found = connection.execute(
            statement, {"endpoint": row.id, "token": token}
        ).all()
        taken += found
        if len(found) < count:
            break
    return _without_poison(connection, taken)


def _without_poison(connection: Connection, taken: Due) -> list[str]:
    poison = [row.id for row in taken if row.unfinished > MOST_UNFINISHED]
    if poison:
        connection.execute(
            delivery_table.update()
            .where(_columns.id.in_(poison))
            .values(
                state=DeliveryState.DEAD.value,
                next_at=None,
                lease_token=None,
                last_error=f"taken up {MOST_UNFINISHED} times without an attempt that"
                " ended: see the dispatcher's log",
            )
        )
    return [row.id for row in taken if row.unfinished <= MOST_UNFINISHED]


def _read(
    connection: Connection,
    taken: Mapping[str, list[str]],
    token: str,
    endpoints: Mapping[str, Endpoint],
) -> list[Claimed]:
    ids = [delivery_id for some in taken.values() for delivery_id in some]
    if not ids:
        return []
    return [
        _claimed(row, token, endpoints[row.endpoint_id])
        for row in connection.execute(_ROWS, {"ids": ids})
    ]


_ROWS: Final = (
    select(
        _columns.id.label("delivery_id"),
        _columns.step,
        _columns.due_at,
        _columns.endpoint_id,
        _columns.event_id,
        event_table.c.type,
        # One of the two bodies alone: they are most of what is read.
        case(
            (endpoint_table.c.recipient == Recipient.OWN.value, event_table.c.body_own),
            else_=event_table.c.body_third_party,
        ).label("body"),
    )
    .join(event_table, event_table.c.id == _columns.event_id)
    .join(endpoint_table, endpoint_table.c.id == _columns.endpoint_id)
    .where(_columns.id.in_(bindparam("ids", expanding=True)))
    .order_by(event_table.c.id)
)


def _claimed(row: Any, token: str, endpoint: Endpoint) -> Claimed:
    return Claimed(
        id=row.delivery_id,
        lease_token=token,
        step=row.step,
        event_id=row.event_id,
        event_type=row.type,
        body=row.body,
        endpoint=endpoint,
        due_at=row.due_at,
    )


def claim_event(connection: Connection, event_id: str, endpoint: Endpoint) -> Claimed:
    """The one delivery of *event_id* to *endpoint*, leased to the caller, due or not."""
    token = secrets.token_hex(16)
    delivery_id = connection.execute(
        delivery_table.update()
        .where(_columns.event_id == event_id, _columns.endpoint_id == endpoint.id)
        .values(**leased(LEASE), lease_token=token)
        .returning(_columns.id)
    ).scalar_one()
    row = connection.execute(_ROWS, {"ids": [delivery_id]}).one()
    return _claimed(row, token, endpoint)


def is_anything_due(connection: Connection) -> bool:
    """Whether a claim would find something to do, or to hold."""
    return any(room_of(row) for row in connection.execute(DUE))
