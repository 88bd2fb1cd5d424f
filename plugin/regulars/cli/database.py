"""``regulars db``: the database itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click
from sqlalchemy.exc import SQLAlchemyError

from regulars.app import Shop, open_shop, upgrade_schema
from regulars.cli.console import (
    bring_to_release,
    misuse,
    note,
    open_configured,
    refuse,
)
from regulars.keep.copies import CopyFailed
from regulars.keep.copying import CannotCopy, Differs, copy_shop
from regulars.keep.db import is_unavailable
from regulars.keep.in_use import InUse, working_on
from regulars.keep.schema import LaterDatabase, SchemaState, state_of_schema
from regulars.setting_parsers import database_url
from regulars.settings import KEY_NAME, Settings

_TELL_EVERY_S = 1.0


@click.group(name="db")
def database_group() -> None:
    """The database."""


@database_group.command()
def upgrade() -> None:
    """Make the database, or bring it to this release."""
    shop = open_configured()
    bring_to_release(shop)
    note(f"database: {shop.house.database.shown_url} is of this release")


@database_group.command()
@click.argument("source")
@click.argument("target")
def copy(source: str, target: str) -> None:
    """Move the shop in the database SOURCE into TARGET; both are database URLs.

    Stop every serve and dispatch that works on SOURCE first: what they change meanwhile
    is found at the end, and then the copy is refused. TARGET must exist (an SQLite file
    is made) and hold no shop. A copy that was broken off goes on where it was when the
    same command is run again. At the end both are held against each other, table by
    table: exit status 1 names the tables that differ.
    """
    settings = open_configured().house.settings
    origin, destination = _open_at(settings, source), _open_at(settings, target)
    if origin.house.settings.database_url == destination.house.settings.database_url:
        misuse("SOURCE and TARGET are the same database.")
    with _alone(settings, origin), _told_as_findings():
        state = state_of_schema(origin.house.database.engine)
        if state is not SchemaState.CURRENT:
            refuse(
                f"The database SOURCE is {state.value}, not of this release: with"
                " REGULARS_DATABASE_URL naming it, 'regulars db upgrade' brings it there."
            )
        upgrade_schema(destination)
        progress = _Progress()
        count = copy_shop(
            origin.house.database, destination.house.database, progress.tell
        )
    note(
        f"TARGET holds the same {count} rows as SOURCE. Name it in REGULARS_DATABASE_URL,"
        " and give the same secret key in REGULARS_SECRET_KEY"
        f" (on the SQLite default it is in {settings.data_dir / KEY_NAME})."
    )


def _open_at(settings: Settings, url: str) -> Shop:
    """The shop of the settings, but in the database at *url*."""
    try:
        address = database_url(url)
    except ValueError as error:
        misuse(f"A database URL {error}.")
    if not address:
        misuse("A database URL must not be empty.")
    return open_shop(replace(settings, database_url=address))


@contextmanager
def _alone(settings: Settings, origin: Shop) -> Iterator[None]:
    """Refuse while a service of this host is at work on the shop of the settings."""
    if origin.house.settings.database_url != settings.database_url:
        yield
        return
    try:
        with working_on(origin.house.journal_folder, alone=True):
            yield
    except InUse:
        refuse(
            "SOURCE is at work: stop 'regulars serve' and 'regulars dispatch' first."
        )


@contextmanager
def _told_as_findings() -> Iterator[None]:
    """End with a finding for whatever keeps a copy from being made."""
    try:
        yield
    except CannotCopy as error:
        refuse(f"Cannot copy: {error}.")
    except Differs as error:
        refuse(
            f"TARGET differs from SOURCE in: {error}. Was SOURCE changed meanwhile? Stop"
            " what works on it, empty TARGET and copy again."
        )
    except LaterDatabase:
        refuse("The database TARGET is of a later release.")
    except (CopyFailed, SQLAlchemyError) as error:
        if isinstance(error, SQLAlchemyError) and not is_unavailable(error):
            raise
        # An error of the driver names addresses, never a row.
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        refuse(f"The copy was broken off: {reason}. Run it again, and it goes on.")


class _Progress:
    """Says on standard error how far a table is: at its end, and each second until then."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def tell(self, step: str, table: str, done: int, total: int) -> None:
        """*done* of *total* rows of *table* are ``copied`` or ``checked``."""
        now = time.monotonic()
        if done >= total or now - self._told_at >= _TELL_EVERY_S:
            note(f"{step} {done}/{total} {table}")
            self._told_at = now
