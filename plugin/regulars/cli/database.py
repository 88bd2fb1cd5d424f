"""``regulars db``: the database itself."""

import click

from regulars.app import upgrade_schema
from regulars.cli.console import note, open_configured


@click.group(name="db")
def database_group() -> None:
    """The database."""


@database_group.command()
def upgrade() -> None:
    """Make the database, or bring it to this release."""
    shop = open_configured()
    upgrade_schema(shop)
    url = shop.house.database.engine.url.render_as_string(hide_password=True)
    note(f"database: {url} is of this release")
