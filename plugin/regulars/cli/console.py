"""How commands read the settings, open the shop and print what they found.

Exit status 0 is done, 1 a finding (nothing there, refused), 2 a mistake in the call
or the settings.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import click
from sqlalchemy.exc import OperationalError

from regulars.app import Shop, belong_to_key, open_shop, upgrade_schema
from regulars.cli.logs import configure_logs
from regulars.keep.copies import CopyFailed
from regulars.keep.in_use import InUse, working_on
from regulars.keep.installation import OtherKey, check_key
from regulars.keep.schema import LaterDatabase, SchemaState, state_of_schema
from regulars.settings import KEY_NAME, Settings, SettingsError, load_settings

as_json: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON value and nothing else."
)


def note(text: str) -> None:
    """Say *text* beside the result, on standard error."""
    click.echo(text, err=True)


def refuse(text: str) -> NoReturn:
    """End with a finding: exit status 1."""
    note(text)
    sys.exit(1)


def misuse(text: str) -> NoReturn:
    """End because of the call or the settings: exit status 2."""
    note(text)
    sys.exit(2)


def open_configured(*, first_key: str = "") -> Shop:
    """The shop of the settings, whatever the state of its database.

    Where no secret key was made yet it is *first_key*, or else a random one.
    """
    configure_logs()
    try:
        settings = load_settings(first_key=first_key)
    except SettingsError as error:
        misuse("\n".join(["The settings cannot be used:", *error.problems]))
    return open_with(settings)


def open_with(settings: Settings) -> Shop:
    """The shop of *settings* for one command; names its database unless the caller did."""
    shop = open_shop(settings)
    # The last connection to leave SQLite brings its log into the database.
    click.get_current_context().call_on_close(shop.house.database.engine.dispose)
    if not settings.names_database:
        note(f"database: {shop.house.database.shown_url}")
    return shop


def open_existing() -> Shop:
    """The shop of the settings, with a database that this release can use."""
    shop = open_configured()
    name = shop.house.database.shown_url
    state = _state_of(shop)
    if state is SchemaState.MISSING:
        refuse(
            f"There is no Regulars database at {name}: 'regulars init', 'regulars serve'"
            " or 'regulars db upgrade' makes it; REGULARS_DATA_DIR or"
            " REGULARS_DATABASE_URL names another."
        )
    if state is SchemaState.OTHER:
        refuse(
            f"The database at {name} is of another release: run 'regulars db upgrade'."
        )
    if state is SchemaState.UNFINISHED:
        refuse(
            f"The database at {name} holds part of a shop: run the 'regulars db copy'"
            " that was broken off again, and it goes on where it was."
        )
    try:
        with shop.house.database.reading() as connection:
            check_key(connection, shop.house.settings.secret_key)
    except OtherKey:
        _refuse_key(shop)
    return shop


def _state_of(shop: Shop) -> SchemaState:
    try:
        return state_of_schema(shop.house.database.engine)
    except OperationalError as error:
        # Some drivers tell of each address that they tried, a line for each.
        reason = str(error.orig).partition("\n")[0]
        refuse(
            f"The database at {shop.house.database.shown_url} cannot be used: {reason}"
        )


def bring_to_release(shop: Shop) -> None:
    """Make the database of *shop*, or bring it to this release; say what was done."""
    name = shop.house.database.shown_url
    house = shop.house
    if not house.database.is_sqlite:
        _state_of(shop)
    try:
        copy = upgrade_schema(shop)
        belong_to_key(house)
    except LaterDatabase:
        refuse(
            f"The database at {name} is of a later release: install that release, or"
            " restore a backup of this one. Nothing was changed."
        )
    except (CopyFailed, OperationalError) as error:
        reason = error.orig if isinstance(error, OperationalError) else error
        refuse(
            f"The database at {name} was left as it was: {reason}. When there is room"
            " for a copy of it and the folder can be written to, run this again."
        )
    except OtherKey:
        _refuse_key(shop)
    if copy is not None:
        note(
            f"The database was brought to this release; as it was before it is in {copy}."
        )


@contextmanager
def at_work(shop: Shop) -> Iterator[None]:
    """Keep a restore away while this process serves or delivers for *shop*."""
    folder = shop.house.journal_folder
    with ExitStack() as work:
        try:
            work.enter_context(working_on(folder))
        except InUse:
            refuse(
                f"A restore into {folder} is under way: start again when it is done."
            )
        yield


def _refuse_key(shop: Shop) -> NoReturn:
    refuse(
        f"The secret key in force is not the one that the database at"
        f" {shop.house.database.shown_url} was made under, so no preferences link in it would"
        " open. Nothing was changed. Put the right key back, which every backup holds"
        f" (REGULARS_SECRET_KEY, or else {shop.house.settings.data_dir / KEY_NAME}),"
        " or name another database with REGULARS_DATABASE_URL."
    )


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print *value* as JSON, or else *text*."""
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def show_list(
    rows: Sequence[dict[str, Any]], columns: Iterable[str], *, as_json: bool
) -> None:
    """Print *rows* as one JSON array, or else as a table of *columns*."""
    names = list(columns)
    table = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in table
    )
    show(list(rows), "\n".join(lines), as_json=as_json)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
