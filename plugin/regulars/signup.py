"""A signup: what one person said becomes customer, consents, event and deliveries.

X is asked before the transaction is opened, and nothing it answers can refuse anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from regulars.check.cache import Kind as CachedBy
from regulars.check.cache import read_fresh
from regulars.check.findings import finding_of
from regulars.check.lookup import Answer as Said
from regulars.check.lookup import HandleLookup, NotAsked
from regulars.keep import idempotency
from regulars.keep.consents import (
    Consent,
    ConsentRow,
    State,
    add_consents,
    sum_of_consents,
    was_withdrawn,
)
from regulars.keep.contact_points import Finding, Sent
from regulars.keep.customers import add_customer, find_by_external_id
from regulars.keep.db import Database
from regulars.keep.joining import apply_answer, put_addresses
from regulars.keep.matching import Trust, match_customer
from regulars.keep.record import Json, Recorder
from regulars.keep.signups import add_signup, preferences_token
from regulars.keep.wordings import WordingBook
from regulars.tell.publishing import publish
from regulars.values.agreements import agreements_of
from regulars.values.answer import Answer
from regulars.values.contact import CHANNELS, KINDS, Kind, Ownership, Purpose
from regulars.values.handle import Handle
from regulars.values.ids import new_id
from regulars.values.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Submission:
    """One accepted form and where it came from.

    ``checked`` is what X said of its handle a moment ago, to the page where it was typed.
    """

    answer: Answer
    site_id: str | None
    has_secret_key: bool
    rendered_by: str
    page_url: str | None = None
    device_id: str | None = None
    has_signed_order: bool = False
    checked: Said | None = None

    @property
    def is_order_verified(self) -> bool:
        """Whether the shop itself said which order this is: by its key or a signed link."""
        is_of_shop = self.has_secret_key or self.has_signed_order
        return is_of_shop and self.answer.order_id is not None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of a submission; the last three are told only under a secret key."""

    signup_id: str
    handle: str | None
    verdict: Verdict | None
    preferences_url: str
    customer_id: str
    version: int
    preferred_channel: str | None

    def told(self, *, has_secret_key: bool) -> Json:
        """The answer, of one form whoever the person is; to the shop's own server with the customer."""
        handle = None
        if self.handle is not None and self.verdict is not None:
            handle = {"value": self.handle, "verdict": self.verdict.value}
        told = {
            "id": self.signup_id,
            "handle": handle,
            "preferences_url": self.preferences_url,
        }
        if not has_secret_key:
            return told
        customer = {
            "id": self.customer_id,
            "version": self.version,
            "preferred_channel": self.preferred_channel,
        }
        return {**told, "customer": customer}


