"""``regulars restore``: an older copy becomes the shop again, and nobody notices but by its age."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import OperationalError

from regulars.app import Shop, belong_to_key, open_shop, upgrade_schema
from regulars.cli.console import (
    as_json,
    misuse,
    note,
    open_configured,
    open_existing,
    refuse,
    show,
)
from regulars.cli.settings_file import write_once, write_over
from regulars.keep.archive import (
    JOURNAL,
    KEY,
    SETTINGS_FILE,
    Archive,
    BadArchive,
    open_archive,
)
from regulars.keep.copies import CopyFailed, draft_of, make_durable
from regulars.keep.in_use import InUse, working_on
from regulars.keep.installation import OtherKey
from regulars.keep.journal import join_journal, journal_text
from regulars.keep.replaced import (
    Remembered,
    aside_of,
    close_for_all,
    put_in_place,
    remember,
)
from regulars.keep.schema import knows_revision
from regulars.restoration import ClockBehind, Continued, continue_from_copy
from regulars.settings import FILE_NAME, KEY_NAME
from regulars.values.instants import to_rfc3339

_UNCHANGED = "Nothing was changed."


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--in-place",
    is_flag=True,
    help="The database was put back by its own tool, such as pg_restore: go on from it.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def restore(file: Path | None, in_place: bool, yes: bool, as_json: bool) -> None:
    """Make the backup FILE the shop of the configured data folder.

    Stop 'serve' and 'dispatch' first. The database that is replaced is kept beside it.
    Every record continues at a version above any that can have been sent; what was not
    delivered goes out; whoever was erased since, by erasures.jsonl in the data folder,
    is erased again. What was asked, agreed to and changed after the backup is lost here:
    your own systems have had the events of it.
    """
    if in_place == (file is not None):
        misuse("Name the backup FILE, or say --in-place; see --help.")
    try:
        told = _restore_in_place(yes) if file is None else _restore(file, yes)
    except InUse:
        refuse(
            "The database is in use: stop 'regulars serve', 'regulars dispatch' and"
            f" every other command on it first. {_UNCHANGED}"
        )
    except (BadArchive, CopyFailed) as error:
        refuse(f"{error}. {_UNCHANGED}")
    except ClockBehind as error:
        refuse(f"The clock of this machine is behind {error}: set it. {_UNCHANGED}")
    except OtherKey:
        refuse(f"The key does not belong to the database. {_UNCHANGED}")
    except OperationalError as error:
        refuse(f"The copy could not be prepared: {error.orig}. {_UNCHANGED}")
    except OSError as error:
        refuse(f"{error}. Mend that and restore again: the database is as it was.")
    show(told, _as_text(told), as_json=as_json)


def _restore_in_place(yes: bool) -> dict[str, Any]:
    shop = open_existing()
    house = shop.house
    with working_on(house.journal_folder, alone=True):
        _confirm("Go on from the database as it is now?", yes)
        has_journal = _has_journal(house.journal_folder)
        done = continue_from_copy(
            house.database,
            secret_key=house.settings.secret_key,
            journal_folder=house.journal_folder,
            remembered=Remembered(),
            now=house.clock(),
        )
    return _told(done, has_journal, made_at=None, replaced=None)


def _restore(backup: Path, yes: bool) -> dict[str, Any]:
    with ExitStack() as work:
        archive = work.enter_context(open_archive(backup))
        manifest = archive.manifest
        if not knows_revision(manifest.schema_revision):
            raise BadArchive(
                f"{backup} was made by the later release {manifest.release}: install it"
            )
        key = (archive.text(KEY) or b"").decode("ascii", "replace").strip()
        shop = open_configured(first_key=key)
        file = _place_for(shop, key)
        work.enter_context(working_on(shop.house.journal_folder, alone=True))
        if file.exists():
            made_at = to_rfc3339(manifest.made_at)
            _confirm(f"Replace {file} by the shop as of {made_at}?", yes)
        return _replace(shop, file, archive, key)


def _place_for(shop: Shop, key: str) -> Path:
    """The file of the settings' database; ends with a finding where the backup cannot become it."""
    settings, file = shop.house.settings, shop.house.database.file
    if file is None:
        refuse(
            "The backup holds an SQLite database, the settings name another kind:"
            " restore it without REGULARS_DATABASE_URL, then 'regulars db copy' moves"
            f" it to PostgreSQL. {_UNCHANGED}"
        )
    key_file = settings.data_dir / KEY_NAME
    is_from_file = (
        key_file.is_file()
        and key_file.read_text("ascii").strip() == settings.secret_key
    )
    if settings.secret_key != key and not is_from_file:
        refuse(
            "REGULARS_SECRET_KEY is not the key of this backup: leave it out, or set it"
            f" to what 'tar -xOf FILE {KEY}' prints. {_UNCHANGED}"
        )
    return file


