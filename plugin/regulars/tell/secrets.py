"""What an endpoint is sent with and nobody else may read: its signing secrets and own headers.

Both are stored sealed. Entries of secrets are ``{"secret", "ends_at"}``, newest first;
``ends_at`` is null or RFC 3339, from when on the secret signs no more.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from regulars.keep.sealing import Seal
from regulars.values.instants import to_rfc3339

Entry = Mapping[str, Any]
# As many as Standard Webhooks lets a receiver expect to try.
MOST_SECRETS: Final = 10
MOST_HEADERS: Final = 20
_LONGEST_VALUE: Final = 2000
# A secret as the release before this one stored it.
_PLAIN: Final = "whsec_"
# RFC 9110, 5.6.2 and 5.5: what a name and a value may be made of; ASCII alone, as we send it.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE: Final = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?")
# Ours, of the connection (RFC 9110, 7.6.1), or read by those between us and the endpoint.
_REFUSED_NAMES: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    }
)
_REFUSED_BEGINNINGS: Final = ("webhook-", "proxy-", "x-forwarded-")


class HeaderRefused(ValueError):
    """A header that endpoints cannot be given; the sentence never holds its value."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Secrets and headers as they are needed to send; never to be stored or shown."""

    secrets: tuple[str, ...] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def without(self, text: bytes) -> bytes:
        """*text*, which a receiver answered, without what it repeats of these."""
        for value in (*self.secrets, *self.headers.values()):
            text = text.replace(value.encode(), b"***")
        return text


def entry(
    seal: Seal, endpoint_id: str, secret: str, ends_at: str | None = None
) -> dict[str, Any]:
    """*secret* as it is stored."""
    return {"secret": seal.close(secret, owner=endpoint_id), "ends_at": ends_at}


def live(entries: Iterable[Entry], now: datetime) -> list[Entry]:
    """Those of *entries* that sign at *now*."""
    return [it for it in entries if not it["ends_at"] or _ends_at(it) > now]


def rotated(
    entries: Iterable[Entry], fresh: Entry, now: datetime, ends_at: datetime
) -> list[Entry]:
    """*entries* after *fresh* has come: those before it sign until *ends_at* at the latest."""
    kept = [
        {**it, "ends_at": to_rfc3339(min(_ends_at(it) or ends_at, ends_at))}
        for it in live(entries, now)
    ]
    return [fresh, *live(kept, now)][:MOST_SECRETS]


def _ends_at(it: Entry) -> Any:
    return datetime.fromisoformat(it["ends_at"]) if it["ends_at"] else None


def sealed(seal: Seal, endpoint_id: str, entries: Iterable[Entry]) -> list[Entry]:
    """*entries*, those sealed too that the release before this one wrote as they are."""
    return [
        entry(seal, endpoint_id, it["secret"], it["ends_at"])
        if it["secret"].startswith(_PLAIN)
        else it
        for it in entries
    ]


def opened(
    seal: Seal, endpoint_id: str, secrets: Sequence[str], headers: Mapping[str, str]
) -> Opened:
    """What is stored as *secrets* and *headers*, ready to send with.

    Raises:
        CannotOpen: it was sealed under another key.
    """
    return Opened(
        tuple(
            it if it.startswith(_PLAIN) else seal.open(it, owner=endpoint_id)
            for it in secrets
        ),
        {
            name: seal.open(value, owner=_of_header(endpoint_id, name))
            for name, value in headers.items()
        },
    )


def parse_header(text: str) -> tuple[str, str]:
    """Name and value of a header written ``Name: value``.

    Raises:
        HeaderRefused: it is no header, or none that an endpoint can be given.
    """
    name, colon, value = text.partition(":")
    value = value.strip()
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise HeaderRefused(
            "A header is written 'Name: value', in ASCII and on one line."
        )
    if len(value) > _LONGEST_VALUE:
        raise HeaderRefused(
            f"The value of {name} is longer than {_LONGEST_VALUE} characters."
        )
    if name.lower() in _REFUSED_NAMES or name.lower().startswith(_REFUSED_BEGINNINGS):
        raise HeaderRefused(
            f"{name} cannot be set: we send it ourselves, or it belongs to the connection."
        )
    return name, value


def with_header(
    seal: Seal, endpoint_id: str, headers: Mapping[str, str], name: str, value: str
) -> dict[str, str]:
    """Stored *headers* with *name* as *value*, in the place of one of that name in any case.

    Raises:
        HeaderRefused: there would be too many.
    """
    kept = without_header(headers, name)
    if len(kept) >= MOST_HEADERS:
        raise HeaderRefused(f"An endpoint may have {MOST_HEADERS} headers.")
    return {**kept, name: seal.close(value, owner=_of_header(endpoint_id, name))}


def without_header(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Stored *headers* without the one of *name*, in any case."""
    return {it: text for it, text in headers.items() if it.lower() != name.lower()}


def _of_header(endpoint_id: str, name: str) -> str:
    return f"{endpoint_id}/{name.lower()}"
