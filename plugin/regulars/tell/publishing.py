"""Publishing: an event and its deliveries, in the transaction that changed the customer."""

from datetime import datetime

from sqlalchemy import Connection

from regulars.keep.record import Json, changed_pointers
from regulars.tell.deliveries import endpoints_reached, enqueue
from regulars.tell.endpoints import Endpoint, list_endpoints
from regulars.tell.events import add_event, concerns, erased_data
from regulars_webhooks.events import (
    CUSTOMER_CREATED,
    CUSTOMER_ERASED,
    CUSTOMER_UPDATED,
    TEST_PING,
)


def publish(
    connection: Connection, before: Json | None, after: Json, now: datetime
) -> str:
    """The id of the event that tells how the record came from *before* to *after*.

    *before* is None for a customer who is new. Both are what ``Recorder.record`` gives.
    """
    changed = changed_pointers(before, after) if before else []
    event_type = CUSTOMER_UPDATED if before else CUSTOMER_CREATED
    customer = after["customer"]
    event_id = add_event(
        connection,
        event_type,
        {"customer": customer, "changed": changed, "profile": after["profile"]},
        customer_id=customer["id"],
        version=customer["version"],
        now=now,
    )
    interested = [
        endpoint
        for endpoint in list_endpoints(connection, now)
        if endpoint.wants(event_type) and concerns(endpoint.recipient, changed)
    ]
    enqueue(connection, event_id, interested, now)
    return event_id


def publish_erasure(
    connection: Connection,
    customer_id: str,
    version: int,
    now: datetime,
    *,
    tell_all: bool = False,
) -> str:
    """The id of the event that goes to every endpoint that was ever told of the customer.

    With *tell_all* to every endpoint: after a restore nobody knows who was told.
    """
    reached = endpoints_reached(connection, customer_id)
    event_id = add_event(
        connection,
        CUSTOMER_ERASED,
        erased_data(customer_id, version),
        customer_id=customer_id,
        version=version,
        now=now,
    )
    endpoints = [
        endpoint
        for endpoint in list_endpoints(connection, now)
        if tell_all or endpoint.id in reached
    ]
    enqueue(connection, event_id, endpoints, now)
    return event_id


def publish_test(connection: Connection, endpoint: Endpoint, now: datetime) -> str:
    """The id of a ``test.ping`` that waits for this endpoint alone."""
    data: Json = {"message": "Regulars reaches this endpoint."}
    event_id = add_event(
        connection, TEST_PING, data, customer_id=None, version=0, now=now
    )
    enqueue(connection, event_id, [endpoint], now)
    return event_id
