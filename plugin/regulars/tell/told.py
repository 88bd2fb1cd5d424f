"""Who was told of a customer, and when: part of what a person may ask to see."""

from typing import Any

from sqlalchemy import Connection, select

from regulars.tell.deliveries import delivery_table
from regulars.tell.endpoints import endpoint_table
from regulars.tell.events import event_table
from regulars.values.instants import to_rfc3339


def told_about(connection: Connection, customer_id: str) -> list[dict[str, Any]]:
    """Each delivery of an event of the customer, oldest first."""
    rows = connection.execute(
        select(
            event_table.c.type,
            event_table.c.created_at,
            endpoint_table.c.url,
            endpoint_table.c.recipient,
            delivery_table.c.state,
        )
        .join(delivery_table, delivery_table.c.event_id == event_table.c.id)
        .join(endpoint_table, endpoint_table.c.id == delivery_table.c.endpoint_id)
        .where(event_table.c.customer_id == customer_id)
        .order_by(event_table.c.id)
    )
    return [
        {
            "event_type": row.type,
            "at": to_rfc3339(row.created_at),
            "endpoint": row.url,
            "recipient": row.recipient,
            "state": row.state,
        }
        for row in rows
    ]
