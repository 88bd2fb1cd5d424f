"""How fast an endpoint is told things: rules by value, without a clock or a database.

An endpoint has a number of *slots*, how many attempts may be under way at it at once.
Trouble takes slots away and closes the endpoint for a while; then one attempt is let
through, and each that succeeds gives a slot back. ``outbox`` asks how much may go out,
``settling`` tells what came of it.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from regulars_webhooks.retry import DeliveryResult, Failure

DEFAULT_MAX_INFLIGHT: Final = 8
# Failures in a row after which an endpoint is left alone but for single tries.
TRIP_AFTER: Final = 5
FIRST_CLOSED: Final = timedelta(seconds=1)
LONGEST_CLOSED: Final = timedelta(minutes=5)
# A receiver may ask for more than that itself.
LONGEST_ASKED: Final = timedelta(hours=24)
# What a rate allows at once after a pause.
BURST: Final = timedelta(seconds=1)
DISABLE_AFTER: Final = timedelta(days=5)
NOTICES: Final = (50, 70, 90, 100)

_JITTER: Final = 0.2
# Too many at once, or a server that is up but has nobody behind it in time.
_SLOWING: Final = frozenset({429, 502, 504})


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator lets an endpoint have."""

    max_inflight: int
    rate_per_s: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How an endpoint fares.

    ``slots`` None: as many as its limit. ``failures`` in a row. By the database's clock:
    ``closed_until`` for trouble, ``busy_until`` for its rate, ``claimed_at`` when
    something was last let out. ``notice`` is the last of ``NOTICES`` that it has reached.
    """

    slots: int | None = None
    failures: int = 0
    failing_since: datetime | None = None
    closed_until: datetime | None = None
    busy_until: datetime | None = None
    notice: int = 0
    last_success_at: datetime | None = None
    claimed_at: datetime | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether the last that was heard of the endpoint was a failure."""
        return self.failing_since is not None


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on two clocks: ``at`` ours, ``on_database`` the one that all share."""

    at: datetime
    on_database: datetime


def room(limits: Limits, pace: Pace, in_flight: int, on_database: datetime) -> int:
    """How many more attempts may begin, with *in_flight* under way; never below 0."""
    if pace.closed_until is not None and on_database < pace.closed_until:
        return 0
    slots = min(pace.slots or limits.max_inflight, limits.max_inflight)
    free = max(slots - in_flight, 0)
    if limits.rate_per_s is None:
        return free
    earned = (on_database - _spent_until(limits.rate_per_s, pace, on_database)) / _each(
        limits.rate_per_s
    )
    # Milliseconds are all that is stored: one of them must not cost an attempt.
    return max(min(free, math.floor(earned + 1e-3)), 0)


def spend(limits: Limits, pace: Pace, count: int, on_database: datetime) -> Pace:
    """*pace* after *count* more attempts were let out."""
    pace = replace(pace, claimed_at=on_database)
    if limits.rate_per_s is None:
        return pace
    since = _spent_until(limits.rate_per_s, pace, on_database)
    return replace(pace, busy_until=since + count * _each(limits.rate_per_s))


def _each(rate_per_s: float) -> timedelta:
    return timedelta(seconds=1 / rate_per_s)


def _spent_until(rate_per_s: float, pace: Pace, on_database: datetime) -> datetime:
    # Time that passed unused is lost, but for the burst, which is one attempt at least.
    earliest = on_database - max(BURST, _each(rate_per_s))
    return max(pace.busy_until or earliest, earliest)


def after_success(limits: Limits, pace: Pace, moment: Moment) -> Pace:
    """*pace* once the endpoint took something: open, with one slot more."""
    slots = None if pace.slots is None else pace.slots + 1
    return Pace(
        slots=None if slots is None or slots >= limits.max_inflight else slots,
        busy_until=pace.busy_until,
        last_success_at=moment.at,
        claimed_at=pace.claimed_at,
    )


def after_failure(
    pace: Pace,
    result: DeliveryResult,
    moment: Moment,
    *,
    jitter: Callable[[], float] = random.random,
) -> Pace:
    """*pace* once an attempt failed by the endpoint's fault.

    What was under way when the endpoint was closed adds nothing: ten that hang at once
    are one sign of trouble.
    """
    since = pace.failing_since or moment.at
    pace = replace(pace, failing_since=since, notice=_notice(pace, moment.at - since))
    if pace.closed_until is not None and moment.on_database < pace.closed_until:
        return pace
    pace = replace(pace, failures=pace.failures + 1)
    slows = is_slowing(result)
    if not slows and pace.failures < TRIP_AFTER:
        return pace
    closed = closed_for(pace.failures) * (1 - _JITTER + 2 * _JITTER * jitter())
    if slows and result.retry_after is not None:
        closed = max(closed, min(result.retry_after, LONGEST_ASKED))
    return replace(pace, slots=1, closed_until=moment.on_database + closed)


def is_slowing(result: DeliveryResult) -> bool:
    """Whether the endpoint has more to do than it can: it says so, or is not in time."""
    return (
        result.error is Failure.TIMEOUT
        or result.status in _SLOWING
        or (result.status == 503 and result.retry_after is not None)
    )


def closed_for(failures: int) -> timedelta:
    """For how long an endpoint is left alone after so many failures in a row."""
    longer: int = 2 ** min(failures - 1, 16)
    return min(FIRST_CLOSED * longer, LONGEST_CLOSED)


def _notice(pace: Pace, failing_for: timedelta) -> int:
    reached = [
        stage for stage in NOTICES if failing_for >= DISABLE_AFTER * (stage / 100)
    ]
    return max([pace.notice, *reached])
