"""Order for endpoints that ask for it: what follows a delivery waits behind it."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from regulars.tell.deliveries import DeliveryState, delivery_table
from regulars.tell.events import event_table


def queue_behind(connection: Connection, delivery_ids: Sequence[str]) -> None:
    """Let what is later of the same customer, at the same endpoint, be due no earlier.

    A claim passes over it anyway; but it would look at it each time.
    """
    for delivery_id in delivery_ids:
        _queue_behind(connection, delivery_id)


def _queue_behind(connection: Connection, delivery_id: str) -> None:
    head, head_event = delivery_table.alias(), event_table.alias()
    first = connection.execute(
        select(
            head.c.endpoint_id,
            head.c.next_at,
            head_event.c.customer_id,
            head_event.c.version,
        )
        .join(head_event, head_event.c.id == head.c.event_id)
        .where(head.c.id == delivery_id)
    ).one()
    later = select(event_table.c.id).where(
        event_table.c.customer_id == first.customer_id,
        event_table.c.version > first.version,
    )
    columns = delivery_table.c
    connection.execute(
        delivery_table.update()
        .where(
            columns.event_id.in_(later),
            columns.endpoint_id == first.endpoint_id,
            columns.state == DeliveryState.PENDING.value,
            columns.next_at < first.next_at,
        )
        .values(next_at=first.next_at)
    )
