"""The port through which the use cases learn whether a handle is an account on X."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from regulars.values.handle import Handle
from regulars.values.instants import to_rfc3339
from regulars.values.verdict import Verdict

# X's own limit on one call: https://docs.x.com/x-api/users/lookup/introduction
BATCH_SIZE = 100


class Reason(StrEnum):
    """Why X could not be asked, or was asked in vain. The values are stable codes."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    PAYMENT_REQUIRED = "payment_required"
    FORBIDDEN = "forbidden"
    USAGE_CAPPED = "usage_capped"
    SERVER_ERROR = "server_error"
    UNEXPECTED = "unexpected"
    BUSY = "busy"
    """Too many threads wait for X already; X itself was not asked."""
    SPARING = "sparing"
    """Half of the calls that X allows for now are used; the rest are made with a hundred handles each."""
    BUDGET_SPENT = "budget_spent"
    """What the shop is ready to pay X for is used up; X itself was not asked."""

    @property
    def needs_operator(self) -> bool:
        """Whether waiting will not heal it: token, credit, access or plan must change."""
        return self in _FOR_THE_OPERATOR


_FOR_THE_OPERATOR = frozenset(
    {
        Reason.UNAUTHORIZED,
        Reason.PAYMENT_REQUIRED,
        Reason.FORBIDDEN,
        Reason.USAGE_CAPPED,
    }
)


@dataclass(frozen=True, slots=True)
class Window:
    """What X last said of its limit on one kind of call; ``reset_at`` is aware UTC."""

    limit: int
    remaining: int
    reset_at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What X tells of an account, with X's own spelling of its handle.

    ``url`` and ``image_url`` are http(s) addresses, ``created_at`` is aware UTC;
    whatever X left out or sent in another type is None.
    """

    username: str
    display_name: str | None
    description: str | None
    url: str | None
    image_url: str | None
    followers_count: int | None
    created_at: datetime | None
    verified_type: str | None

    def as_json(self) -> dict[str, Any]:
        """The profile as it is stored."""
        told = asdict(self)
        if self.created_at is not None:
            told["created_at"] = to_rfc3339(self.created_at)
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Profile":
        """The profile that was stored as *told*."""
        at = told["created_at"]
        created_at = datetime.fromisoformat(at) if at else None
        return cls(**{**told, "created_at": created_at})


@dataclass(frozen=True, slots=True)
class Found:
    """The account exists; whose it is remains unknown.

    ``user_id`` is X's numeric id as a string, ``username`` X's own spelling, which
    may name another handle than the one asked for. ``profile`` is None when the
    account is protected.
    """

    user_id: str
    username: str
    profile: Profile | None
    asked_at: datetime | None = field(default=None, compare=False)
    """When X said so, if that was earlier (aware UTC); so it is in the next two."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """X knows no account of that handle."""

    asked_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Suspended:
    """X has suspended the account."""

    asked_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotAsked:
    """X was not asked: checking is off, or X does not take a handle of this form."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """X gave no verdict; ``retry_at`` (aware UTC) is when X itself said to come back."""

    reason: Reason
    retry_at: datetime | None = None


Answer = Found | NotFound | Suspended | NotAsked | Unavailable


class HandleLookup(Protocol):
    """Whatever can say of handles whether they are accounts on X."""

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """Answer for each of *handles*, keyed by ``handle.key``: neither more nor less.

        Returns within *timeout_s* seconds plus a small margin. *now* is aware UTC.
        Raises nothing on account of X or the network: that is `Unavailable`.
        """
        ...


class IdLookup(Protocol):
    """Whatever can say of numeric ids what has become of the accounts behind them."""

    def look_up_ids(
        self, user_ids: Sequence[str], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """Answer for each of *user_ids*, keyed by the id: neither more nor less.

        A `Found` has the id asked and the handle that the account has now. Timing and
        errors are as ``HandleLookup.look_up`` promises.
        """
        ...


class AccountLookup(HandleLookup, IdLookup, Protocol):
    """Whatever can be asked by handle and by id."""


@dataclass(frozen=True, slots=True)
class NoLookup:
    """The look-up of the modes ``format`` and ``off``: it asks nobody."""

    def look_up(
        self,
        handles: Sequence[Handle],
        *,
        timeout_s: float,
        now: datetime,
    ) -> Mapping[str, Answer]:
        """Answer `NotAsked` for each of *handles*."""
        return {handle.key: NotAsked() for handle in handles}

    def look_up_ids(
        self, user_ids: Sequence[str], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """Answer `NotAsked` for each of *user_ids*."""
        return {user_id: NotAsked() for user_id in user_ids}


def verdict_of(answer: Answer) -> Verdict:
    """The verdict that *answer* puts on record."""
    match answer:
        case Found():
            return Verdict.FOUND
        case NotFound():
            return Verdict.NOT_FOUND
        case Suspended():
            return Verdict.SUSPENDED
        case Unavailable():
            return Verdict.PENDING
        case NotAsked():
            return Verdict.UNCHECKED
