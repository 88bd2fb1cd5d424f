"""``regulars restore``: yesterday's shop goes on, and its receivers notice nothing but its age."""

import json
import stat
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import Plan, Receiver
from tests.operations.conftest import Place

from regulars.keep.in_use import working_on
from regulars.keep.replaced import Remembered
from regulars.restoration import ClockBehind, continue_from_copy

ERASED = "erased"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Where the backup of these tests is."""
    return tmp_path / "yesterday.tar"


def restore(place: Place, saved: Path) -> dict[str, Any]:
    """What the command told; it must succeed."""
    place.close()
    done = place.command("restore", str(saved), "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def customer_id(place: Place, email: str) -> str:
    (found,) = json.loads(place.command("customer", "find", email, "--json").stdout)
    return str(found["id"])


class System:
    """The shop's system as the contract wants it: one row a customer, by the highest version."""

    def __init__(self, receiver: Receiver) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.ignored: list[str] = []
        self._receiver = receiver
        self._read = 0

    def take(self) -> list[dict[str, Any]]:
        """What was taken of the events that arrived since; the rest is ``ignored``."""
        arrived = self._receiver.received[self._read :]
        self._read += len(arrived)
        taken, self.ignored = [], []
        for received in arrived:
            customer = received.event["data"]["customer"]
            held = self.rows.get(customer["id"])
            if held is not None and customer["version"] <= held["version"]:
                self.ignored.append(received.id)
                continue
            self.rows[customer["id"]] = customer
            taken.append(customer)
        return taken


def test_yesterdays_copy_under_a_live_receiver(place: Place, saved: Path) -> None:
    """Nothing new is ignored, nobody erased returns, what waited goes out, links open."""
    with Receiver() as receiver:
        system = System(receiver)
        place.add_endpoint(receiver.url)
        link = place.sign_up(contact_email="ana@example.com")["preferences_url"]
        place.sign_up(contact_email="bea@example.com", contact_phone="+1 212 456 7891")
        place.deliver()
        assert len(system.take()) == 2
        place.sign_up(contact_email="dora@example.com", contact_channel="email")
        ((waiting,),) = place.rows("SELECT event_id FROM delivery WHERE claims = 0")
        assert place.command("backup", str(saved)).exit_code == 0

        # The day after the backup: news of everybody, and two erasures.
        place.deliver()
        for topic in ("one", "two"):
            place.sign_up(contact_email="ana@example.com", topic=topic)
        place.sign_up(contact_email="eve@example.com")
        place.deliver()
        for email in ("bea@example.com", "eve@example.com"):
            gone = customer_id(place, email)
            assert place.command("customer", "erase", gone, "--yes").exit_code == 0
        place.deliver()
        system.take()
        suppressed = place.rows("SELECT kind, hmac FROM suppression")
        before = dict(system.rows)

        told = restore(place, saved)
        assert (told["erased"], told["customers"], told["journal"]) == (2, 2, True)

        place.deliver()
        taken = {customer["id"]: customer for customer in system.take()}
        # Dora's waited in the backup. It has arrived since: known by its id and version.
        assert told["deliveries"] == 1
        assert waiting in system.ignored
        assert [customer["status"] for customer in taken.values()] == [ERASED]

        place.sign_up(contact_email="ana@example.com", topic="three")
        place.sign_up(contact_email="bea@example.com")
        place.deliver()
        taken = {customer["id"]: customer for customer in system.take()}
        assert system.ignored == []
        ana, new_bea = sorted(taken.values(), key=lambda one: one["id"])
        assert ana["version"] > before[ana["id"]]["version"]
        assert ana["topics"] == ["three"]
        assert new_bea["id"] not in before

        erased = [row for row in before.values() if row["status"] == ERASED]
        assert len(erased) == 2
        assert {system.rows[row["id"]]["status"] for row in erased} == {ERASED}
        assert set(place.rows("SELECT kind, hmac FROM suppression")) >= set(suppressed)
        assert place.shop.app.test_client().get(link).status_code == 200


def test_no_byte_of_the_erased_is_in_the_restored_database(
    place: Place, saved: Path
) -> None:
    """The copy had them; what goes into the database's place does not."""
    place.sign_up(contact_email="bea@example.com", given_name="Beatriz")
    assert place.command("backup", str(saved)).exit_code == 0
    gone = customer_id(place, "bea@example.com")
    assert place.command("customer", "erase", gone, "--yes").exit_code == 0
    told = restore(place, saved)
    for path in place.folder.iterdir():
        if path.name != Path(told["replaced"]).name:
            assert b"bea@example.com" not in path.read_bytes(), path
            assert b"Beatriz" not in path.read_bytes(), path


