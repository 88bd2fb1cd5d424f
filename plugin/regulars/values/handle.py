"""X handles: everything that people paste where a handle is asked for becomes one canonical form, or a named refusal.

Two decisions keep one account's name from silently becoming another's. Of all compatibility characters only the
full-width forms U+FF01 to U+FF5E are folded to ASCII; Cyrillic look-alikes, the dotless i, the long s, the Kelvin
sign and the rest are refused, not translated. And a link counts only when its host is exactly one of X's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from regulars.values.pasted import SPACES, Link, is_text, split_link, tidy

MAX_HANDLE: Final = (
    15  # characters; https://docs.x.com/openapi.json, `^[A-Za-z0-9_]{1,15}$`
)
MAX_PASTED: Final = (
    2000  # characters; more than any real link, and the bound on the parser's work
)


class HandleCode(StrEnum):
    """Why a text is no X handle; the values are stable and name a sentence in `messages`."""

    EMPTY = "handle.empty"
    TOO_LONG = "handle.too_long"
    CHARACTERS = "handle.characters"
    HAS_SPACES = "handle.has_spaces"
    NOT_A_PROFILE = "handle.not_a_profile"
    NOT_X = "handle.not_x"
    USER_ID_LINK = "handle.user_id_link"
    SHORT_LINK = "handle.short_link"
    LOOKS_LIKE_EMAIL = "handle.looks_like_email"
    LOOKS_LIKE_PHONE = "handle.looks_like_phone"
    LOOKS_LIKE_MASTODON = "handle.looks_like_mastodon"
    LOOKS_LIKE_BLUESKY = "handle.looks_like_bluesky"
    LOOKS_LIKE_INSTAGRAM = "handle.looks_like_instagram"


class InvalidHandle(ValueError):
    """A text that is no X handle; holds the code and what its sentence needs, never the text itself."""

    def __init__(self, code: HandleCode) -> None:
        """Keep *code*; `data` carries the limit that the sentences may name."""
        super().__init__(code.value)
        self.code: HandleCode = code
        self.data: Mapping[str, str] = MappingProxyType({"limit": str(MAX_HANDLE)})


_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_PHONE_CHARACTERS: Final = frozenset(
    "+()-./0123456789\u2010\u2011\u2012\u2013" + SPACES
)
_PHONE_DIGITS: Final = 7  # fewer may be a date or a house number

_HOSTS: Final = frozenset(
    prefix + domain
    for domain in ("x.com", "twitter.com")
    for prefix in ("", "www.", "mobile.", "m.")
)

# First path segments that are pages of the site. Refused in links only: typed bare they
# may be real accounts.
_PAGE_NAMES: Final = """
    i home explore notifications messages search search-advanced settings compose intent
    login logout signup share hashtag lists jobs download account tos privacy about help
    oauth statuses who_to_follow
"""
_PAGES: Final = frozenset(_PAGE_NAMES.split())

# A domain, with all that is below it, and what a text that names it looks like.
_ELSEWHERE: Final[Mapping[str, HandleCode]] = {
    "instagram.com": HandleCode.LOOKS_LIKE_INSTAGRAM,
    "instagr.am": HandleCode.LOOKS_LIKE_INSTAGRAM,
    "bsky.app": HandleCode.LOOKS_LIKE_BLUESKY,
    "bsky.social": HandleCode.LOOKS_LIKE_BLUESKY,
    "t.co": HandleCode.SHORT_LINK,
    "bit.ly": HandleCode.SHORT_LINK,
    "tinyurl.com": HandleCode.SHORT_LINK,
    "fosstodon.org": HandleCode.LOOKS_LIKE_MASTODON,
    "hachyderm.io": HandleCode.LOOKS_LIKE_MASTODON,
    "social": HandleCode.LOOKS_LIKE_MASTODON,
}
_MASTODON_PREFIXES: Final = ("mastodon.", "mstdn.")


@dataclass(frozen=True, slots=True)
class Handle:
    """An X handle without `@`, in X's spelling where it is known, else as typed.

    Whoever holds one may put it into a path or a query: a text outside the grammar raises `InvalidHandle`.
    """

    text: str

    def __post_init__(self) -> None:
        """Hold to the grammar also where a handle does not come from `parse_handle`."""
        if not _NAME.fullmatch(self.text):
            raise InvalidHandle(HandleCode.CHARACTERS)
        if len(self.text) > MAX_HANDLE:
            raise InvalidHandle(HandleCode.TOO_LONG)

    @property
    def key(self) -> str:
        """The handle for matching: X does not tell upper from lower case."""
        return self.text.casefold()

    @property
    def url(self) -> str:
        """The profile's address."""
        return f"https://x.com/{self.text}"


