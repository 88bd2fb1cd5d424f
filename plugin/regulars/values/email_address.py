"""E-mail addresses, judged by their grammar alone."""

import unicodedata
from typing import Final
from urllib.parse import quote

from email_validator import EmailNotValidError, validate_email

from regulars.values.address import Address, ContactCode, InvalidContact, Kind
from regulars.values.pasted import INVISIBLE, SPACES, fold_full_width, is_text

MAX_EMAIL: Final = 254  # characters; https://www.rfc-editor.org/errata/eid1690


def parse_email(text: str) -> Address:
    """Return the e-mail address in *text*; no name server is asked.

    Raises:
        InvalidContact: with an `email.*` code. Nothing else is raised.
    """
    # Invisible characters go from the ends only: within a domain some of them tell two names apart.
    value = fold_full_width(text.strip(SPACES + INVISIBLE))
    if len(value) > MAX_EMAIL:
        raise InvalidContact(ContactCode.EMAIL_TOO_LONG)
    if not is_text(value):
        raise InvalidContact(ContactCode.EMAIL_INVALID)
    if "@" not in value:
        raise InvalidContact(ContactCode.EMAIL_NO_AT)
    if any(character in SPACES for character in value):
        raise InvalidContact(ContactCode.EMAIL_HAS_SPACES)
    try:
        valid = validate_email(
            value, check_deliverability=False, test_environment=False
        )
    except EmailNotValidError:
        # The library's message quotes the address, and a log must not.
        raise InvalidContact(ContactCode.EMAIL_INVALID) from None
    # Lower case and not `casefold`, which would make one mailbox of `straße` and `strasse`.
    local = unicodedata.normalize("NFC", valid.local_part.lower())
    # https://www.rfc-editor.org/rfc/rfc6068#section-2
    local_in_url = quote(valid.local_part, safe="+!$'*.-_~")
    url = f"mailto:{local_in_url}@{valid.ascii_domain or valid.domain}"
    return Address(Kind.EMAIL_ADDRESS, value, f"{local}@{valid.domain.lower()}", url)


def mask_email(normalized: str) -> str:
    """Return the key of an address as its two initials and the last part of the domain."""
    local, _, domain = normalized.rpartition("@")
    name, _, ending = domain.partition(".")
    return f"{_first(local)}•••@{_first(name)}•••.{ending.rpartition('.')[2]}"


def _first(word: str) -> str:
    return word[0] if len(word) > 1 else ""
