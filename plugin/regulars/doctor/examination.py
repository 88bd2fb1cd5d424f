"""The examination: everything that can be looked at from inside, in one list."""

from datetime import datetime

from regulars.check.gate import Gate
from regulars.doctor.business import (
    ask_x,
    check_access,
    check_dispatcher,
    check_endpoints,
    check_sites,
    check_x,
)
from regulars.doctor.findings import Finding, Severity
from regulars.doctor.records import check_database, check_schema
from regulars.doctor.surroundings import check_folder, check_settings
from regulars.keep.db import Database
from regulars.keep.journal import journal_folder
from regulars.settings import Settings


def examine(
    settings: Settings, database: Database, now: datetime, *, ask: Gate | None = None
) -> list[Finding]:
    """All findings, what is well too; with the gate to *ask* X by, one look-up is spent.

    Where there is no database to look into, what would be in it is not looked at.
    """
    findings = [*check_settings(settings)]
    # What must not be lost is beside the SQLite file, or else in the data folder.
    findings += check_folder(settings, journal_folder(database, settings.data_dir))
    schema = check_schema(database)
    findings.append(schema)
    if schema.severity is Severity.PROBLEM:
        return findings
    findings += check_database(database, settings.secret_key, now)
    with database.reading() as connection:
        findings += check_sites(connection)
        if ask is None:
            findings += check_x(connection, settings, now)
        findings.append(check_dispatcher(connection, now))
        findings += check_endpoints(connection, settings, now)
    if ask is not None:
        findings.append(ask_x(ask, settings, now))
    with database.reading() as connection:
        findings += check_access(connection, settings, now)
    return findings
