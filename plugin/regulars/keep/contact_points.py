"""Addresses that customers gave: who holds which, and what X said of a handle."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from regulars.keep.customers import ACTIVE, customer_table
from regulars.keep.db import Instant, metadata
from regulars.values.contact import Address, Kind, Ownership
from regulars.values.ids import new_id
from regulars.values.verdict import Verdict

contact_point_table = Table(
    "contact_point",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("customer_id", ForeignKey("customer.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("value", String(320), nullable=False),
    Column("normalized", String(320), nullable=False),
    Column("url", String(400)),
    Column("platform_user_id", String(30)),
    Column("verdict", String(10)),
    Column("ownership", String(10), nullable=False),
    Column("checked_at", Instant),
    # A pending check that was tried in vain waits until then, and behind the untried.
    Column("try_after", Instant),
    # When X was last asked for what is known already, whether or not it answered.
    Column("asked_at", Instant),
    # Since when there is reason to think that this is not so any more: the handle was
    # seen under another number, or is gone. Null once X has said how it is.
    Column("doubted_at", Instant),
    Column("is_primary", Boolean, nullable=False),
    # What the platform said of the account, while the rules let us keep it.
    Column("profile", JSON(none_as_null=True)),
    Column("created_at", Instant, nullable=False),
    Index("ix_contact_point_normalized", "kind", "normalized"),
    Index("ix_contact_point_platform_user_id", "kind", "platform_user_id"),
)
# Literal text: a bound parameter would keep SQLite from using the partial index.
_IS_PENDING = contact_point_table.c.verdict == literal_column("'pending'")
Index(
    "ix_contact_point_pending",
    contact_point_table.c.id,
    sqlite_where=_IS_PENDING,
    postgresql_where=_IS_PENDING,
)
_IS_KNOWN = contact_point_table.c.platform_user_id.is_not(None)
Index(
    "ix_contact_point_age",
    contact_point_table.c.checked_at,
    sqlite_where=_IS_KNOWN,
    postgresql_where=_IS_KNOWN,
)
_IS_DOUBTED = contact_point_table.c.doubted_at.is_not(None)
Index(
    "ix_contact_point_doubted",
    contact_point_table.c.doubted_at,
    sqlite_where=_IS_DOUBTED,
    postgresql_where=_IS_DOUBTED,
)

# Of those that are asked for together, one in so many is among the oldest.
_OLD_PART = 10

_KIND_ORDER = [kind.value for kind in Kind]
ContactRow = Row[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look-up says of one address; all None where the kind is not looked up."""

    verdict: Verdict | None = None
    platform_user_id: str | None = None
    profile: dict[str, Any] | None = None
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An address as one signup sent it, with what is known of it by then."""

    address: Address
    finding: Finding


@dataclass(frozen=True, slots=True)
class Holder:
    """A customer that holds an address, and whether it was proven to be theirs."""

    customer_id: str
    is_proven: bool


def contact_points_of(connection: Connection, customer_id: str) -> list[ContactRow]:
    """The customer's contact points, oldest first; those of one signup by their kind."""
    rows = connection.execute(_OF_CUSTOMER, {"customer_id": customer_id})
    return sorted(
        rows, key=lambda row: (row.created_at, _KIND_ORDER.index(row.kind), row.id)
    )


def find_contact_point(
    connection: Connection, contact_point_id: str
) -> ContactRow | None:
    """The contact point of this id."""
    return connection.execute(
        select(contact_point_table).where(contact_point_table.c.id == contact_point_id)
    ).one_or_none()


def holders(connection: Connection, sent: Sent) -> list[str]:
    """The active customers that hold the address *sent*, oldest first."""
    return [holder.customer_id for holder in held_by(connection, sent)]


def held_by(connection: Connection, sent: Sent) -> list[Holder]:
    """The active customers that hold the address *sent*, oldest first, and who proved it."""
    rows = connection.execute(_HELD[_has_known_id(sent)], _places(sent))
    proven: dict[str, bool] = {}
    for row in rows:
        is_proven = row.ownership == Ownership.PROVEN.value
        proven[row.customer_id] = proven.get(row.customer_id, False) or is_proven
    return [Holder(customer_id, proven[customer_id]) for customer_id in proven]


def find_same(
    connection: Connection, customer_id: str, sent: Sent
) -> ContactRow | None:
    """The customer's contact point that is the address *sent*."""
    return connection.execute(
        _SAME[_has_known_id(sent)], {"customer_id": customer_id, **_places(sent)}
    ).one_or_none()


def _has_known_id(sent: Sent) -> bool:
    return sent.finding.platform_user_id is not None


def _places(sent: Sent) -> dict[str, str | None]:
    return {
        "kind": sent.address.kind.value,
        "normalized": sent.address.normalized,
        "user_id": sent.finding.platform_user_id,
    }


def _is_same(has_known_id: bool) -> Any:
    columns = contact_point_table.c
    is_same_kind = columns.kind == bindparam("kind")
    is_same_text = columns.normalized == bindparam("normalized")
    if not has_known_id:
        # With our id unknown the handles decide, whatever the held id is.
        return and_(is_same_kind, is_same_text)
    return and_(
        is_same_kind,
        or_(
            columns.platform_user_id == bindparam("user_id"),
            and_(columns.platform_user_id.is_(None), is_same_text),
        ),
    )


