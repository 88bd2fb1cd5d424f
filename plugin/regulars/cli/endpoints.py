"""``regulars endpoint``: the URLs of the shop's systems."""

from datetime import datetime, timedelta
from typing import Any

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
from regulars.cli.endpoint_headers import header, parse_headers, unknown_endpoint
from regulars.tell.changing import (
    ROTATION_OVERLAP,
    count_waiting_for,
    remove_endpoint,
    rotate_secret,
    set_header,
)
from regulars.tell.deliveries import hold_endpoint, resume_endpoint
from regulars.tell.endpoints import (
    Endpoint,
    EndpointState,
    Recipient,
    add_endpoint,
    find_endpoint,
    is_endpoint_at,
)
from regulars.tell.trial import try_endpoint
from regulars.tell.waiting import Waiting, list_waiting
from regulars.values.instants import to_rfc3339
from regulars.web.house import House
from regulars_webhooks.errors import AddressRefused
from regulars_webhooks.events import EVENT_TYPES

_DEFAULT_OVERLAP_H = round(ROTATION_OVERLAP / timedelta(hours=1))
_LONGEST_OVERLAP_H = 24 * 30

_endpoint_id = click.argument("endpoint_id", metavar="ID")


@click.group()
def endpoint() -> None:
    """URLs of the shop's systems, which get the events."""


endpoint.add_command(header)


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
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header of your own on each request; repeat for more. Its value is stored sealed.",
)
@click.option("--again", is_flag=True, help="Also where there is one at URL already.")
@as_json
def add(
    url: str,
    recipient: str,
    events: tuple[str, ...],
    headers: tuple[str, ...],
    again: bool,
    as_json: bool,
) -> None:
    """Add the endpoint URL and print its signing secret, this once."""
    house = open_existing().house
    wanted = parse_headers(headers)
    _check_url(house, url)
    seal = house.database.seal
    with house.database.transaction() as connection:
        if not again and is_endpoint_at(connection, url):
            refuse(
                "There is an endpoint at this URL already: see 'regulars endpoint list'."
                " With --again there will be two, and each gets every event."
            )
        endpoint_id, secret = add_endpoint(
            connection,
            seal,
            url=url,
            recipient=Recipient(recipient),
            event_types=events or None,
            now=house.clock(),
        )
        for name, value in wanted:
            set_header(connection, seal, endpoint_id, name, value)
    told = {"id": endpoint_id, "url": url, "recipient": recipient, "secret": secret}
    show(told, f"{endpoint_id}  {secret}", as_json=as_json)


def _check_url(house: House, url: str) -> None:
    try:
        house.settings.check_endpoint_url(url)
    except AddressRefused as error:
        misuse(
            f"{error.detail or error}. Private networks and hosts that are meant go into"
            " REGULARS_ENDPOINT_ALLOW; to try it on this machine, plain http too, set"
            " REGULARS_ALLOW_PRIVATE_ENDPOINTS=1."
        )


@endpoint.command(name="list")
@as_json
def list_command(as_json: bool) -> None:
    """List the endpoints with how they fare, without their secrets.

    Health is 'well', 'failing' (its last attempt failed), or the state it is in.
    """
    house = open_existing().house
    now = house.clock()
    with house.database.reading() as connection:
        rows = [_listed(row, now) for row in list_waiting(connection, now)]
    columns = ("id", "url", "recipient", "health", "waiting", "waiting_s", "reason")
    show_list(rows, columns, as_json=as_json)


def _listed(row: Waiting, now: datetime) -> dict[str, Any]:
    it = row.endpoint
    return {
        "id": it.id,
        "url": it.url,
        "recipient": it.recipient.value,
        "events": list(it.event_types) if it.event_types else None,
        "headers": list(it.headers),
        "state": it.state.value,
        "reason": it.reason,
        "health": _health(it),
        "failing_since": _shown(it.pace.failing_since),
        "last_success_at": _shown(it.last_success_at),
        "waiting": row.total,
        "waiting_s": round(row.age_s(now)),
        "dead": row.dead,
    }


def _health(it: Endpoint) -> str:
    if not it.is_active:
        return it.state.value
    return "failing" if it.pace.failing_since is not None else "well"


def _shown(at: datetime | None) -> str | None:
    return to_rfc3339(at) if at else None


@endpoint.command()
@_endpoint_id
@click.option(
    "--overlap",
    "overlap_h",
    default=_DEFAULT_OVERLAP_H,
    show_default=True,
    metavar="HOURS",
    type=click.IntRange(0, _LONGEST_OVERLAP_H),
    help="How long the secrets before it sign along; 0 where one has leaked.",
)
@as_json
def rotate(endpoint_id: str, overlap_h: int, as_json: bool) -> None:
    """Give ID a new secret; the one before it signs along for a day."""
    house = open_existing().house
    with house.database.transaction() as connection:
        secret = rotate_secret(
            connection,
            house.database.seal,
            endpoint_id,
            house.clock(),
            timedelta(hours=overlap_h),
        )
    if secret is None:
        unknown_endpoint(endpoint_id)
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
            unknown_endpoint(endpoint_id)
    click.echo(f"{endpoint_id} is paused: its deliveries are held.")


@endpoint.command()
@_endpoint_id
def resume(endpoint_id: str) -> None:
    """Send ID what was held, and all that comes."""
    with open_existing().house.database.transaction() as connection:
        released = resume_endpoint(connection, endpoint_id)
    if released is None:
        unknown_endpoint(endpoint_id)
    click.echo(f"{endpoint_id} is active: {released} held deliveries go out.")


@endpoint.command()
@_endpoint_id
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(endpoint_id: str, yes: bool) -> None:
    """Send ID nothing any more, for good.

    What waits for it is cancelled, news of erasures too; what it was sent stays on
    record. To hold what comes instead, pause it.
    """
    house = open_existing().house
    found = _find(house, endpoint_id)
    with house.database.reading() as connection:
        waiting = count_waiting_for(connection, endpoint_id)
    if not yes:
        click.confirm(
            f"Remove {found.url} and cancel the {waiting} deliveries that wait for it?",
            abort=True,
            err=True,
        )
    with house.database.transaction() as connection:
        cancelled = remove_endpoint(connection, endpoint_id, house.clock())
    if cancelled is None:
        unknown_endpoint(endpoint_id)
    click.echo(f"{endpoint_id} is removed; {cancelled} deliveries were cancelled.")


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
        unknown_endpoint(endpoint_id)
    return found
