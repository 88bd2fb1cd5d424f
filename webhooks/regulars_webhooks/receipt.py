"""The receipt of a handle check: what X said of a handle, signed by Regulars, read offline.

``POST /v1/check`` gives one to the page, the page posts it as ``x_handle_receipt``, and
the shop's own server reads it by ``verify(token, secret)``. The secret is the site's
``receipt_secret``. Standard library alone, and in any language a few lines:
``r1.<payload>.<signature>``, where the payload is the base64url of a JSON object and the
signature that of HMAC-SHA256(secret, "receipt:r1." + payload), both without padding. The
first part names the format: another one will have another name. The object holds
``handle``, ``id`` (X's number as a string, or null), ``verdict``, ``site``, ``asked``,
``issued`` and ``expires`` (Unix seconds) and ``nonce``; without ``asked``, X was asked when
it was issued. Names that it may get later are to be ignored.

A receipt says that the account exists, or does not; never that it is the customer's. It
may be shown more than once: whoever wants to take each only once remembers its nonce.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets as randomness
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .errors import ReceiptRefused

VALID_FOR: Final = timedelta(hours=1)
SKEW: Final = timedelta(minutes=5)
"""How far the issuer's clock may be ahead of the reader's."""
VERDICTS: Final = frozenset({"found", "not_found", "suspended"})
"""The verdicts that X itself has given: no others are put on a receipt."""

# The same secret signs order links: a text of theirs must never be a text of ours.
_CONTEXT: Final = b"receipt:r1."
_TOKEN: Final = re.compile(r"r1\.([A-Za-z0-9_-]{1,2000})\.([A-Za-z0-9_-]{43})")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_USER_ID: Final = re.compile(r"[0-9]{1,30}")
_TEXTS: Final = {
    "handle": re.compile(r"[A-Za-z0-9_]{1,15}"),
    "verdict": re.compile("|".join(sorted(VERDICTS))),
    "site": _NAME,
    "nonce": _NAME,
}
_NONCE_BYTES: Final = 9
# The last second that a datetime can say.
_LAST_SECOND: Final = 253402300799

_Code = ReceiptRefused.Code


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer of X's: *handle* as it was typed, without ``@``; *id* is X's number or None.

    *verdict* is one of ``VERDICTS``, *site* the id of the site whose page asked; *issued*
    and *expires* are aware UTC, in whole seconds, and so is *asked*, when X said it.
    """

    handle: str
    id: str | None
    verdict: str
    site: str
    issued: datetime
    expires: datetime
    nonce: str
    asked: datetime


def issue(
    handle: str,
    verdict: str,
    *,
    id: str | None,
    site: str,
    secret: str,
    now: datetime,
    asked: datetime | None = None,
) -> str:
    """The token that says of *handle* what X said, valid until *now* + ``VALID_FOR``.

    X said it at *asked*; now, if that is None.
    It consists of letters, digits, ``-``, ``_`` and full stops: no escaping is needed.

    Raises:
        ValueError: a value is not of the form that ``Receipt`` has, *secret* is empty or
            *now* is naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must know its time zone")
    issued = int(now.timestamp())
    said = {
        "handle": handle,
        "id": id,
        "verdict": verdict,
        "site": site,
        "asked": issued if asked is None else int(asked.timestamp()),
        "issued": issued,
        "expires": issued + int(VALID_FOR.total_seconds()),
        "nonce": randomness.token_urlsafe(_NONCE_BYTES),
    }
    if _receipt(said) is None:
        raise ValueError("no receipt can say this")
    payload = _base64url(json.dumps(said, separators=(",", ":")).encode())
    return f"r1.{payload}.{_signature(secret, payload)}"


def verify(token: str, secret: str, *, now: datetime | None = None) -> Receipt:
    """What *token* says, if it was signed with *secret* and is valid at *now*, the present if None.

    Raises:
        ReceiptRefused: it is no receipt of a version known here, of another secret or
            altered, too old, or from the future. Nothing else is raised, whatever
            *token* holds.
        ValueError: *secret* is empty or *now* is naive.
    """
    now = datetime.now(UTC) if now is None else now
    if now.tzinfo is None:
        raise ValueError("now must know its time zone")
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise ReceiptRefused(_Code.MALFORMED)
    payload, signature = parts.groups()
    if not hmac.compare_digest(signature, _signature(secret, payload)):
        raise ReceiptRefused(_Code.FORGED)
    receipt = _receipt(_decoded(payload))
    if receipt is None:
        raise ReceiptRefused(_Code.MALFORMED)
    if now > receipt.expires:
        raise ReceiptRefused(_Code.EXPIRED)
    if now < receipt.issued - SKEW:
        raise ReceiptRefused(_Code.NOT_YET_VALID)
    return receipt


def _decoded(payload: str) -> Any:
    try:
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return json.loads(raw.decode())
    except (binascii.Error, ValueError, RecursionError):
        return None


def _receipt(said: Any) -> Receipt | None:
    """What *said* holds; None where it is not of the form that we issue."""
    if not isinstance(said, dict):
        return None
    issued, expires = _instant(said.get("issued")), _instant(said.get("expires"))
    asked = _instant(said.get("asked", said.get("issued")))
    if issued is None or expires is None or asked is None:
        return None
    if not all(_is_like(said.get(name), shape) for name, shape in _TEXTS.items()):
        return None
    user_id = said.get("id")
    if not (user_id is None or _is_like(user_id, _USER_ID)):
        return None
    texts = {name: said[name] for name in _TEXTS}
    return Receipt(id=user_id, issued=issued, expires=expires, asked=asked, **texts)


def _is_like(value: object, shape: re.Pattern[str]) -> bool:
    return isinstance(value, str) and shape.fullmatch(value) is not None


def _instant(value: object) -> datetime | None:
    # JSON's true is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return datetime.fromtimestamp(value, UTC) if 0 <= value <= _LAST_SECOND else None


def _signature(secret: str, payload: str) -> str:
    if not secret:
        raise ValueError("the secret may not be empty")
    message = _CONTEXT + payload.encode("ascii")
    return _base64url(hmac.digest(secret.encode(), message, hashlib.sha256))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
