"""How an instant is written on the wire."""

from datetime import UTC, datetime


def to_rfc3339(instant: datetime) -> str:
    """*instant* as RFC 3339 in UTC with milliseconds: ``2026-11-21T20:15:04.318Z``."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def now_utc() -> datetime:
    """The clock of the outermost layer; everything below takes ``now`` as an argument.

    Cut to milliseconds, so that what is sent and what is kept are the same instant.
    """
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
