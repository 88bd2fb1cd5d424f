"""Signatures of Standard Webhooks, made and checked.

Scheme ``v1`` (HMAC-SHA256) of
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
The sender calls ``sign`` once per attempt, the receiver calls ``verify`` on the
bytes as they came.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets as randomness
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from .errors import MalformedSecret, VerificationError

TOLERANCE: Final = timedelta(seconds=300)

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = 32
_ID: Final = re.compile(r"[\x21-\x7e]{1,255}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9]{1,16},[\x21-\x7e]*")
_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")

_Code = VerificationError.Code


def generate_secret() -> str:
    """A new signing secret: ``whsec_`` and the base64 of 32 random bytes."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(_KEY_BYTES)).decode(
        "ascii"
    )


def check_secret(secret: str) -> None:
    """Accept a secret that ``sign`` and ``verify`` can use.

    The prefix ``whsec_`` and the padding of the base64 may be absent.

    Raises:
        MalformedSecret: it is empty or not base64.
    """
    _key(secret)


def sign(
    event_id: str, body: bytes, *, secrets: Sequence[str], now: datetime
) -> dict[str, str]:
    """The three headers of one attempt, their names in lower case.

    *body* is sent as it is signed. *now* is the time of this attempt, not of the
    event: a retry is signed afresh. Each of *secrets* signs, so that a receiver
    which knows only the old or only the new one is served during a rotation.

    Raises:
        MalformedSecret: a secret is empty or not base64.
        ValueError: there is no secret, *now* is naive, or *event_id* is not of
            visible ASCII without a full stop (which separates id and time).
    """
    if not secrets:
        raise ValueError("at least one secret must sign")
    if not _ID.fullmatch(event_id) or "." in event_id:
        raise ValueError("an event id is visible ASCII without a full stop")
    timestamp = str(int(_unix_seconds(now)))
    content = _content(event_id, timestamp, body)
    signatures = (_signature(_key(secret), content) for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify(
    headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime
) -> None:
    """Check that *body* was signed with one of *secrets*, at most 300 s from *now*.

    *body* is the body as received, never JSON that was read and written again.
    The names of *headers* are matched without case. Signatures of another version
    than ``v1`` are passed over; one that matches is enough.

    Raises:
        VerificationError: a header is absent or malformed, the time is outside of
            the tolerance, no signature matches, or *secrets* holds none to use.
            Nothing else is raised, whatever the headers and the body hold.
        ValueError: *now* is naive.
    """
    seconds = _unix_seconds(now)
    keys = _usable_keys(secrets)
    event_id, timestamp, signature = (_header(headers, name) for name in _HEADERS)
    if not _ID.fullmatch(event_id):
        raise VerificationError(
            _Code.MALFORMED_HEADER, "webhook-id is not visible ASCII"
        )
    _check_age(timestamp, seconds)
    offered = _offered(signature)
    content = _content(event_id, timestamp, body)
    # Signed once per key: a header full of guesses must not buy as many digests of the body.
    expected = [_signature(key, content) for key in keys]
    matches = [
        hmac.compare_digest(ours, theirs) for ours in expected for theirs in offered
    ]
    if not any(matches):
        raise VerificationError(
            _Code.NO_MATCH, "no v1 signature was made with a secret known here"
        )


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedSecret("a signing secret is whsec_ and base64") from error
    if not key:
        raise MalformedSecret("a signing secret may not be empty")
    return key


def _usable_keys(secrets: Sequence[str]) -> list[bytes]:
    try:
        keys = [_key(secret) for secret in secrets]
    except MalformedSecret as error:
        raise VerificationError(_Code.NO_SECRET, str(error)) from error
    if not keys:
        raise VerificationError(_Code.NO_SECRET, "no secret was given to verify with")
    return keys


def _unix_seconds(now: datetime) -> float:
    if now.tzinfo is None:
        raise ValueError("now must know its time zone")
    return now.timestamp()


def _header(headers: Mapping[str, str], name: str) -> str:
    values = [value for key, value in headers.items() if key.lower() == name]
    if not values or not values[0]:
        raise VerificationError(_Code.MISSING_HEADER, f"{name} is absent")
    if len(values) > 1:
        # Two values leave open which one was signed and which one a later reader believes.
        raise VerificationError(_Code.MALFORMED_HEADER, f"{name} came twice")
    return values[0]


def _check_age(timestamp: str, seconds: float) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationError(
            _Code.MALFORMED_TIMESTAMP, "webhook-timestamp is not a number of seconds"
        )
    age = seconds - int(timestamp)
    if age > TOLERANCE.total_seconds():
        raise VerificationError(
            _Code.TOO_OLD, "signed more than 300 s ago; are both clocks right?"
        )
    if age < -TOLERANCE.total_seconds():
        raise VerificationError(
            _Code.TOO_NEW, "signed more than 300 s ahead; are both clocks right?"
        )


def _offered(signature: str) -> list[str]:
    parts = [part for part in signature.split(" ") if _SIGNATURE.fullmatch(part)]
    if not parts:
        raise VerificationError(
            _Code.MALFORMED_HEADER, "webhook-signature holds no version,signature"
        )
    # Those of another version are left in: none of them can equal one that begins with v1.
    return parts


def _content(event_id: str, timestamp: str, body: bytes) -> bytes:
    return b"%b.%b.%b" % (event_id.encode("ascii"), timestamp.encode("ascii"), body)


def _signature(key: bytes, content: bytes) -> str:
    digest = hmac.digest(key, content, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode("ascii")
