"""Identifiers: a prefix that says what it names, and 26 characters that sort by time."""

import secrets
from datetime import datetime

# Crockford's base 32: no I, L, O, U. https://www.crockford.com/base32.html
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LENGTH = 26


def new_id(prefix: str, now: datetime) -> str:
    """A fresh ``prefix_…`` id: 48 bits of milliseconds of *now*, then 80 random bits."""
    return _written(prefix, now, secrets.randbits(_RANDOM_BITS))


def may_be_id(text: str) -> bool:
    """Whether *text* can name something of ours: with a NUL byte in it some databases refuse to be asked."""
    return text.isascii() and text.isprintable()


def first_id(prefix: str, since: datetime) -> str:
    """The smallest id that can have been made at *since*: what is older sorts before it."""
    return _written(prefix, since, 0)


def _written(prefix: str, instant: datetime, bits: int) -> str:
    number = int(instant.timestamp() * 1000) << _RANDOM_BITS | bits
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(digits))}"
