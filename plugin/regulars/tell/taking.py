"""The statements that take what is due for one endpoint: each reads no more than it takes."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Integer,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
)

from regulars.keep.db import database_now, is_past
from regulars.tell.deliveries import DeliveryState, delivery_table
from regulars.tell.events import event_table

_HELD_AT_ONCE: Final = 1000
_columns = delivery_table.c


def _due_of(limit: int, *, newest_first: bool, ordered: bool) -> Any:
    """The select of at most *limit* ids that are due for the parameter ``endpoint``."""
    columns = (_columns.next_at, _columns.id)
    order = [column.desc() if newest_first else column.asc() for column in columns]
    query = select(_columns.id).where(
        _columns.endpoint_id == bindparam("endpoint"), is_past(_columns.next_at)
    )
    if ordered:
        query = query.where(~_has_predecessor())
    # The comparison implies "is not null", so the partial index serves bound and
    # generic plans alike. The limit stands in the text: of one that it does not know a
    # generic plan thinks that it is a tenth of the history, and reads all of that.
    return (
        query.order_by(*order)
        .limit(literal_column(str(limit), Integer))
        .with_for_update(skip_locked=True, of=delivery_table)
    )


def _has_predecessor() -> Any:
    """Whether an older version of the same customer is still on its way to the endpoint."""
    event, older = event_table.alias(), event_table.alias()
    before = delivery_table.alias()
    return exists(
        select(before.c.id)
        .select_from(event)
        .join(older, older.c.customer_id == event.c.customer_id)
        .join(before, before.c.event_id == older.c.id)
        .where(
            event.c.id == _columns.event_id,
            before.c.endpoint_id == bindparam("endpoint"),
            before.c.next_at.is_not(None),
            or_(
                older.c.version < event.c.version,
                and_(older.c.version == event.c.version, older.c.id < event.c.id),
            ),
        )
    ).correlate(delivery_table)


HOLD_DUE: Final = (
    delivery_table.update()
    .where(_columns.id.in_(_due_of(_HELD_AT_ONCE, newest_first=False, ordered=False)))
    .values(state=bindparam("state"), next_at=None, lease_token=None)
)


@cache
def take_statement(
    limit: int, lease: timedelta, *, newest_first: bool, ordered: bool
) -> Any:
    """Lease at most *limit* of what is due for ``endpoint`` under ``token``; ids and ``unfinished``."""
    # The fence keeps a planner from running the limit twice.
    due = (
        _due_of(limit, newest_first=newest_first, ordered=ordered)
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        delivery_table.update()
        .where(_columns.id.in_(select(due.c.id)))
        .values(**leased(lease), lease_token=bindparam("token"))
        .returning(_columns.id, _columns.unfinished)
    )


def leased(lease: timedelta) -> Mapping[str, Any]:
    """What a row says that is leased for so long from now."""
    return {
        "state": DeliveryState.LEASED.value,
        "claims": _columns.claims + 1,
        "unfinished": _columns.unfinished + 1,
        "due_at": _columns.next_at,
        "next_at": database_now(plus=lease),
    }
