"""The database: connections, transactions, and the two types every table uses."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    ExceptionContext,
    MetaData,
    Table,
    cast,
    event,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from regulars.keep.sealing import Seal

BUSY_TIMEOUT_S = 30
# What a request waits for a connection while all of the process's are in use.
POOL_TIMEOUT_S = 2
# Of every PostgreSQL session. No statement limit: a slow one is work that was asked for,
# a stuck one waits for a lock or a dead server, and both of these have limits.
_SESSION_LIMITS_S = {
    # An open transaction keeps dead rows of the outbox alive for everybody.
    "idle_in_transaction_session_timeout": 30,
    "lock_timeout": 10,
}
# A server that vanished without a word is noticed in a minute, not in TCP's quarter of
# an hour. https://www.postgresql.org/docs/current/libpq-connect.html
_CONNECT_ARGS: dict[str, Any] = {
    "application_name": "regulars",
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
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


def is_past(instant: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether *instant* is not after the database's clock; false where it is null."""
    # The clock moves on while a statement runs, so PostgreSQL looks at it again for each
    # row and no index can help; what a subquery says is asked for once.
    return instant <= select(database_now()).scalar_subquery()


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add *rows*, but for those whose key is there, be it from another process just now."""
    connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def insert_or_replace(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add *rows*, all of the same columns; one whose primary key is there gets the new values."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key.columns]
    insert = _insert(connection, table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(
        insert.on_conflict_do_update(index_elements=keys, set_=changed), rows
    )


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def engine_options(url: str, *, threads: int) -> dict[str, Any]:
    """What the engine for *url* is made with in a process of *threads* threads."""
    options: dict[str, Any] = {
        # What a statement failed on is somebody's data: not into any error text.
        "hide_parameters": True,
        "pool_size": threads,
        # A wording is looked up while a signup's transaction is open: two for a thread.
        "max_overflow": threads,
        "pool_timeout": POOL_TIMEOUT_S,
    }
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        # What the operator wrote into the URL wins.
        given = parsed.query
        options["connect_args"] = {
            name: value for name, value in _CONNECT_ARGS.items() if name not in given
        }
        # Connections of a restarted server are replaced before anybody's work fails.
        options["pool_pre_ping"] = True
    return options


def is_unavailable(error: BaseException) -> bool:
    """Whether *error* says that the database is away or busy, and that trying again may help."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | PoolExhausted)


class Database:
    """One engine and the two ways to use it."""

    def __init__(self, engine: Engine, secret_key: str = "") -> None:
        """*secret_key* is the key that the database belongs to: what is sealed in it opens by it."""
        self.engine = engine
        self.seal = Seal(secret_key)
        # One writer at a time inside the process: SQLite's own back-off between
        # threads makes waits of half a second where this lock makes milliseconds.
        self._lock = threading.Lock() if self.is_sqlite else nullcontext()
        self._view: dict[str, Any] = {}
        if self.is_sqlite:
            _prepare_sqlite(engine)
        else:
            _prepare_postgresql(engine)
            self._view = {
                "isolation_level": "REPEATABLE READ",
                "postgresql_readonly": True,
            }

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite: one file, one writer."""
        return self.engine.dialect.name == "sqlite"

    @property
    def file(self) -> Path | None:
        """The file that an SQLite database is in; None where there is no such file."""
        name = self.engine.url.database
        return Path(name) if self.is_sqlite and name else None

    @property
    def shown_url(self) -> str:
        """The URL as people may read it: without its password."""
        return self.engine.url.render_as_string(hide_password=True)

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
        with self.engine.connect() as connection:
            connection.execution_options(**self._view)
            with connection.begin():
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


def _prepare_postgresql(engine: Engine) -> None:
    limits = "; ".join(f"SET {name} = '{s}s'" for name, s in _SESSION_LIMITS_S.items())

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        # By statement, not as a start option: poolers in between refuse those.
        connection.execute(limits)
        connection.commit()

    @event.listens_for(engine, "handle_error")
    def _discreetly(context: ExceptionContext) -> None:
        # The first line says what is wrong; those after it quote the row it is wrong with.
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None and error.args:
                error.args = (str(error.args[0]).partition("\n")[0],)
