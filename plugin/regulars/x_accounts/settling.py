"""What came of asking for an account again: the record follows, and the shop is told.

An account that was renamed goes by its new handle; of one that was suspended, deleted or
protected what X said goes, and what the customer typed stays. Nobody is merged.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from regulars.check.cache import forget_cached
from regulars.check.findings import finding_of
from regulars.check.lookup import Found, NotFound, Suspended
from regulars.keep.contact_points import (
    ContactRow,
    Finding,
    Sent,
    find_contact_point,
    holders,
    record_finding,
)
from regulars.keep.customers import (
    change_customer,
    find_customer,
    lock_customer,
    united_duplicates,
)
from regulars.keep.in_step import (
    customers_labelled,
    doubt_others,
    relabel,
    settle_doubt,
)
from regulars.keep.record import Recorder, changed_pointers
from regulars.tell.publishing import publish
from regulars.tell.x_content import accounts_in, drop_content_of
from regulars.values.contact import Address, Kind, Ownership
from regulars.values.verdict import Verdict

Verdictive = Found | NotFound | Suspended
_SETTLED = (Verdict.FOUND, Verdict.NOT_FOUND, Verdict.SUSPENDED)
# That we asked again is no news by itself.
_QUIET = ("/checked_at", "/profile/fetched_at")


class Change(StrEnum):
    """What came of asking again; the values are keys of the command's JSON."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    """The shop was told; of what, the next two may say besides."""
    RENAMED = "renamed"
    LOST = "lost"
    """Suspended, deleted or protected: what X said of it is gone."""
    UNANSWERED = "unanswered"


_NOTHING = frozenset({Change.UNANSWERED})


def settle(
    connection: Connection,
    recorder: Recorder,
    asked: ContactRow,
    answer: Verdictive,
    now: datetime,
    *,
    x_profile: str,
) -> frozenset[Change]:
    """What changed at the account *asked* for; its event is in the same transaction."""
    if not lock_customer(connection, asked.customer_id):
        return _NOTHING
    point = find_contact_point(connection, asked.id)
    if point is None or not _is_same(point, asked):
        # Forgotten, or checked by a signup, between question and answer.
        return _NOTHING
    before = recorder.record(connection, point.customer_id)
    changes = _apply(connection, point, answer, now, x_profile=x_profile)
    duplicates = _duplicates(connection, point)
    after = recorder.record(connection, point.customer_id)
    if before is None or after is None:
        return _NOTHING
    held = before["customer"]["possible_duplicates"]
    news = [it for it in changed_pointers(before, after) if not it.endswith(_QUIET)]
    if not news and duplicates == held:
        return frozenset({Change.UNCHANGED})
    handles, ids = accounts_in([point])
    if isinstance(answer, Found):
        handles = [*handles, answer.username]
    forget_cached(connection, handles=handles, user_ids=ids)
    change_customer(connection, point.customer_id, now, possible_duplicates=duplicates)
    told = recorder.record(connection, point.customer_id)
    if told is not None:
        publish(connection, before, told, now)
    return frozenset({*changes, Change.CHANGED})


def _is_same(held: ContactRow, asked: ContactRow) -> bool:
    return bool(
        held.platform_user_id == asked.platform_user_id
        and held.checked_at == asked.checked_at
    )


def _apply(
    connection: Connection,
    point: ContactRow,
    answer: Verdictive,
    now: datetime,
    *,
    x_profile: str,
) -> set[Change]:
    may_keep = _may_keep_profile(point, x_profile)
    finding = finding_of(answer, may_keep_profile=may_keep, now=now)
    # The number is what was asked for: it stays, whatever has become of the account.
    finding = replace(finding, platform_user_id=point.platform_user_id)
    changes: set[Change] = set()
    is_gone = not isinstance(answer, Found)
    if finding.profile is None and (is_gone or point.profile is not None):
        if drop_content_of(connection, point):
            changes.add(Change.LOST)
        point = find_contact_point(connection, point.id) or point
    record_finding(connection, point.id, finding, was=_SETTLED)
    settle_doubt(connection, point.id)
    if isinstance(answer, Found) and _follow(connection, point, answer, finding, now):
        changes.add(Change.RENAMED)
    return changes


def _may_keep_profile(point: ContactRow, x_profile: str) -> bool:
    if x_profile == Ownership.PROVEN.value:
        return bool(point.ownership == Ownership.PROVEN.value)
    return x_profile == Ownership.CLAIMED.value


def _follow(
    connection: Connection,
    point: ContactRow,
    found: Found,
    finding: Finding,
    now: datetime,
) -> bool:
    """Whether the account goes by another handle than the one that is held."""
    handle = found.username.lower()
    # Whoever is held under that handle with another number goes by another one by now.
    doubt_others(connection, handle, finding, now)
    if handle == point.normalized:
        return False
    # X's own spelling is X's, and goes where the profile goes.
    shown = found.username if finding.profile else handle
    relabel(connection, point, handle, f"https://x.com/{shown}", now)
    return True


def _duplicates(connection: Connection, asked: ContactRow) -> list[str]:
    """Who else is held under the number, or under the handle that is its own now.

    A handle may have had another owner before: a person decides, never we.
    """
    customer = find_customer(connection, asked.customer_id)
    point = find_contact_point(connection, asked.id)
    held = [] if customer is None else customer.possible_duplicates
    if point is None or point.verdict != Verdict.FOUND.value:
        return list(held)
    address = Address(Kind.X_ACCOUNT, point.value, point.normalized, point.url)
    finding = Finding(Verdict.FOUND, point.platform_user_id)
    others = [
        *holders(connection, Sent(address, finding)),
        *customers_labelled(connection, point.normalized),
    ]
    return united_duplicates(held, (it for it in others if it != asked.customer_id))
