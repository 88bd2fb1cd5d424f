"""The dispatcher: takes what is due, sends it in threads, settles what came of it.

One thread talks to the database, so that claims and settlements travel in batches;
the others only send. No transaction is open while anything is on the network.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from regulars.keep.db import Database, is_unavailable
from regulars.tell.outbox import Claimed, Outcome, claim, settle
from regulars_webhooks.retry import decide
from regulars_webhooks.signing import sign
from regulars_webhooks.transport import Transport

log = logging.getLogger(__name__)

POLL_S = 0.2


class Dispatcher:
    """Empties the outbox; one for the life of a process."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        clock: Callable[[], datetime],
        *,
        threads: int = 16,
    ) -> None:
        """At most *threads* attempts are under way at once, and no more are ever leased."""
        self._database = database
        self._transport = transport
        self._clock = clock
        self._threads = threads
        self._done: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._in_flight = 0
        self._unsettled: list[Outcome] = []

    def run(self, stop: threading.Event) -> None:
        """Work until *stop* is set; then finish what is under way."""
        with ThreadPoolExecutor(self._threads, "deliver") as pool:
            while not stop.is_set():
                took = self._take(pool)
                self._settle(wait_s=0.0 if took else POLL_S)
            while self._in_flight:
                self._settle(wait_s=POLL_S)

    def run_once(self) -> int:
        """How many due deliveries were attempted and settled."""
        with ThreadPoolExecutor(self._threads, "deliver") as pool:
            count = self._take(pool)
            while self._in_flight:
                self._settle(wait_s=POLL_S)
        return count

    def _take(self, pool: ThreadPoolExecutor) -> int:
        room = self._threads - self._in_flight
        if not room:
            return 0
        with self._database.transaction() as connection:
            claimed = claim(connection, room, self._clock())
        for delivery in claimed:
            self._in_flight += 1
            pool.submit(self._send, delivery)
        return len(claimed)

    def _send(self, delivery: Claimed) -> None:
        outcome = None
        try:
            outcome = attempt(self._transport, delivery, self._clock)
        finally:
            # None: our own fault. The lease runs out and the delivery is due again.
            self._done.put(outcome)

    def _settle(self, wait_s: float) -> None:
        outcomes = self._collect(wait_s)
        whole = [outcome for outcome in outcomes if outcome is not None]
        if len(whole) < len(outcomes):
            log.error("attempt failed by itself")
            self._in_flight -= len(outcomes) - len(whole)
        settling, self._unsettled = [*self._unsettled, *whole], []
        if not settling:
            return
        try:
            settle_all(self._database, settling, self._clock())
        except Exception as error:
            if is_unavailable(error):
                # What was sent is not forgotten: it is written down when the database
                # is back, and until then its place is taken.
                self._unsettled = settling
            else:
                self._in_flight -= len(settling)
            raise
        self._in_flight -= len(settling)

    def _collect(self, wait_s: float) -> list[Outcome | None]:
        """What is done by now, waiting *wait_s* for the first."""
        outcomes = []
        with contextlib.suppress(queue.Empty):
            outcomes.append(self._done.get(block=wait_s > 0, timeout=wait_s or None))
            while True:
                outcomes.append(self._done.get_nowait())
        return outcomes


def attempt(
    transport: Transport, delivery: Claimed, clock: Callable[[], datetime]
) -> Outcome:
    """One signed POST and what follows from its answer; the signature is made afresh."""
    started_at = clock()
    headers = {
        "content-type": "application/json",
        **sign(
            delivery.event_id,
            delivery.body,
            secrets=delivery.endpoint.secrets,
            now=started_at,
        ),
    }
    result = transport.send(delivery.endpoint.url, headers, delivery.body)
    decision = decide(delivery.step + 1, result, now=clock())
    return Outcome(delivery, started_at, result, decision)


def settle_all(database: Database, outcomes: list[Outcome], now: datetime) -> None:
    """Write down what came of *outcomes*, and say it in the log by id."""
    with database.transaction() as connection:
        lost = settle(connection, outcomes, now)
    for outcome in outcomes:
        delivery_id = outcome.claimed.id
        if delivery_id in lost:
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
