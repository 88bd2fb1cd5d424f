"""The migrations make, from nothing, exactly the tables that the code declares."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, create_engine, inspect, text
from tests.postgresql import SECRET_KEY

from regulars.app import Shop, open_shop, upgrade_schema
from regulars.keep.db import Instant, metadata
from regulars.keep.schema import MIGRATIONS, SchemaState, state_of_schema
from regulars.setting_parsers import database_url
from regulars.settings import load_settings


@pytest.fixture
def place(
    tmp_path: Path, database_kind: str, request: pytest.FixtureRequest
) -> dict[str, str]:
    """The settings of a database that has no table yet."""
    given = {"REGULARS_DATA_DIR": str(tmp_path)}
    if database_kind == "postgresql":
        given["REGULARS_DATABASE_URL"] = request.getfixturevalue("postgres").new()
        given["REGULARS_SECRET_KEY"] = SECRET_KEY
    return given


@pytest.fixture
def empty(place: dict[str, str]) -> Iterator[Shop]:
    """A shop whose database does not exist yet."""
    shop = open_shop(load_settings(place))
    yield shop
    shop.house.database.engine.dispose()


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
        # PostgreSQL lists those that unique constraints bring along besides.
        assert {
            index["name"]
            for index in inspector.get_indexes(name)
            if "duplicates_constraint" not in index
        } == {index.name for index in table.indexes}
        assert {
            (tuple(k["constrained_columns"]), k["referred_table"])
            for k in inspector.get_foreign_keys(name)
        } == {
            (tuple(k.column_keys), k.referred_table.name)
            for k in table.foreign_key_constraints
        }
    (due,) = [
        index
        for index in inspector.get_indexes("delivery")
        if index["name"] == "ix_delivery_due"
    ]
    where = due["dialect_options"][f"{inspector.dialect.name}_where"]
    assert str(where).strip("()") == "next_at IS NOT NULL"
    (check,) = inspector.get_check_constraints("delivery")
    assert check["name"] == "ck_delivery_next_at"
    assert "next_at IS NULL) = (" in check["sqltext"]


@pytest.mark.sqlite_only("compares the statements that SQLite keeps")
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
    assert state_of_schema(engine) is SchemaState.MISSING
    assert list(empty.house.settings.data_dir.glob("*.sqlite3")) == []
    upgrade_schema(empty)
    assert state_of_schema(engine) is SchemaState.CURRENT
    with empty.house.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    assert state_of_schema(engine) is SchemaState.OTHER


@pytest.mark.slow
def test_two_upgrades_at_once(empty: Shop, place: dict[str, str]) -> None:
    """One makes the tables, the other waits and finds nothing to do; neither fails."""
    regulars = Path(sys.executable).with_name("regulars")
    starts = [
        subprocess.Popen(
            [regulars, "db", "upgrade"], env=place, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    told = [start.communicate(timeout=60)[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], told
    assert differences(empty) == []
    assert state_of_schema(empty.house.database.engine) is SchemaState.CURRENT


EARLY = {"autovacuum_vacuum_scale_factor=0.01", "autovacuum_vacuum_cost_delay=0"}
TIDIED = {"delivery": {*EARLY, "fillfactor=80"}, "event": EARLY, "attempt": EARLY}


@pytest.mark.parametrize("table", TIDIED)
def test_busy_tables_are_tidied_early(postgres_url: str, table: str) -> None:
    """On PostgreSQL a hundredth of dead rows is enough, and the vacuum takes no rests."""
    engine = create_engine(database_url(postgres_url))
    with engine.connect() as connection:
        query = text("SELECT reloptions FROM pg_class WHERE oid = to_regclass(:name)")
        found = connection.execute(query, {"name": f"public.{table}"}).scalar_one()
    engine.dispose()
    assert set(found) == TIDIED[table]


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
