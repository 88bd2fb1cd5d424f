"""One test event to one endpoint, sent at once by whoever asks and never retried."""

from collections.abc import Callable
from datetime import datetime

from regulars.keep.db import Database
from regulars.tell.attempting import attempt, settle_all
from regulars.tell.endpoints import Endpoint
from regulars.tell.outbox import claim_event
from regulars.tell.publishing import publish_test
from regulars_webhooks.retry import DeliveryResult
from regulars_webhooks.transport import Transport


def try_endpoint(
    database: Database,
    transport: Transport,
    endpoint: Endpoint,
    clock: Callable[[], datetime],
) -> DeliveryResult:
    """What the endpoint answered to a ``test.ping``; paused and disabled ones too."""
    with database.transaction() as connection:
        # Made and leased in one transaction, so that no dispatcher takes it first.
        event_id = publish_test(connection, endpoint, clock())
        claimed = claim_event(connection, event_id, endpoint)
    outcome = attempt(transport, claimed, clock, database.seal)
    settle_all(database, [outcome], clock())
    return outcome.result
