"""One contact address as a value, and why a text is none; the parsers of the kinds make both."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What an address is."""

    X_ACCOUNT = "x_account"
    EMAIL_ADDRESS = "email_address"
    PHONE_NUMBER = "phone_number"
    FACEBOOK_ACCOUNT = "facebook_account"


class ContactCode(StrEnum):
    """Why a text is no address of its kind; the values are stable and name a sentence in `messages`."""

    EMAIL_INVALID = "email.invalid"
    EMAIL_TOO_LONG = "email.too_long"
    EMAIL_NO_AT = "email.no_at"
    EMAIL_HAS_SPACES = "email.has_spaces"
    PHONE_INVALID = "phone.invalid"
    PHONE_TOO_LONG = "phone.too_long"
    PHONE_NEEDS_COUNTRY = "phone.needs_country"
    PHONE_LOOKS_LIKE_EMAIL = "phone.looks_like_email"
    FACEBOOK_INVALID = "facebook.invalid"
    FACEBOOK_TOO_LONG = "facebook.too_long"
    FACEBOOK_HAS_SPACES = "facebook.has_spaces"
    FACEBOOK_NOT_FACEBOOK = "facebook.not_facebook"
    FACEBOOK_NOT_A_PROFILE = "facebook.not_a_profile"
    FACEBOOK_LOOKS_LIKE_EMAIL = "facebook.looks_like_email"


class InvalidContact(ValueError):
    """A text that is no address of the asked kind; holds the code, never the text itself."""

    def __init__(self, code: ContactCode) -> None:
        """Keep *code*; `data` is there for a caller that treats it like `InvalidHandle`."""
        super().__init__(code.value)
        self.code: ContactCode = code
        self.data: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Address:
    """One parsed address.

    `value` is what was typed in its tidy form (a handle without `@`), `normalized` the key that two spellings of one
    address share, `url` what a person may click.
    """

    kind: Kind
    value: str
    normalized: str
    url: str | None


def mask_name(name: str) -> str:
    """Return *name* with all but its ends hidden, and its length too."""
    # Of three characters or fewer, the first and the last would be nearly all.
    return f"{name[0]}•••••{name[-1]}" if len(name) > 3 else "•••••"
