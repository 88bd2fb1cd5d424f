"""``regulars backup``: what is in the file, that the shop goes on meanwhile, and what it refuses."""

import io
import json
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.operations.conftest import Place
from tests.shops import EMAIL

from regulars.keep.copies import copy_database


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "tonys.tar"


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return set(tar.getnames())


def test_a_backup_is_one_private_file_with_all_that_is_needed(
    place: Place, target: Path, tmp_path: Path
) -> None:
    """Database, key and manifest, mode 0600, nothing beside it, and progress on standard error."""
    place.sign_up(contact_email=EMAIL)
    done = place.command("backup", str(target), "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["file"] == str(target)
    assert "100 % copied" in done.stderr
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]
    assert names(target) == {"manifest.json", "regulars.sqlite3", "secret_key"}
    assert member(target, "secret_key").decode() == place.shop.house.settings.secret_key
    manifest = json.loads(member(target, "manifest.json"))
    assert manifest["made_at"] == told["made_at"]
    assert manifest["release"] == "0.1.0"
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(member(target, "regulars.sqlite3"))
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("SELECT value FROM contact_point").fetchall()
        revision = connection.execute("SELECT version_num FROM alembic_version")
        assert revision.fetchone() == (manifest["schema_revision"],)
    assert found == [(EMAIL,)]


SETTINGS = """\
# ours
REGULARS_SHOP_NAME="Tony's"
REGULARS_X_BEARER_TOKEN=AAAA-secret
X_MODE=lookup
SECRET_KEY = {key}
REGULARS_DATABASE_URL=sqlite:///{database}
"""


@pytest.mark.parametrize(
    ("words", "has_token"), [((), False), (("--with-x-token",), True)]
)
def test_the_settings_go_without_token_and_machine(
    place: Place, target: Path, words: tuple[str, ...], has_token: bool
) -> None:
    """The X token only on demand; where the database was is of no use elsewhere."""
    key = place.shop.house.settings.secret_key
    place.close()
    (place.folder / "regulars.env").write_text(
        SETTINGS.format(key=key, database=place.database)
    )
    assert place.command("backup", str(target), *words).exit_code == 0
    text = member(target, "regulars.env").decode()
    assert 'REGULARS_SHOP_NAME="Tony\'s"' in text
    assert "\nX_MODE=lookup" in text
    assert ("\nREGULARS_X_BEARER_TOKEN=AAAA-secret\n" in text) is has_token
    assert key not in text
    assert str(place.database) not in text


def test_the_shop_goes_on_during_a_copy(place: Place, tmp_path: Path) -> None:
    """Whoever writes is not kept waiting, and the copy is of one instant, whole."""
    place.sign_up(contact_email="0@example.com")
    place.change("CREATE TABLE ballast (page BLOB)")
    for _ in range(40):
        place.change("INSERT INTO ballast VALUES (zeroblob(1000000))")
    written, stop = [0], threading.Event()

    def write() -> None:
        while not stop.is_set():
            written[0] += 1
            place.sign_up(contact_email=f"{written[0]}@example.com")

    during: list[int] = []
    writer = threading.Thread(target=write)
    writer.start()
    copy = tmp_path / "copy.sqlite3"
    copy_database(place.database, copy, lambda per_cent: during.append(written[0]))
    stop.set()
    writer.join()
    assert during[-1] > during[0]
    with closing(sqlite3.connect(copy)) as connection:
        customers = connection.execute("SELECT count(*) FROM customer").fetchone()[0]
        events = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    assert customers == events
    assert customers <= during[0] + 2


def test_a_file_that_is_there_is_not_replaced_unasked(
    place: Place, target: Path
) -> None:
    """A backup only with --overwrite, and anything else not even then."""
    assert place.command("backup", str(target)).exit_code == 0
    first = target.read_bytes()
    done = place.command("backup", str(target))
    assert (done.exit_code, "--overwrite" in done.stderr) == (1, True)
    assert target.read_bytes() == first
    assert place.command("backup", str(target), "--overwrite").exit_code == 0
    assert target.read_bytes() != first
    before = place.database.read_bytes()
    done = place.command("backup", str(place.database), "--overwrite")
    assert (done.exit_code, "is no backup" in done.stderr) == (1, True)
    assert place.database.read_bytes() == before


def test_a_folder_that_is_not_there_is_a_mistake(place: Place, tmp_path: Path) -> None:
    """Exit 2, and the folder is not made."""
    done = place.command("backup", str(tmp_path / "no" / "b.tar"))
    assert done.exit_code == 2
    assert not (tmp_path / "no").exists()


def test_without_room_there_is_no_half_a_backup(place: Place, target: Path) -> None:
    """A clear error, exit 1, and the folder as it was."""
    place.sign_up(contact_email=EMAIL)
    place.close()
    done = place.command_apart("backup", str(target), largest_file=100_000)
    assert done.returncode == 1, done.stderr
    assert "There is no backup" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(target.parent.iterdir()) == []


def test_a_damaged_database_gives_no_backup(place: Place, target: Path) -> None:
    """A copy of damage is not kept as if it were good."""
    place.sign_up(contact_email=EMAIL)
    place.close()
    (root,) = place.rows(
        "SELECT rootpage FROM sqlite_master WHERE name = 'ix_event_customer_id'"
    )[0]
    with place.database.open("r+b") as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        file.seek((root - 1) * size)
        file.write(b"\x0a\x00\x00\x00\x00")
    done = place.command("backup", str(target))
    assert done.exit_code == 1
    assert "damaged" in done.stderr or "malformed" in done.stderr
    assert list(target.parent.iterdir()) == []


def test_postgresql_has_its_own_tool(place: Place, target: Path) -> None:
    """The help says which, so that nobody looks for long."""
    help_text = place.command("backup", "--help").stdout
    assert "pg_dump --format=custom" in help_text
    assert "--in-place" in help_text


def test_the_erasure_journal_goes_along(place: Place, target: Path) -> None:
    """So that a shop that is restored from it knows of erasures when restored again."""
    place.sign_up(contact_email=EMAIL)
    ((customer_id,),) = place.rows("SELECT id FROM customer")
    assert place.command("customer", "erase", customer_id, "--yes").exit_code == 0
    assert place.command("backup", str(target)).exit_code == 0
    line = json.loads(io.BytesIO(member(target, "erasures.jsonl")).readline())
    assert (line["id"], line["version"]) == (customer_id, 2)
