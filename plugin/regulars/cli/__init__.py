"""The console script ``regulars``: a file per noun, wired by one group."""

import click

from regulars.cli.customers import customer
from regulars.cli.database import database_group
from regulars.cli.deliveries import delivery
from regulars.cli.endpoints import endpoint
from regulars.cli.handles import handle
from regulars.cli.keys import key
from regulars.cli.processes import dispatch, serve
from regulars.cli.sites import site


@click.group()
@click.version_option(package_name="regulars")
def main() -> None:
    """Ask a shop's customers how to reach them, and tell the shop's own system."""


for command in (
    serve,
    dispatch,
    database_group,
    site,
    key,
    endpoint,
    delivery,
    customer,
    handle,
):
    main.add_command(command)
