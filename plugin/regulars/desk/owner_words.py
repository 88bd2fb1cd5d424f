"""The words of the owner's page for what the database keeps as codes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from regulars.values.contact import Kind, Purpose
from regulars.values.verdict import Verdict

KIND_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Kind.X_ACCOUNT: "X handle",
        Kind.EMAIL_ADDRESS: "E-mail",
        Kind.PHONE_NUMBER: "Phone",
        Kind.FACEBOOK_ACCOUNT: "Facebook",
    }
)
PURPOSE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Purpose.CONVERSATION: "Following and talking",
        Purpose.ORDER: "Their orders",
        Purpose.SERVICE_NEWS: "Important news",
        Purpose.OFFERS: "Offers",
    }
)
WHY_NOT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "no_contact_point": "no address",
        "no_consent": "not agreed to",
        "pending_consent": "not confirmed yet",
        "withdrawn": "taken back",
        "undeliverable": "the account cannot be used",
        "paused": "paused",
        "not_following": "they do not follow the shop",
    }
)
DELIVERY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "public_post": "by a public post that all can read, never a message",
        "direct": "straight to them",
        "call_list": "by a call",
    }
)
_SURFACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "checkout": "checkout",
        "signup_page": "sign-up page",
        "kiosk": "counter",
        "platform": "shop platform",
        "import": "import",
    }
)
# "exists", never "theirs": an account of that name is all that X can tell.
_VERDICTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Verdict.FOUND: "{} exists on X",
        Verdict.NOT_FOUND: "{} does not exist on X",
        Verdict.SUSPENDED: "{}: we could not use that account",
        Verdict.PENDING: "{}: not checked yet, X could not be asked",
        Verdict.UNCHECKED: "{}: not checked",
    }
)


def verdict_words(handle: str, verdict: str | None) -> str:
    """What was found out about *handle*, which may be masked."""
    return _VERDICTS[verdict or Verdict.UNCHECKED].format(handle)


def surface_words(surface: str) -> str:
    """Where in the shop a signup was made."""
    return _SURFACES.get(surface, surface.replace("_", " "))


def day_words(day: datetime, now: datetime) -> str:
    """The UTC day of *day* as people say it at *now*."""
    ago = (now.date() - day.date()).days
    name = f"{day:%A} {day.day} {day:%B}"
    return {0: "Today", 1: "Yesterday"}.get(ago, name)


def age_words(age: timedelta) -> str:
    """About how long *age* is: one number and its unit."""
    seconds = max(int(age.total_seconds()), 0)
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = seconds // length
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def moment_words(moment: datetime) -> str:
    """A day and time in UTC, such as ``21 November 2026, 20:15``."""
    return f"{moment.day} {moment:%B %Y, %H:%M}"
