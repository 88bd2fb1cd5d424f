"""Endpoints: URLs of the shop's systems, what they want to hear and how they fare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    false,
    select,
    text,
)

from regulars.keep.db import Instant, metadata
from regulars.keep.sealing import Seal
from regulars.tell.pace import DEFAULT_MAX_INFLIGHT, Limits, Pace
from regulars.tell.secrets import Entry, entry, live
from regulars.values.ids import new_id
from regulars_webhooks.signing import generate_secret


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
    # What the release before this one stored, as it is: empty once it has been sealed.
    Column("secrets", JSON, nullable=False),
    # [{"secret": sealed, "ends_at": RFC 3339 or null}], newest first.
    Column("sealed_secrets", JSON(none_as_null=True)),
    # {name: sealed value}.
    Column("sealed_headers", JSON(none_as_null=True)),
    # Kept for the history alone from then on.
    Column("removed_at", Instant),
    Column("last_success_at", Instant),
    Column("created_at", Instant, nullable=False),
    # What the operator lets it have (``pace.Limits``); no rate: as fast as it answers.
    Column(
        "max_inflight",
        Integer,
        nullable=False,
        server_default=text(str(DEFAULT_MAX_INFLIGHT)),
    ),
    Column("rate_per_s", Float),
    # One delivery of each customer at a time, oldest version first.
    Column("ordered", Boolean, nullable=False, server_default=false()),
    # How it fares (``pace.Pace``).
    Column("slots", Integer),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", Instant),
    Column("closed_until", Instant),
    Column("busy_until", Instant),
    Column("notice", Integer, nullable=False, server_default=text("0")),
    Column("claimed_at", Instant),
)

# Made once: making a statement costs more than running it.
_ALL = select(endpoint_table).order_by(endpoint_table.c.id)
_IS_THERE = endpoint_table.c.removed_at.is_(None)
_PRESENT = _ALL.where(_IS_THERE)
_STORE_PACE = (
    endpoint_table.update()
    .where(endpoint_table.c.id == bindparam("endpoint"))
    .values({entry.name: bindparam(entry.name) for entry in fields(Pace)})
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as the code that is about to use it sees it.

    ``secrets`` and the values of ``headers`` are as stored: ``secrets.opened`` opens them.
    """

    id: str
    url: str
    recipient: Recipient
    event_types: tuple[str, ...] | None
    state: EndpointState
    reason: str | None
    secrets: tuple[str, ...]
    last_success_at: datetime | None
    limits: Limits = field(default=Limits(DEFAULT_MAX_INFLIGHT, None))
    ordered: bool = False
    pace: Pace = field(default=Pace())
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether deliveries to it go out now."""
        return self.state is EndpointState.ACTIVE

    def wants(self, event_type: str) -> bool:
        """Whether it asked for events of this type."""
        return self.event_types is None or event_type in self.event_types


def add_endpoint(
    connection: Connection,
    seal: Seal,
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
            secrets=[],
            sealed_secrets=[entry(seal, endpoint_id, secret)],
            created_at=now,
        )
    )
    return endpoint_id, secret


def list_endpoints(connection: Connection, now: datetime) -> list[Endpoint]:
    """Every endpoint, oldest first, with the secrets that are live at *now*."""
    rows = connection.execute(_PRESENT)
    return [endpoint_of(row, now) for row in rows]


def is_endpoint_at(connection: Connection, url: str) -> bool:
    """Whether some endpoint is at *url* already."""
    found = connection.execute(_PRESENT.where(endpoint_table.c.url == url).limit(1))
    return found.first() is not None


def lock_endpoints(
    connection: Connection, ids: Iterable[str] | None, now: datetime
) -> dict[str, Endpoint]:
    """The endpoints of these ids, or all, which nobody else settles or claims for meanwhile.

    One that was removed is found by its id alone: what it was sent may still be under way.
    """
    # In one order for all: two dispatchers must not wait for each other's endpoints.
    # Not the strongest lock: signups refer to these rows and go on.
    query = _PRESENT if ids is None else _ALL
    if ids is not None:
        query = query.where(endpoint_table.c.id.in_(sorted(ids)))
    query = query.with_for_update(key_share=True)
    return {row.id: endpoint_of(row, now) for row in connection.execute(query)}


def limits_of(row: Row[tuple[Any, ...]]) -> Limits:
    """What the operator lets the endpoint of *row* have."""
    return Limits(row.max_inflight, row.rate_per_s)


def pace_of(row: Row[tuple[Any, ...]]) -> Pace:
    """How the endpoint of *row* fares."""
    return Pace(
        slots=row.slots,
        failures=row.failures,
        failing_since=row.failing_since,
        closed_until=row.closed_until,
        busy_until=row.busy_until,
        notice=row.notice,
        last_success_at=row.last_success_at,
        claimed_at=row.claimed_at,
    )


def store_pace(connection: Connection, paces: Mapping[str, Pace]) -> None:
    """Write down how each endpoint, by its id, fares now."""
    rows = [
        {"endpoint": endpoint_id, **asdict(paces[endpoint_id])}
        for endpoint_id in sorted(paces)
    ]
    if rows:
        connection.execute(_STORE_PACE, rows)


def set_limits(
    connection: Connection, endpoint_id: str, limits: Limits, *, ordered: bool
) -> bool:
    """Whether there is such an endpoint; from now on it gets no more than *limits*."""
    result = connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id)
        .values(
            max_inflight=limits.max_inflight,
            rate_per_s=limits.rate_per_s,
            ordered=ordered,
        )
    )
    return result.rowcount == 1


def find_endpoint(
    connection: Connection, endpoint_id: str, now: datetime
) -> Endpoint | None:
    """The endpoint of this id."""
    row = connection.execute(
        _PRESENT.where(endpoint_table.c.id == endpoint_id)
    ).one_or_none()
    return endpoint_of(row, now) if row else None


def stored_secrets(row: Row[tuple[Any, ...]]) -> list[Entry]:
    """The entries of *row*, newest first; those of the release before this one are newer."""
    return [*row.secrets, *(row.sealed_secrets or [])]


def endpoint_of(row: Row[tuple[Any, ...]], now: datetime) -> Endpoint:
    """The endpoint of *row*, with the secrets that are live at *now*."""
    return Endpoint(
        id=row.id,
        url=row.url,
        recipient=Recipient(row.recipient),
        event_types=tuple(row.event_types) if row.event_types else None,
        state=EndpointState(row.state),
        reason=row.reason,
        secrets=tuple(it["secret"] for it in live(stored_secrets(row), now)),
        last_success_at=row.last_success_at,
        limits=limits_of(row),
        ordered=row.ordered,
        pace=pace_of(row),
        headers=row.sealed_headers or {},
    )


def set_state(
    connection: Connection,
    endpoint_id: str,
    state: EndpointState,
    reason: str | None = None,
) -> bool:
    """Whether there is such an endpoint; it now has *state*."""
    result = connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id, _IS_THERE)
        .values(state=state.value, reason=reason)
    )
    return result.rowcount == 1


def reopen(connection: Connection, endpoint_id: str) -> bool:
    """Whether there is such an endpoint; it is active, and open to one attempt at first."""
    result = connection.execute(
        endpoint_table.update()
        .where(endpoint_table.c.id == endpoint_id, _IS_THERE)
        .values(
            state=EndpointState.ACTIVE.value,
            reason=None,
            slots=1,
            failures=0,
            failing_since=None,
            closed_until=None,
            notice=0,
        )
    )
    return result.rowcount == 1