class SignupDesk:
    """Takes signups in; one for the life of a process."""

    def __init__(
        self,
        database: Database,
        lookup: HandleLookup,
        recorder: Recorder,
        book: WordingBook,
        *,
        secret_key: str,
        x_timeout_s: float,
        x_profile: str,
    ) -> None:
        """*x_profile* is the setting of that name; *x_timeout_s* what a signup waits at most."""
        self._database = database
        self._lookup = lookup
        self._recorder = recorder
        self._book = book
        self._secret_key = secret_key
        self._x_timeout_s = x_timeout_s
        self._may_keep_profile = x_profile == Ownership.CLAIMED.value

    def take(
        self,
        submission: Submission,
        now: datetime,
        claim: idempotency.Claim | None = None,
    ) -> Accepted | None:
        """The accepted signup; None when there was nothing in it, and nothing is kept.

        Under a *claim* its answer is kept in the same transaction.

        Raises:
            idempotency.InFlight: the claim ran out while we worked; nothing is kept.
        """
        answer = submission.answer
        if self._is_empty(submission):
            return None
        sent = [Sent(address, Finding()) for address in answer.addresses]
        sent = self._looked_up(sent, submission, now)
        try:
            return self._commit(submission, sent, now, claim)
        except IntegrityError:
            # Another process just added the customer of this external id: now we find it.
            return self._commit(submission, sent, now, claim)

    def _commit(
        self,
        submission: Submission,
        sent: Sequence[Sent],
        now: datetime,
        claim: idempotency.Claim | None,
    ) -> Accepted:
        with self._database.transaction() as connection:
            accepted = self._write(connection, submission, sent, now)
            if claim is not None:
                told = accepted.told(has_secret_key=submission.has_secret_key)
                kept = idempotency.answer_under(
                    connection, claim, accepted.signup_id, told
                )
                if not kept:
                    raise idempotency.InFlight
        return accepted

    def _is_empty(self, submission: Submission) -> bool:
        answer = submission.answer
        if not answer.is_empty_but_for_external_id:
            return False
        if answer.external_id is None:
            return True
        with self._database.reading() as connection:
            return find_by_external_id(connection, answer.external_id) is None

    def _looked_up(
        self, sent: Sequence[Sent], submission: Submission, now: datetime
    ) -> list[Sent]:
        """*sent* with what X says of the handle, if the statement was agreed to."""
        found = []
        for item in sent:
            if KINDS[item.address.kind].is_looked_up:
                item = Sent(item.address, self._finding(item, submission, now))
            found.append(item)
        return found

    def _finding(self, item: Sent, submission: Submission, now: datetime) -> Finding:
        said: Said = NotAsked()
        if submission.answer.x_link is not None:
            said = self._said_of(Handle(item.address.value), submission, now)
        return finding_of(said, may_keep_profile=self._may_keep_profile, now=now)

    def _said_of(self, handle: Handle, submission: Submission, now: datetime) -> Said:
        if submission.checked is None:
            answers = self._lookup.look_up(
                [handle], timeout_s=self._x_timeout_s, now=now
            )
            return answers.get(handle.key, NotAsked())
        # With its profile if that is at hand; to ask X for it alone would cost what was saved.
        with self._database.reading() as connection:
            kept = read_fresh(connection, CachedBy.HANDLE, [handle.key], now)
        return kept.get(handle.key, submission.checked)

    def _write(
        self,
        connection: Connection,
        submission: Submission,
        sent: Sequence[Sent],
        now: datetime,
    ) -> Accepted:
        answer = submission.answer
        match = match_customer(connection, sent, external_id=answer.external_id)
        before = None
        if match.customer_id is not None:
            before = self._recorder.record(connection, match.customer_id)
        customer_id = match.customer_id or add_customer(
            connection,
            external_id=answer.external_id,
            possible_duplicates=match.possible_duplicates,
            now=now,
        )
        held = sum_of_consents(connection, customer_id)
        point_ids = put_addresses(connection, customer_id, match, sent, held, now)
        signup_id = new_id("sgn", now)
        apply_answer(connection, customer_id, match, answer, signup_id, now)
        consents = self._consents(submission, match.trust, held)
        add_consents(connection, customer_id, signup_id, consents, now)
        token = preferences_token(self._secret_key, signup_id)
        x_account = _x_account(sent)
        add_signup(
            connection,
            signup_id=signup_id,
            customer_id=customer_id,
            token=token,
            contact_point_ids=point_ids,
            channels=[channel.value for channel in answer.channels],
            now=now,
            site_id=submission.site_id,
            surface=answer.surface,
            order_id=answer.order_id,
            order_verified=submission.is_order_verified,
            page_url=submission.page_url,
            device_id=submission.device_id,
            handle=x_account.address.value if x_account else None,
            verdict=x_account.finding.verdict if x_account else None,
        )
        after = self._recorder.record(connection, customer_id)
        if after is None:
            raise LookupError(customer_id)
        publish(connection, before, after, now)
        return self._accepted(signup_id, token, x_account, after["customer"])

    def _consents(
        self,
        submission: Submission,
        trust: Trust,
        held: Sequence[ConsentRow],
    ) -> list[Consent]:
        """What was agreed to, each with the wording that was on the screen."""
        consents = []
        for agreed in agreements_of(submission.answer):
            purpose, channel = agreed.purpose, agreed.channel
            needs_proof = CHANNELS[channel].offers_need_proof
            state = State.GRANTED
            if purpose is Purpose.OFFERS and needs_proof:
                state = State.PENDING
            if trust is Trust.ADDS and was_withdrawn(held, (purpose, channel)):
                # Who withdrew must not be brought back by whoever types the address.
                state = State.PENDING
            wording = self._book.find(agreed.wording_id, agreed.wording_key)
            consents.append(
                Consent(
                    purpose,
                    channel,
                    state,
                    agreed.method,
                    submission.rendered_by,
                    wording,
                )
            )
        return consents

    def _accepted(
        self, signup_id: str, token: str, x_account: Sent | None, customer: Json
    ) -> Accepted:
        return Accepted(
            signup_id=signup_id,
            handle=x_account.address.value if x_account else None,
            verdict=x_account.finding.verdict if x_account else None,
            preferences_url=self._recorder.preferences_url(token),
            customer_id=customer["id"],
            version=customer["version"],
            preferred_channel=customer["preferred_channel"],
        )


def _x_account(sent: Sequence[Sent]) -> Sent | None:
    return next((item for item in sent if item.address.kind is Kind.X_ACCOUNT), None)
