"""Who is the same customer.

Tried in this order: the shop's own id under its secret key; a proven address; every
address sent being held by one and the same customer. Anything else is a new customer,
because whoever types an address has not shown that it is theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, select

from regulars.keep.contact_points import Sent, held_by
from regulars.keep.customers import (
    find_by_external_id,
    find_customer,
    lock_customer,
)


class Trust(StrEnum):
    """What the sender may do to the record."""

    CHANGES = "changes"
    """A new customer, the shop's own id or a proven address: what is sent replaces."""
    ADDS = "adds"
    """Nothing but typed addresses: what is sent is added, nothing held is changed."""


@dataclass(frozen=True, slots=True)
class Match:
    """The customer that a signup joins, or None and who might be the same person."""

    customer_id: str | None
    trust: Trust
    possible_duplicates: tuple[str, ...] = ()


def match_customer(
    connection: Connection, sent: Sequence[Sent], *, external_id: str | None
) -> Match:
    """Which customer the addresses *sent* and the shop's own *external_id* belong to.

    *external_id* must come with a secret key. The customer that is joined stays
    locked until the end of the transaction.
    """
    _lock_addresses(connection, sent)
    match = _match(connection, sent, external_id)
    while match.customer_id is not None and not lock_customer(
        connection, match.customer_id
    ):
        # Erased between our look and our lock.
        match = _match(connection, sent, external_id)
    return match


def _lock_addresses(connection: Connection, sent: Sequence[Sent]) -> None:
    """Keep everybody else who sends one of these addresses waiting until we have committed.

    Else two first signups of one person at once, as a double press makes, would not see
    each other and make two customers. On SQLite there is one writer anyway.
    """
    if connection.dialect.name != "postgresql":
        return
    # In one order for all: nobody waits for one who waits for them.
    for address in sorted(f"{it.address.kind}:{it.address.normalized}" for it in sent):
        number = func.hashtextextended(address, 0)
        connection.execute(select(func.pg_advisory_xact_lock(number)))


def _match(
    connection: Connection, sent: Sequence[Sent], external_id: str | None
) -> Match:
    if external_id is not None:
        same = find_by_external_id(connection, external_id)
        if same is not None:
            return Match(same, Trust.CHANGES)

    def may_join(customer_id: str) -> bool:
        if external_id is None:
            return True
        row = find_customer(connection, customer_id)
        return row is not None and row.external_id is None

    found = [held_by(connection, item) for item in sent]
    proven = [
        holder.customer_id
        for holders in found
        for holder in holders
        if holder.is_proven and may_join(holder.customer_id)
    ]
    if proven:
        return Match(min(proven), Trust.CHANGES)
    ids = [{holder.customer_id for holder in holders} for holders in found]
    of_all = set.intersection(*ids) if ids else set()
    joinable = sorted(filter(may_join, of_all))
    if joinable:
        return Match(joinable[0], Trust.ADDS)
    duplicates = sorted(set().union(*ids))
    return Match(None, Trust.CHANGES, tuple(duplicates))
