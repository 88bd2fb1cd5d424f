"""One call to X from beginning to end: claimed, paid for, asked, written down.

Before the call a transaction takes from the cache what is known, claims what is not and
puts the money by; after it another keeps the answers, settles the bill and notes how X
fared. No transaction is open meanwhile. `gate` sends errands.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from regulars.check.cache import (
    Kept,
    Kind,
    claim,
    claimed_by_others,
    read_fresh,
    release,
    store,
)
from regulars.check.lookup import (
    AccountLookup,
    Answer,
    Found,
    NotFound,
    Reason,
    Suspended,
    Unavailable,
    Window,
)
from regulars.check.pace import note_windows, pace_at
from regulars.check.terms import Terms, refusal, spent
from regulars.check.trouble import learn
from regulars.check.usage import (
    Bill,
    Reservation,
    reserve,
    settle,
    usage_at,
)
from regulars.keep.db import Database
from regulars.values.handle import Handle
from regulars.values.ids import new_id

# What a call may take longer than it should before another process asks in its place.
_LEASE_MARGIN_S = 5.0
_LOOK_AGAIN_S = 0.025


@dataclass(frozen=True, slots=True)
class Errand:
    """What is wanted of X, by handles or by ids.

    ``keys`` are the ids, or the keys of ``handles``; those in ``public`` are wanted by
    the public check alone. A *probe* is made whatever the trouble; answers of the cache
    do when they are *newer_than* that. *is_tried*: no customer gave these handles, so
    the answers are kept shortly.
    """

    kind: Kind
    keys: tuple[str, ...]
    handles: Mapping[str, Handle] = field(default_factory=dict)
    public: frozenset[str] = frozenset()
    is_probe: bool = False
    newer_than: datetime | None = None
    is_tried: bool = False

    def bill(self, keys: Sequence[str]) -> Bill:
        """What *keys* may cost."""
        of_public = sum(key in self.public for key in keys)
        return Bill(len(keys) - of_public, of_public)


@dataclass(frozen=True, slots=True)
class _Begun:
    """How an errand stands before the call: what is known, what is ours and what others ask for."""

    token: str
    known: dict[str, Answer]
    ours: list[str]
    others: set[str]
    reservation: Reservation | None


class Errands:
    """Runs errands to X; one for the life of a process."""

    def __init__(
        self,
        lookup: AccountLookup,
        database: Database,
        terms: Terms,
        take_windows: Callable[[], Mapping[str, Window]],
    ) -> None:
        """*take_windows* tells what X said of its limits since it was last called."""
        self._lookup = lookup
        self._database = database
        self._terms = terms
        self._take_windows = take_windows

    def run(
        self, make: Callable[[], Errand], *, timeout_s: float, now: datetime
    ) -> Iterator[dict[str, Answer]]:
        """The answers by key, as each is known: one for each key of the errand.

        It is made when its turn with the database has come.
        """
        until = time.monotonic() + timeout_s
        errand, begun = self._begin(make, timeout_s, now)
        yield begun.known
        if begun.ours:
            yield self._call(errand, begun, until, now)
        if begun.others:
            yield self._await(errand.kind, begun.others, until, now)

    def _begin(
        self, make: Callable[[], Errand], timeout_s: float, now: datetime
    ) -> tuple[Errand, _Begun]:
        token = new_id("ask", now)
        with self._database.transaction() as connection:
            errand = make()
            known = self._known(connection, errand, now)
            left = [key for key in errand.keys if key not in known]
            if not left:
                return errand, _Begun(token, known, [], set(), None)
            lease_s = timeout_s + _LEASE_MARGIN_S
            ours = claim(connection, errand.kind, left, token, lease_s)
            wanted = [key for key in left if key in ours]
            caps = self._terms.caps
            reservation = reserve(connection, caps, errand.bill(wanted), now)
            paid = _affordable(errand, wanted, reservation.bill)
            unpaid = [key for key in wanted if key not in paid]
            if unpaid:
                release(connection, token, unpaid)
                usage = usage_at(connection, caps, now)
                for key in unpaid:
                    is_public = key in errand.public
                    known[key] = spent(usage, now, is_public=is_public)
        return errand, _Begun(token, known, paid, set(left) - ours, reservation)

    def _known(
        self, connection: Connection, errand: Errand, now: datetime
    ) -> dict[str, Answer]:
        """What needs no call: the answers of the cache, and refusals."""
        known: dict[str, Answer] = {}
        if errand.newer_than is not None:
            fresh = read_fresh(connection, errand.kind, errand.keys, now)
            known = {
                key: answer
                for key, answer in fresh.items()
                if (asked_at_of(answer) or now) >= errand.newer_than
            }
        left = [key for key in errand.keys if key not in known]
        if errand.is_probe:
            pace = pace_at(connection, now)
            if pace and pace.is_used_up:
                known |= dict.fromkeys(left, Unavailable(Reason.SPARING, pace.reset_at))
            return known
        purses = {key in errand.public for key in left}
        caps = self._terms.caps
        refused = {
            is_public: refusal(connection, caps, now, is_public=is_public)
            for is_public in purses
        }
        for key in left:
            answer = refused[key in errand.public]
            if answer is not None:
                known[key] = answer
        return known

    def _call(
        self, errand: Errand, begun: _Begun, until: float, now: datetime
    ) -> dict[str, Answer]:
        answers: Mapping[str, Answer] = {}
        try:
            answers = self._ask(errand, begun.ours, until - time.monotonic(), now)
        finally:
            self._end(errand, begun, answers, now)
        return dict(answers)

    def _ask(
        self, errand: Errand, keys: Sequence[str], timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        if timeout_s <= 0:
            # Our own database took the time: X has nothing to do with it.
            return dict.fromkeys(keys, Unavailable(Reason.BUSY))
        if errand.kind is Kind.ID:
            return self._lookup.look_up_ids(keys, timeout_s=timeout_s, now=now)
        handles = [errand.handles[key] for key in keys]
        return self._lookup.look_up(handles, timeout_s=timeout_s, now=now)

    def _end(
        self,
        errand: Errand,
        begun: _Begun,
        answers: Mapping[str, Answer],
        now: datetime,
    ) -> None:
        found = [key for key, it in answers.items() if isinstance(it, Found)]
        windows = self._take_windows()
        bill = errand.bill(begun.ours)
        with self._database.transaction() as connection:
            kept = self._kept(errand, answers, now)
            store(connection, errand.kind, begun.token, kept, now)
            if begun.reservation is not None:
                billed = errand.bill(found)
                settle(connection, self._terms.caps, begun.reservation, billed, now)
            note_windows(connection, windows, is_public=not bill.own)
            learn(
                connection,
                answers.values(),
                now,
                first_wait=self._terms.retry,
                is_probe=errand.is_probe,
            )

    def _kept(
        self, errand: Errand, answers: Mapping[str, Answer], now: datetime
    ) -> dict[str, Kept]:
        """Those of *answers* that are worth keeping, and until when."""
        kept = {}
        for key, answer in answers.items():
            only_tried = errand.is_tried or key in errand.public
            span = self._terms.freshness.of(answer, only_tried=only_tried)
            if isinstance(answer, Found) and not self._terms.keeps_profile:
                answer = replace(answer, profile=None)
            if span:
                kept[key] = Kept(answer, now + span)
        return kept

    def _await(
        self, kind: Kind, keys: set[str], until: float, now: datetime
    ) -> dict[str, Answer]:
        """What others, who ask for *keys* just now, were told by the monotonic time *until*."""
        answers: dict[str, Answer] = {}
        asking = keys
        while True:
            with self._database.reading() as connection:
                answers |= read_fresh(connection, kind, asking, now)
                asking = claimed_by_others(connection, kind, keys - set(answers))
            left = until - time.monotonic()
            if not asking or left <= 0:
                return dict.fromkeys(keys, Unavailable(Reason.BUSY)) | answers
            time.sleep(min(_LOOK_AGAIN_S, left))


def asked_at_of(answer: Answer) -> datetime | None:
    """When X gave *answer*, if that was earlier."""
    if isinstance(answer, Found | NotFound | Suspended):
        return answer.asked_at
    return None


def _affordable(errand: Errand, keys: Sequence[str], granted: Bill) -> list[str]:
    """The first of *keys* that *granted* pays for, each from its own purse."""
    left = {False: granted.own, True: granted.of_public}
    paid = []
    for key in keys:
        is_public = key in errand.public
        if left[is_public]:
            left[is_public] -= 1
            paid.append(key)
    return paid
