"""The console script ``regulars``: a file per noun, wired by one group."""

import click

from regulars.cli.backups import backup
from regulars.cli.customers import customer
from regulars.cli.database import database_group
from regulars.cli.deliveries import delivery
from regulars.cli.doctor import doctor
from regulars.cli.endpoints import endpoint
from regulars.cli.handles import handle
from regulars.cli.init import init
from regulars.cli.keys import key
from regulars.cli.owner import owner
from regulars.cli.processes import dispatch, serve
from regulars.cli.restores import restore
from regulars.cli.retention import retention
from regulars.cli.sites import site
from regulars.cli.x import x_group


@click.group()
@click.version_option(package_name="regulars")
def main() -> None:
    """Ask a shop's customers how to reach them, and tell the shop's own system."""


for command in (
    init,
    serve,
    dispatch,
    database_group,
    backup,
    restore,
    site,
    key,
    endpoint,
    delivery,
    customer,
    handle,
    x_group,
    owner,
    retention,
    doctor,
):
    main.add_command(command)
