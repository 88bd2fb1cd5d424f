"""Endpoints: URLs of the shop's systems, what they want to hear and the secrets that sign it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Connection, Row, String, Table, Text, select

from regulars.keep.db import Instant, metadata
from regulars.values.ids import new_id
from regulars.values.instants import to_rfc3339
from regulars_webhooks.signing import generate_secret

# Both secrets sign for a day after a rotation, so that receivers can follow in peace.
ROTATION_OVERLAP = timedelta(hours=24)


class Recipient(StrEnum):
    """Who reads at an endpoint; X's terms allow a third party less."""

    OWN = "own"
    THIRD_PARTY = "third-party"


class EndpointState(StrEnum):
    """Whether deliveries go out; what waits for the other two is held."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


endpoint_table = Table(
    "endpoint",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("url", Text, nullable=False),
    Column("recipient", String(20), nullable=False),
    # Null: every type.
    Column("event_types", JSON(none_as_null=True)),
    Column("state", String(10), nullable=False),
    Column("reason", Text),
    # [{"secret": "whsec_…", "ends_at": RFC 3339 or null}], newest first.
    Column("secrets", JSON, nullable=False),
    Column("last_success_at", Instant),
    Column("created_at", Instant, nullable=False),
)

# Made once: making a statement costs more than running it.
_ALL = select(endpoint_table).order_by(endpoint_table.c.id)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as the code that is about to use it sees it."""

    id: str
    url: str
    recipient: Recipient
    event_types: tuple[str, ...] | None
    state: EndpointState
    reason: str | None
    secrets: tuple[str, ...]
    last_success_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether deliveries to it go out now."""
        return self.state is EndpointState.ACTIVE

    def wants(self, event_type: str) -> bool:
        """Whether it asked for events of this type."""
        return self.event_types is None or event_type in self.event_types


def add_endpoint(
    connection: Connection,
    *,
    url: str,
    recipient: Recipient,
    event_types: Sequence[str] | None,
    now: datetime,
) -> tuple[str, str]:
    """The id and the signing secret of a new, active endpoint.

    The URL is the caller's to check (``Settings.check_endpoint_url``).
    """
    endpoint_id, secret = new_id("ep", now), generate_secret()
    connection.execute(
        endpoint_table.insert().values(
            id=endpoint_id,
            url=url,
            recipient=recipient.value,
            event_types=list(event_types) if event_types else None,
            state=EndpointState.ACTIVE.value,
            secrets=[{"secret": secret, "ends_at": None}],
            created_at=now,
        )
    )
    return endpoint_id, secret


def list_endpoints(connection: Connection, now: datetime) -> list[Endpoint]:
    """Every endpoint, oldest first, with the secrets that are live at *now*."""
    rows = connection.execute(_ALL)
    return [_endpoint(row, now) for row in rows]


def find_endpoint(
    connection: Connection, endpoint_id: str, now: datetime
) -> Endpoint | None:
    """The endpoint of this id."""
    row = connection.execute(
        select(endpoint_table).where(endpoint_table.c.id == endpoint_id)
    ).one_or_none()
    return _endpoint(row, now) if row else None


def _endpoint(row: Row[tuple[Any, ...]], now: datetime) -> Endpoint:
    live = [
        entry["secret"]
        for entry in row.secrets
        if entry["ends_at"] is None or datetime.fromisoformat(entry["ends_at"]) > now
    ]
    return Endpoint(
        id=row.id,
        url=row.url,
        recipient=Recipient(row.recipient),
        event_types=tuple(row.event_types) if row.event_types else None,
        state=EndpointState(row.state),
        reason=row.reason,
        secrets=tuple(live),
        last_success_at=row.last_success_at,
    )


def rotate_secret(
    connection: Connection, endpoint_id: str, now: datetime
) -> str | None:
    """A new secret; the ones before it sign along for ``ROTATION_OVERLAP``. None: no such id."""
    endpoint = find_endpoint(connection, endpoint_id, now)
    if endpoint is None:
        return None
    fresh, ends_at = generate_secret(), to_rfc3339(now + ROTATION_OVERLAP)
    row = connection.execute(
        select(endpoint_table.c.secrets).where(endpoint_table.c.id == endpoint_id)
    ).scalar_one()
    kept = [
        {"secret": entry["secret"], "ends_at": entry["ends_at"] or ends_at}
        for entry in row
        if entry["secret"] in endpoint.secrets
    ]
    connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id)
        .values(secrets=[{"secret": fresh, "ends_at": None}, *kept])
    )
    return fresh


def set_state(
    connection: Connection,
    endpoint_id: str,
    state: EndpointState,
    reason: str | None = None,
) -> bool:
    """Whether there is such an endpoint; it now has *state*."""
    result = connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id)
        .values(state=state.value, reason=reason)
    )
    return result.rowcount == 1


def note_success(connection: Connection, endpoint_id: str, now: datetime) -> None:
    """Remember that the endpoint took something at *now*."""
    connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id)
        .values(last_success_at=now)
    )
