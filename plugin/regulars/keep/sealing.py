"""Sealing: what must not be readable in a copy of the database, by a key made from SECRET_KEY.

AES-256-GCM under a key that HKDF-SHA256 derives (RFC 5869). What a text belongs to is
sealed in, so that it opens nowhere else.
"""

import base64
import secrets
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION: Final = "sealed1."
_PURPOSE: Final = b"regulars: what endpoints are sent with"
_KEY_BYTES: Final = 32
# 96 random bits: good for 2^32 texts under one key (NIST SP 800-38D, 8.3).
_NONCE_BYTES: Final = 12


class CannotOpen(Exception):
    """A sealed text does not open; the sentence names the setting and never the text."""

    def __init__(self) -> None:
        super().__init__(
            "REGULARS_SECRET_KEY is not the key that this endpoint's secrets were sealed"
            " under: put the right one back, or make a new secret with 'regulars"
            " endpoint rotate'"
        )


class Seal:
    """Seals and opens texts under one SECRET_KEY."""

    def __init__(self, secret_key: str) -> None:
        """Nothing is derived before it is needed."""
        self._secret_key = secret_key

    @cached_property
    def _cipher(self) -> AESGCM:
        if not self._secret_key:
            raise CannotOpen
        hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
        return AESGCM(hkdf.derive(self._secret_key.encode()))

    def close(self, text: str, *, owner: str) -> str:
        """*text* so that only ``open`` with the same key and *owner* shows it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), owner.encode())
        return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, *, owner: str) -> str:
        """The text that ``close`` was given.

        Raises:
            CannotOpen: another key, another owner, or not as it was written.
        """
        if not sealed.startswith(_VERSION):
            raise CannotOpen
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
            nonce, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotOpen from error
