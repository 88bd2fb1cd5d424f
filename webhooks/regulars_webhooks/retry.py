"""When a delivery is tried again: a decision by value, without clock or socket.

The schedule is the one that Standard Webhooks recommends ("Deliverability"):
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
The sender calls ``decide`` after each attempt.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

# The wait after the first, second, … attempt. The first attempt is at once: ten in all, over 75.6 hours.
SCHEDULE: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER: Final = 0.2
LONGEST_WAIT: Final = timedelta(hours=24)
OWN_TROUBLE_WAIT: Final = timedelta(seconds=30)

_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_GONE: Final = 410


class Failure(StrEnum):
    """Why an attempt failed without an answer, or with one that is never followed (``redirect``).

    The last three look like trouble of the sender's own: a resolver that does not
    answer, no way out of its network, nothing left to open a connection with.
    """

    ADDRESS_REFUSED = "address_refused"
    CONNECT = "connect"
    DNS = "dns"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    TIMEOUT = "timeout"
    TLS = "tls"
    OUR_RESOLVER = "our_resolver"
    OUR_NETWORK = "our_network"
    OUR_RESOURCES = "our_resources"

    @property
    def is_ours(self) -> bool:
        """Whether the sender is to blame, and not the endpoint."""
        return self in _THEIRS

    @property
    def theirs(self) -> "Failure":
        """The same failure where the endpoint is to blame: others get through meanwhile."""
        return _THEIRS.get(self, self)


# Each failure of the sender's own, and what it is where only one endpoint has it.
_THEIRS: Final = {
    Failure.OUR_RESOLVER: Failure.DNS,
    Failure.OUR_NETWORK: Failure.CONNECT,
    Failure.OUR_RESOURCES: Failure.OUR_RESOURCES,
}


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of one attempt.

    ``status`` is set when the endpoint answered, ``error`` when it did not; both
    when it answered with a redirect.
    ``detail`` is for the operator and holds no header, body or secret.
    ``response_head`` is the beginning of the body of the answer, at most 4 kB.
    """

    status: int | None
    error: Failure | None
    detail: str
    retry_after: timedelta | None
    duration_ms: int
    response_head: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint took the event."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at ``at``, or soon after."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Disable:
    """The endpoint says that it is gone (410): send it nothing more, hold what waits."""


@dataclass(frozen=True, slots=True)
class Postpone:
    """Try again at ``at`` as if this had been no attempt: the trouble is the sender's own."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The schedule is over."""


Decision = Delivered | RetryAt | Postpone | Disable | GiveUp


def decide(
    attempt: int,
    result: DeliveryResult,
    *,
    now: datetime,
    jitter: Callable[[], float] = random.random,
) -> Decision:
    """What to do after *attempt*, which is 1 for the first.

    Whatever is not a 2xx is tried again: a redirect (never followed), a 4xx (a
    deployment in between mends it) and a refused address (the name may be mended)
    too. The wait is that of ``SCHEDULE`` ±20 %; a ``Retry-After`` is obeyed as long
    as it is no shorter than the schedule and no longer than 24 hours. What is the
    sender's own trouble moves no schedule. *jitter* returns a number from 0 up to 1.

    Raises:
        ValueError: *attempt* is below 1.
    """
    if attempt < 1:
        raise ValueError("the first attempt is 1")
    if result.error is None and result.status is not None:
        if 200 <= result.status <= 299:
            return Delivered()
        if result.status == _GONE:
            return Disable()
    spread = 1 - JITTER + 2 * JITTER * jitter()
    if result.error is not None and result.error.is_ours:
        return Postpone(now + OWN_TROUBLE_WAIT * spread)
    if attempt > len(SCHEDULE):
        return GiveUp()
    base = SCHEDULE[attempt - 1]
    if result.retry_after is not None:
        return RetryAt(now + min(max(result.retry_after, base), LONGEST_WAIT))
    return RetryAt(now + base * spread)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that a ``Retry-After`` header asks for, never negative.

    Both forms of https://www.rfc-editor.org/rfc/rfc9110#field.retry-after are
    read, seconds and a date; a date that has passed is a wait of nothing. None
    when there is no header or it is neither. Raises nothing.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=int(value))
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            # "-0000" is UTC of an unknown place (RFC 5322 §3.3).
            moment = moment.replace(tzinfo=UTC)
        return max(moment - now, timedelta(0))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
