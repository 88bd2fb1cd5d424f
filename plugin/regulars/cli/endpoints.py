"""``regulars endpoint``: the URLs of the shop's systems."""

from typing import NoReturn

import click

from regulars.app import make_transport
from regulars.cli.console import (
    as_json,
    misuse,
    open_existing,
    refuse,
    show,
    show_list,
)
from regulars.tell.deliveries import hold_endpoint, resume_endpoint
from regulars.tell.endpoints import (
    Endpoint,
    EndpointState,
    Recipient,
    add_endpoint,
    find_endpoint,
    list_endpoints,
    rotate_secret,
)
from regulars.tell.trial import try_endpoint
from regulars.web.house import House
from regulars_webhooks.errors import AddressRefused
from regulars_webhooks.events import EVENT_TYPES

_endpoint_id = click.argument("endpoint_id", metavar="ID")


@click.group()
def endpoint() -> None:
    """URLs of the shop's systems, which get the events."""


@endpoint.command()
@click.argument("url")
@click.option(
    "--recipient",
    required=True,
    type=click.Choice([recipient.value for recipient in Recipient]),
    help="Whose system URL is: 'own', the same business's, gets the X profile;"
    " 'third-party', anybody else's, does not.",
)
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(EVENT_TYPES),
    help="Only this type of event; repeat for more. Without it: all.",
)
@as_json
def add(url: str, recipient: str, events: tuple[str, ...], as_json: bool) -> None:
    """Add the endpoint URL and print its signing secret, this once."""
    house = open_existing().house
    try:
        house.settings.check_endpoint_url(url)
    except AddressRefused as error:
        misuse(
            f"{error.detail or error}. Private networks and hosts that are meant go into"
            " REGULARS_ENDPOINT_ALLOW; to try it on this machine, plain http too, set"
            " REGULARS_ALLOW_PRIVATE_ENDPOINTS=1."
        )
    with house.database.transaction() as connection:
        endpoint_id, secret = add_endpoint(
            connection,
            url=url,
            recipient=Recipient(recipient),
            event_types=events or None,
            now=house.clock(),
        )
    value = {"id": endpoint_id, "url": url, "recipient": recipient, "secret": secret}
    show(value, f"{endpoint_id}  {secret}", as_json=as_json)


@endpoint.command(name="list")
@as_json
def list_command(as_json: bool) -> None:
    """List the endpoints, without their secrets."""
    house = open_existing().house
    with house.database.reading() as connection:
        found = list_endpoints(connection, house.clock())
    rows = [
        {
            "id": row.id,
            "url": row.url,
            "recipient": row.recipient.value,
            "events": list(row.event_types) if row.event_types else None,
            "state": row.state.value,
            "reason": row.reason,
        }
        for row in found
    ]
    show_list(rows, ("id", "url", "recipient", "state", "reason"), as_json=as_json)


@endpoint.command()
@_endpoint_id
@as_json
def rotate(endpoint_id: str, as_json: bool) -> None:
    """Give ID a new secret; the old one signs along for 24 hours."""
    house = open_existing().house
    with house.database.transaction() as connection:
        secret = rotate_secret(connection, endpoint_id, house.clock())
    if secret is None:
        _unknown(endpoint_id)
    show(
        {"id": endpoint_id, "secret": secret},
        f"{endpoint_id}  {secret}",
        as_json=as_json,
    )


@endpoint.command()
@_endpoint_id
def pause(endpoint_id: str) -> None:
    """Hold what is for ID until it is resumed."""
    with open_existing().house.database.transaction() as connection:
        if not hold_endpoint(
            connection, endpoint_id, EndpointState.PAUSED, "paused by the operator"
        ):
            _unknown(endpoint_id)
    click.echo(f"{endpoint_id} is paused: its deliveries are held.")


@endpoint.command()
@_endpoint_id
def resume(endpoint_id: str) -> None:
    """Send ID what was held, and all that comes."""
    with open_existing().house.database.transaction() as connection:
        released = resume_endpoint(connection, endpoint_id)
    if released is None:
        _unknown(endpoint_id)
    click.echo(f"{endpoint_id} is active: {released} held deliveries go out.")


@endpoint.command()
@_endpoint_id
@as_json
def test(endpoint_id: str, as_json: bool) -> None:
    """Send a test.ping to ID now, once, and say what it answered."""
    house = open_existing().house
    found = _find(house, endpoint_id)
    transport = make_transport(house.settings)
    try:
        result = try_endpoint(house.database, transport, found, house.clock)
    finally:
        transport.close()
    value = {
        "id": endpoint_id,
        "status": result.status,
        "error": result.error.value if result.error else None,
        "detail": result.detail,
        "duration_ms": result.duration_ms,
    }
    show(
        value,
        f"{found.url}: {result.detail} ({result.duration_ms} ms)",
        as_json=as_json,
    )
    if result.status is None or not 200 <= result.status <= 299:
        raise SystemExit(1)


def _find(house: House, endpoint_id: str) -> Endpoint:
    with house.database.reading() as connection:
        found = find_endpoint(connection, endpoint_id, house.clock())
    if found is None:
        _unknown(endpoint_id)
    return found


def _unknown(endpoint_id: str) -> NoReturn:
    refuse(f"There is no endpoint {endpoint_id}: see 'regulars endpoint list'.")
