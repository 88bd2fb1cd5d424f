"""Consents: rows that are only ever added, and what they come to.

A row answers for one purpose on one channel and carries the signup that brought it.
A purpose is allowed on a channel while the latest row of any signup grants it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    select,
)

from regulars.keep.db import Instant, metadata
from regulars.keep.wordings import WordingRef
from regulars.values.contact import Channel, Purpose
from regulars.values.ids import new_id


class State(StrEnum):
    """What one consent row says."""

    GRANTED = "granted"
    PENDING = "pending"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


consent_table = Table(
    "consent",
    metadata,
    # Two rows of one millisecond still have an order.
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("id", String(40), nullable=False, unique=True),
    Column("customer_id", ForeignKey("customer.id"), nullable=False, index=True),
    Column("signup_id", String(40), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("state", String(10), nullable=False),
    Column("legal_basis", String(20), nullable=False),
    Column("method", String(30), nullable=False),
    Column("rendered_by", String(10)),
    Column("wording_id", String(40)),
    Column("wording_key", String(40)),
    Column("wording_sha256", String(64)),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)

# Made once: making a statement costs more than running it.
_OF_CUSTOMER = (
    select(consent_table)
    .where(consent_table.c.customer_id == bindparam("customer_id"))
    .order_by(consent_table.c.sequence)
)

ConsentRow = Row[tuple[Any, ...]]
Question = tuple[Purpose, Channel]


@dataclass(frozen=True, slots=True)
class Consent:
    """One statement about a purpose on a channel, as it is to be recorded."""

    purpose: Purpose
    channel: Channel
    state: State
    method: str
    rendered_by: str | None
    wording: WordingRef | None

    @property
    def legal_basis(self) -> str:
        """News about an order is part of the contract; all else is the person's yes."""
        return "contract" if self.purpose is Purpose.ORDER else "consent"


def add_consents(
    connection: Connection,
    customer_id: str,
    signup_id: str,
    consents: Iterable[Consent],
    now: datetime,
) -> None:
    """Append one row per consent."""
    rows = [
        {
            "id": new_id("con", now),
            "customer_id": customer_id,
            "signup_id": signup_id,
            "purpose": consent.purpose.value,
            "channel": consent.channel.value,
            "state": consent.state.value,
            "legal_basis": consent.legal_basis,
            "method": consent.method,
            "rendered_by": consent.rendered_by,
            "wording_id": consent.wording.id if consent.wording else None,
            "wording_key": consent.wording.key if consent.wording else None,
            "wording_sha256": consent.wording.sha256 if consent.wording else None,
            "occurred_at": now,
            "recorded_at": now,
        }
        for consent in consents
    ]
    if rows:
        connection.execute(consent_table.insert(), rows)


def consents_of(connection: Connection, customer_id: str) -> list[ConsentRow]:
    """Every consent row of the customer, oldest first."""
    return list(connection.execute(_OF_CUSTOMER, {"customer_id": customer_id}))


def latest_of_signups(rows: Iterable[ConsentRow]) -> list[ConsentRow]:
    """Of *rows* (oldest first), the latest of each signup, purpose and channel."""
    latest: dict[tuple[str, str, str], ConsentRow] = {}
    for row in rows:
        latest[row.signup_id, row.purpose, row.channel] = row
    return list(latest.values())


_BY_WEIGHT = (
    State.GRANTED,
    State.WITHDRAWN,
    State.PENDING,
    State.DENIED,
    State.EXPIRED,
)


def states_of(rows: Iterable[ConsentRow]) -> dict[Question, State]:
    """What *rows* (all of one customer, oldest first) come to, for all that was ever asked."""
    said: dict[Question, set[str]] = {}
    for row in latest_of_signups(rows):
        question = (Purpose(row.purpose), Channel(row.channel))
        said.setdefault(question, set()).add(row.state)
    return {
        question: next(state for state in _BY_WEIGHT if state.value in states)
        for question, states in said.items()
    }


def state_of(rows: Iterable[ConsentRow], question: Question) -> State | None:
    """What *rows* come to for *question*, or None if it was never asked."""
    return states_of(rows).get(question)


def was_withdrawn(rows: Sequence[ConsentRow], question: Question) -> bool:
    """Whether a withdrawal of any signup stands, so that a new yes needs proof."""
    purpose, channel = question
    return any(
        row.state == State.WITHDRAWN.value
        and row.purpose == purpose.value
        and row.channel == channel.value
        for row in latest_of_signups(rows)
    )


def may_look_up(rows: Sequence[ConsentRow]) -> bool:
    """Whether the customer's handle may be checked with X."""
    return state_of(rows, (Purpose.X_LINK, Channel.X)) is State.GRANTED


def rows_to_tell(rows: Iterable[ConsentRow]) -> list[ConsentRow]:
    """What an event carries: per purpose, channel and state the latest row, oldest first.

    A regular of ten years has a thousand rows that say the same; the receiver needs
    each thing once, the history stays here.
    """
    latest: dict[tuple[str, str, str], ConsentRow] = {}
    for row in rows:
        latest[row.purpose, row.channel, row.state] = row
    return sorted(latest.values(), key=lambda row: row.sequence)
