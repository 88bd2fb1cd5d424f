"""What X said about a handle: one vocabulary for the database, the wire and the screens."""

from enum import StrEnum


class Verdict(StrEnum):
    """The state of a handle; a contact point whose kind is never looked up has none.

    `found` means that the account exists, never that it is the customer's.
    """

    FOUND = "found"
    NOT_FOUND = "not_found"
    SUSPENDED = "suspended"
    PENDING = "pending"  # X could not be asked yet; a later event carries the answer
    UNCHECKED = "unchecked"  # X was not asked: no consent, or checking is off
