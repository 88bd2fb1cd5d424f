"""Upgrades: a safety copy first, nothing half-done, and releases that meet each other's databases."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import event
from tests.operations.conftest import Place

from regulars.cli.console import bring_to_release
from regulars.keep.schema import MIGRATIONS, newest_revision


@pytest.fixture
def old(new_place: Callable[..., Place]) -> Place:
    """A shop that the first release made, with a site in it."""
    place = new_place()
    return made_at_0001(place)


def made_at_0001(place: Place) -> Place:
    with place.shop.app.app_context():
        upgrade(directory=str(MIGRATIONS), revision="0001")
    place.close()
    place.change(
        "INSERT INTO site VALUES ('site_1', 'Shop', 'pk_1', 'rs_1', '[]', 1763755200000)"
    )
    return place


def copies(place: Place) -> list[str]:
    return sorted(path.name for path in place.folder.glob("*.before-*"))


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        text: str = connection.execute(
            "SELECT version_num FROM alembic_version"
        ).fetchone()[0]
        return text


def test_an_old_database_is_copied_before_it_is_changed(old: Place) -> None:
    """The copy is private, of the old tables and whole; the command says where it is."""
    done = old.command("db", "upgrade")
    assert done.exit_code == 0, done.stderr
    copy = old.folder / f"regulars.sqlite3.before-{newest_revision()}"
    assert str(copy) in done.stderr
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (revision(copy), revision(old.database)) == ("0001", newest_revision())
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM site").fetchall() == [("Shop",)]
    assert old.command("site", "list", "--json").exit_code == 0
    again = old.command("db", "upgrade")
    assert "was brought" not in again.stderr
    assert copies(old) == [copy.name]


def test_a_fresh_database_needs_no_copy(new_place: Callable[..., Place]) -> None:
    """There is nothing that could be lost."""
    place = new_place()
    assert place.command("db", "upgrade").exit_code == 0
    assert copies(place) == []


def test_the_last_two_copies_are_kept(old: Place) -> None:
    """Older ones go; what a restore put aside is not counted and stays."""
    for number, name in enumerate(("0001", "0002", "restore-20260101T000000Z")):
        path = old.folder / f"regulars.sqlite3.before-{name}"
        path.write_bytes(b"old")
        os.utime(path, (number, number))
    assert old.command("db", "upgrade").exit_code == 0
    assert copies(old) == [
        "regulars.sqlite3.before-0002",
        f"regulars.sqlite3.before-{newest_revision()}",
        "regulars.sqlite3.before-restore-20260101T000000Z",
    ]


def test_without_room_for_the_copy_nothing_is_changed(old: Place) -> None:
    """A clear error, exit 1, and the database byte for byte as it was."""
    before = old.database.read_bytes()
    done = old.command_apart("db", "upgrade", largest_file=len(before) // 2)
    assert done.returncode == 1
    assert "was left as it was" in done.stderr
    assert "Traceback" not in done.stderr
    assert old.database.read_bytes() == before
    assert {path.name for path in old.folder.iterdir()} == {
        "regulars.sqlite3",
        "secret_key",
    }


def test_without_room_for_the_migration_nothing_is_changed(
    old: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy fits, the new tables do not: the database is of the old release, and usable."""

    def limit(connection: Any, record: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(old.shop.house.database.engine, "connect", limit)
    with pytest.raises(SystemExit) as ended:
        bring_to_release(old.shop)
    assert ended.value.code == 1
    assert "disk is full" in capsys.readouterr().err
    old.close()
    assert revision(old.database) == "0001"
    assert old.rows("PRAGMA integrity_check") == [("ok",)]
    assert old.command("db", "upgrade").exit_code == 0
    assert revision(old.database) == newest_revision()


def at_9999(place: Place, readable_from: str) -> Place:
    """*place* as a later release left it."""
    assert place.command("db", "upgrade").exit_code == 0
    place.change("UPDATE alembic_version SET version_num = '9999'")
    place.change(
        f"UPDATE installation SET value = '{readable_from}' WHERE name = 'readable_from'"
    )
    return place


def test_the_release_before_goes_on_with_the_new_tables(
    new_place: Callable[..., Place],
) -> None:
    """A later database that says so is used as it is, and not called old or broken."""
    place = at_9999(new_place(), "0003")
    assert place.command("site", "add", "Counter").exit_code == 0
    assert place.command("db", "upgrade").exit_code == 0
    assert revision(place.database) == "9999"
    assert copies(place) == []


def test_a_database_too_new_is_refused_by_name(
    new_place: Callable[..., Place],
) -> None:
    """One that this release cannot use is left alone: exit 1, no copy."""
    place = at_9999(new_place(), "9998")
    for words in (("site", "list"), ("db", "upgrade")):
        done = place.command(*words)
        assert done.exit_code == 1
        assert "release" in done.stderr
    assert "later release" in done.stderr
    assert copies(place) == []
    assert revision(place.database) == "9999"


def test_the_version_is_told(new_place: Callable[..., Place]) -> None:
    """As a number of three parts."""
    assert new_place().command("--version").stdout.strip().endswith("0.1.0")


def test_a_key_of_another_database_is_known_at_once(old: Place) -> None:
    """Every command refuses, names the key's file and changes nothing; the right key goes on."""
    assert old.command("db", "upgrade").exit_code == 0
    key_file = old.folder / "secret_key"
    right = key_file.read_text()
    key_file.write_text("w" * 64)
    before = old.database.read_bytes()
    for words in (("site", "list"), ("db", "upgrade"), ("customer", "list")):
        done = old.command(*words)
        assert done.exit_code == 1
        assert str(key_file) in done.stderr
    assert old.database.read_bytes() == before
    key_file.write_text(right)
    assert old.command("site", "list").exit_code == 0


def test_a_wrong_key_is_known_by_the_links_that_were_given_out(place: Place) -> None:
    """A database from before the check was kept has signups, and their links do not fit."""
    place.sign_up(contact_email="someone@example.com")
    place.close()
    assert place.rows("SELECT * FROM installation WHERE name = 'key_check'") == []
    (place.folder / "secret_key").write_text("w" * 64)
    done = place.command("db", "upgrade")
    assert done.exit_code == 1
    assert "secret key" in done.stderr
    assert place.rows("SELECT * FROM installation WHERE name = 'key_check'") == []
