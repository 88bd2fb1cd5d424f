"""Whether the database is there and of this release."""

from enum import StrEnum
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaState(StrEnum):
    """How the database stands to this release's tables."""

    MISSING = "missing"
    OTHER = "other"
    CURRENT = "current"


def state_of_schema(engine: Engine) -> SchemaState:
    """The state of the database behind *engine*; an SQLite file is not made by asking."""
    file = engine.url.database
    if engine.dialect.name == "sqlite" and not (file and Path(file).exists()):
        return SchemaState.MISSING
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        return SchemaState.MISSING
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    return SchemaState.CURRENT if revision == head else SchemaState.OTHER
