"""The owner's password: what may be one, and how it is kept.

scrypt with werkzeug's parameters, which its releases raise in time:
https://werkzeug.palletsprojects.com/en/stable/utils/#werkzeug.security.generate_password_hash
"""

import unicodedata
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

# https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver: length is what counts.
LEAST_LENGTH = 12
_MOST_LENGTH = 1024


class PasswordRefused(ValueError):
    """The text cannot be a password; the sentence says why."""


def hash_password(password: str) -> str:
    """What is kept of *password*.

    Raises:
        PasswordRefused: it is too short or too long.
    """
    password = _normal(password)
    if len(password) < LEAST_LENGTH:
        raise PasswordRefused(f"A password has at least {LEAST_LENGTH} characters.")
    if len(password) > _MOST_LENGTH:
        raise PasswordRefused(f"A password has at most {_MOST_LENGTH} characters.")
    return generate_password_hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether *password* is the one kept as *password_hash*; takes as long where none is."""
    password = _normal(password)[:_MOST_LENGTH]
    fits = check_password_hash(password_hash or _nobodys(), password)
    return fits and password_hash is not None


@cache
def _nobodys() -> str:
    """What is checked against where no password is set."""
    return generate_password_hash("nobody's password")


def _normal(password: str) -> str:
    # The same key on two keyboards may send an accent as one character or as two.
    return unicodedata.normalize("NFKC", password)
