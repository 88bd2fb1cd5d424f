"""What is held for an active endpoint goes out again, once it is back; the dispatcher asks for it.

Held is what came to the end of its schedule while the endpoint took nothing. It goes
out when the endpoint takes something, and one of it a day finds out whether it does.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, or_, select

from regulars.keep.db import database_now
from regulars.tell.deliveries import (
    IS_OPEN,
    IS_STOPPED,
    DeliveryState,
    delivery_table,
    requeue,
)
from regulars.tell.endpoints import EndpointState, endpoint_table

AT_ONCE: Final = 1000
_TRY_EVERY: Final = timedelta(days=1)
_columns = delivery_table.c
_of_endpoint = _columns.endpoint_id == endpoint_table.c.id
_HELD: Final = (_columns.state == DeliveryState.HELD.value, IS_STOPPED)
# Without a failure since: it has taken something after whatever is held was given up.
_IS_BACK: Final = endpoint_table.c.failing_since.is_(None)
_IS_QUIET: Final = ~exists(select(_columns.id).where(_of_endpoint, IS_OPEN)).correlate(
    endpoint_table
)
_LONG_UNTRIED: Final = or_(
    endpoint_table.c.claimed_at.is_(None),
    endpoint_table.c.claimed_at
    <= select(database_now(plus=-_TRY_EVERY)).scalar_subquery(),
)
_TO_RELEASE: Final = select(endpoint_table.c.id, _IS_BACK.label("is_back")).where(
    endpoint_table.c.state == EndpointState.ACTIVE.value,
    exists(select(_columns.id).where(_of_endpoint, *_HELD)).correlate(endpoint_table),
    or_(_IS_BACK, _IS_QUIET & _LONG_UNTRIED),
)


def release_held(connection: Connection) -> int:
    """How many held deliveries of active endpoints are due again, a thousand of each at most."""
    found = connection.execute(_TO_RELEASE).all()
    return sum(_release(connection, row) for row in found)


def _release(connection: Connection, row: Row[tuple[Any, ...]]) -> int:
    oldest = (
        select(_columns.id)
        .where(_columns.endpoint_id == row.id, *_HELD)
        .order_by(_columns.id)
        .limit(AT_ONCE if row.is_back else 1)
    )
    return requeue(
        connection,
        _columns.id.in_(oldest),
        _columns.state == DeliveryState.HELD.value,
    )
