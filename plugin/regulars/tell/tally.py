"""Counts of what dispatchers did, added up in the database: for ``/metrics``, whichever process is asked.

A process that is killed takes the counts of its last seconds along; nothing else rests
on them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, String, Table, select

from regulars.keep.db import insert_new, metadata
from regulars.tell.settling import Outcome, Settled

tally_table = Table(
    "tally",
    metadata,
    Column("name", String(20), primary_key=True),
    # Empty where the count is not about one endpoint.
    Column("endpoint_id", String(40), primary_key=True),
    Column("label", String(30), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
_c = tally_table.c

ATTEMPTS: Final = "attempts"
LOST: Final = "lost_leases"
LAG: Final = "lag"
LAG_SUM_MS: Final = "lag_sum_ms"
# Seconds, each the upper bound of what is counted under it; the last has none.
LAG_BOUNDS: Final = ("0.1", "0.25", "1.0", "5.0", "30.0", "300.0", "3600.0", "+Inf")

Key = tuple[str, str, str]


class Tally:
    """Counts in memory until they are written down."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._counts: Counter[Key] = Counter()

    def note(self, outcomes: Sequence[Outcome], settled: Settled) -> None:
        """Count what was settled: attempts by class, leases lost, how late each was sent."""
        lost = set(settled.lost)
        for outcome in outcomes:
            claimed = outcome.claimed
            if claimed.id in lost:
                self._counts[LOST, claimed.endpoint.id, ""] += 1
                continue
            self._counts[ATTEMPTS, claimed.endpoint.id, _class_of(outcome)] += 1
            if claimed.due_at is not None:
                self._note_lag(claimed.due_at, outcome.started_at)

    def _note_lag(self, due_at: datetime, started_at: datetime) -> None:
        lag_s = max((started_at - due_at).total_seconds(), 0.0)
        bound = next(it for it in LAG_BOUNDS if lag_s <= float(it))
        self._counts[LAG, "", bound] += 1
        self._counts[LAG_SUM_MS, "", ""] += round(lag_s * 1000)

    def write_down(self, connection: Connection) -> None:
        """Add what was counted to what all dispatchers counted, in the caller's transaction."""
        # In one order for all: two dispatchers must not wait for each other's rows.
        counted = sorted((key, count) for key, count in self._counts.items() if count)
        names = ("name", "endpoint_id", "label")
        if counted:
            insert_new(
                connection,
                tally_table,
                [
                    {**dict(zip(names, key, strict=True)), "count": 0}
                    for key, _ in counted
                ],
            )
        for (name, endpoint_id, label), count in counted:
            connection.execute(
                tally_table.update()
                .where(
                    _c.name == name, _c.endpoint_id == endpoint_id, _c.label == label
                )
                .values(count=_c.count + count)
            )

    def forget(self) -> None:
        """Begin again from nothing: what was written down is committed."""
        self._counts.clear()


def _class_of(outcome: Outcome) -> str:
    result = outcome.result
    if result.error is not None:
        return result.error.value
    return "not_sent" if result.status is None else f"{result.status // 100}xx"


def read_tally(connection: Connection) -> dict[Key, int]:
    """Every count by name, endpoint and label."""
    rows = connection.execute(select(tally_table))
    return {(name, endpoint, label): count for name, endpoint, label, count in rows}