def _confirm(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True, err=True)


def _has_journal(folder: Path) -> bool:
    return journal_text(folder) is not None


def _replace(shop: Shop, file: Path, archive: Archive, key: str) -> dict[str, Any]:
    """Prepare the copy under a name of its own, then put it in the database's place."""
    house = shop.house
    folder, now = house.journal_folder, house.clock()
    has_journal = _has_journal(folder)
    with draft_of(file) as staged:
        archive.unpack_database(staged)
        remembered = _remember(file)
        done = _prepare(shop, archive, staged, key, remembered, now)
        close_for_all(staged)
        make_durable(staged)
        _put_key_back(
            house.settings.data_dir / KEY_NAME, house.settings.secret_key, key, now
        )
        aside = put_in_place(staged, file, now)
    _put_settings_back(house.settings.data_dir / FILE_NAME, archive, now)
    return _told(done, has_journal, made_at=archive.manifest.made_at, replaced=aside)


def _remember(file: Path) -> Remembered:
    if not file.exists():
        return Remembered()
    close_for_all(file)
    remembered = remember(file)
    if remembered is None:
        note(f"{file} cannot be read, so nothing is taken over from it.")
    return remembered or Remembered()


def _prepare(
    shop: Shop,
    archive: Archive,
    staged: Path,
    key: str,
    remembered: Remembered,
    now: datetime,
) -> Continued:
    house = shop.house
    settings = replace(
        house.settings, database_url=f"sqlite:///{staged}", secret_key=key
    )
    copied = open_shop(settings, clock=house.clock)
    database = copied.house.database
    try:
        upgrade_schema(copied, copy_first=False)
        belong_to_key(copied.house)
        join_journal(
            house.journal_folder, (archive.text(JOURNAL) or b"").decode("ascii")
        )
        return continue_from_copy(
            database,
            secret_key=key,
            journal_folder=house.journal_folder,
            remembered=remembered,
            now=now,
        )
    finally:
        database.engine.dispose()


def _put_key_back(path: Path, key_in_force: str, key: str, now: datetime) -> None:
    """Make *key* the one in *path*; the one before it is kept beside it."""
    if key_in_force == key:
        return
    write_over(path, key, aside=aside_of(path, now))


def _put_settings_back(path: Path, archive: Archive, now: datetime) -> None:
    text = (archive.text(SETTINGS_FILE) or b"").decode("utf-8")
    if not text or write_once(path, text) or path.read_text("utf-8") == text:
        return
    beside = path.with_name(f"{path.name}.from-backup-{now:%Y%m%dT%H%M%S}Z")
    write_once(beside, text)
    note(f"{path} stays as it is; the settings of the backup are in {beside}.")


def _told(
    done: Continued,
    has_journal: bool,
    *,
    made_at: datetime | None,
    replaced: Path | None,
) -> dict[str, Any]:
    if not has_journal:
        note(
            "There was no erasures.jsonl in the data folder: whoever was erased after"
            " the backup may be back. Put the journal of the old place there, if there"
            " is one, and run 'regulars restore --in-place'."
        )
    return {
        "made_at": to_rfc3339(made_at) if made_at else None,
        "replaced": str(replaced) if replaced else None,
        "version": done.version,
        "customers": done.customers,
        "deliveries": done.deliveries,
        "erased": done.erased,
        "journal": has_journal,
    }


def _as_text(told: dict[str, Any]) -> str:
    lines = [
        f"Customers: {told['customers']}, each continuing above version {told['version']}.",
        f"Undelivered events, due now: {told['deliveries']}.",
        f"Erasures made again: {told['erased']}.",
    ]
    if told["replaced"]:
        lines.append(f"The database before it is {told['replaced']}.")
    return "\n".join([*lines, "Next: regulars serve"])
