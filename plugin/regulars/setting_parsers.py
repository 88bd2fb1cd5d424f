"""How the text of a setting is read: each parser gives the value or says what it must be.

A parser raises ``ValueError`` with the rest of a sentence that begins with the setting's name.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from regulars.values.contact import Channel
from regulars.values.handle import InvalidHandle, parse_handle
from regulars_webhooks.addresses import check_allow


def as_text(value: str) -> str:
    """The value as it stands."""
    return value


def as_token(value: str) -> str:
    """The token as X shows it."""
    # Not quoted in the message: it is a secret, even where it cannot be used.
    if not re.fullmatch(r"[!-~]*", value):
        raise ValueError(
            "must be the token as X shows it, ASCII characters without a space"
        )
    return value


def as_whole(value: str) -> int:
    """A whole number, 0 or more."""
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("must be a whole number, 0 or more")
    return int(value)


def as_threads(value: str) -> int:
    """A number of threads."""
    number = as_whole(value)
    if not 1 <= number <= 128:
        raise ValueError("must be a whole number from 1 to 128")
    return number


def as_dollars(value: str) -> float:
    """An amount of dollars."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", value):
        raise ValueError("must be an amount of dollars such as 10 or 2.50")
    return float(value)


def as_seconds(value: str) -> float:
    """A number of seconds, more than 0."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86_400:
        raise ValueError("must be a number of seconds, more than 0")
    return seconds


def as_switch(value: str) -> bool:
    """Whether it is on."""
    words = {"0": False, "1": True, "false": False, "true": True}
    if value.lower() not in words:
        raise ValueError("must be 0 or 1")
    return words[value.lower()]


def as_address(value: str) -> str:
    """An http(s) address without the slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://shop.example")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("must hold no password, query or fragment")
    return value.rstrip("/")


def as_link(value: str) -> str:
    """An address, or nothing."""
    return value and as_address(value)


def one_of(*words: str) -> Callable[[str], str]:
    """A parser that takes *words* alone."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def as_channels(value: str) -> tuple[Channel, ...]:
    """The channels in their order."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    known = [channel.value for channel in Channel]
    if not names or len(set(names)) < len(names) or set(names) - set(known):
        raise ValueError(f"must name some of {', '.join(known)}, each once")
    return tuple(Channel(name) for name in names)


def as_country(value: str) -> str:
    """A two-letter country code."""
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("must be a two-letter country code such as US")
    return value


def as_own_handle(value: str) -> str:
    """The shop's own handle, or nothing."""
    try:
        return parse_handle(value).text if value else ""
    except InvalidHandle as error:
        raise ValueError("must be the shop's X handle, such as @tonys") from error


def database_url(value: str) -> str:
    """The SQLAlchemy URL for *value*, PostgreSQL always by psycopg 3; empty stays empty.

    Raises:
        ValueError: it is no such URL, or the driver is not installed; no part is quoted,
            because a password may stand in it.
    """
    if not value:
        return value
    wanted = "must be postgresql://… or, with an absolute path, sqlite:////…"
    if re.match(r"sqlite:////.", value):
        return value
    # Hosts of databases still hand out the short form.
    address = re.sub(r"\A(postgresql(\+psycopg)?|postgres)://", "", value)
    if not address or address == value:
        raise ValueError(wanted)
    if find_spec("psycopg") is None:
        raise ValueError(
            "names PostgreSQL, whose driver is not installed: pip install 'regulars[postgres]'"
        )
    try:
        make_url(url := f"postgresql+psycopg://{address}")
    except (ArgumentError, ValueError) as error:
        raise ValueError(wanted) from error
    return url


def as_allowed(value: str) -> tuple[str, ...]:
    """The networks and hosts that endpoints may be on."""
    entries = tuple(entry.strip() for entry in value.split(",") if entry.strip())
    check_allow(entries)
    return entries


def absolute_path(value: str) -> Path:
    """The path that *value* names.

    Raises:
        ValueError: it is not absolute, so it would move with the working directory.
    """
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def as_existing_file(value: str) -> str:
    """The path of a file that is there, or nothing."""
    if value and not Path(value).is_file():
        raise ValueError("names no file")
    return value


# Their defaults are no values: they say in words what follows from other settings.
