"""The database: there, of this release, of this key, writable, of the right time."""

from collections.abc import Iterator
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from regulars.doctor.findings import Finding, fine, problem, warning
from regulars.keep.db import Database, database_now
from regulars.keep.installation import OtherKey, check_key, installation_table
from regulars.keep.schema import SchemaState, state_of_schema
from regulars.keep.sealing import CannotOpen, Seal
from regulars.tell.changing import count_plain_secrets
from regulars.tell.endpoints import list_endpoints
from regulars.tell.secrets import opened

_CLOCKS_APART_S = 2.0
_UPGRADE = "Run 'regulars db upgrade', or start 'regulars serve', which does it."


class _Undo(Exception):
    """Ends a transaction without keeping anything of it."""


def check_schema(database: Database) -> Finding:
    """Whether there is a database that this release can use."""
    try:
        state = state_of_schema(database.engine)
    except SQLAlchemyError as error:
        return problem(
            "database.unreachable",
            f"The database does not answer ({type(error).__name__}).",
            "See whether it runs and REGULARS_DATABASE_URL is right.",
        )
    if state is SchemaState.MISSING:
        return problem("database.missing", "There is no database yet.", _UPGRADE)
    if not state.is_usable:
        return problem(
            "database.other_release", "The database is of another release.", _UPGRADE
        )
    if state is SchemaState.NEWER:
        return warning(
            "database.newer",
            "The database is of a later release, which lets this one use it.",
            "Install the later release here too.",
        )
    return fine("database.current", "The database is there and of this release.")


def check_database(
    database: Database, secret_key: str, now: datetime
) -> Iterator[Finding]:
    """What else can be wrong with a database that this release can use."""
    with database.reading() as connection:
        yield _check_key(connection, secret_key)
        yield from _check_seals(connection, database.seal, now)
        yield _check_clock(connection, now)
        if database.is_sqlite:
            yield _check_journal(connection)
    yield _check_writing(database)


def _check_key(connection: Connection, secret_key: str) -> Finding:
    try:
        check_key(connection, secret_key)
    except OtherKey:
        return problem(
            "database.other_key",
            "The database was made under another secret key: no link in it opens.",
            "Put the right key back: REGULARS_SECRET_KEY, or the file in the data folder.",
        )
    return fine("database.key", "The database belongs to this secret key.")


def _check_seals(
    connection: Connection, seal: Seal, now: datetime
) -> Iterator[Finding]:
    for endpoint in list_endpoints(connection, now):
        try:
            opened(seal, endpoint.id, endpoint.secrets, endpoint.headers)
        except CannotOpen:
            yield problem(
                "endpoint.sealed_otherwise",
                f"The secrets of endpoint {endpoint.id} do not open: it is sent nothing.",
                "Put the right REGULARS_SECRET_KEY back; or 'regulars endpoint rotate"
                f" {endpoint.id} --overlap 0', and set its headers again.",
            )
    plain = count_plain_secrets(connection)
    if plain:
        yield warning(
            "endpoint.unsealed",
            f"The secrets of {plain} endpoints can be read in the database.",
            "Run 'regulars db upgrade', which seals them.",
        )


def _check_clock(connection: Connection, now: datetime) -> Finding:
    # Asked between two readings of one clock it would be exact; this is near enough.
    theirs = connection.execute(select(database_now())).scalar_one()
    apart = abs((theirs - now).total_seconds())
    if apart > _CLOCKS_APART_S:
        return problem(
            "clock.apart",
            f"The clocks of the database and of this machine are {apart:.0f} s apart.",
            "Let both follow a time server: signatures are good for five minutes.",
        )
    return fine("clock.agrees", "The clocks of database and machine agree.")


def _check_journal(connection: Connection) -> Finding:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        return problem(
            "database.journal",
            f"SQLite keeps its journal in mode {mode!r}, not as a write-ahead log.",
            "Put the data folder on a local disk: network storage cannot do it.",
        )
    return fine("database.journal", "SQLite keeps a write-ahead log.")


def _check_writing(database: Database) -> Finding:
    try:
        with database.transaction() as connection:
            _write_in_vain(connection)
    except _Undo:
        return fine("database.writable", "The database can be written to.")
    except SQLAlchemyError as error:
        return problem(
            "database.read_only",
            f"The database cannot be written to ({type(error).__name__}).",
            "See whether this user may write to it and the disk has room.",
        )


def _write_in_vain(connection: Connection) -> NoReturn:
    table = installation_table
    connection.execute(table.update().values(value=table.c.value))
    raise _Undo
