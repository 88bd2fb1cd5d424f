"""How one answer joins a record: its addresses, choices and names, as far as it may."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from regulars.keep.consents import ConsentRow, State, state_of
from regulars.keep.contact_points import (
    ContactRow,
    Finding,
    Sent,
    add_contact_point,
    find_same,
    record_finding,
)
from regulars.keep.customers import (
    change_customer,
    find_customer,
    united_interests,
    united_topics,
)
from regulars.keep.in_step import doubt_others
from regulars.keep.matching import Match, Trust
from regulars.values.answer import Answer
from regulars.values.contact import Channel, Kind, Purpose
from regulars.values.verdict import Verdict


def put_addresses(
    connection: Connection,
    customer_id: str,
    match: Match,
    sent: Sequence[Sent],
    consents: Sequence[ConsentRow],
    now: datetime,
) -> list[str]:
    """The ids of the contact points that were sent; new ones are added.

    *consents* are those of before: what X said stays away from whoever took back the
    consent to ask it, when somebody merely types their handle.
    """
    link = state_of(consents, (Purpose.X_LINK, Channel.X))
    may_tell = match.trust is Trust.CHANGES or link is not State.WITHDRAWN
    ids = []
    for item in sent:
        if item.address.kind is Kind.X_ACCOUNT:
            doubt_others(connection, item.address.normalized, item.finding, now)
        held = find_same(connection, customer_id, item) if match.customer_id else None
        if held is None:
            ids.append(add_contact_point(connection, customer_id, item, now))
            continue
        ids.append(held.id)
        if may_tell and _is_news(held, item.finding):
            # A verdict is X's word about the handle, nobody's claim about the person.
            record_finding(connection, held.id, item.finding, was=list(Verdict))
    return ids


def _is_news(held: ContactRow, finding: Finding) -> bool:
    """Whether what was learned says more than what is held of the handle."""
    if finding.checked_at and held.checked_at and finding.checked_at < held.checked_at:
        # An old receipt: X has been asked since, and what it said then stands.
        return False
    if finding.verdict is Verdict.FOUND:
        # An account that is there now, or whose profile may be kept again.
        may_keep_again = finding.profile is not None and held.profile is None
        return held.verdict != Verdict.FOUND.value or may_keep_again
    is_asked = finding.verdict not in {None, Verdict.UNCHECKED}
    return is_asked and held.verdict in {Verdict.PENDING, Verdict.UNCHECKED}


def apply_answer(
    connection: Connection,
    customer_id: str,
    match: Match,
    answer: Answer,
    signup_id: str,
    now: datetime,
) -> None:
    """The customer row as this answer leaves it; the next version."""
    row = find_customer(connection, customer_id)
    if row is None:
        raise LookupError(customer_id)
    chosen = [channel.value for channel in answer.channels]
    changes: dict[str, Any] = {
        "last_signup_id": signup_id,
        "topics": united_topics(row.topics, answer.topics),
        "interests": united_interests(row.interests, answer.interests),
    }
    if match.trust is Trust.ADDS:
        ranked = dict.fromkeys([*row.preferred_channels, *chosen])
    else:
        ranked = dict.fromkeys([*chosen, *row.preferred_channels])
        for name in ("given_name", "family_name", "locale"):
            if getattr(answer, name) is not None:
                changes[name] = getattr(answer, name)
    changes["preferred_channels"] = list(ranked)
    if row.external_id is None and answer.external_id is not None:
        changes["external_id"] = answer.external_id
    change_customer(connection, customer_id, now, **changes)
