"""The trouble that X gives, if any: since when, and when it is asked again.

It is in the database, because the web process meets it and the dispatcher, another
process, tries again. Each failed try doubles the wait, to a quarter of an hour; one
answer of X ends it for everybody.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Boolean, Column, Connection, Integer, String, Table, select

from regulars.check.lookup import Answer, NotAsked, Reason, Unavailable
from regulars.keep.db import Instant, metadata

log = logging.getLogger(__name__)

LONGEST_RETRY = timedelta(minutes=15)
# X's own reset is nearer than that; a later one was set by a clock that went wrong.
_FURTHEST_RETRY = timedelta(days=1)
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
_c = gate_table.c
_ROW = select(gate_table).where(_c.provider == _PROVIDER)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps X from answering; nobody waits for it while it ``is_closed``."""

    is_closed: bool
    timeouts: int
    failed_probes: int
    reason: Reason
    since: datetime
    retry_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to see whether X is back, by a clock that may have jumped."""
        limited = self.reason is Reason.RATE_LIMITED
        furthest = _FURTHEST_RETRY if limited else LONGEST_RETRY
        return self.retry_at <= now or self.retry_at > now + furthest


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


def take_probe(connection: Connection, now: datetime, within: timedelta) -> bool:
    """Whether the caller is the one that tries X again; nobody else does *within* that time."""
    trouble = find_trouble(connection, to_change=True)
    if trouble is None or not trouble.is_due(now):
        return False
    _set(connection, retry_at=now + within)
    return True


def learn(
    connection: Connection,
    answers: Iterable[Answer],
    now: datetime,
    *,
    first_wait: timedelta,
    is_probe: bool,
) -> None:
    """Note how X fared in one call: one answer ends the trouble, none begins or prolongs it."""
    # What X was not asked for says nothing of X.
    of_x = [answer for answer in answers if not _is_unasked(answer)]
    troubles = [answer for answer in of_x if isinstance(answer, Unavailable)]
    if len(troubles) < len(of_x):
        if find_trouble(connection):
            _end(connection)
    elif troubles:
        _note(connection, troubles[0], now, first_wait, is_probe=is_probe)


def _is_unasked(answer: Answer) -> bool:
    if isinstance(answer, Unavailable):
        return answer.reason is Reason.BUSY
    return isinstance(answer, NotAsked)


def _end(connection: Connection) -> None:
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
    connection: Connection,
    answer: Unavailable,
    now: datetime,
    first_wait: timedelta,
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
    wait = min(first_wait * 2 ** min(failed_probes, 20), LONGEST_RETRY)
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
        "x does not answer", extra={"reason": answer.reason.value, "probe": is_probe}
    )


def _set(connection: Connection, **values: object) -> None:
    connection.execute(
        gate_table.update().where(_c.provider == _PROVIDER).values(**values)
    )
