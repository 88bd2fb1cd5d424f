"""From what somebody types to the customers it belongs to."""

import contextlib

from sqlalchemy import Connection

from regulars.keep.contact_points import Finding, Sent, holders
from regulars.keep.customers import find_by_external_id, find_customer
from regulars.keep.in_step import formerly
from regulars.values.contact import KINDS, InvalidContact, Kind
from regulars.values.handle import InvalidHandle


def find_customers(
    connection: Connection, text: str, default_country: str
) -> list[str]:
    """The ids of the active customers that *text* names: an id of ours or of the shop's, or an address of any kind."""
    found: list[str] = []
    if (row := find_customer(connection, text)) is not None:
        found.append(row.id)
    if (by_shop := find_by_external_id(connection, text)) is not None:
        found.append(by_shop)
    for kind in KINDS.values():
        with contextlib.suppress(InvalidContact, InvalidHandle):
            address = kind.parse(text, default_country)
            found += holders(connection, Sent(address, Finding()))
            if address.kind is Kind.X_ACCOUNT:
                found += formerly(connection, address.normalized)
    return list(dict.fromkeys(found))
