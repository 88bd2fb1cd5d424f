"""Accounts are asked for again by their number: in the background, or in a sweep.

https://docs.x.com/x-api/users/lookup/introduction ("Look up users by ID"): a hundred to a
call, each user that is returned is billed, whoever is gone costs nothing.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from regulars.check.gate import Gate
from regulars.check.lookup import (
    BATCH_SIZE,
    Answer,
    NotAsked,
    Reason,
    Unavailable,
)
from regulars.check.trouble import find_trouble
from regulars.check.usage import Usage
from regulars.keep.consents import may_look_up, sum_of_consents
from regulars.keep.contact_points import ContactRow, list_pending
from regulars.keep.db import Database
from regulars.keep.in_step import (
    Due,
    begin_run,
    count_due,
    end_run,
    list_due,
    mark_asked,
)
from regulars.keep.record import Recorder
from regulars.x_accounts.settling import Change, settle

log = logging.getLogger(__name__)

_EVERY = timedelta(seconds=10)
# Longer than any call takes: an account is asked for by one process at a time.
_CLAIM = timedelta(minutes=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_SWEEP = "refresh"
_UNTOLD = Unavailable(Reason.UNEXPECTED)
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One batch: how many were asked for, what came of it, and why no more can be asked."""

    asked: int = 0
    changes: Mapping[Change, int] = field(default_factory=dict)
    stopped: Unavailable | None = None


