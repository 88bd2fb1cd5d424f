"""Leases that go on, and leases that are given back; only ever by whoever still holds them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, and_, bindparam

from regulars.keep.db import database_now
from regulars.tell.deliveries import DeliveryState, delivery_table
from regulars.tell.outbox import Claimed

_columns = delivery_table.c


def renew(
    connection: Connection, claimed: Sequence[Claimed], *, lease: timedelta
) -> None:
    """Let leases that are still the caller's begin anew; those that are lost stay lost."""
    if claimed:
        connection.execute(
            delivery_table.update()
            .where(_IS_OURS)
            .values(next_at=database_now(plus=lease)),
            _keys(claimed),
        )


def give_back(
    connection: Connection, claimed: Sequence[Claimed], *, was_begun: bool
) -> None:
    """End leases at once: what was leased is due, and was never taken up unless it *was_begun*."""
    if claimed:
        connection.execute(
            delivery_table.update()
            .where(_IS_OURS)
            .values(
                state=DeliveryState.PENDING.value,
                next_at=database_now(),
                lease_token=None,
                claims=_columns.claims - (0 if was_begun else 1),
                unfinished=_columns.unfinished - 1,
            ),
            _keys(claimed),
        )


_IS_OURS: Final = and_(
    _columns.id == bindparam("delivery"), _columns.lease_token == bindparam("token")
)


def _keys(claimed: Sequence[Claimed]) -> list[dict[str, str]]:
    return [
        {"delivery": item.id, "token": item.lease_token}
        for item in sorted(claimed, key=lambda item: item.id)
    ]