def parse_handle(text: str) -> Handle:
    """Return the handle that *text* names: a name, a mention or a profile link in any usual form.

    The work is linear in the text, which may have at most MAX_PASTED characters.

    Raises:
        InvalidHandle: with the code that says what the text looks like instead. Nothing else is raised.
    """
    if len(text) > MAX_PASTED:
        raise InvalidHandle(HandleCode.TOO_LONG)
    pasted = tidy(text)
    if not is_text(pasted):
        raise InvalidHandle(HandleCode.CHARACTERS)
    # The dots are a sentence's end, the spaces come from "@ name".
    bare = pasted.lstrip("@" + SPACES).rstrip("." + SPACES)
    if not bare:
        raise InvalidHandle(HandleCode.EMPTY)
    other = _other_address(bare, has_at=pasted.startswith("@"))
    if other is not None:
        raise InvalidHandle(other)
    link = split_link(bare)
    return Handle(bare) if link is None else _from_link(link)


def _other_address(bare: str, *, has_at: bool) -> HandleCode | None:
    """Say which address of another kind this is, if it is one; links are judged by their host instead."""
    if bare[:4].lower() == "tel:" or _is_phone(bare):
        return HandleCode.LOOKS_LIKE_PHONE
    if any(character in SPACES for character in bare):
        return HandleCode.HAS_SPACES
    if bare[:7].lower() == "mailto:":
        return HandleCode.LOOKS_LIKE_EMAIL
    _, at, domain = bare.partition("@")
    if not at or "." not in domain or any(character in bare for character in "/?#\\"):
        return None
    is_mastodon = has_at or _elsewhere(domain.lower()) is HandleCode.LOOKS_LIKE_MASTODON
    return (
        HandleCode.LOOKS_LIKE_MASTODON if is_mastodon else HandleCode.LOOKS_LIKE_EMAIL
    )


def _is_phone(bare: str) -> bool:
    # Digits alone are in the grammar of handles, so something of a phone number's own must be there.
    if not _PHONE_CHARACTERS.issuperset(bare) or bare.isdigit():
        return False
    return sum(map(str.isdigit, bare)) >= _PHONE_DIGITS


def _from_link(link: Link) -> Handle:
    if link.host not in _HOSTS:
        # Dotted text without scheme or path is a name with a wrong character rather than a link.
        unknown = HandleCode.CHARACTERS if link.is_bare else HandleCode.NOT_X
        raise InvalidHandle(_elsewhere(link.host) or unknown)
    segments = link.segments
    # twitter.com/#!/name was the form of profile links up to 2012.
    if not segments and link.fragment.startswith("!/"):
        segments = tuple(link.fragment[2:].partition("?")[0].split("/"))
    name = _strip_name(segments[0]) if segments else ""
    page = name.lower()
    if page == "intent":
        return _from_intent(link)
    if page == "i" and segments[1:2] == ("user",):
        raise InvalidHandle(HandleCode.USER_ID_LINK)
    if not page or page in _PAGES:
        raise InvalidHandle(HandleCode.NOT_A_PROFILE)
    return Handle(name)


def _from_intent(link: Link) -> Handle:
    """Read the handle of a follow or profile button.

    https://developer.x.com/en/docs/x-for-websites/web-intents/overview
    """
    if link.segments[1:2] not in {("user",), ("follow",)}:
        raise InvalidHandle(HandleCode.NOT_A_PROFILE)
    name = _strip_name(link.parameter("screen_name") or "")
    if name:
        return Handle(name)
    has_id = link.parameter("user_id") is not None
    raise InvalidHandle(HandleCode.USER_ID_LINK if has_id else HandleCode.NOT_A_PROFILE)


def _strip_name(segment: str) -> str:
    return segment.removeprefix("%40").lstrip("@").rstrip(".")


def _elsewhere(host: str) -> HandleCode | None:
    """Name the service that *host* belongs to, judged by its domain and those above it."""
    if host.startswith(_MASTODON_PREFIXES):
        return HandleCode.LOOKS_LIKE_MASTODON
    labels = host.split(".")
    domains = (
        ".".join(labels[start:])
        for start in range(max(0, len(labels) - 3), len(labels))
    )
    return next(
        (_ELSEWHERE[domain] for domain in domains if domain in _ELSEWHERE), None
    )
