"""Who signed up lately: each person once, by their latest signup, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from regulars.keep.contact_points import ContactRow, contact_point_table
from regulars.keep.customers import ACTIVE, CustomerRow, customer_table
from regulars.keep.signups import SignupRow, signup_table
from regulars.values.ids import first_id, may_be_id


@dataclass(frozen=True, slots=True)
class Arrival:
    """A customer with the latest signup of theirs and the addresses that are held."""

    customer: CustomerRow
    signup: SignupRow
    contact_points: tuple[ContactRow, ...]


def list_arrivals(
    connection: Connection, *, since: datetime, before: str | None, limit: int
) -> list[Arrival]:
    """The *limit* newest whose latest signup was at or after *since*.

    *before* is the id of a signup: only those whose latest one is older; before what
    can be no id there is nobody.
    """
    if before is not None and not may_be_id(before):
        return []
    # Signup ids sort by time: the table needs no index of its own for this.
    latest = func.max(signup_table.c.id)
    query = (
        select(latest)
        .join(customer_table, customer_table.c.id == signup_table.c.customer_id)
        .where(
            signup_table.c.id >= first_id("sgn", since),
            customer_table.c.status == ACTIVE,
        )
        .group_by(signup_table.c.customer_id)
        .order_by(latest.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.having(latest < before)
    return _load(connection, list(connection.execute(query).scalars()))


def count_arrivals(connection: Connection, since: datetime) -> int:
    """How many active customers signed up at or after *since*."""
    count: int = connection.execute(
        select(func.count(signup_table.c.customer_id.distinct()))
        .join(customer_table, customer_table.c.id == signup_table.c.customer_id)
        .where(
            signup_table.c.id >= first_id("sgn", since),
            customer_table.c.status == ACTIVE,
        )
    ).scalar_one()
    return count


def _load(connection: Connection, signup_ids: Sequence[str]) -> list[Arrival]:
    signups = list(
        connection.execute(
            select(signup_table)
            .where(signup_table.c.id.in_(signup_ids))
            .order_by(signup_table.c.id.desc())
        )
    )
    ids = [signup.customer_id for signup in signups]
    customers = {
        row.id: row
        for row in connection.execute(
            select(customer_table).where(customer_table.c.id.in_(ids))
        )
    }
    points = list(
        connection.execute(
            select(contact_point_table).where(
                contact_point_table.c.customer_id.in_(ids),
                contact_point_table.c.is_primary,
            )
        )
    )
    return [
        Arrival(
            customers[signup.customer_id],
            signup,
            tuple(row for row in points if row.customer_id == signup.customer_id),
        )
        for signup in signups
    ]
