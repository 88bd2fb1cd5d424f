"""What X said is let go: of everybody when the access has ended, or of one who asks.

What the customer typed is theirs and stays; the shop's system is told of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from regulars.check.cache import empty_cache, forget_cached
from regulars.keep.consents import (
    Consent,
    ConsentRow,
    State,
    add_consents,
    consents_of,
)
from regulars.keep.customers import change_customer, lock_customer
from regulars.keep.db import Database
from regulars.keep.in_step import customers_with_content
from regulars.keep.record import Recorder
from regulars.keep.signups import forget_verdicts
from regulars.tell.publishing import publish
from regulars.tell.x_content import (
    accounts_in,
    drop_x_content,
    forget_x_account,
    x_accounts_of,
)
from regulars.values.contact import Channel, Purpose

_STANDING = (State.GRANTED.value, State.PENDING.value)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done; nothing changed where there was nothing to forget any more."""

    customer_id: str
    has_changed: bool


def begin_purge(database: Database) -> int:
    """How many customers have something of X's; what is kept of answers is dropped already."""
    with database.transaction() as connection:
        empty_cache(connection)
        return len(customers_with_content(connection))


def purge_some(
    database: Database, recorder: Recorder, now: datetime, *, limit: int = 100
) -> int:
    """How many customers were rid of what X said; 0 where nobody has anything of it any more.

    Numeric ids and verdicts stay. Each customer is one transaction with its event, so a
    purge that was broken off has done what it has done.
    """
    with database.reading() as connection:
        ids = customers_with_content(connection, limit)
    purged = 0
    for customer_id in ids:
        with database.transaction() as connection:
            purged += _purge(connection, recorder, customer_id, now)
    return purged


def _purge(
    connection: Connection, recorder: Recorder, customer_id: str, now: datetime
) -> bool:
    if not lock_customer(connection, customer_id):
        return False
    before = recorder.record(connection, customer_id)
    if not drop_x_content(connection, customer_id):
        return False
    change_customer(connection, customer_id, now)
    after = recorder.record(connection, customer_id)
    if after is not None:
        publish(connection, before, after, now)
    return True


def forget(
    database: Database, recorder: Recorder, customer_id: str, now: datetime
) -> Forgotten | None:
    """The customer's handle is as if X had never been asked; None if there is no such customer.

    The consent to ask is withdrawn, whichever signup gave it: whoever types the handle
    again does not bring back what was forgotten.
    """
    with database.transaction() as connection:
        if not lock_customer(connection, customer_id):
            return None
        before = recorder.record(connection, customer_id)
        handles, ids = accounts_in(x_accounts_of(connection, customer_id))
        forget_cached(connection, handles=handles, user_ids=ids)
        has_changed = forget_x_account(connection, customer_id)
        has_changed = forget_verdicts(connection, customer_id) or has_changed
        has_changed = _withdraw_link(connection, customer_id, now) or has_changed
        if has_changed:
            change_customer(connection, customer_id, now)
            after = recorder.record(connection, customer_id)
            if after is not None:
                publish(connection, before, after, now)
    return Forgotten(customer_id, has_changed)


def _withdraw_link(connection: Connection, customer_id: str, now: datetime) -> bool:
    """Whether a signup's consent to ask X still stood; none does now."""
    standing = _standing_links(consents_of(connection, customer_id))
    for row in standing:
        withdrawn = Consent(
            Purpose.X_LINK,
            Channel.X,
            State.WITHDRAWN,
            "x_forget",
            "regulars",
            wording=None,
        )
        add_consents(connection, customer_id, row.signup_id, [withdrawn], now)
    return bool(standing)


def _standing_links(rows: Iterable[ConsentRow]) -> list[ConsentRow]:
    latest = {row.signup_id: row for row in rows if row.purpose == Purpose.X_LINK.value}
    return [row for row in latest.values() if row.state in _STANDING]
