"""Events: made once, frozen as bytes for both kinds of recipient.

Two things only may change a stored body: an erasure, and the end of our right to keep
what X said. Both keep the event's id, type, time and version.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    select,
)

from regulars.keep.db import Instant, metadata
from regulars.keep.record import Json
from regulars.tell.endpoints import Recipient
from regulars.values.contact import Kind
from regulars.values.handle import Handle
from regulars.values.ids import new_id
from regulars.values.instants import to_rfc3339
from regulars.values.verdict import Verdict
from regulars_webhooks.events import API_VERSION

event_table = Table(
    "event",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("type", String(40), nullable=False),
    # Null for a test.
    Column("customer_id", ForeignKey("customer.id"), index=True),
    Column("version", Integer, nullable=False),
    Column("body_own", LargeBinary, nullable=False),
    Column("body_third_party", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

ERASED = "erased"


def add_event(
    connection: Connection,
    event_type: str,
    data: Json,
    *,
    customer_id: str | None,
    version: int,
    now: datetime,
) -> str:
    """The id of the new event, whose two bodies are now fixed."""
    event_id = new_id("evt", now)
    connection.execute(
        event_table.insert(),
        {
            "id": event_id,
            "type": event_type,
            "customer_id": customer_id,
            "version": version,
            "body_own": _body(event_id, event_type, data, now),
            "body_third_party": _body(event_id, event_type, third_party(data), now),
            "created_at": now,
        },
    )
    return event_id


def _body(event_id: str, event_type: str, data: Json, at: datetime) -> bytes:
    envelope = {
        "id": event_id,
        "type": event_type,
        "api_version": API_VERSION,
        "timestamp": to_rfc3339(at),
        "data": data,
    }
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def erased_data(customer_id: str, version: int) -> Json:
    """What remains to be said of an erased customer."""
    return {
        "customer": {"id": customer_id, "version": version, "status": ERASED},
        "changed": [],
        "profile": None,
    }


def third_party(data: Json) -> Json:
    """*data* as X's terms let a third party have it: as typed, with id and verdict.

    https://docs.x.com/developer-terms/policy ("Content redistribution")
    """
    if "customer" not in data:
        return data
    customer = {
        name: part for name, part in data["customer"].items() if name != "links"
    }
    if "contact_points" in customer:
        customer["contact_points"] = list(map(_as_typed, customer["contact_points"]))
    changed = [path for path in data["changed"] if not is_kept_from(path)]
    return {"customer": customer, "changed": changed, "profile": None}


def _as_typed(point: Json) -> Json:
    if point["kind"] != Kind.X_ACCOUNT.value:
        return point
    typed = Handle(point["value"])
    return {**point, "normalized": typed.key, "url": typed.url}


def is_kept_from(pointer: str) -> bool:
    """Whether a change at *pointer* is nothing that a third party gets to see."""
    return pointer.split("/")[1:3] == ["customer", "links"] or _is_of_x(pointer)


def _is_of_x(pointer: str) -> bool:
    parts = pointer.split("/")
    if parts[1] == "profile":
        return True
    # X's own spelling after a rename; other kinds never change in place.
    return parts[2:3] == ["contact_points"] and parts[-1] in {"normalized", "url"}


def concerns(recipient: Recipient, changed: Sequence[str]) -> bool:
    """Whether an update of *changed* is news for this kind of recipient."""
    if recipient is Recipient.OWN or not changed:
        return True
    # That X was asked again is no news where its answer is none.
    return not all(_is_of_x(it) or it.endswith("/checked_at") for it in changed)


def newest_event_at(connection: Connection) -> datetime | None:
    """When the newest event was made; None where there is none."""
    return connection.execute(
        select(event_table.c.created_at).order_by(event_table.c.id.desc()).limit(1)
    ).scalar_one_or_none()


def rewrite_erased(connection: Connection, customer_id: str) -> None:
    """Replace every stored body of the customer by its erased form."""
    for row in _events_of(connection, customer_id):
        data = erased_data(customer_id, row.version)
        body = _body(row.id, row.type, data, row.created_at)
        _store(connection, row.id, body_own=body, body_third_party=body)


def rewrite_without_profile(connection: Connection, customer_id: str) -> None:
    """Take what X said, its spelling of the handle too, out of every stored body of the customer."""
    for row in _full_events_of(connection, customer_id):
        envelope = json.loads(row.body_own)
        data = _without_x_content(envelope["data"])
        if data != envelope["data"]:
            body = _body(row.id, row.type, data, row.created_at)
            _store(connection, row.id, body_own=body)


def rewrite_unlinked(connection: Connection, customer_id: str) -> None:
    """As ``rewrite_without_profile``, and without X's number and verdict, in both bodies."""
    for row in _full_events_of(connection, customer_id):
        data = json.loads(row.body_own)["data"]
        unlinked = _without_x_content(data, _as_never_asked)
        if unlinked == data:
            continue
        _store(
            connection,
            row.id,
            body_own=_body(row.id, row.type, unlinked, row.created_at),
            body_third_party=_body(
                row.id, row.type, third_party(unlinked), row.created_at
            ),
        )


def _without_x_content(
    data: Json, change: Callable[[Json], Json] | None = None
) -> Json:
    customer = data["customer"]
    if "contact_points" in customer:
        points = map(change or _as_typed, customer["contact_points"])
        customer = {**customer, "contact_points": list(points)}
    return {**data, "customer": customer, "profile": None}


def _as_never_asked(point: Json) -> Json:
    if point["kind"] != Kind.X_ACCOUNT.value:
        return point
    unasked = {"platform_user_id": None, "verdict": Verdict.UNCHECKED.value}
    return {**_as_typed(point), **unasked, "checked_at": None}


def _events_of(connection: Connection, customer_id: str) -> Iterable[Any]:
    return connection.execute(
        select(event_table).where(event_table.c.customer_id == customer_id)
    ).all()


def _full_events_of(connection: Connection, customer_id: str) -> Iterable[Any]:
    """Those that retention has not emptied."""
    return [row for row in _events_of(connection, customer_id) if row.body_own]


def _store(connection: Connection, event_id: str, **bodies: bytes) -> None:
    connection.execute(
        event_table.update().where(event_table.c.id == event_id).values(**bodies)
    )
