"""What the operator changes of an endpoint: its secret, its headers, whether it is there."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from regulars.keep.sealing import Seal
from regulars.tell.deliveries import (
    CANCELLED,
    IS_OPEN,
    IS_STOPPED,
    DeliveryState,
    delivery_table,
)
from regulars.tell.endpoints import EndpointState, endpoint_table, stored_secrets
from regulars.tell.secrets import (
    entry,
    rotated,
    sealed,
    with_header,
    without_header,
)
from regulars_webhooks.signing import generate_secret

# Both secrets sign for a day after a rotation, so that receivers can follow in peace.
ROTATION_OVERLAP = timedelta(hours=24)
_columns = delivery_table.c
# Each in a small partial index: the history is never read.
_WAITING: Final[tuple[tuple[Any, ...], ...]] = (
    (IS_OPEN, _columns.state == DeliveryState.PENDING.value),
    (IS_STOPPED, _columns.state == DeliveryState.HELD.value),
)


def rotate_secret(
    connection: Connection,
    seal: Seal,
    endpoint_id: str,
    now: datetime,
    overlap: timedelta = ROTATION_OVERLAP,
) -> str | None:
    """A new secret; the ones before it sign along for *overlap* at most. None: no such id."""
    row = _locked(connection, endpoint_id)
    if row is None:
        return None
    fresh = generate_secret()
    entries = rotated(
        sealed(seal, endpoint_id, stored_secrets(row)),
        entry(seal, endpoint_id, fresh),
        now,
        now + overlap,
    )
    _store(connection, endpoint_id, sealed_secrets=entries, secrets=[])
    return fresh


def seal_plain_secrets(connection: Connection, seal: Seal) -> int:
    """How many endpoints had secrets that could be read, as the release before stored them."""
    rows = connection.execute(
        select(endpoint_table).order_by(endpoint_table.c.id).with_for_update()
    )
    plain = [row for row in rows if row.secrets]
    for row in plain:
        entries = sealed(seal, row.id, stored_secrets(row))
        _store(connection, row.id, sealed_secrets=entries, secrets=[])
    return len(plain)


def count_plain_secrets(connection: Connection) -> int:
    """How many endpoints have a secret that is not sealed."""
    found = connection.execute(select(endpoint_table.c.secrets)).scalars()
    return sum(bool(entries) for entries in found)


def set_header(
    connection: Connection, seal: Seal, endpoint_id: str, name: str, value: str
) -> bool:
    """Whether there is such an endpoint; what it is sent has the header from now on.

    Raises:
        HeaderRefused: it has as many as it may.
    """
    row = _locked(connection, endpoint_id)
    if row is None:
        return False
    headers = with_header(seal, endpoint_id, row.sealed_headers or {}, name, value)
    _store(connection, endpoint_id, sealed_headers=headers)
    return True


def remove_header(connection: Connection, endpoint_id: str, name: str) -> bool:
    """Whether the endpoint had such a header, in any case; it has it no more."""
    row = _locked(connection, endpoint_id)
    headers: Mapping[str, str] = (row.sealed_headers if row else None) or {}
    kept = without_header(headers, name)
    if len(kept) == len(headers):
        return False
    _store(connection, endpoint_id, sealed_headers=kept)
    return True


def count_waiting_for(connection: Connection, endpoint_id: str) -> int:
    """How many deliveries the endpoint has yet to get, but for those under way."""
    counted = select(func.count()).where(_columns.endpoint_id == endpoint_id)
    return sum(
        connection.execute(counted.where(*of_index)).scalar_one()
        for of_index in _WAITING
    )


def remove_endpoint(
    connection: Connection, endpoint_id: str, now: datetime
) -> int | None:
    """How many deliveries were cancelled; None if there is no such endpoint.

    It gets nothing any more, for good, and its secrets and headers are gone; what it
    was sent stays on record. An attempt that is under way may still arrive.
    """
    if _locked(connection, endpoint_id) is None:
        return None
    _store(
        connection,
        endpoint_id,
        state=EndpointState.DISABLED.value,
        reason="removed",
        removed_at=now,
        secrets=[],
        sealed_secrets=[],
        sealed_headers=None,
    )
    return _cancel(connection, _columns.endpoint_id == endpoint_id)


def cancel_for_removed(connection: Connection) -> int:
    """How many deliveries were cancelled that were under way when their endpoint was removed."""
    removed = select(endpoint_table.c.id).where(
        endpoint_table.c.removed_at.is_not(None)
    )
    return _cancel(connection, _columns.endpoint_id.in_(removed))


def _cancel(connection: Connection, of_endpoint: Any) -> int:
    cancelled = {
        "state": DeliveryState.DEAD.value,
        "next_at": None,
        "last_error": f"{CANCELLED} the endpoint was removed",
    }
    count = 0
    for of_index in _WAITING:
        statement = delivery_table.update().where(of_endpoint, *of_index)
        count += connection.execute(statement.values(**cancelled)).rowcount
    return count


def _locked(connection: Connection, endpoint_id: str) -> Row[tuple[Any, ...]] | None:
    return connection.execute(
        select(endpoint_table)
        .where(
            endpoint_table.c.id == endpoint_id, endpoint_table.c.removed_at.is_(None)
        )
        .with_for_update(key_share=True)
    ).one_or_none()


def _store(connection: Connection, endpoint_id: str, **values: Any) -> None:
    connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id)
        .values(**values)
    )
