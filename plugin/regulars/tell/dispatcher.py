"""The dispatcher: takes what is due, sends it in threads, settles what came of it.

One thread talks to the database, so that claims and settlements travel in batches;
the others only send. No transaction is open while anything is on the network.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from regulars.keep.db import Database, is_unavailable
from regulars.tell.attempting import attempt, tell_log
from regulars.tell.leases import give_back, renew
from regulars.tell.outbox import LEASE, Claimed, claim, is_anything_due
from regulars.tell.sending_trouble import OwnTrouble
from regulars.tell.settling import Outcome, Settled, settle
from regulars.tell.tally import Tally
from regulars.tell.upkeep import release_held
from regulars_webhooks.transport import Transport

log = logging.getLogger(__name__)

POLL_S = 0.2
THREADS = 32
# What is not done by then after a request to stop is given back.
DRAIN_S = 4.0
# How long a settlement waits for the next outcome: batches are cheaper than haste.
_GATHER_S = 0.005
# After a claim there may be more that is due, for somebody who had no share of it.
_AGAIN_S = 0.02
_UPKEEP_EVERY_S = 5.0
# No attempt takes so long: one that does not come back is not kept from others for ever.
_LONGEST_RENEWED_S = 300.0

_Done = tuple[Claimed, Outcome | None]


class Dispatcher:
    """Empties the outbox; one for the life of a process."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        clock: Callable[[], datetime],
        *,
        threads: int = THREADS,
        lease: timedelta = LEASE,
        drain_s: float = DRAIN_S,
    ) -> None:
        """At most *threads* attempts are under way at once; half as many more are leased for them.

        A delivery is leased for *lease*, and for longer while its attempt goes on. Once
        asked to stop, attempts have *drain_s* seconds to end.
        """
        self._database = database
        self._transport = transport
        self._clock = clock
        self._threads = threads
        self._lease = lease
        self._drain_s = drain_s
        self._to_send: queue.SimpleQueue[Claimed | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._senders = 0
        # What is leased to this process, and since when.
        self._ours: dict[str, tuple[Claimed, float]] = {}
        self._unsettled: list[Outcome] = []
        self._trouble = OwnTrouble()
        self._tally = Tally()
        self._renew_at = 0.0
        self._upkeep_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until *stop* is set; then finish what is under way, or give it back."""
        took = 0
        while not stop.is_set():
            took = self._round(wait_s=_AGAIN_S if took else POLL_S)
        self._drain()
        self._dismiss_senders()
        self._write_tally()

    def run_once(self) -> int:
        """How many due deliveries were attempted and settled."""
        count = self._round(wait_s=0.0)
        while self._ours:
            self._settle_done(wait_s=POLL_S)
        self._dismiss_senders()
        self._write_tally()
        return count

    def _round(self, wait_s: float) -> int:
        """How many deliveries were taken up, after settling those that are done."""
        outcomes = self._collect(wait_s)
        if not outcomes and not self._is_needed():
            return 0
        claimed: list[Claimed] = []

        def take(connection: Connection) -> None:
            claimed.extend(self._claim(connection))

        self._write_down(outcomes, take)
        for delivery in claimed:
            self._ours[delivery.id] = (delivery, time.monotonic())
            self._send_soon(delivery)
        return len(claimed)

    def _is_needed(self) -> bool:
        """Whether the database has anything to be written: else it is only read, again and again."""
        now = time.monotonic()
        if (self._ours and now >= self._renew_at) or now >= self._upkeep_at:
            return True
        if not self._room():
            return False
        with self._database.reading() as connection:
            return is_anything_due(connection)

    def _room(self) -> int:
        # Some ahead, so that no thread waits for the database.
        return self._threads + self._threads // 2 - len(self._ours)

    def _claim(self, connection: Connection) -> list[Claimed]:
        room = self._room()
        if self._trouble.is_on:
            room = 1 if not self._ours and self._trouble.may_probe() else 0
        if not room:
            return []
        # Half of the threads is kept for endpoints that take what they are sent.
        troubled = sum(it.endpoint.pace.is_troubled for it, _ in self._ours.values())
        return claim(
            connection,
            room,
            self._clock(),
            lease=self._lease,
            troubled_limit=max((self._threads + 1) // 2 - troubled, 0),
        )

    def _settle_done(self, wait_s: float) -> None:
        outcomes = self._collect(wait_s)
        if outcomes or time.monotonic() >= self._renew_at:
            self._write_down(outcomes, lambda connection: None)

    def _write_down(
        self, outcomes: list[Outcome], then: Callable[[Connection], None]
    ) -> None:
        """Settle *outcomes*, let leases begin anew where it is time, and do *then*; all at once."""
        now = self._clock()
        outcomes = self._trouble.judge(outcomes, now)
        settled = Settled((), ())
        try:
            with self._database.transaction() as connection:
                if outcomes:
                    settled = settle(connection, outcomes, now)
                    self._trouble.note(connection, outcomes, now)
                self._renew(connection, {it.claimed.id for it in outcomes})
                is_counted = self._keep_up(connection)
                then(connection)
        except Exception as error:
            if is_unavailable(error):
                # What was sent is not forgotten: it is written down when the database
                # is back, and until then its place is taken.
                self._unsettled = [*outcomes, *self._unsettled]
            else:
                self._forget(outcomes)
            raise
        self._forget(outcomes)
        if is_counted:
            self._tally.forget()
        self._tally.note(outcomes, settled)
        tell_log(outcomes, settled)

    def _forget(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._ours.pop(outcome.claimed.id, None)

    def _renew(self, connection: Connection, settled: set[str]) -> None:
        now = time.monotonic()
        if now < self._renew_at:
            return
        self._renew_at = now + self._lease.total_seconds() / 3
        going_on = [
            delivery
            for delivery, since in self._ours.values()
            if delivery.id not in settled and now - since < _LONGEST_RENEWED_S
        ]
        renew(connection, going_on, lease=self._lease)

    def _keep_up(self, connection: Connection) -> bool:
        """Whether it was time to, so that all counts are written down."""
        now = time.monotonic()
        if now < self._upkeep_at:
            return False
        self._upkeep_at = now + _UPKEEP_EVERY_S
        if release_held(connection):
            self._upkeep_at = now
        self._tally.write_down(connection)
        return True

    def _send_soon(self, delivery: Claimed) -> None:
        if self._senders < min(self._threads, len(self._ours)):
            self._senders += 1
            threading.Thread(target=self._send, name="deliver", daemon=True).start()
        self._to_send.put(delivery)

    def _send(self) -> None:
        while (delivery := self._to_send.get()) is not None:
            outcome = None
            try:
                outcome = attempt(
                    self._transport, delivery, self._clock, self._database.seal
                )
            except Exception as error:  # noqa: BLE001 - our own fault: the lease runs out
                log.error(  # noqa: TRY400 - the type alone: a text may quote what was sent
                    "attempt failed by itself",
                    extra={"delivery_id": delivery.id, "error": type(error).__name__},
                )
            self._done.put((delivery, outcome))

    def _collect(self, wait_s: float) -> list[Outcome]:
        """What is done by now, waiting *wait_s* for the first and a moment for more."""
        outcomes, self._unsettled = self._unsettled, []
        with contextlib.suppress(queue.Empty):
            self._note(outcomes, wait_s)
            until = time.monotonic() + (_GATHER_S if self._room() <= 0 else 0.0)
            while True:
                self._note(outcomes, max(until - time.monotonic(), 0.0))
        return outcomes

    def _note(self, outcomes: list[Outcome], wait_s: float) -> None:
        delivery, outcome = self._done.get(block=wait_s > 0, timeout=wait_s or None)
        if outcome is None:
            self._ours.pop(delivery.id, None)
        else:
            outcomes.append(outcome)

    def _drain(self) -> None:
        """Give back what was not begun, wait for the rest, and give back what does not end."""
        waiting = []
        with contextlib.suppress(queue.Empty):
            while (delivery := self._to_send.get_nowait()) is not None:
                waiting.append(delivery)
        self._return(waiting, was_begun=False)
        deadline = time.monotonic() + self._drain_s
        while self._ours and (left_s := deadline - time.monotonic()) > 0:
            self._settle_done(wait_s=min(left_s, POLL_S))
        begun = [delivery for delivery, _ in self._ours.values()]
        if begun:
            log.warning("attempts given back", extra={"count": len(begun)})
            self._return(begun, was_begun=True)

    def _return(self, deliveries: Sequence[Claimed], *, was_begun: bool) -> None:
        if deliveries:
            with self._database.transaction() as connection:
                give_back(connection, deliveries, was_begun=was_begun)
            for delivery in deliveries:
                self._ours.pop(delivery.id, None)

    def _write_tally(self) -> None:
        with self._database.transaction() as connection:
            self._tally.write_down(connection)
        self._tally.forget()

    def _dismiss_senders(self) -> None:
        for _ in range(self._senders):
            self._to_send.put(None)
        self._senders = 0
