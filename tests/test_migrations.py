"""The migrations make, from nothing, exactly the tables that the code declares."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, inspect

from regulars.app import Shop, open_shop, upgrade_schema
from regulars.keep.db import Instant, metadata
from regulars.keep.schema import MIGRATIONS, SchemaState, state_of_schema
from regulars.settings import load_settings


@pytest.fixture
def empty(tmp_path: Path) -> Shop:
    """A shop whose database does not exist yet."""
    return open_shop(load_settings({"REGULARS_DATA_DIR": str(tmp_path)}))


def _is_other_type(context, inspected, declared, inspected_type, declared_type):  # type: ignore[no-untyped-def]
    # Kept as a plain integer: what a migration says must not change with the type's code.
    if isinstance(declared_type, Instant):
        return not isinstance(inspected_type, BigInteger)
    return None


def differences(shop: Shop) -> list[object]:
    """What alembic would change to bring the database to the declared tables."""
    with shop.house.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": _is_other_type, "target_metadata": metadata},
        )
        return list(compare_metadata(context, metadata))


def statements(file: Path) -> list[str]:
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master ORDER BY name")
        found = [str(row[0]) for row in rows]
    connection.close()
    return found


def test_an_upgrade_makes_the_declared_tables(empty: Shop) -> None:
    """Between the migrated database and the metadata there is no difference."""
    assert len(differences(empty)) > 10
    upgrade_schema(empty)
    assert differences(empty) == []


def test_indexes_and_constraints_are_made_too(empty: Shop) -> None:
    """What the comparison overlooks: partial indexes, checks and foreign keys, one by one."""
    upgrade_schema(empty)
    inspector = inspect(empty.house.database.engine)
    for name, table in metadata.tables.items():
        assert {i["name"] for i in inspector.get_indexes(name)} == {
            index.name for index in table.indexes
        }
        assert {
            (tuple(k["constrained_columns"]), k["referred_table"])
            for k in inspector.get_foreign_keys(name)
        } == {
            (tuple(k.column_keys), k.referred_table.name)
            for k in table.foreign_key_constraints
        }
    sql = "\n".join(statements(empty.house.settings.data_dir / "regulars.sqlite3"))
    assert "ix_delivery_due" in sql
    assert "WHERE next_at IS NOT NULL" in sql
    assert "(next_at IS NULL) = (state NOT IN ('pending', 'leased'))" in sql


def test_a_second_upgrade_does_nothing(empty: Shop) -> None:
    """On a database of this release an upgrade changes neither tables nor revision."""
    upgrade_schema(empty)
    file = empty.house.settings.data_dir / "regulars.sqlite3"
    before = statements(file)
    upgrade_schema(empty)
    assert statements(file) == before
    assert differences(empty) == []


def test_the_state_is_known(empty: Shop) -> None:
    """Missing, current and other are told apart, and asking makes no file."""
    engine = empty.house.database.engine
    file = empty.house.settings.data_dir / "regulars.sqlite3"
    assert state_of_schema(engine) is SchemaState.MISSING
    assert not file.exists()
    upgrade_schema(empty)
    assert state_of_schema(engine) is SchemaState.CURRENT
    with empty.house.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    assert state_of_schema(engine) is SchemaState.OTHER


def test_there_is_one_line_of_revisions() -> None:
    """No two migrations follow the same one: there is one head and one base."""
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_every_name_fits_postgresql() -> None:
    """PostgreSQL cuts names after 63 bytes, and two cut names may be the same."""
    names = [
        index.name for table in metadata.tables.values() for index in table.indexes
    ]
    names += [
        constraint.name
        for table in metadata.tables.values()
        for constraint in table.constraints
    ]
    assert all(len(str(name)) <= 63 for name in [*names, *metadata.tables])
