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
    Select,
    String,
    Table,
    bindparam,
    func,
    select,
    text,
)

from regulars.keep.db import Instant, metadata
from regulars.keep.wordings import WordingRef, wording_table
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
_OF_SIGNUP = _OF_CUSTOMER.where(consent_table.c.signup_id == bindparam("signup_id"))


def _made_sum() -> Select[tuple[Any, ...]]:
    # Groups of a few columns: of windows over whole rows the same takes four times as long.
    columns = consent_table.c
    is_of_customer = columns.customer_id == bindparam("customer_id")
    newest = func.max(columns.sequence)
    last_words = (
        select(newest)
        .where(is_of_customer)
        .group_by(columns.signup_id, columns.purpose, columns.channel)
    )
    stands = columns.sequence.in_(last_words)
    kept = (
        select(newest.label("sequence"), stands.label("stands"))
        .where(is_of_customer)
        .group_by(columns.purpose, columns.channel, columns.state, text("stands"))
        .subquery()
    )
    return (
        select(consent_table, kept.c.stands)
        .join(kept, kept.c.sequence == columns.sequence)
        .order_by(columns.sequence)
    )


_SUM = _made_sum()

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
    """Every consent row of the customer, oldest first: the whole history."""
    return list(connection.execute(_OF_CUSTOMER, {"customer_id": customer_id}))


def sum_of_consents(connection: Connection, customer_id: str) -> list[ConsentRow]:
    """Of the customer's consent rows those that all others only repeat, oldest first.

    Of each purpose, channel and state the newest row that ``stands``, being its signup's
    last word, and the newest that does not: few, although anybody who types the address
    may add a thousand signups to it.
    """
    return list(connection.execute(_SUM, {"customer_id": customer_id}))


def last_words_of(
    connection: Connection, customer_id: str, signup_id: str
) -> list[ConsentRow]:
    """The latest row of each purpose and channel that the signup spoke of."""
    of_whom = {"customer_id": customer_id, "signup_id": signup_id}
    latest: dict[tuple[str, str], ConsentRow] = {}
    for row in connection.execute(_OF_SIGNUP, of_whom):
        latest[row.purpose, row.channel] = row
    return list(latest.values())


def language_of_signup(
    connection: Connection, customer_id: str, signup_id: str
) -> str | None:
    """The language of the sentences that the signup agreed to; None where it agreed to none."""
    columns = consent_table.c
    of_wording = (wording_table.c.id == columns.wording_id) & (
        wording_table.c.key == columns.wording_key
    )
    return connection.execute(
        select(wording_table.c.language)
        .join(consent_table, of_wording)
        .where(columns.customer_id == customer_id, columns.signup_id == signup_id)
        .order_by(columns.sequence)
        .limit(1)
    ).scalar_one_or_none()


_BY_WEIGHT = (
    State.GRANTED,
    State.WITHDRAWN,
    State.PENDING,
    State.DENIED,
    State.EXPIRED,
)


def states_of(rows: Iterable[ConsentRow]) -> dict[Question, State]:
    """What *rows* (the sum of one customer's) come to, for all that was ever asked."""
    said: dict[Question, set[str]] = {}
    for row in (row for row in rows if row.stands):
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
        row.stands
        and row.state == State.WITHDRAWN.value
        and row.purpose == purpose.value
        and row.channel == channel.value
        for row in rows
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
