"""One attempt of one delivery, and the batch of outcomes that is written down after it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from regulars.keep.db import Database
from regulars.keep.sealing import CannotOpen, Seal
from regulars.tell.outbox import Claimed
from regulars.tell.secrets import opened
from regulars.tell.settling import Outcome, Settled, settle
from regulars_webhooks.retry import DeliveryResult, Postpone, decide
from regulars_webhooks.signing import sign
from regulars_webhooks.transport import Transport

log = logging.getLogger(__name__)


# Until somebody puts the right key back; what waits is held by nothing else meanwhile.
_KEY_WAIT = timedelta(minutes=5)


def attempt(
    transport: Transport, delivery: Claimed, clock: Callable[[], datetime], seal: Seal
) -> Outcome:
    """One signed POST and what follows from its answer; the signature is made afresh.

    Where *seal* is of another key nothing is sent, which is no fault of the endpoint.
    """
    endpoint, started_at = delivery.endpoint, clock()
    try:
        known = opened(seal, endpoint.id, endpoint.secrets, endpoint.headers)
    except CannotOpen as error:
        log.error("secret cannot be opened", extra={"endpoint_id": endpoint.id})  # noqa: TRY400
        nothing = DeliveryResult(None, None, str(error), None, 0, b"")
        return Outcome(delivery, started_at, nothing, Postpone(started_at + _KEY_WAIT))
    headers = {
        **known.headers,
        "content-type": "application/json",
        **sign(delivery.event_id, delivery.body, secrets=known.secrets, now=started_at),
    }
    result = transport.send(endpoint.url, headers, delivery.body)
    if result.response_head:
        result = replace(result, response_head=known.without(result.response_head))
    decision = decide(delivery.step + 1, result, now=clock())
    return Outcome(delivery, started_at, result, decision)


def settle_all(
    database: Database, outcomes: Sequence[Outcome], now: datetime
) -> Settled:
    """Write down what came of *outcomes*, and say it in the log by id."""
    with database.transaction() as connection:
        settled = settle(connection, outcomes, now)
    tell_log(outcomes, settled)
    return settled


def tell_log(outcomes: Sequence[Outcome], settled: Settled) -> None:
    """Say in the log what was settled, once it is committed."""
    for outcome in outcomes:
        delivery_id = outcome.claimed.id
        if delivery_id in settled.lost:
            log.warning("lease was lost", extra={"delivery_id": delivery_id})
            continue
        log.info(
            "delivery attempted",
            extra={
                "delivery_id": delivery_id,
                "status": outcome.result.status,
                "error": outcome.result.error,
                "next": type(outcome.decision).__name__,
            },
        )
    for endpoint_id, percent in settled.notices:
        log.warning(
            "endpoint fails", extra={"endpoint_id": endpoint_id, "percent": percent}
        )
