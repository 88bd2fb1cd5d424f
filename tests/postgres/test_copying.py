"""``regulars db copy``: a shop moves into another database, whole or not at all."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text
from tests.acceptance.receiver import Receiver
from tests.postgres.lived import contents, fill
from tests.shop.by_hand import (
    change,
    make_due,
    resume,
    rows,
    states,
    token_of,
)
from tests.shops import ShopUnderTest

from regulars.app import Shop, make_transport
from regulars.keep.copying import BATCH, CannotCopy, Differs, copy_shop
from regulars.keep.customers import customer_table
from regulars.keep.schema import SchemaState, state_of_schema
from regulars.tell.dispatcher import Dispatcher
from regulars.tell.endpoints import endpoint_table
from regulars.values.instants import now_utc


def copied(source: ShopUnderTest, target: Shop) -> int:
    return copy_shop(
        source.house.database, target.house.database, lambda *progress: None
    )


def test_everything_is_copied(source: ShopUnderTest, target: Shop) -> None:
    """Each row of each table, customers and erased ones, deliveries in every state, bytes and all."""
    count = copied(source, target)
    expected = contents(source.shop)
    assert contents(target) == expected
    assert count == sum(map(len, expected.values()))
    assert state_of_schema(target.house.database.engine) is SchemaState.CURRENT


def test_there_and_back(
    source: ShopUnderTest,
    target: Shop,
    open_target: Callable[[str], Shop],
    tmp_path: Path,
) -> None:
    """From PostgreSQL back to SQLite nothing has changed."""
    copied(source, target)
    back = open_target(f"sqlite:///{tmp_path}/back.sqlite3")
    copy_shop(target.house.database, back.house.database, lambda *progress: None)
    assert contents(back) == contents(source.shop)


def test_the_copied_shop_serves_and_delivers(
    source: ShopUnderTest, target: Shop
) -> None:
    """Links open, keys work, the known customer goes on at the next version, what waits goes out."""
    known = source.sign_up(by_key=True, external_id="A-1", topic="parking")
    copied(source, target)
    moved = ShopUnderTest(target, source.clock, source.site, source.key)
    assert moved.client.get(f"/p/{token_of(known)}").status_code == 200
    answer = moved.sign_up(by_key=True, external_id="A-1", **moved.consent())
    assert answer.json["customer"]["id"] == known.json["customer"]["id"]
    version = known.json["customer"]["version"]
    assert answer.json["customer"]["version"] == version + 1
    # The next consent's number follows the copied ones.
    fresh = moved.sign_up(
        contact_email="new@example.org", contact_channel="email", **moved.consent()
    )
    assert fresh.status_code == 201
    with Receiver() as receiver:
        change(moved, endpoint_table, url=receiver.url)
        for endpoint in rows(moved, endpoint_table):
            resume(moved, endpoint.id)
        make_due(moved, "leased")
        make_due(moved, "pending")
        database = target.house.database
        transport = make_transport(target.house.settings)
        while Dispatcher(database, transport, now_utc).run_once():
            pass
    assert set(states(moved)) == {"delivered", "dead"}


class Interrupted(Exception):
    pass


def test_goes_on_where_it_was_broken_off(source: ShopUnderTest, target: Shop) -> None:
    """Broken off after the first batch of a table: the second run begins with the second."""
    fill(source, 2 * BATCH + 10)
    seen: list[tuple[str, str, int]] = []

    def break_off(step: str, table: str, done: int, total: int) -> None:
        if table == "suppression":
            raise Interrupted

    def note(step: str, table: str, done: int, total: int) -> None:
        seen.append((step, table, done))

    databases = source.house.database, target.house.database
    with pytest.raises(Interrupted):
        copy_shop(*databases, break_off)
    assert state_of_schema(databases[1].engine) is SchemaState.UNFINISHED
    copy_shop(*databases, note)
    total = len(contents(source.shop)["suppression"])
    done = [row[2] for row in seen if row[:2] == ("copied", "suppression")]
    assert done == [2 * BATCH, total]
    assert contents(target) == contents(source.shop)
    assert state_of_schema(databases[1].engine) is SchemaState.CURRENT


WRONG = {
    "a value": "UPDATE customer SET given_name = 'Eve' WHERE given_name IS NOT NULL",
    "null for a value": "UPDATE customer SET given_name = NULL WHERE given_name IS NOT NULL",
    "a value for null": "UPDATE customer SET family_name = '' WHERE given_name IS NOT NULL",
    "two values exchanged": "UPDATE customer SET created_at = updated_at, updated_at = created_at",
    "json": "UPDATE customer SET topics = '[\"x\"]' WHERE given_name IS NOT NULL",
    "a time by a millisecond": "UPDATE customer SET updated_at = updated_at + 1",
}


@pytest.mark.parametrize("statement", WRONG.values(), ids=WRONG)
def test_a_wrong_row_is_found(
    source: ShopUnderTest, target: Shop, statement: str
) -> None:
    """A row that changed on the way: the copy is refused by the table's name, and stays unfinished."""
    with source.house.database.transaction() as connection:
        values = {"created_at": datetime.fromisoformat("2020-01-01T00:00:00Z")}
        connection.execute(customer_table.update().values(values))

    def spoil(step: str, table: str, done: int, total: int) -> None:
        if (step, table, done) == ("copied", "customer", total):
            with target.house.database.transaction() as connection:
                connection.execute(text(statement))

    with pytest.raises(Differs, match=r"^customer$"):
        copy_shop(source.house.database, target.house.database, spoil)
    assert state_of_schema(target.house.database.engine) is SchemaState.UNFINISHED


