"""Trouble of our own: a host of ours that reaches nobody, and what the operator is told of it.

An endpoint that cannot be reached is to blame for it as long as others can. Where
nobody is reached, the trouble is ours: no schedule moves, and one delivery at a time
finds out when it is over.
"""

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, String, Table, select

from regulars.keep.db import Instant, metadata
from regulars.tell.settling import Outcome
from regulars_webhooks.retry import Failure, decide

log = logging.getLogger(__name__)

# Whoever was reached so lately shows that we can reach people.
_REACHED_LATELY_S: Final = 60.0
_PROBE_EVERY_S: Final = 5.0
# A host that has not said it again is gone, or has nothing to send any more.
FORGET_AFTER: Final = timedelta(minutes=15)

sending_trouble_table = Table(
    "sending_trouble",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("failure", String(30), nullable=False),
    Column("since", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SendingTrouble:
    """A host of ours that reaches nobody, why and since when."""

    host: str
    failure: Failure
    since: datetime


def find_sending_trouble(
    connection: Connection, now: datetime
) -> Sequence[SendingTrouble]:
    """The hosts that reached nobody when they last tried, not long before *now*."""
    columns = sending_trouble_table.c
    rows = connection.execute(
        select(sending_trouble_table)
        .where(columns.seen_at > now - FORGET_AFTER)
        .order_by(columns.host)
    )
    return [SendingTrouble(row.host, Failure(row.failure), row.since) for row in rows]


class OwnTrouble:
    """Whether this process reaches anybody; judges each outcome by the others."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """No trouble yet, and nobody reached."""
        self._monotonic = monotonic
        self._host = socket.gethostname()
        self._reached: dict[str, float] = {}
        self._since: datetime | None = None
        self._next_probe = 0.0

    @property
    def is_on(self) -> bool:
        """Whether nobody was reached when it was last tried."""
        return self._since is not None

    def may_probe(self) -> bool:
        """Whether it is time for one more delivery to find out; says so once."""
        if self._monotonic() < self._next_probe:
            return False
        self._next_probe = self._monotonic() + _PROBE_EVERY_S
        return True

    def judge(self, outcomes: Sequence[Outcome], now: datetime) -> list[Outcome]:
        """*outcomes*, with the blame where it belongs."""
        moment = self._monotonic()
        for outcome in outcomes:
            if outcome.result.status is not None:
                self._reached[outcome.claimed.endpoint.id] = moment
        lately = {
            endpoint_id: at
            for endpoint_id, at in self._reached.items()
            if moment - at < _REACHED_LATELY_S
        }
        self._reached = lately
        return [self._judged(outcome, now) for outcome in outcomes]

    def _judged(self, outcome: Outcome, now: datetime) -> Outcome:
        error = outcome.result.error
        if error is None or not error.is_ours:
            return outcome
        if not set(self._reached) - {outcome.claimed.endpoint.id}:
            return outcome
        result = replace(outcome.result, error=error.theirs)
        decision = decide(outcome.claimed.step + 1, result, now=now)
        return replace(outcome, result=result, decision=decision)

    def note(
        self, connection: Connection, outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        """Write down whether these outcomes show trouble of our own, or the end of it."""
        failures = [
            outcome.result.error
            for outcome in outcomes
            if outcome.result.error is not None and outcome.result.error.is_ours
        ]
        if failures:
            self._begin(connection, failures[-1], now)
        elif self.is_on and any(o.result.status is not None for o in outcomes):
            self._end(connection)

    def _begin(self, connection: Connection, failure: Failure, now: datetime) -> None:
        if self._since is None:
            self._since = now
            self._next_probe = self._monotonic() + _PROBE_EVERY_S
            log.error(
                "nobody can be reached from here",
                extra={"failure": failure.value, "host": self._host},
            )
        values = {"failure": failure.value, "seen_at": now}
        table = sending_trouble_table
        found = connection.execute(
            table.update().where(table.c.host == self._host).values(**values)
        )
        if not found.rowcount:
            connection.execute(
                table.insert().values(host=self._host, since=self._since, **values)
            )

    def _end(self, connection: Connection) -> None:
        self._since = None
        table = sending_trouble_table
        connection.execute(table.delete().where(table.c.host == self._host))
        log.info("deliveries reach somebody again", extra={"host": self._host})
