"""``regulars delivery``: what was sent, what waits and what failed."""

from typing import Any

import click

from regulars.cli.console import as_json, open_existing, refuse, show, show_list
from regulars.tell.deliveries import (
    DeliveryRow,
    DeliveryState,
    attempts_of,
    find_delivery,
    list_deliveries,
    retry_delivery,
)
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
            }
            for attempt in attempts
        ],
    }
    lines = [f"{name}: {value[name]}" for name in _COLUMNS]
    lines += [
        f"attempt {a['number']} at {a['started_at']}: {a['status'] or a['error']}"
        f" in {a['duration_ms']} ms"
        for a in value["log"]
    ]
    show(value, "\n".join(lines), as_json=as_json)


@delivery.command()
@_delivery_id
def retry(delivery_id: str) -> None:
    """Send the delivery ID again, from the start of the schedule."""
    with open_existing().house.database.transaction() as connection:
        is_due = retry_delivery(connection, delivery_id)
    if not is_due:
        refuse(
            f"{delivery_id} is under way already, or there is no such delivery:"
            " see 'regulars delivery list'."
        )
    click.echo(f"{delivery_id} is due now.")


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