def test_a_missing_row_is_found(source: ShopUnderTest, target: Shop) -> None:
    """The number of rows counts too."""

    def lose(step: str, table: str, done: int, total: int) -> None:
        if (step, table) == ("copied", "attempt"):
            with target.house.database.transaction() as connection:
                connection.execute(text("DELETE FROM attempt WHERE number = 1"))

    with pytest.raises(Differs, match=r"^attempt$"):
        copy_shop(source.house.database, target.house.database, lose)


def test_a_source_that_is_still_at_work_is_found(
    source: ShopUnderTest, target: Shop
) -> None:
    """What changed in the source after the copy began is not passed over."""

    def sign_up(step: str, table: str, done: int, total: int) -> None:
        if (step, table) == ("copied", "customer"):
            assert source.sign_up(contact_email="late@example.org").status_code == 201

    with pytest.raises(Differs, match="customer"):
        copy_shop(source.house.database, target.house.database, sign_up)


def test_a_target_with_a_shop_is_left_alone(
    source: ShopUnderTest, target: Shop
) -> None:
    """A second copy into the same database is refused, and changes nothing there."""
    copied(source, target)
    before = contents(target)
    with pytest.raises(CannotCopy, match="holds a shop already"):
        copied(source, target)
    assert contents(target) == before
    assert not inspect(target.house.database.engine).has_table("unfinished_copy")


def test_part_of_another_shop_is_left_alone(
    source: ShopUnderTest,
    target: Shop,
    open_target: Callable[[str], Shop],
    tmp_path: Path,
) -> None:
    """An unfinished copy goes on from the source that it was begun with, or not at all."""

    def break_off(*progress: object) -> None:
        raise Interrupted

    other = open_target(f"sqlite:///{tmp_path}/other.sqlite3")
    with pytest.raises(Interrupted):
        copy_shop(source.house.database, target.house.database, break_off)
    with pytest.raises(CannotCopy, match="of another source"):
        copy_shop(other.house.database, target.house.database, break_off)


def test_a_row_that_does_not_fit_is_named_by_its_key(
    source: ShopUnderTest, target: Shop
) -> None:
    """What SQLite takes and PostgreSQL refuses: table, key and kind of error, nothing of the person."""
    with source.house.database.transaction() as connection:
        connection.execute(text("UPDATE customer SET given_name = 'Ana' || char(0)"))
        ids = connection.execute(select(customer_table.c.id)).scalars().all()
    with pytest.raises(CannotCopy) as caught:
        copied(source, target)
    assert str(caught.value).startswith(
        f"the target does not take the row {min(ids)} of"
    )
    assert "Ana" not in str(caught.value)
