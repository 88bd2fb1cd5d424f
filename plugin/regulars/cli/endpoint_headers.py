"""``regulars endpoint header``: headers of the shop's own, which an endpoint is sent."""

from collections.abc import Sequence
from typing import NoReturn

import click

from regulars.cli.console import misuse, open_existing, refuse
from regulars.tell.changing import remove_header, set_header
from regulars.tell.secrets import MOST_HEADERS, HeaderRefused, parse_header

_endpoint_id = click.argument("endpoint_id", metavar="ID")


@click.group()
def header() -> None:
    """Headers of your own that an endpoint is sent."""


@header.command(name="set")
@_endpoint_id
@click.argument("header_text", metavar="'NAME: VALUE'")
def set_command(endpoint_id: str, header_text: str) -> None:
    """Send ID this header from now on, in the place of one of the same name."""
    house = open_existing().house
    ((name, value),) = parse_headers([header_text])
    with house.database.transaction() as connection:
        try:
            done = set_header(connection, house.database.seal, endpoint_id, name, value)
        except HeaderRefused as error:
            refuse(str(error))
    if not done:
        unknown_endpoint(endpoint_id)
    click.echo(f"{endpoint_id} is sent {name} from now on.")


@header.command(name="remove")
@_endpoint_id
@click.argument("name")
def remove_header_command(endpoint_id: str, name: str) -> None:
    """Send ID the header NAME no more."""
    with open_existing().house.database.transaction() as connection:
        if not remove_header(connection, endpoint_id, name):
            refuse(
                f"{endpoint_id} has no header {name}: see 'regulars endpoint list --json'."
            )
    click.echo(f"{endpoint_id} is sent {name} no more.")


def parse_headers(given: Sequence[str]) -> list[tuple[str, str]]:
    """Names and values; ends with a mistake where one cannot be used."""
    if len(given) > MOST_HEADERS:
        misuse(f"An endpoint may have {MOST_HEADERS} headers.")
    try:
        return [parse_header(text) for text in given]
    except HeaderRefused as error:
        misuse(str(error))


def unknown_endpoint(endpoint_id: str) -> NoReturn:
    """End with the finding that there is no such endpoint."""
    refuse(f"There is no endpoint {endpoint_id}: see 'regulars endpoint list'.")