# Statements of a signup's way are made once: making them costs more than running them.
_OF_CUSTOMER = select(contact_point_table).where(
    contact_point_table.c.customer_id == bindparam("customer_id")
)
_HELD = {
    has_known_id: select(
        contact_point_table.c.customer_id, contact_point_table.c.ownership
    )
    .join(customer_table)
    .where(customer_table.c.status == ACTIVE, _is_same(has_known_id))
    .order_by(contact_point_table.c.customer_id)
    for has_known_id in (False, True)
}
_SAME = {
    has_known_id: select(contact_point_table)
    .where(
        contact_point_table.c.customer_id == bindparam("customer_id"),
        _is_same(has_known_id),
    )
    .order_by(contact_point_table.c.id)
    .limit(1)
    for has_known_id in (False, True)
}
_NO_PRIMARY = (
    contact_point_table.update()
    .where(
        contact_point_table.c.customer_id == bindparam("of_customer"),
        # As a bare column SQLite would take an index that begins with it, and walk
        # through everybody's contact points of that kind.
        contact_point_table.c.kind.concat("") == bindparam("of_kind"),
    )
    .values(is_primary=False)
)


def add_contact_point(
    connection: Connection, customer_id: str, sent: Sent, now: datetime
) -> str:
    """The id of the new contact point, which becomes the primary one of its kind."""
    address, finding = sent.address, sent.finding
    connection.execute(
        _NO_PRIMARY, {"of_customer": customer_id, "of_kind": address.kind.value}
    )
    contact_point_id = new_id("cp", now)
    connection.execute(
        contact_point_table.insert(),
        {
            "id": contact_point_id,
            "customer_id": customer_id,
            "kind": address.kind.value,
            "value": address.value,
            "normalized": address.normalized,
            "url": address.url,
            "ownership": Ownership.CLAIMED.value,
            "is_primary": True,
            "created_at": now,
            **_columns(finding),
        },
    )
    return contact_point_id


def record_finding(
    connection: Connection,
    contact_point_id: str,
    finding: Finding,
    *,
    was: Iterable[Verdict],
) -> bool:
    """Whether *finding* was written: only over a verdict in *was*, so nobody's newer one is lost."""
    result = connection.execute(
        contact_point_table.update()
        .where(
            contact_point_table.c.id == contact_point_id,
            contact_point_table.c.verdict.in_([verdict.value for verdict in was]),
        )
        .values(**_columns(finding))
    )
    return result.rowcount == 1


def _columns(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value if finding.verdict else None,
        "platform_user_id": finding.platform_user_id,
        "profile": finding.profile,
        "checked_at": finding.checked_at,
    }


def list_pending(
    connection: Connection, limit: int, *, now: datetime, to_claim: bool = False
) -> list[ContactRow]:
    """Contact points whose check is still to be made, *limit* at most, that may be tried at *now*.

    *to_claim* locks them, but for those that another process is just claiming.

    Those that were never tried come first, the newest before all, then those whose
    last try is longest ago: one that fails each time cannot keep the others waiting.
    The last tenth of the list are the oldest, whatever may come in meanwhile.
    """
    columns = contact_point_table.c
    query = select(contact_point_table).where(
        _IS_PENDING,
        or_(columns.try_after.is_(None), columns.try_after <= now),
    )
    if to_claim:
        query = query.with_for_update(skip_locked=True)
    by_try = query.order_by(columns.try_after.asc().nulls_first(), columns.id.desc())
    of_old = limit // _OLD_PART
    newest = list(connection.execute(by_try.limit(limit - of_old)))
    if len(newest) < limit - of_old:
        return newest
    others = query.where(columns.id.not_in([row.id for row in newest]))
    oldest = connection.execute(others.order_by(columns.id).limit(of_old))
    return [*newest, *oldest]


def count_pending(connection: Connection) -> int:
    """How many checks are still to be made."""
    count: int = connection.execute(
        select(func.count()).select_from(contact_point_table).where(_IS_PENDING)
    ).scalar_one()
    return count


def postpone(
    connection: Connection, contact_point_ids: Iterable[str], until: datetime
) -> None:
    """Try these checks again at *until*, after those that were not tried yet."""
    connection.execute(
        contact_point_table.update()
        .where(contact_point_table.c.id.in_(list(contact_point_ids)))
        .values(try_after=until)
    )


def drop_profile(connection: Connection, contact_point_id: str) -> bool:
    """Whether there was a profile to drop; the typed handle, the id and the verdict stay."""
    result = connection.execute(
        contact_point_table.update()
        .where(
            contact_point_table.c.id == contact_point_id,
            contact_point_table.c.profile.is_not(None),
        )
        .values(profile=None)
    )
    return result.rowcount > 0


def delete_contact_points(connection: Connection, customer_id: str) -> None:
    """Remove every address of the customer."""
    connection.execute(
        contact_point_table.delete().where(
            contact_point_table.c.customer_id == customer_id
        )
    )
