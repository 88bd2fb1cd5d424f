"""How fast X may be asked: what is left of the calls that it allows in its window.

X tells with each answer; every process writes down what it was told, so that all keep
to it together. https://docs.x.com/x-api/fundamentals/rate-limits
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Integer, String, Table, select

from regulars.check.lookup import Window
from regulars.check.usage import PUBLIC_PART
from regulars.keep.db import Instant, insert_or_replace, metadata

WINDOW = timedelta(minutes=15)
# X's clock and ours may differ, and an answer may overtake another.
_SAME_WINDOW = timedelta(minutes=1)
# Of the limit: below one half signups do not wait for calls of their own any more.
_HALF = 0.5
# Nobody makes the last ones: 429 is an answer that helps nobody.
_KEPT_BACK = 0.05

window_table = Table(
    "lookup_window",
    metadata,
    # X counts each kind of call by itself.
    Column("call", String(20), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    Column("reset_at", Instant, nullable=False),
    # Of those used, the ones that were made for the public check alone.
    Column("public_calls", Integer, nullable=False),
)
_c = window_table.c


@dataclass(frozen=True, slots=True)
class Pace:
    """The scarcest of the windows that run now; ``remaining`` of ``limit`` calls until ``reset_at``.

    ``public_calls`` of all that were used were made for the public check alone.
    """

    limit: int
    remaining: int
    reset_at: datetime
    public_calls: int = 0

    @property
    def is_sparing(self) -> bool:
        """Whether half of the calls are used, so that the rest is for full batches."""
        return self.remaining < self.limit * _HALF

    @property
    def is_used_up(self) -> bool:
        """Whether nobody asks any more until the window begins anew."""
        return self.remaining <= self.limit * _KEPT_BACK

    @property
    def is_used_up_by_public(self) -> bool:
        """Whether the public check has had its part of the calls."""
        return self.public_calls >= self.limit // PUBLIC_PART

    def has_room(self, now: datetime) -> bool:
        """Whether a call with few handles may be made at *now*.

        The second half of the calls is spread over what is left of the window, so that
        it lasts to its end.
        """
        if not self.is_sparing:
            return True
        left = min(max((self.reset_at - now) / WINDOW, 0), 1)
        kept_back = self.limit * _KEPT_BACK
        return self.remaining > kept_back + (self.limit * _HALF - kept_back) * left


def pace_at(connection: Connection, now: datetime) -> Pace | None:
    """What X allows at *now*; None while it has not said, or its windows are over."""
    # A window that ends later than any can was told to a clock that was wrong.
    is_running = _c.reset_at.between(now, now + WINDOW + _SAME_WINDOW)
    running = select(window_table).where(is_running, _c.calls > 0)
    rows = connection.execute(running).all()
    if not rows:
        return None
    scarcest = min(rows, key=lambda row: row.remaining / row.calls)
    public_calls = sum(row.public_calls for row in rows)
    return Pace(scarcest.calls, scarcest.remaining, scarcest.reset_at, public_calls)


def note_windows(
    connection: Connection, windows: Mapping[str, Window], *, is_public: bool
) -> None:
    """Write down what X said of each kind of call; an older word does not replace a newer one.

    *is_public*: the call just made was for the public check alone.
    """
    for call, window in windows.items():
        row = connection.execute(
            select(window_table).where(_c.call == call).with_for_update()
        ).one_or_none()
        remaining, public_calls = window.remaining, int(is_public)
        if row is not None and abs(row.reset_at - window.reset_at) < _SAME_WINDOW:
            remaining = min(remaining, row.remaining)
            public_calls += row.public_calls
        insert_or_replace(
            connection,
            window_table,
            [
                {
                    "call": call,
                    "calls": window.limit,
                    "remaining": remaining,
                    "reset_at": window.reset_at,
                    "public_calls": public_calls,
                }
            ],
        )
