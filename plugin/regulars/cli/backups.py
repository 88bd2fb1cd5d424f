"""``regulars backup``: one file that a shop can be made of again, written while it runs."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click

from regulars.app import Shop
from regulars.cli.console import as_json, misuse, note, open_existing, refuse, show
from regulars.cli.settings_file import settings_for_backup
from regulars.keep.archive import (
    JOURNAL,
    KEY,
    SETTINGS_FILE,
    BadArchive,
    open_archive,
    write_archive,
)
from regulars.keep.copies import CopyFailed
from regulars.keep.journal import journal_text
from regulars.keep.schema import revision_of
from regulars.settings import FILE_NAME
from regulars.values.instants import to_rfc3339

_ON_POSTGRESQL = (
    "This database is PostgreSQL's to back up, with its own tool:\n"
    "  pg_dump --format=custom --file=regulars.dump DATABASE_URL\n"
    "Keep with it REGULARS_SECRET_KEY, the settings file and erasures.jsonl. After"
    " pg_restore, 'regulars restore --in-place' lets the shop go on from it."
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--with-x-token", is_flag=True, help="Keep REGULARS_X_BEARER_TOKEN in it, too."
)
@click.option("--overwrite", is_flag=True, help="Replace the backup that FILE is.")
@as_json
def backup(file: Path, with_x_token: bool, overwrite: bool, as_json: bool) -> None:
    """Write the shop into FILE; the service goes on meanwhile.

    FILE is a tar with the database, the secret key, the settings file and the erasure
    journal. Whoever has it has all of the customers: keep it as safe as the database.

    On PostgreSQL use 'pg_dump --format=custom --file=regulars.dump DATABASE_URL' and
    keep REGULARS_SECRET_KEY, the settings file and erasures.jsonl with the dump; after
    'pg_restore', 'regulars restore --in-place' lets the shop go on from it.
    """
    shop = open_existing()
    house = shop.house
    database_file = house.database.file
    if database_file is None:
        refuse(_ON_POSTGRESQL)
    target = file.absolute()
    _check_target(target, overwrite=overwrite)
    now = house.clock()
    try:
        write_archive(
            target,
            database_file,
            _texts(shop, with_x_token=with_x_token),
            release=version("regulars"),
            schema_revision=revision_of(house.database.engine) or "",
            now=now,
            progress=_tell_progress(),
        )
    except CopyFailed as error:
        refuse(f"{error}. There is no backup; the database is as it was.")
    made = {"file": str(target), "size": target.stat().st_size}
    show(
        {**made, "made_at": to_rfc3339(now), "with_x_token": with_x_token},
        f"{target} holds the shop as of {to_rfc3339(now)}.",
        as_json=as_json,
    )


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        misuse(f"There is no folder {target.parent}.")
    if not target.exists():
        return
    if not overwrite:
        refuse(f"{target} exists: choose another name, or say --overwrite.")
    try:
        with open_archive(target):
            pass
    except BadArchive:
        refuse(f"{target} is no backup and was left as it is: choose another name.")


def _texts(shop: Shop, *, with_x_token: bool) -> dict[str, bytes]:
    settings = shop.house.settings
    texts = {KEY: settings.secret_key.encode()}
    settings_file = settings.data_dir / FILE_NAME
    if settings_file.is_file():
        text = settings_for_backup(
            settings_file.read_text("utf-8"), with_x_token=with_x_token
        )
        texts[SETTINGS_FILE] = text.encode()
    journal = journal_text(shop.house.journal_folder)
    if journal is not None:
        texts[JOURNAL] = journal.encode("ascii", "replace")
    return texts


def _tell_progress() -> Callable[[int], None]:
    told = 0

    def tell(per_cent: int) -> None:
        nonlocal told
        if per_cent >= told + 10 or per_cent == 100 > told:
            told = per_cent
            note(f"database: {per_cent} % copied")

    return tell
