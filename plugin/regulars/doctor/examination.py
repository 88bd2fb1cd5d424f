"""The examination: everything that can be looked at from inside, in one list."""

from datetime import datetime
from pathlib import Path

from regulars.check.gate import Gate
from regulars.doctor.business import (
    ask_x,
    check_dispatcher,
    check_endpoints,
    check_sites,
    check_x,
)
from regulars.doctor.findings import Finding, Severity
from regulars.doctor.records import check_database, check_schema
from regulars.doctor.surroundings import check_folder, check_settings
from regulars.keep.db import Database
from regulars.settings import Settings


def examine(
    settings: Settings, database: Database, now: datetime, *, ask: Gate | None = None
) -> list[Finding]:
    """All findings, what is well too; with the gate to *ask* X by, one look-up is spent.

    Where there is no database to look into, what would be in it is not looked at.
    """
    findings = [*check_settings(settings)]
    findings += check_folder(settings, _folder(settings, database))
    schema = check_schema(database)
    findings.append(schema)
    if schema.severity is Severity.PROBLEM:
        return findings
    findings += check_database(database, settings.secret_key, now)
    with database.reading() as connection:
        findings += check_sites(connection)
        if ask is None:
            findings += check_x(connection, settings)
        findings.append(check_dispatcher(connection, now))
        findings += check_endpoints(connection, settings, now)
    if ask is not None:
        findings.append(ask_x(ask, settings, now))
    return findings


def _folder(settings: Settings, database: Database) -> Path:
    """Where what must not be lost is: the SQLite file's folder, else the data folder."""
    file = database.engine.url.database
    if database.is_sqlite and file:
        return Path(file).resolve().parent
    return settings.data_dir
