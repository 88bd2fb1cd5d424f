"""``regulars site``: the places where the fields appear."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import segno

from regulars.app import Shop
from regulars.ask.snippet import questions_of, render_snippet, snippet_labels
from regulars.ask.widget.inventory import inventory
from regulars.cli.console import as_json, open_existing, refuse, show, show_list
from regulars.keep.sites import (
    NameTaken,
    Site,
    add_site,
    allow_origins,
    find_site_by_name,
    list_sites,
)
from regulars.values.instants import to_rfc3339
from regulars.values.wording import LANGUAGES
from regulars_webhooks.order_link import VALID_FOR, expiry_of, sign_order

# An international name is written as browsers send it (xn--…).
_ORIGIN = re.compile(
    r"(https?)://([a-z0-9.-]*[a-z0-9]|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?"
)
_PICTURES = {".svg", ".png"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@click.group()
def site() -> None:
    """Places where the fields appear: a storefront, a counter."""


def _origin(
    context: click.Context, option: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(map(as_browsers_write, value))


def as_browsers_write(text: str) -> str:
    """The origin in *text* as the header Origin says it: lower case, no default port.

    Raises:
        click.BadParameter: it is none.
    """
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        raise click.BadParameter(
            f"{text!r} is not an origin such as https://shop.example"
        )
    scheme, host, port = found.groups()
    is_default = port in {None, _DEFAULT_PORTS[scheme]}
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{port}"


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
    show(site_json(added), f"{added.id}  {added.publishable_key}", as_json=as_json)


@site.command()
@click.argument("name")
@click.argument("origins", nargs=-1, required=True, callback=_origin, metavar="URL…")
@as_json
def allow(name: str, origins: tuple[str, ...], as_json: bool) -> None:
    """Let pages of the origins URL… post to site NAME too."""
    house = open_existing().house
    with house.database.transaction() as connection:
        allowed = allow_origins(connection, name, origins)
    if allowed is None:
        refuse(f"There is no site called {name!r}: see 'regulars site list'.")
    show(site_json(allowed), ", ".join(allowed.origins), as_json=as_json)


@site.command(name="list")
@as_json
def list_command(as_json: bool) -> None:
    """List the sites."""
    with open_existing().house.database.reading() as connection:
        rows = [site_json(found) for found in list_sites(connection)]
    show_list(rows, ("id", "name", "publishable_key", "origins"), as_json=as_json)


@site.command()
@click.argument("name")
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    help="The language of the fields; else the shop's first.",
)
@click.option("--no-script", is_flag=True, help="Plain HTML that loads nothing.")
@click.option(
    "--labels",
    "as_labels",
    is_flag=True,
    help="JSON with short wordings, for forms that show one label a field.",
)
@click.option(
    "--inventory",
    "as_inventory",
    is_flag=True,
    help="The script's entry for a payment page's inventory, with the CSP lines.",
)
@as_json
def snippet(
    name: str,
    language: str | None,
    no_script: bool,
    as_labels: bool,
    as_inventory: bool,
    as_json: bool,
) -> None:
    """Print the HTML of the fields for site NAME, with the wordings in force.

    With --json it is what the HTML is made of, for a form in WTForms.
    """
    shop = open_existing()
    found = _named(shop, name)
    language = language or shop.house.settings.languages[0]
    if as_inventory:
        click.echo(inventory(shop.house.settings.base_url))
    elif as_labels:
        _show_json(snippet_labels(shop.house, found, language))
    elif as_json:
        _show_json(questions_of(shop.house, found, language).as_json())
    else:
        has_script = not no_script
        click.echo(render_snippet(shop.house, found, language, has_script=has_script))


def _show_json(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


_order = click.option(
    "--order", "order_id", help="Your number of the order, signed into the link."
)
_days = click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=VALID_FOR.days,
    show_default=True,
    help="How long the signed order is believed; the page works for ever.",
)


@site.command()
@click.argument("name")
@_order
@_days
@as_json
def link(name: str, order_id: str | None, days: int, as_json: bool) -> None:
    """Print the link to the hosted signup page of site NAME."""
    made = _link(name, order_id, days)
    show(made, str(made["url"]), as_json=as_json)


@site.command()
@click.argument("name")
@_order
@_days
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file to write, .svg or .png; without it the SVG is printed.",
)
@as_json
def qr(
    name: str, order_id: str | None, days: int, out: Path | None, as_json: bool
) -> None:
    """Draw the link to the hosted signup page of site NAME as a QR code."""
    if out is not None and out.suffix.lower() not in _PICTURES:
        raise click.BadParameter("must end in .svg or .png", param_hint="'--out'")
    made = _link(name, order_id, days)
    # Level M survives a crease or a splash; four light modules around it are the standard's.
    code = segno.make_qr(str(made["url"]), error="m")
    svg = code.svg_inline(scale=4, border=4, light="white", title=f"{name}: signup")
    if out is not None:
        try:
            code.save(str(out), scale=8, border=4, light="white")
        except OSError as error:
            refuse(f"Cannot write {out}: {error.strerror}.")
    made |= {"file": str(out) if out else None, "svg": svg}
    show(made, f"{made['url']}\n{out}" if out else svg, as_json=as_json)


def _link(name: str, order_id: str | None, days: int) -> dict[str, object]:
    """The address of the hosted page and, with an order, when its signature ends."""
    shop = open_existing()
    found = _named(shop, name)
    query = {"site": found.publishable_key}
    expires_at = None
    if order_id is not None:
        try:
            query["order"] = sign_order(
                order_id,
                found.receipt_secret,
                now=shop.house.clock(),
                valid_for=timedelta(days=days),
            )
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="'--order'") from error
        expires_at = to_rfc3339(expiry_of(query["order"]))
    url = f"{shop.house.settings.base_url}/signup?{urlencode(query)}"
    return {"url": url, "order_id": order_id, "expires_at": expires_at}


def _named(shop: Shop, name: str) -> Site:
    with shop.house.database.reading() as connection:
        found = find_site_by_name(connection, name)
    if found is None:
        refuse(f"There is no site called {name!r}: see 'regulars site list'.")
    return found


def site_json(found: Site) -> dict[str, object]:
    """The site as commands print it, with the secret of its receipts."""
    return {
        "id": found.id,
        "name": found.name,
        "publishable_key": found.publishable_key,
        "origins": list(found.origins),
        "receipt_secret": found.receipt_secret,
    }
