"""``regulars key``: secret keys for the shop's own server."""

import click

from regulars.cli.console import as_json, open_existing, refuse, show, show_list
from regulars.keep.sites import add_key, list_keys, revoke_key
from regulars.values.instants import to_rfc3339


@click.group()
def key() -> None:
    """Secret keys for the shop's own server."""


@key.command()
@click.argument("name")
@as_json
def add(name: str, as_json: bool) -> None:
    """Make a key called NAME and print it: it is not shown again."""
    house = open_existing().house
    with house.database.transaction() as connection:
        made, text = add_key(connection, name, house.clock())
    value = {"id": made.id, "name": made.name, "key": text}
    show(value, f"{made.id}  {text}", as_json=as_json)


@key.command(name="list")
@as_json
def list_command(as_json: bool) -> None:
    """List the keys, without their secrets."""
    with open_existing().house.database.reading() as connection:
        found = list_keys(connection)
    rows = [
        {
            "id": row.id,
            "name": row.name,
            "created_at": to_rfc3339(row.created_at),
            "revoked_at": to_rfc3339(row.revoked_at) if row.revoked_at else None,
        }
        for row in found
    ]
    show_list(rows, ("id", "name", "created_at", "revoked_at"), as_json=as_json)


@key.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """End the key ID at once."""
    house = open_existing().house
    with house.database.transaction() as connection:
        if not revoke_key(connection, key_id, house.clock()):
            refuse(f"There is no live key {key_id}: see 'regulars key list'.")
    click.echo(f"{key_id} is revoked.")
