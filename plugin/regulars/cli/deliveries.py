"""``regulars delivery``: what was sent, what waits and what failed."""

import sys
from datetime import UTC, datetime
from typing import Any

import click

from regulars.cli.console import (
    as_json,
    misuse,
    note,
    open_existing,
    refuse,
    show,
    show_list,
)
from regulars.tell.deliveries import (
    DeliveryRow,
    DeliveryState,
    attempts_of,
    find_delivery,
    list_deliveries,
)
from regulars.tell.endpoints import find_endpoint
from regulars.tell.recovery import Recovered, Retried, Span, recover, retry_delivery
from regulars.values.instants import to_rfc3339

_delivery_id = click.argument("delivery_id", metavar="ID")
_COLUMNS = (
    "id",
    "event_id",
    "event_type",
    "endpoint_id",
    "state",
    "attempts",
    "next_at",
    "last_error",
)


@click.group()
def delivery() -> None:
    """Deliveries: one per event and endpoint."""


@delivery.command(name="list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]))
@as_json
def list_command(state: str | None, as_json: bool) -> None:
    """List the newest thousand deliveries."""
    wanted = DeliveryState(state) if state else None
    with open_existing().house.database.reading() as connection:
        rows = [_json(row) for row in list_deliveries(connection, state=wanted)]
    show_list(rows, _COLUMNS, as_json=as_json)


@delivery.command(name="show")
@_delivery_id
@as_json
def show_command(delivery_id: str, as_json: bool) -> None:
    """Show the delivery ID and every attempt."""
    with open_existing().house.database.reading() as connection:
        row = find_delivery(connection, delivery_id)
        attempts = attempts_of(connection, delivery_id)
    if row is None:
        refuse(f"There is no delivery {delivery_id}: see 'regulars delivery list'.")
    value = {
        **_json(row),
        "log": [
            {
                "number": attempt.number,
                "started_at": to_rfc3339(attempt.started_at),
                "duration_ms": attempt.duration_ms,
                "status": attempt.status,
                "error": attempt.error,
                "blame": None if _is_taken(attempt) else attempt.blame,
                "response_head": (attempt.response_head or b"").decode(
                    "utf-8", "replace"
                ),
            }
            for attempt in attempts
        ],
    }
    lines = [f"{name}: {value[name]}" for name in _COLUMNS]
    for tried in value["log"]:
        lines += _log_lines(tried)
    show(value, "\n".join(lines), as_json=as_json)


def _is_taken(attempt: DeliveryRow) -> bool:
    return attempt.status is not None and 200 <= attempt.status <= 299


def _log_lines(tried: dict[str, Any]) -> list[str]:
    words = {"us": "our own trouble", "endpoint": "the endpoint's", None: "taken"}
    line = (
        f"attempt {tried['number']} at {tried['started_at']}:"
        f" {' '.join(str(it) for it in (tried['status'], tried['error']) if it)}"
        f" in {tried['duration_ms']} ms, {words[tried['blame']]}"
    )
    # On one line, and nothing that a terminal would obey.
    head = "".join(
        it if it.isprintable() else " " for it in tried["response_head"]
    ).strip()
    return [line, f"  it answered: {head}"] if head else [line]


_NOT_RETRIED = {
    Retried.UNKNOWN: "There is no delivery {}: see 'regulars delivery list'.",
    Retried.UNDER_WAY: "{} is under way already.",
    Retried.CANCELLED: "{} was cancelled because its customer was erased.",
    Retried.EMPTIED: "{} is too old: its body has been removed.",
    Retried.REMOVED: "{} was for an endpoint that has been removed.",
}


@delivery.command()
@_delivery_id
def retry(delivery_id: str) -> None:
    """Send the delivery ID again, from the start of the schedule."""
    with open_existing().house.database.transaction() as connection:
        answer = retry_delivery(connection, delivery_id)
    if answer is not Retried.DUE:
        refuse(_NOT_RETRIED[answer].format(delivery_id))
    click.echo(f"{delivery_id} is due now.")


@delivery.command(name="recover")
@click.option("--since", metavar="T", help="Events made at T or later: all without it.")
@click.option("--until", metavar="T", help="Events made before T: till now without it.")
@click.option(
    "--endpoint", "endpoint_id", metavar="ID", help="For this endpoint alone."
)
@click.option("--delivered", is_flag=True, help="Also what was delivered, once more.")
@as_json
def recover_command(
    since: str | None,
    until: str | None,
    endpoint_id: str | None,
    delivered: bool,
    as_json: bool,
) -> None:
    """Send again all that is dead or held, and what an endpoint missed by being younger.

    T is a day or a time such as 2026-11-21 or 2026-11-21T20:15:00Z. May be broken off
    and repeated: what is on its way is left alone.
    """
    house = open_existing().house
    now = house.clock()
    span = Span(
        since=_instant(since, "--since") if since else datetime.fromtimestamp(0, UTC),
        until=_instant(until, "--until") if until else now,
        endpoint_id=endpoint_id,
        delivered=delivered,
    )
    if endpoint_id is not None:
        with house.database.reading() as connection:
            if find_endpoint(connection, endpoint_id, now) is None:
                refuse(
                    f"There is no endpoint {endpoint_id}: see 'regulars endpoint list'."
                )
    done = recover(house.database, span, now, _progress)
    value = {
        "due": done.due,
        "held": done.held,
        "waiting": done.waiting,
        "emptied": done.emptied,
    }
    show(value, _recovered(done), as_json=as_json)
    if done.emptied:
        raise SystemExit(1)


def _progress(so_far: Recovered) -> None:
    if sys.stderr.isatty():
        note(f"{so_far.due} due, {so_far.held} held so far ...")


def _recovered(done: Recovered) -> str:
    text = f"{done.due} go out again, {done.waiting} were on their way"
    if done.held:
        text += f", {done.held} are held until their endpoint is resumed"
    if done.emptied:
        text += f"; {done.emptied} are too old: their bodies have been removed"
    return f"{text}."


def _instant(value: str, option: str) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        misuse(f"{option} must be a day or a time such as 2026-11-21T20:15:00Z.")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _json(row: DeliveryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "endpoint_id": row.endpoint_id,
        "state": row.state,
        "attempts": row.attempts,
        "next_at": to_rfc3339(row.next_at) if row.next_at else None,
        "last_error": row.last_error,
    }
