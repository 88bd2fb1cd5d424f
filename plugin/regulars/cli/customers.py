"""``regulars customer``: who signed up, and their right to be exported and forgotten."""

import json
from typing import Any, NoReturn

import click
from sqlalchemy import Connection

from regulars import erasure
from regulars.cli.console import as_json, note, open_existing, refuse, show, show_list
from regulars.keep.customers import list_customers
from regulars.keep.finding import find_customers
from regulars.tell.told import told_about
from regulars.web.house import House

_customer_id = click.argument("customer_id", metavar="ID")
_COLUMNS = ("id", "given_name", "preferred_channel", "version", "status")
_SHOWN = 1000


@click.group()
def customer() -> None:
    """Customers."""


@customer.command(name="list")
@as_json
def list_command(as_json: bool) -> None:
    """List the newest thousand customers."""
    house = open_existing().house
    with house.database.reading() as connection:
        ids = [row.id for row in list_customers(connection, _SHOWN)]
        rows = [_record(house, connection, customer_id) for customer_id in ids]
    show_list(rows, _COLUMNS, as_json=as_json)


@customer.command()
@click.argument("text", metavar="EMAIL|PHONE|HANDLE|ID")
@as_json
def find(text: str, as_json: bool) -> None:
    """List the customers that an address, a handle or an id belongs to."""
    house = open_existing().house
    with house.database.reading() as connection:
        ids = find_customers(connection, text, house.settings.default_country)
        rows = [_record(house, connection, customer_id) for customer_id in ids]
    show_list(rows, _COLUMNS, as_json=as_json)
    if not rows:
        refuse("Nobody is known by that.")


@customer.command(name="show")
@_customer_id
@as_json
def show_command(customer_id: str, as_json: bool) -> None:
    """Show the record of customer ID as events carry it."""
    house = open_existing().house
    with house.database.reading() as connection:
        record = _record(house, connection, customer_id)
    show(record, json.dumps(record, ensure_ascii=False, indent=2), as_json=as_json)


@customer.command()
@_customer_id
@click.option("--format", "form", type=click.Choice(["json"]), default="json")
def export(customer_id: str, form: str) -> None:
    """Print everything that is held about customer ID, and who was told."""
    house = open_existing().house
    with house.database.reading() as connection:
        data = house.recorder.export(connection, customer_id)
        if data is None:
            _unknown(customer_id)
        data["told"] = told_about(connection, customer_id)
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


@customer.command()
@_customer_id
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def erase(customer_id: str, yes: bool, as_json: bool) -> None:
    """Erase customer ID for good and tell every system that was told of them."""
    house = open_existing().house
    if not yes:
        click.confirm(f"Erase {customer_id} for good?", abort=True, err=True)
    done = erasure.erase(
        house.database,
        customer_id,
        secret_key=house.settings.secret_key,
        journal_folder=house.journal_folder,
        now=house.clock(),
    )
    if done is None:
        _unknown(customer_id)
    if not done.is_scrubbed:
        note(
            "The write-ahead log could not be emptied while others read: run the same"
            " command for any customer, or stop and start 'regulars serve'."
        )
    show(
        {"id": done.customer_id, "version": done.version, "scrubbed": done.is_scrubbed},
        f"{customer_id} is erased.",
        as_json=as_json,
    )


def _record(house: House, connection: Connection, customer_id: str) -> dict[str, Any]:
    record = house.recorder.record(connection, customer_id)
    if record is None:
        _unknown(customer_id)
    return {**record["customer"], "profile": record["profile"]}


def _unknown(customer_id: str) -> NoReturn:
    refuse(f"There is no customer {customer_id}: see 'regulars customer list'.")
