"""Moves a shop into another database: resumable row by row, and verified at the end.

How far it came stands in the target itself, in a table that exists only until the copy
is known to be whole: it is committed with the rows that it speaks of, and it keeps a
service from starting on half a shop. Called by ``regulars db copy``.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    MetaData,
    Row,
    String,
    Table,
    Text,
    func,
    inspect,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import DBAPIError

from regulars.keep.db import Database, is_unavailable, metadata
from regulars.keep.schema import UNFINISHED_COPY

BATCH = 1000
# Migrations put rows into these; what they say of the target is replaced.
_SEEDED = ("lookup_gate", "installation")
_DIGEST_BITS = 256

# Apart from the tables of a shop: no migration is to know it.
_place_table = Table(
    UNFINISHED_COPY,
    MetaData(),
    Column("table_name", String(63), primary_key=True),
    Column("source", Text, nullable=False),
    # The primary key of the last row that was copied, in the source's own order.
    Column("position", JSON(none_as_null=True)),
    Column("rows", BigInteger, nullable=False),
)

Progress = Callable[[str, str, int, int], None]
"""Told what was done (``copied`` or ``checked``), the table, its rows so far and in all."""


class CannotCopy(Exception):
    """The copy cannot be begun or go on; the text says why and names no customer."""


class Differs(Exception):
    """After the copy a table of the target is not what the source holds; it names the table."""


def copy_shop(source: Database, target: Database, progress: Progress) -> int:
    """How many rows *target* now has, each as in *source*; both are of this release.

    *target* has no shop yet, or part of this one from a copy that was broken off.
    Nothing may change *source* meanwhile; if something did, this ends with ``Differs``.

    Raises:
        CannotCopy: *target* holds something else, or does not take a row.
        Differs: the names of the tables whose rows or number of rows differ.
    """
    tables = metadata.sorted_tables
    _begin(target, source.shown_url, tables)
    with source.reading() as reading:
        for table in tables:
            _copy_table(reading, target, table, progress)
    total = _verify(source, target, tables, progress)
    _finish(target, tables)
    return total


def _begin(target: Database, source_url: str, tables: Sequence[Table]) -> None:
    """Make the table of places, unless a copy of the same source left it."""
    with target.transaction() as connection:
        if inspect(connection).has_table(UNFINISHED_COPY):
            of = connection.execute(select(_place_table.c.source).distinct()).scalars()
            if list(of) != [source_url]:
                raise CannotCopy(
                    "the target holds an unfinished copy of another source"
                )
            return
        for table in tables:
            if table.name in _SEEDED:
                connection.execute(table.delete())
            elif connection.execute(select(table).limit(1)).first():
                raise CannotCopy(
                    f"the target holds a shop already: there are rows in {table.name}"
                )
        _place_table.create(connection)
        connection.execute(
            _place_table.insert(),
            [
                {"table_name": table.name, "source": source_url, "rows": 0}
                for table in tables
            ],
        )


def _copy_table(
    reading: Connection, target: Database, table: Table, progress: Progress
) -> None:
    is_here = _place_table.c.table_name == table.name
    with target.reading() as connection:
        place = connection.execute(select(_place_table).where(is_here)).one()
    done, total = place.rows, _count(reading, table)
    for rows in _pages(reading, table, after=place.position):
        done += len(rows)
        values = [dict(row._mapping) for row in rows]
        try:
            with target.transaction() as connection:
                connection.execute(table.insert(), values)
                connection.execute(
                    _place_table.update()
                    .where(is_here)
                    .values(position=_key(table, rows[-1]), rows=done)
                )
        except DBAPIError as error:
            if is_unavailable(error):
                raise
            raise CannotCopy(_misfit(target, table, values)) from error
        progress("copied", table.name, done, total)


def _misfit(target: Database, table: Table, values: list[dict[str, Any]]) -> str:
    """Which of the rows *values* the target does not take: its key alone says nothing of anybody."""
    for row in values:
        try:
            with target.transaction() as connection:
                connection.execute(table.insert(), row)
                # Tried, and taken back: only whole batches are kept.
                connection.rollback()
        except DBAPIError as error:
            key = ", ".join(str(row[column.name]) for column in table.primary_key)
            kind = type(error.orig).__name__
            return f"the target does not take the row {key} of {table.name}: {kind}"
    return f"the target does not take these rows of {table.name} together"


def _key(table: Table, row: Row[Any]) -> list[Any]:
    return [row._mapping[column] for column in table.primary_key.columns]


def _pages(
    connection: Connection, table: Table, *, after: list[Any] | None = None
) -> Iterator[Sequence[Row[Any]]]:
    """The rows of *table* in batches, in the order of its primary key, those past *after*."""
    keys = list(table.primary_key.columns)
    while True:
        query = select(table).order_by(*keys).limit(BATCH)
        if after is not None:
            query = query.where(tuple_(*keys) > tuple_(*after))
        rows = connection.execute(query).all()
        if not rows:
            return
        yield rows
        after = _key(table, rows[-1])


def _count(connection: Connection, table: Table) -> int:
    count: int = connection.execute(
        select(func.count()).select_from(table)
    ).scalar_one()
    return count


@dataclass(frozen=True, slots=True)
class _Contents:
    """How many rows a table has, and a sum that is the same in whatever order they come."""

    rows: int
    digest: int


def _verify(
    source: Database, target: Database, tables: Sequence[Table], progress: Progress
) -> int:
    """How many rows there are, when both databases hold the same.

    Raises:
        Differs: they do not.
    """
    differing, total = [], 0
    # Read afresh: what changed in the source since the copy began shows here.
    with source.reading() as mine, target.reading() as theirs:
        for table in tables:
            held, copied = _contents(mine, table), _contents(theirs, table)
            total += held.rows
            if held != copied:
                differing.append(table.name)
            progress("checked", table.name, copied.rows, held.rows)
    if differing:
        raise Differs(", ".join(differing))
    return total


def _contents(connection: Connection, table: Table) -> _Contents:
    count = digest = 0
    for rows in _pages(connection, table):
        count += len(rows)
        for row in rows:
            digest += int.from_bytes(hashlib.sha256(_canonical(row)).digest())
    # A sum, not an exclusive or: two equal changes must not hide each other.
    return _Contents(count, digest % (1 << _DIGEST_BITS))


def _canonical(row: Row[Any]) -> bytes:
    """One form of the row's values, whatever database they were read from."""
    return json.dumps([_plain(value) for value in row], sort_keys=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["at", value.isoformat()]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    return value


def _finish(target: Database, tables: Sequence[Table]) -> None:
    with target.transaction() as connection:
        if not target.is_sqlite:
            _set_sequences(connection, tables)
            # Else the first hours of the shop are planned for empty tables.
            connection.execute(text("ANALYZE"))
        _place_table.drop(connection)


def _set_sequences(connection: Connection, tables: Sequence[Table]) -> None:
    """Let PostgreSQL's next numbers follow those that were copied."""
    for table in tables:
        column = table.autoincrement_column
        if column is not None:
            newest = select(func.max(column)).scalar_subquery()
            connection.execute(
                select(
                    func.setval(
                        func.pg_get_serial_sequence(table.name, column.name),
                        func.coalesce(newest, 1),
                        newest.is_not(None),
                    )
                )
            )
