"""``regulars owner``: the login of the owner's page."""

import sys

import click

from regulars.cli.console import misuse, note, open_existing
from regulars.keep.owner import set_password
from regulars.web.passwords import LEAST_LENGTH, PasswordRefused, hash_password


@click.group()
def owner() -> None:
    """The owner's page at /desk."""


@owner.command()
@click.option(
    "--stdin",
    "from_stdin",
    is_flag=True,
    help="Read the password from standard input, its first line.",
)
def password(from_stdin: bool) -> None:
    """Set the password of the owner's page; whoever is signed in must sign in again."""
    house = open_existing().house
    text = sys.stdin.readline().rstrip("\r\n") if from_stdin else _ask()
    try:
        kept = hash_password(text)
    except PasswordRefused as error:
        misuse(f"{error} Nothing was changed.")
    with house.database.transaction() as connection:
        set_password(connection, kept, house.clock())
    click.echo(
        f"The password is set. The owner's page is {house.settings.base_url}/desk"
    )


def _ask() -> str:
    note(
        f"At least {LEAST_LENGTH} characters: a few words that do not belong together"
        " are easy to keep."
    )
    text: str = click.prompt(
        "New password", hide_input=True, confirmation_prompt=True, err=True
    )
    return text