def test_an_erasure_reaches_whoever_may_have_been_told(
    place: Place, saved: Path
) -> None:
    """In the copy the delivery was never begun; since then it arrived: customer.erased follows."""
    with Receiver(Plan(503)) as receiver:
        place.sign_up(contact_email="bea@example.com")
        place.add_endpoint(receiver.url)
        assert place.command("backup", str(saved)).exit_code == 0
        gone = customer_id(place, "bea@example.com")
        assert place.command("customer", "erase", gone, "--yes").exit_code == 0
        receiver.answer_by(Plan(200))
        restore(place, saved)
        place.deliver()
        (event,) = [received.event for received in receiver.received]
        assert event["type"] == "customer.erased"
        assert event["data"]["customer"]["id"] == gone


def test_leases_of_the_copy_are_nobodys(place: Place, saved: Path) -> None:
    """What somebody had taken up is due at once, and a worker of that time changes nothing."""
    with Receiver() as receiver:
        place.add_endpoint(receiver.url)
        place.sign_up(contact_email="ana@example.com")
        place.change(
            "UPDATE delivery SET state = 'leased', claims = 1, lease_token = 'old',"
            " step = 5, next_at = 99999999999999"
        )
        assert place.command("backup", str(saved)).exit_code == 0
        assert restore(place, saved)["deliveries"] == 1
        assert place.rows("SELECT lease_token, step FROM delivery") == [(None, 0)]
        assert place.deliver() == 1
    assert place.rows("SELECT state FROM delivery") == [("delivered",)]


