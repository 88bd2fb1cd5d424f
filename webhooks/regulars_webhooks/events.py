"""One event as a receiver reads it: the envelope, its types and their schemas."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Final, NoReturn

from .errors import VerificationError

API_VERSION: Final = "2026-11-01"
CUSTOMER_CREATED: Final = "customer.created"
CUSTOMER_UPDATED: Final = "customer.updated"
CUSTOMER_ERASED: Final = "customer.erased"
TEST_PING: Final = "test.ping"
EVENT_TYPES: Final = (CUSTOMER_CREATED, CUSTOMER_UPDATED, CUSTOMER_ERASED, TEST_PING)

# https://www.rfc-editor.org/rfc/rfc3339, in UTC alone: fromisoformat() takes far more.
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``timestamp`` is when it was made, aware and in UTC.

    ``type`` may be one that this version does not know: pass over what you do not
    understand. ``data`` is of the form that ``schema(type)`` describes.
    """

    id: str
    type: str
    api_version: str
    timestamp: datetime
    data: Mapping[str, Any]


def parse_event(body: bytes) -> Event:
    """Read one event from a body that ``verify`` has accepted.

    The envelope is checked, ``data`` is not: members that are not known here are
    kept, so that an older receiver survives a newer sender.

    Raises:
        VerificationError: the body is not UTF-8, not JSON, or not an event
            (``malformed_body``). Nothing else is raised.
    """
    document = _load(body)
    if not isinstance(document, dict):
        raise _malformed("an event is a JSON object")
    data = document.get("data")
    if not isinstance(data, dict):
        raise _malformed("data is not a JSON object")
    return Event(
        id=_text(document, "id"),
        type=_text(document, "type"),
        api_version=_text(document, "api_version"),
        timestamp=_instant(_text(document, "timestamp")),
        data=data,
    )


def schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the whole body of *event_type*, as a new dict.

    Raises:
        KeyError: there is no such type.
    """
    if event_type not in EVENT_TYPES:
        raise KeyError(event_type)
    file = resources.files(__package__) / "schemas" / f"{event_type}.json"
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def _load(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
        document: object = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite
        )
        if "\\u" in text:
            # Half a surrogate pair is legal JSON and breaks the first UTF-8 writer behind us.
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _malformed("the body is not UTF-8 JSON of a sane depth") from error
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise _malformed(f"{name} is not a string")
    return value


def _instant(text: str) -> datetime:
    if not _INSTANT.fullmatch(text):
        raise _malformed("timestamp is not RFC 3339 in UTC")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise _malformed("timestamp is no moment of the calendar") from error


def _malformed(detail: str) -> VerificationError:
    return VerificationError(VerificationError.Code.MALFORMED_BODY, detail)
