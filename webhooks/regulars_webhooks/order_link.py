"""The order in a link to the hosted signup page, signed by the shop, offline.

A shop's server (or ``regulars site link``) puts ``sign_order(...)`` behind
``/signup?site=pk_…&order=``; the page reads it by ``read_order``. The secret is the
site's ``receipt_secret``. Standard library alone, and in any language four lines:
``<order id>.<expiry>.<signature>``, where the first part is the base64url of the id's
UTF-8 without padding, the second the Unix second at which the link ends, and the third
the first 32 hexadecimal digits, in lower case, of
HMAC-SHA256(secret, "order:" + first part + "." + second part). The template languages of
shop platforms can make that too.
"""

import base64
import binascii
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import OrderLinkRefused

MAX_ORDER_ID: Final = 100
VALID_FOR: Final = timedelta(days=30)

# The same secret signs other tokens: a text of theirs must never be a text of ours.
_CONTEXT: Final = b"order:"
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{2,540})\.([0-9]{1,11})\.([0-9a-f]{32})")
# 128 bits cannot be guessed, and each letter less makes the QR easier to read.
_SIGNATURE_DIGITS: Final = 32

_Code = OrderLinkRefused.Code


def sign_order(
    order_id: str, secret: str, *, now: datetime, valid_for: timedelta = VALID_FOR
) -> str:
    """The value of ``order`` in a link that names *order_id* until *now* + *valid_for*.

    It consists of letters, digits, ``-``, ``_`` and full stops: no escaping is needed.

    Raises:
        ValueError: *order_id* is not one line of 1 to 100 characters, *secret* is empty,
            *now* is naive or *valid_for* is not positive.
    """
    if not _is_order_id(order_id):
        raise ValueError(f"an order id is one line of 1 to {MAX_ORDER_ID} characters")
    if valid_for <= timedelta():
        raise ValueError("a link must be valid for some time")
    if now.tzinfo is None:
        raise ValueError("now must know its time zone")
    expires = str(int((now + valid_for).timestamp()))
    encoded = _base64url(order_id.encode())
    return f"{encoded}.{expires}.{_signature(secret, encoded, expires)}"


def read_order(token: str, secret: str, *, now: datetime) -> str:
    """The order id in *token*, if it was signed with *secret* and has not expired.

    Raises:
        OrderLinkRefused: it is no such token, of another secret or altered, or too old.
            Nothing else is raised, whatever *token* holds.
        ValueError: *secret* is empty or *now* is naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must know its time zone")
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise OrderLinkRefused(_Code.MALFORMED)
    encoded, expires, signature = parts.groups()
    if not hmac.compare_digest(signature, _signature(secret, encoded, expires)):
        raise OrderLinkRefused(_Code.NO_MATCH)
    if now.timestamp() > int(expires):
        raise OrderLinkRefused(_Code.EXPIRED)
    return _decoded(encoded)


def expiry_of(token: str) -> datetime:
    """The time at which the link of a *token* made by ``sign_order`` ends, in UTC."""
    return datetime.fromtimestamp(int(token.split(".")[1]), UTC)


def _decoded(encoded: str) -> str:
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        order_id = raw.decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OrderLinkRefused(_Code.MALFORMED) from error
    if not _is_order_id(order_id):
        raise OrderLinkRefused(_Code.MALFORMED)
    return order_id


def _is_order_id(text: str) -> bool:
    is_short = 0 < len(text) <= MAX_ORDER_ID
    return is_short and text.isprintable() and text == text.strip()


def _signature(secret: str, encoded: str, expires: str) -> str:
    if not secret:
        raise ValueError("the secret may not be empty")
    message = _CONTEXT + f"{encoded}.{expires}".encode("ascii")
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return digest.hex()[:_SIGNATURE_DIGITS]


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
