"""The gate before X: who is answered from what is known, who waits, who is asked for later.

Nobody waits in vain: while X is in trouble, its calls run short or the budget is spent,
what a signup brings is pending, and the dispatcher asks for it in its own time.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from regulars.check.cache import Kind, read_fresh
from regulars.check.coalesce import Coalescer, Seal
from regulars.check.errand import Errand, Errands
from regulars.check.lookup import (
    AccountLookup,
    Answer,
    HandleLookup,
    Reason,
    Unavailable,
    Window,
)
from regulars.check.pace import Pace, pace_at
from regulars.check.terms import Terms, refusal
from regulars.check.trouble import Trouble, find_trouble
from regulars.check.usage import Usage, usage_at
from regulars.keep.db import Database
from regulars.values.handle import Handle

__all__ = ["Gate", "Trouble", "find_trouble"]

_READERS = 4
_EVER = datetime.min.replace(tzinfo=UTC)


class Gate:
    """A ``HandleLookup`` that never lets a signup wait in vain, nor pays twice for an answer."""

    def __init__(
        self,
        lookup: AccountLookup,
        database: Database,
        terms: Terms,
        *,
        waiting: int,
        take_windows: Callable[[], Mapping[str, Window]] = dict,
    ) -> None:
        """At most *waiting* callers wait for X at once, half of them for the public check.

        *take_windows* tells what X said of its limits since it was last called.
        """
        self._database = database
        self._terms = terms
        self._errands = Errands(lookup, database, terms, take_windows)
        self._coalescer = Coalescer(self._fetch)
        self._places = threading.BoundedSemaphore(waiting)
        self._public_places = threading.BoundedSemaphore(max(waiting // 2, 1))
        # Who finds no place here is looked up in the cache with the rest of the batch.
        self._readers = threading.BoundedSemaphore(_READERS)

    @property
    def for_public_check(self) -> HandleLookup:
        """The same look-up for what anybody may ask: at most a fifth of budget and calls."""
        return _PublicCheck(self)

    def usage(self, connection: Connection, now: datetime) -> Usage:
        """What X has billed, beside what the shop is ready to pay for."""
        return usage_at(connection, self._terms.caps, now)

    def pace(self, connection: Connection, now: datetime) -> Pace | None:
        """How many calls X still allows; None while it has not said."""
        return pace_at(connection, now)

    def look_up(
        self,
        handles: Sequence[Handle],
        *,
        timeout_s: float,
        now: datetime,
        is_public: bool = False,
    ) -> Mapping[str, Answer]:
        """As the port says; ``Unavailable`` at once where waiting would be in vain."""
        until = time.monotonic() + timeout_s
        known = self._glance(handles, now, is_public=is_public)
        left = [handle for handle in handles if handle.key not in known]
        if not left:
            return known
        busy = dict.fromkeys((it.key for it in left), Unavailable(Reason.BUSY))
        if not self._enter(is_public):
            return known | busy
        try:
            return known | self._coalescer.look_up(
                left, is_public=is_public, timeout_s=until - time.monotonic(), now=now
            )
        finally:
            self._leave(is_public)

    def probe(
        self,
        handles: Sequence[Handle],
        *,
        timeout_s: float,
        now: datetime,
        is_pending: bool = False,
    ) -> Mapping[str, Answer]:
        """The answers of X, closed gate or not: one success opens it for everybody.

        What the shop does not want to pay for is not asked here either. With *is_pending*
        customers gave the handles, so that what is known already does as well.
        """
        wanted = {handle.key: handle for handle in handles}
        errand = Errand(
            Kind.HANDLE,
            tuple(wanted),
            wanted,
            is_probe=True,
            newer_than=_EVER if is_pending else None,
            is_tried=not is_pending,
        )
        return self._run(errand, timeout_s, now)

    def probe_ids(
        self,
        user_ids: Sequence[str],
        *,
        timeout_s: float,
        now: datetime,
        newer_than: datetime | None = None,
    ) -> Mapping[str, Answer]:
        """As ``probe``, of the accounts behind *user_ids*; an answer *newer_than* that does."""
        keys = tuple(dict.fromkeys(user_ids))
        errand = Errand(Kind.ID, keys, is_probe=True, newer_than=newer_than)
        return self._run(errand, timeout_s, now)

    def _run(
        self, errand: Errand, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        answers: dict[str, Answer] = {}
        for told in self._errands.run(lambda: errand, timeout_s=timeout_s, now=now):
            answers |= told
        return answers

    def _glance(
        self, handles: Sequence[Handle], now: datetime, *, is_public: bool
    ) -> dict[str, Answer]:
        """What can be said of *handles* without asking X, unless too many are at it already."""
        if not self._readers.acquire(blocking=False):
            return {}
        try:
            with self._database.reading() as connection:
                keys = [handle.key for handle in handles]
                known = read_fresh(connection, Kind.HANDLE, keys, now)
                if is_public or len(known) < len(keys):
                    refused = refusal(
                        connection, self._terms.caps, now, is_public=is_public
                    )
                    if refused:
                        # A check that knew some handles while X is away would tell
                        # anybody which ones were given to this shop.
                        told = {} if is_public else known
                        known = dict.fromkeys(keys, refused) | told
        finally:
            self._readers.release()
        return known

    def _fetch(
        self, seal: Seal, timeout_s: float, now: datetime
    ) -> Iterator[Mapping[str, Answer]]:
        def make() -> Errand:
            handles, public = seal()
            wanted = {handle.key: handle for handle in handles}
            return Errand(
                Kind.HANDLE, tuple(wanted), wanted, public=public, newer_than=_EVER
            )

        return self._errands.run(make, timeout_s=timeout_s, now=now)

    def _enter(self, is_public: bool) -> bool:
        """Whether there is a place to wait at; the public check leaves half of them free."""
        if is_public and not self._public_places.acquire(blocking=False):
            return False
        if self._places.acquire(blocking=False):
            return True
        if is_public:
            self._public_places.release()
        return False

    def _leave(self, is_public: bool) -> None:
        self._places.release()
        if is_public:
            self._public_places.release()


@dataclass(frozen=True, slots=True)
class _PublicCheck:
    """The gate as the public check sees it."""

    gate: Gate

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        return self.gate.look_up(handles, timeout_s=timeout_s, now=now, is_public=True)
