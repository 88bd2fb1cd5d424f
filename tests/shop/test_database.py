"""The database: transactions that are whole, instants that are exact, pragmas that hold."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from tests.shop.by_hand import open_again, rows
from tests.shops import ShopUnderTest

from regulars.keep.contact_points import contact_point_table
from regulars.keep.db import Database, Instant, database_now
from regulars.keep.sites import key_table, site_table


def add_site(connection: Connection, name: str, at: datetime) -> None:
    connection.execute(
        site_table.insert().values(
            id=f"site_{name}",
            name=name,
            publishable_key=f"pk_{name}",
            receipt_secret="rs_x",
            origins=[],
            created_at=at,
        )
    )


def add_twice(shop: ShopUnderTest, name: str) -> None:
    """One transaction of which the second half fails."""
    with shop.house.database.transaction() as connection:
        add_site(connection, name, shop.clock())
        add_site(connection, name, shop.clock())


def names(shop: ShopUnderTest) -> set[str]:
    return {row.name for row in rows(shop, site_table)}


def test_a_transaction_is_all_or_nothing(shop: ShopUnderTest) -> None:
    """An error on the way takes everything back, and the lock with it."""
    before = names(shop)
    database = shop.house.database
    with pytest.raises(IntegrityError):
        add_twice(shop, "half")
    assert names(shop) == before
    with database.transaction() as connection:
        add_site(connection, "whole", shop.clock())
    assert names(shop) == before | {"whole"}


def test_a_reader_sees_one_state(shop: ShopUnderTest) -> None:
    """What is committed in between is not there before the reading ends; the writer does not wait."""
    database = shop.house.database
    with database.reading() as connection:
        before = len(connection.execute(select(site_table)).all())
        with database.transaction() as writing:
            add_site(writing, "meanwhile", shop.clock())
        assert len(connection.execute(select(site_table)).all()) == before
    assert "meanwhile" in names(shop)


@pytest.mark.sqlite_only("PostgreSQL locks rows, not the database")
def test_a_transaction_locks_before_it_reads(shop: ShopUnderTest) -> None:
    """Read, then write, in eight threads of two processes: no increment is lost, none fails."""
    second = open_again(shop).house.database
    with shop.house.database.transaction() as connection:
        add_site(connection, "0", shop.clock())

    def count_up(database: Database) -> None:
        for _ in range(5):
            with database.transaction() as connection:
                where = site_table.c.id == "site_0"
                row = connection.execute(select(site_table).where(where)).one()
                values = {"name": str(int(row.name) + 1)}
                connection.execute(site_table.update().where(where).values(values))

    threads = [
        threading.Thread(target=count_up, args=(database,))
        for database in [shop.house.database, second] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    second.engine.dispose()
    assert "40" in names(shop)


PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "secure_delete": 1,
    "foreign_keys": 1,
    "busy_timeout": 30_000,
}


@pytest.mark.sqlite_only("PostgreSQL has none of them")
@pytest.mark.parametrize(("pragma", "value"), PRAGMAS.items())
def test_pragmas(shop: ShopUnderTest, pragma: str, value: str | int) -> None:
    """On each connection of the pool, not on the first alone."""
    engine = shop.house.database.engine
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            found = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
            assert found == value


def test_foreign_keys_hold(shop: ShopUnderTest) -> None:
    """An address of nobody is refused."""
    with (
        pytest.raises(IntegrityError),
        shop.house.database.transaction() as connection,
    ):
        connection.execute(
            contact_point_table.insert().values(
                id="cp_1",
                customer_id="cus_unknown",
                kind="email_address",
                value="x",
                normalized="x",
                ownership="claimed",
                is_primary=True,
                created_at=shop.clock(),
            )
        )


def test_an_error_names_no_parameter(shop: ShopUnderTest) -> None:
    """What a statement failed on is somebody's data: it is in no error text."""
    with pytest.raises(IntegrityError) as caught:
        add_twice(shop, "ana.lima.secret")
    assert "ana.lima.secret" not in str(caught.value)


INSTANTS = [
    datetime(2026, 11, 21, 20, 15, 4, 318000, UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
    datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(9999, 12, 31, 23, 59, 59, 999000, UTC),
]


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_an_instant_comes_back_as_it_was(
    shop: ShopUnderTest, instant: datetime
) -> None:
    """To the millisecond, aware, in UTC."""
    with shop.house.database.transaction() as connection:
        add_site(connection, "one", instant)
    (found,) = [r.created_at for r in rows(shop, site_table) if r.name == "one"]
    assert found == instant
    assert found.tzinfo is UTC


def test_an_instant_is_one_whole_number(shop: ShopUnderTest) -> None:
    """Milliseconds since 1970, which sort and compare on every database."""
    with shop.house.database.transaction() as connection:
        add_site(connection, "one", datetime(1970, 1, 2, 0, 0, 0, 5000, UTC))
        stored = connection.exec_driver_sql(
            "SELECT created_at FROM site WHERE name = 'one'"
        ).scalar_one()
    assert stored == 86_400_005


def test_null_is_no_instant(shop: ShopUnderTest) -> None:
    """A key that was never revoked."""
    assert [row.revoked_at for row in rows(shop, key_table)] == [None]


def test_a_naive_datetime_is_refused() -> None:
    """Nobody can tell which moment it names."""
    naive = datetime(2026, 11, 21)  # noqa: DTZ001 - what is to be refused
    with pytest.raises(ValueError, match="time zone"):
        Instant().process_bind_param(naive, postgresql.dialect())


@pytest.mark.parametrize("plus", [timedelta(), timedelta(hours=1), -timedelta(days=2)])
def test_the_databases_clock(shop: ShopUnderTest, plus: timedelta) -> None:
    """Its present moment to the millisecond, moved by what was asked."""
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    with shop.house.database.reading() as connection:
        found = connection.execute(select(database_now(plus))).scalar_one()
    after = datetime.now(UTC) + timedelta(milliseconds=2)
    assert before <= found - plus <= after


def test_the_databases_clock_goes_on_within_a_transaction() -> None:
    """On PostgreSQL ``now()`` stands still while a transaction is open: a lease would begin early."""
    sql = str(select(database_now()).compile(dialect=postgresql.dialect()))
    assert "clock_timestamp()" in sql


@pytest.mark.sqlite_only("there is no log file of ours")
def test_scrub_empties_the_log(shop: ShopUnderTest) -> None:
    """What was deleted is neither in the file nor in the write-ahead log."""
    database, folder = shop.house.database, shop.house.settings.data_dir
    with database.transaction() as connection:
        add_site(connection, "needle-in-the-log", shop.clock())
    with database.transaction() as connection:
        connection.execute(site_table.delete().where(site_table.c.name != "Shop"))
    log = folder / "regulars.sqlite3-wal"
    assert b"needle-in-the-log" in log.read_bytes()
    assert database.scrub()
    assert log.stat().st_size == 0
    for file in folder.iterdir():
        assert b"needle-in-the-log" not in file.read_bytes(), file.name