class Refresh:
    """Asks again for what is known; one for the life of a dispatcher or of a command."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        recorder: Recorder,
        *,
        timeout_s: float,
        x_profile: str,
        refresh_days: int,
    ) -> None:
        """*timeout_s* bounds one call; what is older than *refresh_days* is due, 0 is everything."""
        self._database = database
        self._gate = gate
        self._recorder = recorder
        self._timeout_s = timeout_s
        self._x_profile = x_profile
        self._age = timedelta(days=refresh_days)
        self._next_at = _LONG_AGO

    def run_due(self, now: datetime) -> int:
        """How many accounts were asked for in the background: a batch at a time, and not at once.

        What signups brought goes first. Half of X's calls and of each cap is left to them.
        Where something was seen that does not go with what is held the caps' other half
        may be spent too, because what X has taken back may not stay.
        """
        if self._next_at - _EVERY <= now < self._next_at:
            return 0
        self._next_at = now + _EVERY
        due = Due(checked=now - self._age, asked=now - _CLAIM)
        with self._database.reading() as connection:
            trouble = find_trouble(connection)
            if trouble and not trouble.is_due(now):
                return 0
            usage = self._gate.usage(connection, now)
            pace = self._gate.pace(connection, now)
            is_sparing = pace is not None and pace.is_sparing
            if is_sparing or list_pending(connection, 1, now=now):
                return 0
            if not _spare(usage):
                due = replace(due, checked=_LONG_AGO)
            limit = min(_spare(usage) or usage.users_left, BATCH_SIZE)
            limit = min(limit, 1) if trouble else limit
            if not limit or not list_due(connection, due, 1):
                return 0
        return self._ask(due, limit, now, is_probe=trouble is not None).asked

    def begin_sweep(self, now: datetime, *, everything: bool) -> tuple[Due, int]:
        """What a sweep is to ask for, and how many those are; one that was broken off goes on.

        With *everything* the age does not matter.
        """
        with self._database.transaction() as connection:
            began = begin_run(connection, _SWEEP, now)
            checked = began if everything else began - self._age
            due = Due(checked=checked, asked=began)
            return due, count_due(connection, due)

    def sweep(self, due: Due, now: datetime) -> Step:
        """The next batch of the sweep; nobody asked and nothing stopped: it is at its end."""
        with self._database.reading() as connection:
            if not list_due(connection, due, 1):
                return Step()
            trouble = find_trouble(connection)
            usage = self._gate.usage(connection, now)
        if (
            trouble
            and trouble.reason is Reason.RATE_LIMITED
            and not trouble.is_due(now)
        ):
            return Step(stopped=Unavailable(trouble.reason, trouble.retry_at))
        if not usage.users_left:
            free_at = usage.free_again_at(now)
            return Step(stopped=Unavailable(Reason.BUDGET_SPENT, free_at))
        # One is enough to find out whether X is back; the rest follows.
        limit = 1 if trouble else min(BATCH_SIZE, usage.users_left)
        return self._ask(due, limit, now, is_probe=trouble is not None)

    def end_sweep(self) -> None:
        """The sweep came to its end: the next one begins anew."""
        with self._database.transaction() as connection:
            end_run(connection, _SWEEP)

    def _ask(self, due: Due, limit: int, now: datetime, *, is_probe: bool) -> Step:
        points = self._claim(due, limit, now)
        ids = list(dict.fromkeys(point.platform_user_id for point in points))
        if not ids:
            return Step()
        told = self._gate.probe_ids(ids, timeout_s=self._timeout_s, now=now)
        answers = {it.id: told.get(it.platform_user_id, _UNTOLD) for it in points}
        in_vain = self._put_back(answers, now, is_probe=is_probe)
        changes: Counter[Change] = Counter()
        for point in points:
            if point.id not in in_vain:
                changes.update(self._settle(point, answers[point.id], now))
        counts = {change.value: count for change, count in changes.items()}
        log.info("accounts asked for again", extra={"asked": len(ids), **counts})
        stopped = next(iter(in_vain.values()), None)
        return Step(len(points) - len(in_vain), changes, stopped)

    def _put_back(
        self, answers: Mapping[str, Answer], now: datetime, *, is_probe: bool
    ) -> dict[str, Unavailable]:
        """The contact points that are due as before, because X itself was away, and why.

        Where X answers for others an odd answer is about the account, which would keep
        everybody from asking if it came again in every round: it waits for a day.
        """
        troubles = {k: it for k, it in answers.items() if isinstance(it, Unavailable)}
        is_away = len(troubles) == len(answers) and (is_probe or len(answers) > 1)
        in_vain = {
            point_id: trouble
            for point_id, trouble in troubles.items()
            if is_away or trouble.reason is not Reason.UNEXPECTED
        }
        odd = troubles.keys() - in_vain
        if troubles:
            with self._database.transaction() as connection:
                mark_asked(connection, in_vain, None)
                mark_asked(connection, odd, now + _A_DAY)
        return in_vain

    def _claim(self, due: Due, limit: int, now: datetime) -> list[ContactRow]:
        """Accounts that nobody else asks for meanwhile, of those who consent to it."""
        while True:
            with self._database.transaction() as connection:
                points = list_due(connection, due, limit, to_claim=True)
                asked = [it for it in points if _consents_to_it(connection, it)]
                mark_asked(connection, [it.id for it in asked], now)
                # Without a consent nothing is asked: they are looked at again in a while.
                refused = [it.id for it in points if it not in asked]
                later = now + max(self._age, _A_DAY)
                mark_asked(connection, refused, later)
            if asked or not points:
                return asked

    def _settle(
        self, point: ContactRow, answer: Answer, now: datetime
    ) -> frozenset[Change]:
        if isinstance(answer, Unavailable | NotAsked):
            return frozenset({Change.UNANSWERED})
        with self._database.transaction() as connection:
            return settle(
                connection,
                self._recorder,
                point,
                answer,
                now,
                x_profile=self._x_profile,
            )


def _spare(usage: Usage) -> int:
    """How many more users the background may ask for: half of each cap is the signups'."""
    caps = usage.caps
    spare = min(
        caps.users_a_day // 2 - usage.users_today,
        caps.users_a_month // 2 - usage.users_this_month,
    )
    return max(min(spare, usage.users_left), 0)


def _consents_to_it(connection: Connection, point: ContactRow) -> bool:
    return may_look_up(sum_of_consents(connection, point.customer_id))
