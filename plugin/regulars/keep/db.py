"""The database: connections, transactions, and the two types every table uses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    MetaData,
    cast,
    event,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_S = 30
# Execution option of connections that write: their transactions begin immediate.
WRITING = "regulars_writing"

db = SQLAlchemy(
    metadata=MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
)
metadata = db.metadata


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept as whole milliseconds since 1970 in UTC.

    One integer form on every database: it sorts, indexes, copies and compares with
    the database's own clock without a dialect's date functions.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Milliseconds; a naive datetime is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return round(value.timestamp() * 1000)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The aware UTC datetime."""
        if value is None:
            return None
        return datetime.fromtimestamp(value // 1000, UTC) + timedelta(
            milliseconds=value % 1000
        )


class _DatabaseNow(FunctionElement[Any]):
    type = BigInteger()
    inherit_cache = True


@compiles(_DatabaseNow, "sqlite")
def _now_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; a Julian day keeps milliseconds too.
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(_DatabaseNow, "postgresql")
def _now_on_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


def database_now(plus: timedelta = timedelta()) -> ColumnElement[datetime]:
    """The database's own clock, *plus* a while: the one clock of leases and due times."""
    milliseconds = round(plus.total_seconds() * 1000)
    return cast(_DatabaseNow() + milliseconds, Instant)


class Database:
    """One engine and the two ways to use it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # One writer at a time inside the process: SQLite's own back-off between
        # threads makes waits of half a second where this lock makes milliseconds.
        self._lock = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            _prepare_sqlite(engine)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite: one file, one writer."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing; the only place that commits. No network call inside."""
        with self._lock, self.engine.connect() as connection:
            connection.execution_options(**{WRITING: True})
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view, for reading only."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def scrub(self) -> bool:
        """Take deleted bytes out of SQLite's write-ahead log; whether it is now empty.

        ``secure_delete`` overwrites them in the file, the log still has the old pages.
        """
        if not self.is_sqlite:
            return True
        with self._lock, self.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[union-attr]
            return not busy


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        # The driver must not begin transactions by itself; the listener below does.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
            "journal_mode=WAL",
            # NORMAL may lose the last commits when the power goes: an accepted signup.
            "synchronous=FULL",
            "secure_delete=ON",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another
        # writer came between; an immediate one waits its turn.
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
