"""Going on from an older copy of the database, as if its shop had never been away.

Receivers have seen what the copy does not know: versions that were made after it, and
erasures. What is done here makes that harmless, in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from regulars.erasure import erase_in
from regulars.keep.customers import (
    add_erased_customer,
    continue_at,
    count_active,
    find_customer,
    highest_version,
)
from regulars.keep.db import Database
from regulars.keep.journal import journal_text, read_journal, write_journal
from regulars.keep.replaced import Remembered
from regulars.keep.suppressions import add_suppressions
from regulars.tell.deliveries import put_back_undelivered
from regulars.tell.events import newest_event_at
from regulars.tell.publishing import publish_erasure

# Versions are 32 bits wide: one a second from here reaches to 2094.
_VERSIONS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class ClockBehind(Exception):
    """This machine's clock is behind what the copy has already told; the text says since when."""


@dataclass(frozen=True, slots=True)
class Continued:
    """What was done; ``version`` is the one that every active record stands at now."""

    version: int
    customers: int
    deliveries: int
    erased: int


def continue_from_copy(
    database: Database,
    *,
    secret_key: str,
    journal_folder: Path,
    remembered: Remembered,
    now: datetime,
) -> Continued:
    """Let the copy in *database* be the shop again; what was done.

    Every active record continues at a version above any that was sent: the seconds since
    2026 grow faster than any record changes, and so does each restore of one copy pass
    the one before. Undelivered events are due at once. Whoever was erased since, by the
    journal or by what was *remembered* of the database before, is erased again.

    Raises:
        ClockBehind: the time could not give a version that was never sent.
    """
    erased = {**remembered.erased}
    for customer_id, version in read_journal(
        journal_text(journal_folder) or ""
    ).items():
        erased[customer_id] = max(version, erased.get(customer_id, 0))
    with database.transaction() as connection:
        version = _first_version(connection, remembered, erased, now)
        continue_at(connection, version)
        deliveries = put_back_undelivered(connection)
        add_suppressions(connection, remembered.suppressions)
        again = [
            customer_id
            for customer_id in erased
            if _erase_again(
                connection,
                customer_id,
                erased[customer_id],
                secret_key=secret_key,
                journal_folder=journal_folder,
                now=now,
            )
        ]
        customers = count_active(connection)
    database.scrub()
    return Continued(version, customers, deliveries, len(again))


def _first_version(
    connection: Connection,
    remembered: Remembered,
    erased: Mapping[str, int],
    now: datetime,
) -> int:
    told_at = newest_event_at(connection)
    if now < _VERSIONS_SINCE or (told_at is not None and now < told_at):
        raise ClockBehind(f"{told_at or _VERSIONS_SINCE:%Y-%m-%d %H:%M:%S} UTC")
    known = max(
        highest_version(connection),
        remembered.highest_version,
        *erased.values(),
        0,
    )
    return max(int((now - _VERSIONS_SINCE).total_seconds()), known + 1)


def _erase_again(
    connection: Connection,
    customer_id: str,
    version: int,
    *,
    secret_key: str,
    journal_folder: Path,
    now: datetime,
) -> bool:
    """Whether the copy did not have the erasure yet.

    Of somebody who came and went after the copy was made there is no row; the erasure
    may not have reached everybody, so it is told once more.
    """
    if find_customer(connection, customer_id) is not None:
        made = erase_in(
            connection,
            customer_id,
            secret_key=secret_key,
            journal_folder=journal_folder,
            now=now,
            tell_all=True,
        )
        return made is not None
    version = max(version, 1)
    add_erased_customer(connection, customer_id, version, now)
    publish_erasure(connection, customer_id, version, now, tell_all=True)
    write_journal(journal_folder, customer_id, version, now)
    return True
