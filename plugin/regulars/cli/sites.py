"""``regulars site``: the places where the fields appear."""

from urllib.parse import urlsplit

import click

from regulars.ask.snippet import render_snippet
from regulars.cli.console import as_json, open_existing, refuse, show, show_list
from regulars.keep.sites import (
    NameTaken,
    Site,
    add_site,
    find_site_by_name,
    list_sites,
)

_DEFAULT_PORTS = {"http": 80, "https": 443}


@click.group()
def site() -> None:
    """Places where the fields appear: a storefront, a counter."""


def _origin(
    context: click.Context, option: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(map(_as_browsers_write, value))


def _as_browsers_write(text: str) -> str:
    """The origin in *text* as the header Origin says it: lower case, no default port."""
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port = "", None
    rest = parts.path.strip("/") or parts.query or parts.fragment if host else ""
    is_web = host and parts.scheme in _DEFAULT_PORTS and host.isascii()
    if not is_web or rest or "@" in parts.netloc:
        raise click.BadParameter(
            f"{text!r} is not an origin such as https://shop.example"
        )
    name = f"[{host}]" if ":" in host else host
    suffix = f":{port}" if port not in {None, _DEFAULT_PORTS[parts.scheme]} else ""
    return f"{parts.scheme}://{name}{suffix}"


@site.command()
@click.argument("name")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    callback=_origin,
    help="A page's origin that may post to this site; repeat for more.",
)
@as_json
def add(name: str, origins: tuple[str, ...], as_json: bool) -> None:
    """Add a site called NAME."""
    house = open_existing().house
    try:
        with house.database.transaction() as connection:
            added = add_site(connection, name, origins, house.clock())
    except NameTaken:
        refuse(f"There is a site called {name!r} already.")
    show(_json(added), f"{added.id}  {added.publishable_key}", as_json=as_json)


@site.command(name="list")
@as_json
def list_command(as_json: bool) -> None:
    """List the sites."""
    with open_existing().house.database.reading() as connection:
        rows = [_json(found) for found in list_sites(connection)]
    show_list(rows, ("id", "name", "publishable_key", "origins"), as_json=as_json)


@site.command()
@click.argument("name")
def snippet(name: str) -> None:
    """Print the plain HTML of the fields for site NAME, with the wordings in force."""
    shop = open_existing()
    with shop.house.database.reading() as connection:
        found = find_site_by_name(connection, name)
    if found is None:
        refuse(f"There is no site called {name!r}: see 'regulars site list'.")
    with shop.app.app_context():
        click.echo(render_snippet(shop.house, found))


def _json(found: Site) -> dict[str, object]:
    return {
        "id": found.id,
        "name": found.name,
        "publishable_key": found.publishable_key,
        "origins": list(found.origins),
        "receipt_secret": found.receipt_secret,
    }
