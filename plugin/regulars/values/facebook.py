"""Facebook accounts: a profile link or the name from one. Facebook offers no look-up, so the grammar is all."""

import re
from typing import Final

from regulars.values.address import (
    Address,
    ContactCode,
    InvalidContact,
    Kind,
    mask_name,
)
from regulars.values.pasted import SPACES, Link, is_text, split_link, tidy

MAX_FACEBOOK: Final = 2000  # characters; a link with all that sharing appends

_HOST: Final = re.compile(
    r"(?:(?:www|m|mobile|web|mbasic|[a-z]{2}-[a-z]{2})\.)?facebook\.com|(?:www\.)?fb\.com"
)
_NAME: Final = re.compile(r"[A-Za-z0-9.]{1,50}")
_ID: Final = re.compile(r"[0-9]{1,20}")
_MIN_NAME: Final = 5  # characters without the dots, which do not tell names apart

# First path segments that are no profile.
_PAGE_NAMES: Final = """
    ads business dialog events friends gaming groups hashtag help home home.php l.php
    login login.php marketplace messages notes pages people permalink.php photo
    photo.php photos plugins policies privacy public reel search settings share
    share.php sharer sharer.php stories story.php videos watch
"""
_PAGES: Final = frozenset(_PAGE_NAMES.split())


def parse_facebook(text: str) -> Address:
    """Return the Facebook account in *text*: a profile link, or the name from one.

    Raises:
        InvalidContact: with a `facebook.*` code. Nothing else is raised.
    """
    if len(text) > MAX_FACEBOOK:
        raise InvalidContact(ContactCode.FACEBOOK_TOO_LONG)
    value = tidy(text).lstrip("@").rstrip(".")
    if not is_text(value):
        raise InvalidContact(ContactCode.FACEBOOK_INVALID)
    if any(character in SPACES for character in value):
        raise InvalidContact(ContactCode.FACEBOOK_HAS_SPACES)
    link = split_link(value)
    if link is not None and _HOST.fullmatch(link.host):
        return _from_link(link)
    return _from_name(value)


def _from_name(value: str) -> Address:
    if "/" in value:
        raise InvalidContact(ContactCode.FACEBOOK_NOT_FACEBOOK)
    if "@" in value:
        raise InvalidContact(ContactCode.FACEBOOK_LOOKS_LIKE_EMAIL)
    if value.startswith("id:"):
        return _id_address(value.removeprefix("id:"))
    if len(value.replace(".", "")) < _MIN_NAME:
        raise InvalidContact(ContactCode.FACEBOOK_INVALID)
    return _id_address(value) if value.isdecimal() else _name_address(value)


def _from_link(link: Link) -> Address:
    match link.segments:
        case ("profile.php", *_):
            return _id_address(link.parameter("id") or "")
        case ("people", _, number, *_):
            return _id_address(number)
        case (name, *_) if name.lower() not in _PAGES:
            name = name.rstrip(".")
            return _id_address(name) if name.isdecimal() else _name_address(name)
        case _:
            raise InvalidContact(ContactCode.FACEBOOK_NOT_A_PROFILE)


def _id_address(number: str) -> Address:
    if not _ID.fullmatch(number):
        raise InvalidContact(ContactCode.FACEBOOK_NOT_A_PROFILE)
    url = f"https://www.facebook.com/profile.php?id={number}"
    return Address(Kind.FACEBOOK_ACCOUNT, number, f"id:{number}", url)


def _name_address(name: str) -> Address:
    key = name.replace(".", "").lower()
    if not key or not _NAME.fullmatch(name):
        raise InvalidContact(ContactCode.FACEBOOK_INVALID)
    return Address(Kind.FACEBOOK_ACCOUNT, name, key, f"https://www.facebook.com/{name}")


def mask_facebook(normalized: str) -> str:
    """Return the key of an account with all but its ends hidden."""
    return mask_name(normalized.removeprefix("id:"))
