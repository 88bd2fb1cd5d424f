"""Whether the database is there and of this release."""

from enum import StrEnum
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from regulars.keep.installation import installation_table, readable_from

MIGRATIONS = Path(__file__).parent / "migrations"
# A table that is there while a shop is being copied into the database.
UNFINISHED_COPY = "unfinished_copy"


class LaterDatabase(Exception):
    """The database is of a later release, which did not leave it for this one to use."""


class SchemaState(StrEnum):
    """How the database stands to this release's tables."""

    MISSING = "missing"
    OTHER = "other"
    CURRENT = "current"
    NEWER = "newer"
    """Of a later release, which left it so that this one can use it."""
    UNFINISHED = "unfinished"
    """Of this release, and a shop is being copied into it."""

    @property
    def is_usable(self) -> bool:
        """Whether this release's code may work on it as it is."""
        return self in {SchemaState.CURRENT, SchemaState.NEWER}


def state_of_schema(engine: Engine) -> SchemaState:
    """The state of the database behind *engine*; an SQLite file is not made by asking."""
    file = engine.url.database
    if engine.dialect.name == "sqlite" and not (file and Path(file).exists()):
        return SchemaState.MISSING
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision is None:
            return SchemaState.MISSING
        if revision == newest_revision():
            is_part = inspect(connection).has_table(UNFINISHED_COPY)
            return SchemaState.UNFINISHED if is_part else SchemaState.CURRENT
        return _state_of_other(connection, revision)


def revision_of(engine: Engine) -> str | None:
    """The revision that the database behind *engine* is at; None where it has no tables."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision of this release's tables."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


def knows_revision(revision: str) -> bool:
    """Whether this release can bring a database of *revision* to its own tables."""
    script = ScriptDirectory(str(MIGRATIONS))
    return revision in {found.revision for found in script.walk_revisions()}


def _state_of_other(connection: Connection, revision: str) -> SchemaState:
    """A later database is usable if it says so; revisions are numbers of equal width."""
    newest = newest_revision()
    if revision < newest or not inspect(connection).has_table(installation_table.name):
        return SchemaState.OTHER
    oldest = readable_from(connection)
    is_for_us = oldest is not None and oldest <= newest
    return SchemaState.NEWER if is_for_us else SchemaState.OTHER