def test_the_replaced_database_is_kept(place: Place, saved: Path) -> None:
    """Beside the new one, private, with what it had; the shop's settings and key stay."""
    place.sign_up(contact_email="ana@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    place.sign_up(contact_email="late@example.com")
    key = (place.folder / "secret_key").read_text()
    told = restore(place, saved)
    kept = Path(told["replaced"])
    assert kept.parent == place.folder
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert b"late@example.com" in kept.read_bytes()
    assert place.rows("SELECT value FROM contact_point") == [("ana@example.com",)]
    assert (place.folder / "secret_key").read_text() == key
    assert place.command("customer", "list").exit_code == 0


def test_each_restore_of_one_copy_passes_the_one_before(
    place: Place, saved: Path
) -> None:
    """Also when the database between them is lost, time alone tells them apart."""
    place.sign_up(contact_email="ana@example.com")
    place.command("backup", str(saved))
    first = restore(place, saved)["version"]
    assert restore(place, saved)["version"] > first
    house = place.shop.house
    later = [
        continue_from_copy(
            house.database,
            secret_key=house.settings.secret_key,
            journal_folder=place.folder,
            remembered=Remembered(),
            now=datetime.now(UTC) + timedelta(days=day),
        ).version
        for day in (1, 2)
    ]
    assert first + 86_000 < later[0]
    assert later[1] - later[0] > 86_000
    assert later[1] < 2**31


def test_a_clock_that_is_behind_is_no_measure(place: Place) -> None:
    """A version from it may have been sent already: nothing is changed."""
    place.sign_up(contact_email="ana@example.com")
    house = place.shop.house
    with pytest.raises(ClockBehind):
        continue_from_copy(
            house.database,
            secret_key=house.settings.secret_key,
            journal_folder=place.folder,
            remembered=Remembered(),
            now=datetime.now(UTC) - timedelta(hours=1),
        )
    assert place.rows("SELECT version FROM customer") == [(1,)]


def test_without_a_journal_it_says_what_that_means(
    place: Place, new_place: Callable[..., Place], saved: Path
) -> None:
    """A new machine works at once; with the old journal brought along the erased go again."""
    place.sign_up(contact_email="bea@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    gone = customer_id(place, "bea@example.com")
    assert place.command("customer", "erase", gone, "--yes").exit_code == 0
    other = new_place()
    done = other.command("restore", str(saved))
    assert done.exit_code == 0, done.stderr
    assert "no erasures.jsonl" in done.stderr
    assert other.rows("SELECT status FROM customer") == [("active",)]
    journal = (place.folder / "erasures.jsonl").read_bytes()
    (other.folder / "erasures.jsonl").write_bytes(journal)
    done = other.command("restore", "--in-place", "--yes", "--json")
    assert json.loads(done.stdout)["erased"] == 1
    assert other.rows("SELECT status FROM customer") == [(ERASED,)]


def test_a_line_cut_short_hides_no_other(place: Place, saved: Path) -> None:
    """A crash while the journal was written costs no erasure, before or after it."""
    for name in ("one", "two", "three"):
        place.sign_up(contact_email=f"{name}@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    first, second, third = (
        customer_id(place, f"{name}@example.com") for name in ("one", "two", "three")
    )
    place.command("customer", "erase", first, "--yes")
    with (place.folder / "erasures.jsonl").open("a") as journal:
        journal.write(f'{{"id":"{second}","at":"2026-')
    place.command("customer", "erase", third, "--yes")
    assert restore(place, saved)["erased"] == 3


def test_the_running_journal_is_never_lost(place: Place, saved: Path) -> None:
    """The backup's journal adds to the one of the place, line by line."""
    place.sign_up(contact_email="one@example.com")
    place.sign_up(contact_email="two@example.com")
    one, two = (customer_id(place, f"{n}@example.com") for n in ("one", "two"))
    place.command("customer", "erase", one, "--yes")
    assert place.command("backup", str(saved)).exit_code == 0
    journal = place.folder / "erasures.jsonl"
    in_backup = journal.read_text()
    journal.unlink()
    place.command("customer", "erase", two, "--yes")
    of_place = journal.read_text()
    assert restore(place, saved)["erased"] == 1
    text = journal.read_text()
    assert text.startswith(of_place)
    assert in_backup in text


def test_a_new_machine_becomes_the_shop(
    place: Place, new_place: Callable[..., Place], saved: Path
) -> None:
    """Key, settings and database arrive; links that were given out open there."""
    (place.folder / "regulars.env").write_text(
        "REGULARS_SHOP_NAME=Tony's\nREGULARS_X_BEARER_TOKEN=AAAA-token\n"
    )
    link = place.sign_up(contact_email="ana@example.com")["preferences_url"]
    assert place.command("backup", str(saved)).exit_code == 0
    other = new_place()
    told = restore(other, saved)
    assert told["replaced"] is None
    settings = other.shop.house.settings
    assert (settings.shop_name, settings.x_bearer_token) == ("Tony's", "")
    assert settings.secret_key == place.shop.house.settings.secret_key
    for name in ("regulars.env", "regulars.sqlite3", "secret_key"):
        assert stat.S_IMODE((other.folder / name).stat().st_mode) == 0o600
    assert other.shop.app.test_client().get(link).status_code == 200


def test_over_another_shop_its_key_and_settings_are_kept(
    place: Place, new_place: Callable[..., Place], saved: Path
) -> None:
    """The key goes with the database; whatever it replaces is beside it."""
    assert place.command("backup", str(saved)).exit_code == 0
    other = new_place()
    assert other.command("db", "upgrade").exit_code == 0
    key = (other.folder / "secret_key").read_text()
    restore(other, saved)
    (aside,) = other.folder.glob("secret_key.before-restore-*")
    assert aside.read_text() == key
    ours = place.shop.house.settings.secret_key
    assert (other.folder / "secret_key").read_text() == ours
    assert other.command("site", "list").exit_code == 0


def test_a_key_of_the_environment_must_be_the_backups(
    place: Place, new_place: Callable[..., Place], saved: Path
) -> None:
    """It would win over the restored one and open nothing: refused before anything changes."""
    assert place.command("backup", str(saved)).exit_code == 0
    other = new_place(SECRET_KEY="e" * 40)
    done = other.command("restore", str(saved), "--yes")
    assert done.exit_code == 1
    assert "REGULARS_SECRET_KEY is not the key" in done.stderr
    assert not other.database.exists()


def test_nobody_else_may_work_there(place: Place, saved: Path) -> None:
    """A service, a dispatcher or an open connection: refused, and nothing is changed."""
    place.sign_up(contact_email="ana@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    place.close()
    for opens in (working_on, lambda folder: place.shop.house.database.reading()):
        others_work = opens(place.folder)
        before = place.rows("SELECT version FROM customer")
        with others_work:
            done = place.command("restore", str(saved), "--yes")
        assert done.exit_code == 1
        assert "in use" in done.stderr
        assert place.rows("SELECT version FROM customer") == before
        place.close()
    assert list(place.folder.glob("*restore*")) == []


def test_without_a_yes_nothing_is_replaced(place: Place, saved: Path) -> None:
    """It asks where there is something to replace."""
    assert place.command("backup", str(saved)).exit_code == 0
    before = place.database.read_bytes()
    assert place.command("restore", str(saved), answer="n\n").exit_code == 1
    assert place.database.read_bytes() == before
    assert place.command("restore").exit_code == 2
    assert place.command("restore", str(saved), "--in-place").exit_code == 2


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    """One bit of the database differs."""
    at = data.index(b"SQLite format 3") + 5000
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def of_tomorrow(data: bytes) -> bytes:
    """The same by a release that this one does not know."""
    made = BytesIO()
    with (
        tarfile.open(fileobj=BytesIO(data)) as tar,
        tarfile.open(fileobj=made, mode="w") as later,
    ):
        for entry in tar.getmembers():
            text = tar.extractfile(entry).read()  # type: ignore[union-attr]
            if entry.name == "manifest.json":
                manifest = {**json.loads(text), "schema_revision": "9999"}
                text = json.dumps(manifest).encode()
                entry.size = len(text)
            later.addfile(entry, BytesIO(text))
    return made.getvalue()


def crafted(
    manifest: str = "", *, key: dict[str, Any] | None = None
) -> Callable[[bytes], bytes]:
    """The same with another text for a *manifest*, or with *key* set on the entry of the key."""

    def spoil(data: bytes) -> bytes:
        made = BytesIO()
        with (
            tarfile.open(fileobj=BytesIO(data)) as tar,
            tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as other,
        ):
            for entry in tar.getmembers():
                text = tar.extractfile(entry).read()  # type: ignore[union-attr]
                if entry.name == "manifest.json" and manifest:
                    text = manifest.encode()
                    entry.size = len(text)
                if entry.name == "secret_key":
                    for name, value in (key or {}).items():
                        setattr(entry, name, value)
                other.addfile(entry, BytesIO(text))
        return made.getvalue()

    return spoil


LINK = {"type": tarfile.SYMTYPE, "linkname": "regulars.sqlite3", "size": 0}
# A terabyte of zeros in no bytes at all.
SPARSE = {
    "pax_headers": {
        "GNU.sparse.size": str(1 << 40),
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.map": "0,64",
    }
}


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        pytest.param(crafted("[]"), "no backup", id="a manifest that is a list"),
        pytest.param(
            crafted('{"format": 1, "files": []}'), "no backup", id="files as a list"
        ),
        pytest.param(crafted("[" * 100_000), "no backup", id="a nested manifest"),
        pytest.param(crafted(key=LINK), "no backup", id="a link for the key"),
        pytest.param(crafted(key=SPARSE), "no backup", id="a sparse key"),
        pytest.param(cut, "damaged", id="cut short"),
        pytest.param(flipped, "checksum", id="one bit"),
        pytest.param(of_tomorrow, "later release", id="a later release"),
        pytest.param(lambda data: b"", "no backup", id="empty"),
        pytest.param(lambda data: b"\0" * 20480, "no backup", id="an empty tar"),
        pytest.param(lambda data: b"hello" * 4000, "no backup", id="another file"),
    ],
)
def test_a_backup_that_cannot_be_used_changes_nothing(
    place: Place, saved: Path, spoil: Callable[[bytes], bytes], word: str
) -> None:
    """It is read to its last byte before anything is touched."""
    place.sign_up(contact_email="ana@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    place.close()
    saved.write_bytes(spoil(saved.read_bytes()))
    before = {path.name: path.read_bytes() for path in place.folder.iterdir()}
    done = place.command("restore", str(saved), "--yes")
    assert done.exit_code == 1
    assert word in done.stderr
    assert "Nothing was changed" in done.stderr
    assert {p.name: p.read_bytes() for p in place.folder.iterdir()} == before


def test_without_room_nothing_is_changed(place: Place, saved: Path) -> None:
    """The copy is prepared beside the database and put in its place at the very end."""
    place.sign_up(contact_email="ana@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    place.close()
    before = place.database.read_bytes()
    done = place.command_apart(
        "restore", str(saved), "--yes", largest_file=len(before) // 2
    )
    assert done.returncode == 1, done.stderr
    assert "Nothing was changed" in done.stderr
    assert "Traceback" not in done.stderr
    assert place.database.read_bytes() == before
    assert [path for path in place.folder.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_database_is_replaced_all_the_same(place: Place, saved: Path) -> None:
    """That is when one restores; it is put aside as it is."""
    place.sign_up(contact_email="ana@example.com")
    assert place.command("backup", str(saved)).exit_code == 0
    place.close()
    place.database.write_bytes(b"\xff" * 8192)
    log = place.folder / "regulars.sqlite3-wal"
    log.write_bytes(b"of the old file")
    told = restore(place, saved)
    kept = Path(told["replaced"])
    assert kept.read_bytes() == b"\xff" * 8192
    assert not log.exists()
    assert place.rows("SELECT value FROM contact_point") == [("ana@example.com",)]


@pytest.mark.slow
def test_a_service_keeps_a_restore_away(new_shop: MakeShop, saved: Path) -> None:
    """serve holds the folder while it runs and lets go when it ends, however it ends."""
    shop = new_shop()
    shop.service.start()
    backup = shop.service.command("backup", str(saved))
    assert backup.returncode == 0, backup.stderr
    shop.house.database.engine.dispose()
    refused = shop.service.command("restore", str(saved), "--yes")
    assert (refused.returncode, "in use" in refused.stderr) == (1, True)
    assert shop.service.is_up()
    shop.service.kill()
    restored = shop.service.command("restore", str(saved), "--yes")
    assert restored.returncode == 0, restored.stderr
