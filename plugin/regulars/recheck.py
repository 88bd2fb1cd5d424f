"""Pending handles are asked again until X has given its verdict; the shop is told then."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from regulars.check.cache import drop_stale
from regulars.check.findings import finding_of
from regulars.check.gate import Gate, find_trouble
from regulars.check.lookup import BATCH_SIZE, Answer, Unavailable
from regulars.check.trouble import take_probe
from regulars.keep.consents import may_look_up, sum_of_consents
from regulars.keep.contact_points import (
    ContactRow,
    Finding,
    Sent,
    holders,
    list_pending,
    postpone,
    record_finding,
)
from regulars.keep.customers import (
    change_customer,
    find_customer,
    lock_customer,
    united_duplicates,
)
from regulars.keep.db import Database
from regulars.keep.in_step import customers_labelled, doubt_others
from regulars.keep.record import Recorder
from regulars.tell.publishing import publish
from regulars.values.contact import Address, Kind, Ownership
from regulars.values.handle import Handle
from regulars.values.verdict import Verdict

log = logging.getLogger(__name__)

# X bills each answer: a handle is one dispatcher's alone for longer than any call takes.
_CLAIM = timedelta(minutes=2)
# What a probe may take longer than its call before another dispatcher makes one.
_PROBE_MARGIN = timedelta(seconds=5)
_TIDY_EVERY = timedelta(minutes=1)
_TIDY_BATCH = 500
# X's own account: it is there as long as X is.
SOMEBODY = Handle("X")


class Recheck:
    """Asks for what is pending; one for the life of a dispatcher."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        recorder: Recorder,
        *,
        timeout_s: float,
        retry_s: float,
        x_profile: str,
        own_handle: Handle = SOMEBODY,
    ) -> None:
        """*timeout_s* bounds one call; *retry_s* is the least wait between tries of one handle.

        The shop's *own_handle* is asked for where X was in trouble and nobody waits.
        """
        self._database = database
        self._gate = gate
        self._recorder = recorder
        self._timeout_s = timeout_s
        self._retry = timedelta(seconds=retry_s)
        self._may_keep_profile = x_profile == Ownership.CLAIMED.value
        self._own_handle = own_handle
        self._tidied_at: datetime | None = None

    def run_due(self, now: datetime) -> int:
        """How many handles got their verdict; 0 as well while it is too early to ask."""
        self._tidy(now)
        limit = self._limit(now)
        if not limit:
            return 0
        pending, due = self._claim(limit, now)
        refused = [point for point in pending if point not in due]
        self._uncheck(refused, now)
        if not due:
            return len(refused)
        handles = {Handle(point.value).key: Handle(point.value) for point in due}
        answers = self._gate.probe(
            list(handles.values()),
            timeout_s=self._timeout_s,
            now=now,
            is_pending=True,
        )
        self._postpone(due, answers, now)
        return sum(
            self._settle(point, answers[Handle(point.value).key], now) for point in due
        )

    def _limit(self, now: datetime) -> int:
        """How many handles may be asked for now, 0 for none."""
        with self._database.reading() as connection:
            trouble = find_trouble(connection)
            if trouble and not trouble.is_due(now):
                return 0
            left = self._gate.usage(connection, now).users_left
            pace = self._gate.pace(connection, now)
            waiting = len(list_pending(connection, BATCH_SIZE, now=now))
        if not left or (pace and pace.is_used_up):
            return 0
        if trouble:
            return self._probe(waiting, now)
        if pace and waiting < BATCH_SIZE and not pace.has_room(now):
            # Calls run short: the next is worth it when there are a hundred to ask for.
            return 0
        return min(waiting, left)

    def _probe(self, waiting: int, now: datetime) -> int:
        """1 if it is on us to see whether X is back: one handle is enough, the rest follows."""
        within = timedelta(seconds=self._timeout_s) + _PROBE_MARGIN
        with self._database.transaction() as connection:
            is_ours = take_probe(connection, now, within)
        if is_ours and not waiting:
            # Nobody waits, and still the trouble must be seen to be over.
            self._gate.probe([self._own_handle], timeout_s=self._timeout_s, now=now)
        return int(is_ours and waiting > 0)

    def _tidy(self, now: datetime) -> None:
        """Delete what of the cache is not fresh any more, a part at a time."""
        if self._tidied_at and abs(now - self._tidied_at) < _TIDY_EVERY:
            return
        with self._database.transaction() as connection:
            deleted = drop_stale(connection, now, _TIDY_BATCH)
        if deleted < _TIDY_BATCH:
            self._tidied_at = now

    def _claim(
        self, limit: int, now: datetime
    ) -> tuple[list[ContactRow], list[ContactRow]]:
        """Handles that no other dispatcher asks for meanwhile, and those of them still consented to."""
        with self._database.transaction() as connection:
            pending = list_pending(connection, limit, now=now, to_claim=True)
            postpone(connection, [point.id for point in pending], now + _CLAIM)
            due = [point for point in pending if _consents_to_it(connection, point)]
        return pending, due

    def _postpone(
        self, points: list[ContactRow], answers: Mapping[str, Answer], now: datetime
    ) -> None:
        """Let those that X gave no verdict on come again: behind the others if X itself was away."""
        unanswered = [
            point.id
            for point in points
            if isinstance(answers[Handle(point.value).key], Unavailable)
        ]
        if not unanswered:
            return
        # Where X answered for others it is this handle that fails: not in every round.
        is_away = len(unanswered) == len(points)
        with self._database.transaction() as connection:
            postpone(connection, unanswered, now if is_away else now + self._retry)

    def _uncheck(self, points: list[ContactRow], now: datetime) -> None:
        """The consent went before the answer came: these are not asked any more."""
        for point in points:
            self._write(point, Finding(Verdict.UNCHECKED), now)

    def _settle(self, point: ContactRow, answer: Answer, now: datetime) -> bool:
        if isinstance(answer, Unavailable):
            return False
        finding = finding_of(answer, may_keep_profile=self._may_keep_profile, now=now)
        return self._write(point, finding, now)

    def _write(self, point: ContactRow, finding: Finding, now: datetime) -> bool:
        """Whether the verdict was ours to write, with its event in the same transaction."""
        with self._database.transaction() as connection:
            is_active = lock_customer(connection, point.customer_id)
            before = self._recorder.record(connection, point.customer_id)
            if (
                not is_active
                or before is None
                or not record_finding(
                    connection, point.id, finding, was=[Verdict.PENDING]
                )
            ):
                return False
            row = find_customer(connection, point.customer_id)
            duplicates = [] if row is None else row.possible_duplicates
            others = _others_with(connection, point, finding)
            doubt_others(connection, point.normalized, finding, now)
            change_customer(
                connection,
                point.customer_id,
                now,
                possible_duplicates=united_duplicates(duplicates, others),
            )
            after = self._recorder.record(connection, point.customer_id)
            if after is not None:
                publish(connection, before, after, now)
        log.info("handle checked", extra={"verdict": finding.verdict})
        return True


def _consents_to_it(connection: Connection, point: ContactRow) -> bool:
    return may_look_up(sum_of_consents(connection, point.customer_id))


def _others_with(
    connection: Connection, point: ContactRow, finding: Finding
) -> list[str]:
    """Other customers whose account this turned out to be; a person decides, never we."""
    address = Address(Kind.X_ACCOUNT, point.value, point.normalized, point.url)
    if finding.platform_user_id is None:
        return []
    who = [
        *holders(connection, Sent(address, finding)),
        # Under another number: whose handle it was before.
        *customers_labelled(connection, point.normalized),
    ]
    return [customer_id for customer_id in who if customer_id != point.customer_id]
