"""How commands read the settings, open the shop and print what they found.

Exit status 0 is done, 1 a finding (nothing there, refused), 2 a mistake in the call
or the settings.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import click

from regulars.app import Shop, open_shop
from regulars.cli.logs import configure_logs
from regulars.keep.schema import SchemaState, state_of_schema
from regulars.settings import SettingsError, load_settings

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


def open_configured() -> Shop:
    """The shop of the settings, whatever the state of its database.

    Which database that is stands on standard error, unless the caller named it.
    """
    configure_logs()
    try:
        settings = load_settings()
    except SettingsError as error:
        misuse("\n".join(["The settings cannot be used:", *error.problems]))
    shop = open_shop(settings)
    if not settings.names_database:
        note(f"database: {_name_of_database(shop)}")
    return shop


def _name_of_database(shop: Shop) -> str:
    return shop.house.database.engine.url.render_as_string(hide_password=True)


def open_existing() -> Shop:
    """The shop of the settings, with a database of this release."""
    shop = open_configured()
    name = _name_of_database(shop)
    state = state_of_schema(shop.house.database.engine)
    if state is SchemaState.MISSING:
        refuse(
            f"There is no Regulars database at {name}: 'regulars serve' or"
            " 'regulars db upgrade' makes it, REGULARS_DATABASE_URL names another."
        )
    if state is SchemaState.OTHER:
        refuse(
            f"The database at {name} is of another release: run 'regulars db upgrade'."
        )
    return shop


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
