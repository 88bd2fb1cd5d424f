"""Erasure: no byte of the person stays, and every system that was told is told of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from regulars.check.cache import forget_cached
from regulars.keep.contact_points import contact_points_of, delete_contact_points
from regulars.keep.customers import blank_customer, find_customer, lock_customer
from regulars.keep.db import Database
from regulars.keep.idempotency import blank_answers
from regulars.keep.in_step import delete_former_handles, former_handles_of
from regulars.keep.journal import write_journal
from regulars.keep.signups import blank_signups, signups_of
from regulars.keep.suppressions import suppress
from regulars.tell.deliveries import blank_answers_of_receivers, cancel_unattempted
from regulars.tell.events import rewrite_erased
from regulars.tell.publishing import publish_erasure
from regulars.tell.x_content import accounts_in, x_accounts_of


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done; ``is_scrubbed`` is False when a reader kept the log from being emptied."""

    customer_id: str
    version: int
    is_scrubbed: bool


def erase(
    database: Database,
    customer_id: str,
    *,
    secret_key: str,
    journal_folder: Path,
    now: datetime,
) -> Erased | None:
    """The erasure of one customer; None if there is no such customer any more.

    Consent rows stay as proof that there was a yes: they name nobody.
    """
    with database.transaction() as connection:
        version = erase_in(
            connection,
            customer_id,
            secret_key=secret_key,
            journal_folder=journal_folder,
            now=now,
        )
    if version is None:
        return None
    return Erased(customer_id, version, database.scrub())


def erase_in(
    connection: Connection,
    customer_id: str,
    *,
    secret_key: str,
    journal_folder: Path,
    now: datetime,
    tell_all: bool = False,
) -> int | None:
    """The version of the erasure, made in the caller's transaction; None: no such customer.

    *tell_all*: every endpoint is told, because it is not known who was told of them.
    """
    if not lock_customer(connection, customer_id):
        return None
    row = find_customer(connection, customer_id)
    if row is None:
        return None
    version: int = row.version + 1
    points = contact_points_of(connection, customer_id)
    # An old list may hold the handle of before a rename.
    former = former_handles_of(connection, customer_id)
    suppress(connection, secret_key, [*points, *former], now)
    handles, user_ids = accounts_in(x_accounts_of(connection, customer_id))
    handles += [row.normalized for row in former]
    forget_cached(connection, handles=handles, user_ids=user_ids)
    _blank(connection, customer_id, now)
    publish_erasure(connection, customer_id, version, now, tell_all=tell_all)
    # Before the commit: a line too many erases again, a line too few brings back.
    write_journal(journal_folder, customer_id, version, now)
    return version


def _blank(connection: Connection, customer_id: str, now: datetime) -> None:
    signup_ids = [row.id for row in signups_of(connection, customer_id)]
    blank_answers(connection, signup_ids)
    blank_signups(connection, customer_id)
    delete_former_handles(connection, customer_id)
    delete_contact_points(connection, customer_id)
    blank_customer(connection, customer_id, now)
    cancel_unattempted(connection, customer_id)
    blank_answers_of_receivers(connection, customer_id)
    rewrite_erased(connection, customer_id)
