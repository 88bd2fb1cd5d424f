"""Retention: what need not be kept any longer goes, once a day by the worker or by hand."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from regulars.check.cache import drop_stale
from regulars.check.usage import drop_old_usage
from regulars.keep.db import Database
from regulars.keep.idempotency import drop_expired
from regulars.keep.installation import take_turn
from regulars.tell.changing import cancel_for_removed
from regulars.tell.emptying import BATCH, empty_some

log = logging.getLogger(__name__)

EVERY: Final = timedelta(days=1)
_TURN: Final = "retention"


@dataclass(frozen=True, slots=True)
class Swept:
    """How much went: events emptied, answers of receivers, and rows deleted of three kinds.

    ``cancelled`` are deliveries of removed endpoints that were under way at the removal.
    """

    events: int = 0
    answers: int = 0
    repeats: int = 0
    lookups: int = 0
    usage_days: int = 0
    cancelled: int = 0


class Retention:
    """Sweeps one database; *delivery_days* 0 keeps what was delivered for ever."""

    def __init__(
        self, database: Database, *, delivery_days: int, batch: int = BATCH
    ) -> None:
        """At most *batch* rows are changed in one transaction."""
        self._database = database
        self._delivery_days = delivery_days
        self._batch = batch

    def run_due(
        self, now: datetime, is_over: Callable[[], bool] = lambda: False
    ) -> Swept | None:
        """As ``run``, if no process has done so for a day; else None."""
        with self._database.transaction() as connection:
            if not take_turn(connection, _TURN, now, EVERY):
                return None
        return self.run(now, is_over)

    def run(self, now: datetime, is_over: Callable[[], bool] = lambda: False) -> Swept:
        """What went, up to the batch after which *is_over* says so; the log is told as well."""
        with self._database.transaction() as connection:
            cancelled = cancel_for_removed(connection)
            usage_days = drop_old_usage(connection, now)
        events, answers = self._empty(now, is_over)
        swept = Swept(
            events=events,
            answers=answers,
            repeats=self._in_batches(lambda: self._drop_repeats(now), is_over),
            lookups=self._in_batches(lambda: self._drop_lookups(now), is_over),
            usage_days=usage_days,
            cancelled=cancelled,
        )
        if events or swept.repeats or swept.lookups:
            # What was deleted is not to be read from the log beside the database either.
            self._database.scrub()
        log.info("retention done", extra=asdict(swept))
        return swept

    def _empty(self, now: datetime, is_over: Callable[[], bool]) -> tuple[int, int]:
        events = answers = 0
        if not self._delivery_days:
            return 0, 0
        before = now - timedelta(days=self._delivery_days)
        last: str | None = ""
        while last is not None and not is_over():
            done = empty_some(self._database, last, before, batch=self._batch)
            last = done.last
            events += done.events
            answers += done.answers
        return events, answers

    def _in_batches(self, drop: Callable[[], int], is_over: Callable[[], bool]) -> int:
        total = 0
        while not is_over():
            count = drop()
            total += count
            if count < self._batch:
                break
        return total

    def _drop_repeats(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            return drop_expired(connection, now, self._batch)

    def _drop_lookups(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            return drop_stale(connection, now, self._batch)
