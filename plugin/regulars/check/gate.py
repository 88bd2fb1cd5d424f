"""The gate before X: who may wait for it, and when it is asked again after trouble.

The state is in the database, because the web process meets the trouble and the
dispatcher, another process, tries again. While the gate is closed nobody waits: what
a signup brings is pending, and the dispatcher's next probe opens the gate for all.
"""

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Boolean, Column, Connection, Integer, String, Table, select

from regulars.check.lookup import Answer, Found, HandleLookup, Reason, Unavailable
from regulars.check.usage import Caps, Usage, count_users, usage_at
from regulars.keep.db import Database, Instant, metadata
from regulars.values.handle import Handle

log = logging.getLogger(__name__)

LONGEST_RETRY = timedelta(minutes=15)
# One slow answer may be chance; the second in a row says that X is slow.
_TIMEOUTS_TO_CLOSE = 2
_PROVIDER = "x"

gate_table = Table(
    "lookup_gate",
    metadata,
    Column("provider", String(20), primary_key=True),
    Column("is_closed", Boolean, nullable=False),
    Column("timeouts", Integer, nullable=False),
    Column("failed_probes", Integer, nullable=False),
    # Null while X answers.
    Column("reason", String(20)),
    Column("since", Instant),
    Column("retry_at", Instant),
)

_ROW = select(gate_table).where(gate_table.c.provider == _PROVIDER)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps X from answering."""

    is_closed: bool
    timeouts: int
    failed_probes: int
    reason: Reason
    since: datetime
    retry_at: datetime


def find_trouble(connection: Connection, *, to_change: bool = False) -> Trouble | None:
    """The present trouble with X, if any; its row is locked for a change *to_change*."""
    # The migration that made the table put the one row in, so that none is ever added.
    row = connection.execute(_ROW.with_for_update() if to_change else _ROW).one()
    if row.reason is None:
        return None
    return Trouble(
        row.is_closed,
        row.timeouts,
        row.failed_probes,
        Reason(row.reason),
        row.since,
        row.retry_at,
    )


class Gate:
    """A ``HandleLookup`` that never lets a signup wait in vain."""

    def __init__(
        self,
        lookup: HandleLookup,
        database: Database,
        *,
        retry_s: float,
        waiting: int,
        caps: Caps,
    ) -> None:
        """At most *waiting* callers wait for X at once; *retry_s* is the first wait after trouble."""
        self._lookup = lookup
        self._caps = caps
        self._database = database
        self._retry = timedelta(seconds=retry_s)
        self._places = threading.BoundedSemaphore(waiting)

    def usage(self, connection: Connection, now: datetime) -> Usage:
        """What X has billed, beside what the shop is ready to pay for."""
        return usage_at(connection, self._caps, now)

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """As the port says; ``Unavailable`` at once while the gate is closed or all places are taken."""
        with self._database.reading() as connection:
            trouble = find_trouble(connection)
            usage = self.usage(connection, now)
        if trouble and trouble.is_closed:
            return _all(handles, Unavailable(trouble.reason, trouble.retry_at))
        if usage.users_left < len(handles):
            return _all(handles, _spent(usage, now))
        if not self._places.acquire(blocking=False):
            return _all(handles, Unavailable(Reason.BUSY, None))
        try:
            answers = self._lookup.look_up(handles, timeout_s=timeout_s, now=now)
        finally:
            self._places.release()
        self._learn(answers.values(), now, is_probe=False)
        return answers

    def probe(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """The answers of X, closed gate or not: one success opens it for everybody.

        What the shop does not want to pay for is not asked here either.
        """
        with self._database.reading() as connection:
            usage = self.usage(connection, now)
        if usage.users_left < len(handles):
            return _all(handles, _spent(usage, now))
        answers = self._lookup.look_up(handles, timeout_s=timeout_s, now=now)
        self._learn(answers.values(), now, is_probe=True)
        return answers

    def _learn(
        self, answers: Iterable[Answer], now: datetime, *, is_probe: bool
    ) -> None:
        answers = list(answers)
        billed = sum(isinstance(answer, Found) for answer in answers)
        count_users(self._database, billed, now)
        troubles = [answer for answer in answers if isinstance(answer, Unavailable)]
        with self._database.reading() as connection:
            known = find_trouble(connection)
        if len(troubles) < len(answers):
            if known:
                self._open()
        elif troubles:
            with self._database.transaction() as connection:
                self._note(connection, troubles[0], now, is_probe=is_probe)

    def _open(self) -> None:
        with self._database.transaction() as connection:
            _set(
                connection,
                is_closed=False,
                timeouts=0,
                failed_probes=0,
                reason=None,
                since=None,
                retry_at=None,
            )
        log.info("x answers again")

    def _note(
        self,
        connection: Connection,
        answer: Unavailable,
        now: datetime,
        *,
        is_probe: bool,
    ) -> None:
        known = find_trouble(connection, to_change=True)
        if known and known.is_closed and not is_probe:
            # Others ran into the same trouble while we waited: the wait does not grow.
            return
        timed_out = answer.reason is Reason.TIMEOUT
        timeouts = (known.timeouts if known else 0) + 1 if timed_out else 0
        # The first trouble waits the first wait, whoever met it.
        failed_probes = known.failed_probes + is_probe if known else 0
        stays_closed = known is not None and known.is_closed
        wait = min(self._retry * 2 ** min(failed_probes, 20), LONGEST_RETRY)
        _set(
            connection,
            is_closed=stays_closed or not timed_out or timeouts >= _TIMEOUTS_TO_CLOSE,
            timeouts=timeouts,
            failed_probes=failed_probes,
            reason=answer.reason.value,
            since=known.since if known else now,
            retry_at=answer.retry_at or now + wait,
        )
        log.warning(
            "x does not answer",
            extra={"reason": answer.reason.value, "probe": is_probe},
        )


def _set(connection: Connection, **values: object) -> None:
    connection.execute(
        gate_table.update().where(gate_table.c.provider == _PROVIDER).values(**values)
    )


def _spent(usage: Usage, now: datetime) -> Answer:
    return Unavailable(Reason.BUDGET_SPENT, usage.free_again_at(now))


def _all(handles: Sequence[Handle], answer: Answer) -> dict[str, Answer]:
    return {handle.key: answer for handle in handles}
