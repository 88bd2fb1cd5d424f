"""The customer row: one person as the shop knows them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    func,
    select,
)

from regulars.keep.db import Instant, metadata
from regulars.values.ids import may_be_id, new_id

ACTIVE = "active"
ERASED = "erased"
_LABELS_KEPT = 100
# Of one address under which strangers made thousands of records the oldest say enough,
# and a record stays small whatever was typed.
_DUPLICATES_KEPT = 20

customer_table = Table(
    "customer",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("external_id", String(100), unique=True),
    Column("version", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("given_name", String(100)),
    Column("family_name", String(100)),
    Column("locale", String(35)),
    Column("preferred_channels", JSON, nullable=False),
    Column("topics", JSON, nullable=False),
    Column("interests", JSON, nullable=False),
    Column("possible_duplicates", JSON, nullable=False),
    Column("last_signup_id", String(40)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

CustomerRow = Row[tuple[Any, ...]]

# Statements of a signup's way are made once: making them costs more than running them.
_BY_ID = select(customer_table).where(customer_table.c.id == bindparam("customer_id"))
_LOCKED = (
    select(customer_table.c.status)
    .where(customer_table.c.id == bindparam("customer_id"))
    .with_for_update()
)
_BY_EXTERNAL_ID = select(customer_table.c.id).where(
    customer_table.c.external_id == bindparam("external_id")
)
_NEXT_VERSION = (
    customer_table.update()
    .where(customer_table.c.id == bindparam("of_id"))
    .values(version=customer_table.c.version + 1)
)


def add_customer(
    connection: Connection,
    *,
    external_id: str | None,
    possible_duplicates: Iterable[str],
    now: datetime,
) -> str:
    """The id of a new, empty customer at version 0: its first change makes it 1."""
    customer_id = new_id("cus", now)
    connection.execute(
        customer_table.insert(),
        {
            "id": customer_id,
            "external_id": external_id,
            "version": 0,
            "status": ACTIVE,
            "preferred_channels": [],
            "topics": [],
            "interests": [],
            "possible_duplicates": united_duplicates([], possible_duplicates),
            "created_at": now,
            "updated_at": now,
        },
    )
    return customer_id


def find_customer(connection: Connection, customer_id: str) -> CustomerRow | None:
    """The row of *customer_id*, of whatever status; any text whatever may be asked for."""
    if not may_be_id(customer_id):
        return None
    return connection.execute(_BY_ID, {"customer_id": customer_id}).one_or_none()


def lock_customer(connection: Connection, customer_id: str) -> bool:
    """Whether the customer is active; nobody else changes them before we commit."""
    status = connection.execute(
        _LOCKED, {"customer_id": customer_id}
    ).scalar_one_or_none()
    return status == ACTIVE


def find_by_external_id(connection: Connection, external_id: str) -> str | None:
    """The id of the customer that the shop knows by *external_id*; any text may be asked for."""
    if "\0" in external_id:
        return None
    return connection.execute(
        _BY_EXTERNAL_ID, {"external_id": external_id}
    ).scalar_one_or_none()


def list_customers(connection: Connection, limit: int) -> list[CustomerRow]:
    """The *limit* newest customers that are not erased, newest first."""
    return list(
        connection.execute(
            select(customer_table)
            .where(customer_table.c.status == ACTIVE)
            .order_by(customer_table.c.id.desc())
            .limit(limit)
        )
    )


def change_customer(
    connection: Connection, customer_id: str, now: datetime, **values: Any
) -> None:
    """Set *values* and make the next version of the record."""
    connection.execute(
        _NEXT_VERSION, {"of_id": customer_id, "updated_at": now, **values}
    )


def highest_version(connection: Connection) -> int:
    """The highest version of any record; 0 without customers."""
    highest: int | None = connection.execute(
        select(func.max(customer_table.c.version))
    ).scalar_one()
    return highest or 0


def continue_at(connection: Connection, version: int) -> None:
    """Let the next change of every active customer have a version above *version*."""
    connection.execute(
        customer_table.update()
        .where(customer_table.c.status == ACTIVE)
        .values(version=version)
    )


def count_active(connection: Connection) -> int:
    """How many customers there are that are not erased."""
    count: int = connection.execute(
        select(func.count()).where(customer_table.c.status == ACTIVE)
    ).scalar_one()
    return count


def add_erased_customer(
    connection: Connection, customer_id: str, version: int, now: datetime
) -> None:
    """The row of somebody of whom it is known only that they were erased."""
    connection.execute(
        customer_table.insert().values(
            id=customer_id,
            version=version,
            status=ERASED,
            preferred_channels=[],
            topics=[],
            interests=[],
            possible_duplicates=[],
            created_at=now,
            updated_at=now,
        )
    )


def united_duplicates(held: list[str], found: Iterable[str]) -> list[str]:
    """*held* and who was now *found* to be perhaps the same, each once, within what is kept."""
    return list(dict.fromkeys([*held, *found]))[:_DUPLICATES_KEPT]


def united_topics(held: list[str], said: Iterable[str]) -> list[str]:
    """*held* and what was now *said*, each once, within what a record may hold."""
    return list(dict.fromkeys([*held, *said]))[:_LABELS_KEPT]


def united_interests(
    held: list[dict[str, str]], said: Iterable[str]
) -> list[dict[str, str]]:
    """*held* and the labels that the customer now *said*, each label once."""
    known = {interest["label"] for interest in held}
    fresh = [label for label in dict.fromkeys(said) if label not in known]
    added = [{"label": label, "source": "customer"} for label in fresh]
    return [*held, *added][:_LABELS_KEPT]


def blank_customer(connection: Connection, customer_id: str, now: datetime) -> None:
    """Take everything that says who this was out of the row; the next version."""
    change_customer(
        connection,
        customer_id,
        now,
        status=ERASED,
        external_id=None,
        given_name=None,
        family_name=None,
        locale=None,
        preferred_channels=[],
        topics=[],
        interests=[],
        possible_duplicates=[],
    )
