"""The customer's own link: what one signup sent, and one press that takes it back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from regulars.check.cache import forget_cached
from regulars.keep.consents import (
    Consent,
    ConsentRow,
    State,
    add_consents,
    language_of_signup,
    last_words_of,
    may_look_up,
    sum_of_consents,
)
from regulars.keep.contact_points import (
    ContactRow,
    contact_points_of,
)
from regulars.keep.customers import (
    ACTIVE,
    change_customer,
    find_customer,
    lock_customer,
)
from regulars.keep.db import Database
from regulars.keep.record import Recorder
from regulars.keep.signups import SignupRow, find_by_token
from regulars.tell.publishing import publish
from regulars.tell.x_content import accounts_in, drop_x_content, x_accounts_of
from regulars.values.contact import KINDS, Channel, Kind, Purpose

_MAY_BE_WITHDRAWN = (State.GRANTED.value, State.PENDING.value)


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that this signup agreed to, and whether it still stands."""

    purpose: Purpose
    channel: Channel
    stands: bool
    is_pending: bool
    """Whether it waits for the address to be confirmed."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the link of one signup shows: nothing older than the signup itself."""

    given_at: datetime
    language: str | None
    """The language of the sentences agreed to; None where there were none."""
    points: tuple[tuple[Kind, str], ...]
    """Kind and masked address."""
    channels: tuple[Channel, ...]
    permissions: tuple[Permission, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether this signup agreed to something, and nothing of it stands any more."""
        return bool(self.permissions) and not any(
            permission.stands for permission in self.permissions
        )


def show(database: Database, token: str) -> Preferences | None:
    """What the signup of *token* sent, masked; None when there is nothing behind it."""
    with database.reading() as connection:
        signup = find_by_token(connection, token)
        if signup is None or not _is_active(connection, signup):
            return None
        points = [
            (Kind(point.kind), _masked(point, signup))
            for point in contact_points_of(connection, signup.customer_id)
            if point.id in signup.contact_point_ids
        ]
        rows = _rows_of(connection, signup)
        language = language_of_signup(connection, signup.customer_id, signup.id)
    return Preferences(
        given_at=signup.created_at,
        language=language,
        points=tuple(points),
        channels=tuple(Channel(name) for name in signup.channels),
        permissions=tuple(
            Permission(
                Purpose(row.purpose),
                Channel(row.channel),
                stands=row.state in _MAY_BE_WITHDRAWN,
                is_pending=row.state == State.PENDING.value,
            )
            for row in rows
        ),
    )


def _masked(point: ContactRow, signup: SignupRow) -> str:
    kind = Kind(point.kind)
    # Joined by the account's number, the handle held may be one of before a rename.
    is_typed = kind is Kind.X_ACCOUNT and signup.handle is not None
    return KINDS[kind].mask(signup.handle.lower() if is_typed else point.normalized)


def stop_everything(
    database: Database, recorder: Recorder, token: str, now: datetime
) -> bool:
    """Whether there is such a signup; all that it agreed to is now withdrawn.

    Other signups keep what they agreed to: this link may be in a stranger's hands.
    Doing it twice does nothing the second time.
    """
    with database.transaction() as connection:
        signup = find_by_token(connection, token)
        if signup is None or not lock_customer(connection, signup.customer_id):
            return False
        standing = [
            row
            for row in _rows_of(connection, signup)
            if row.state in _MAY_BE_WITHDRAWN
        ]
        if standing:
            _withdraw(connection, recorder, signup, standing, now)
    return True


def _withdraw(
    connection: Connection,
    recorder: Recorder,
    signup: SignupRow,
    standing: list[ConsentRow],
    now: datetime,
) -> None:
    customer_id = signup.customer_id
    before = recorder.record(connection, customer_id)
    withdrawn = [
        Consent(
            Purpose(row.purpose),
            Channel(row.channel),
            State.WITHDRAWN,
            "preference_page",
            "regulars",
            wording=None,
        )
        for row in standing
    ]
    add_consents(connection, customer_id, signup.id, withdrawn, now)
    if not may_look_up(sum_of_consents(connection, customer_id)):
        # Without the consent to link the account, what X said of it goes everywhere.
        handles, user_ids = accounts_in(x_accounts_of(connection, customer_id))
        drop_x_content(connection, customer_id)
        forget_cached(connection, handles=handles, user_ids=user_ids)
    change_customer(connection, customer_id, now)
    after = recorder.record(connection, customer_id)
    if after is not None:
        publish(connection, before, after, now)


def _is_active(connection: Connection, signup: SignupRow) -> bool:
    customer = find_customer(connection, signup.customer_id)
    return customer is not None and customer.status == ACTIVE


def _rows_of(connection: Connection, signup: SignupRow) -> list[ConsentRow]:
    """The latest row of each purpose and channel that this signup spoke of."""
    return last_words_of(connection, signup.customer_id, signup.id)
