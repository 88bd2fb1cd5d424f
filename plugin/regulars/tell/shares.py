"""Which endpoints have something due, and how much of a claim each may have."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    func,
    literal_column,
    or_,
    select,
)

from regulars.keep.db import database_now, is_past
from regulars.tell.deliveries import IS_LEASED, IS_OPEN, delivery_table
from regulars.tell.endpoints import (
    EndpointState,
    endpoint_table,
    limits_of,
    pace_of,
)
from regulars.tell.pace import room

_columns = delivery_table.c


def _in_flight() -> Any:
    leased = select(func.count()).where(
        _columns.endpoint_id == endpoint_table.c.id,
        IS_LEASED,
        # A function of it: the index of what is due would be read for all that waits.
        ~is_past(func.coalesce(_columns.next_at, _columns.next_at)),
    )
    return leased.correlate(endpoint_table).scalar_subquery()


# The first alone, by the index: of "is there any" a planner thinks that the history has one soon.
_FIRST_DUE: Final = (
    select(_columns.next_at)
    .where(_columns.endpoint_id == endpoint_table.c.id, IS_OPEN)
    .order_by(_columns.next_at)
    .limit(literal_column("1", Integer))
    .correlate(endpoint_table)
    .scalar_subquery()
)
# Who has waited longest for a share comes first.
DUE: Final = (
    select(
        endpoint_table,
        _in_flight().label("in_flight"),
        database_now().label("database_at"),
    )
    .where(
        is_past(_FIRST_DUE),
        or_(
            endpoint_table.c.closed_until.is_(None),
            is_past(endpoint_table.c.closed_until),
        ),
    )
    .order_by(endpoint_table.c.claimed_at.nulls_first(), endpoint_table.c.id)
)

Due = Sequence[Row[tuple[Any, ...]]]


def alone_with(connection: Connection, due: Due) -> Due:
    """Those of *due* that no other dispatcher is at, as they are once they are ours."""
    mine = (
        select(endpoint_table.c.id)
        .where(endpoint_table.c.id.in_([row.id for row in due if room_of(row)]))
        .order_by(endpoint_table.c.id)
        # Not the strongest lock: signups refer to these rows and go on.
        .with_for_update(skip_locked=True, key_share=True)
    )
    ids = connection.execute(mine).scalars().all()
    if not ids:
        return []
    # Counted anew: somebody may have claimed between the look and the lock.
    return connection.execute(DUE.where(endpoint_table.c.id.in_(ids))).all()


def room_of(row: Row[tuple[Any, ...]]) -> int:
    """How many more the endpoint of *row*, which is one of ``DUE``, may have under way."""
    if row.state != EndpointState.ACTIVE:
        return 1  # nothing to send, but something to hold
    return room(limits_of(row), pace_of(row), row.in_flight, row.database_at)


def share_out(due: Due, limit: int, troubled_limit: int) -> dict[str, int]:
    """How many each endpoint may have: one each in turn, until nobody has room or all is given."""
    wants = {row.id: room_of(row) for row in due if row.state == EndpointState.ACTIVE}
    troubled = {row.id for row in due if pace_of(row).is_troubled}
    shares = dict.fromkeys(wants, 0)
    while limit > 0:
        before = limit
        for endpoint_id, want in wants.items():
            is_troubled = endpoint_id in troubled
            if shares[endpoint_id] == want or not limit:
                continue
            if is_troubled and not troubled_limit:
                continue
            shares[endpoint_id] += 1
            limit -= 1
            troubled_limit -= is_troubled
        if limit == before:
            break
    return shares
