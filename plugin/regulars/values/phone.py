"""Telephone numbers, kept as typed and matched in E.164."""

from typing import Final

import phonenumbers

from regulars.values.address import Address, ContactCode, InvalidContact, Kind
from regulars.values.pasted import SPACES, tidy

MAX_PHONE: Final = 50  # characters as typed, with all punctuation

_PUNCTUATION: Final = frozenset("+()-./\u2010\u2011\u2012\u2013\u2212" + SPACES)


def parse_phone(text: str, default_country: str) -> Address:
    """Return the telephone number in *text*, read as dialled in *default_country* (ISO 3166, two letters) without `+`.

    An extension is refused: the number before it would make one customer of everybody behind a switchboard.

    Raises:
        InvalidContact: with a `phone.*` code. Nothing else is raised.
    """
    value = tidy(text)
    if len(value) > MAX_PHONE:
        raise InvalidContact(ContactCode.PHONE_TOO_LONG)
    if "@" in value:
        raise InvalidContact(ContactCode.PHONE_LOOKS_LIKE_EMAIL)
    # The library reads numbers out of the midst of prose and letters as keys; a form wants neither.
    if not all(
        character.isdecimal() or character in _PUNCTUATION for character in value
    ):
        raise InvalidContact(ContactCode.PHONE_INVALID)
    number = _valid_number(value, default_country.upper())
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Address(Kind.PHONE_NUMBER, value, e164, f"tel:{e164}")


def _valid_number(value: str, country: str) -> phonenumbers.PhoneNumber:
    # As typed first: where `00` and `(0)` mean something of their own, as in Italy, the library knows it.
    readings = [value, value.replace("(0)", "")]
    readings += [f"+{reading[2:]}" for reading in readings if reading.startswith("00")]
    for reading in readings:
        try:
            number = phonenumbers.parse(reading, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return number
    is_national = (
        not value.startswith(("+", "00"))
        and country not in phonenumbers.SUPPORTED_REGIONS
    )
    raise InvalidContact(
        ContactCode.PHONE_NEEDS_COUNTRY if is_national else ContactCode.PHONE_INVALID
    )


def mask_phone(normalized: str) -> str:
    """Return an E.164 number as its country code and its last two digits."""
    try:
        number = phonenumbers.parse(normalized, None)
    except phonenumbers.NumberParseException:
        return "•••"
    digits = str(number.national_number)
    last = digits[-2:] if len(digits) > 4 else "••"
    return f"+{number.country_code} ••• ••• ••{last}"
