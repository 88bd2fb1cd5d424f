"""The table of settings: every name with its default, what it may be and what it is for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from regulars.values.colour import parse_colour
from regulars.values.contact import Channel
from regulars.values.handle import InvalidHandle, parse_handle
from regulars.values.languages import LANGUAGES, N_, parse_languages
from regulars.values.picture import parse_picture
from regulars_webhooks.addresses import check_allow


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table: its name, default as documented, parser and purpose."""

    name: str
    default: str
    parse: Callable[[str], Any]
    purpose: str


def _text(value: str) -> str:
    return value


def _token(value: str) -> str:
    # Not quoted in the message: it is a secret, even where it cannot be used.
    if not re.fullmatch(r"[!-~]*", value):
        raise ValueError(
            "must be the token as X shows it, ASCII characters without a space"
        )
    return value


def _whole(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("must be a whole number, 0 or more")
    return int(value)


def _threads(value: str) -> int:
    number = _whole(value)
    if not 1 <= number <= 128:
        raise ValueError("must be a whole number from 1 to 128")
    return number


def _dollars(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", value):
        raise ValueError("must be an amount of dollars such as 10 or 2.50")
    return float(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86_400:
        raise ValueError("must be a number of seconds, more than 0")
    return seconds


def _switch(value: str) -> bool:
    words = {"0": False, "1": True, "false": False, "true": True}
    if value.lower() not in words:
        raise ValueError("must be 0 or 1")
    return words[value.lower()]


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://shop.example")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("must hold no password, query or fragment")
    return value.rstrip("/")


def _link(value: str) -> str:
    return value and _address(value)


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def _channels(value: str) -> tuple[Channel, ...]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    known = [channel.value for channel in Channel]
    if not names or len(set(names)) < len(names) or set(names) - set(known):
        raise ValueError(f"must name some of {', '.join(known)}, each once")
    return tuple(Channel(name) for name in names)


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("must be a two-letter country code such as US")
    return value


def _own_handle(value: str) -> str:
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


def _allowed(value: str) -> tuple[str, ...]:
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


def _existing_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("names no file")
    return value


# Their defaults are no values: they say in words what follows from other settings.
FOLLOW_FROM_OTHERS = frozenset({"DATA_DIR", "DATABASE_URL", "SECRET_KEY", "X_MODE"})

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATA_DIR",
        "$XDG_DATA_HOME/regulars",
        absolute_path,
        "Folder of the settings file `regulars.env`, the secret key, the SQLite database and the erasure journal. An absolute path.",
    ),
    Setting(
        "DATABASE_URL",
        "SQLite in the data folder",
        database_url,
        "Where everything is kept: `postgresql://user:password@host/name` or `sqlite:////absolute/path`.",
    ),
    Setting(
        "SECRET_KEY",
        "made once in the data folder",
        _text,
        "Signs preference links; at least 32 characters. Required when `DATABASE_URL` is set.",
    ),
    Setting(
        "BASE_URL",
        "http://127.0.0.1:8000",
        _address,
        "Public address of this service; links are made from it, never from a request.",
    ),
    Setting(
        "TRUSTED_PROXIES",
        "0",
        _whole,
        "How many proxies stand in front and set `X-Forwarded-For`.",
    ),
    Setting("SHOP_NAME", "Our shop", _text, "The shop's name, as customers know it."),
    Setting(
        "SHOP_COLOR",
        "",
        parse_colour,
        "The shop's colour on the hosted pages, such as `#96401f`; text in it is darkened or lightened until it can be read.",
    ),
    Setting(
        "SHOP_LOGO",
        "",
        parse_picture,
        "File of the shop's logo for the hosted pages: PNG, JPEG or WebP, at most 256 kB.",
    ),
    Setting(
        "SHOP_X_USERNAME",
        "",
        _own_handle,
        "The shop's own X handle, for the follow link.",
    ),
    Setting(
        "PRIVACY_URL", "", _link, "The shop's privacy page, linked where data is asked."
    ),
    Setting(
        "CHANNELS",
        "x,email,sms,phone,facebook",
        _channels,
        "Ways to be contacted that the shop offers, in the order shown (also: `whatsapp`).",
    ),
    Setting(
        "DEFAULT_COUNTRY",
        "US",
        _country,
        "Country of phone numbers written without a country code.",
    ),
    Setting(
        "INVITE_TEXT",
        N_(
            "So that we can reach you the way you like, most of all when something changes."
        ),
        _text,
        "The one sentence that says why the shop asks; one of your own is shown as it is in every language.",
    ),
    Setting(
        "LANGUAGES",
        ",".join(LANGUAGES),
        parse_languages,
        "Languages that the pages and fields are offered in; the first is for visitors who ask for none of them.",
    ),
    Setting(
        "CONFIRMED_LANGUAGES",
        "en",
        parse_languages,
        "Languages in which the shop has read and approved the sentences that customers agree to.",
    ),
    Setting(
        "X_MODE",
        "`lookup` with a token, else `format`",
        _one_of("", "lookup", "format", "off"),
        "`lookup` asks X, `format` checks the spelling alone, `off` never asks X for anything.",
    ),
    Setting(
        "X_BEARER_TOKEN",
        "",
        _token,
        "App-only bearer token of the shop's own X app.",
    ),
    Setting("X_API_URL", "https://api.x.com", _address, "Where X answers."),
    Setting(
        "X_TIMEOUT_S", "2.0", _seconds, "What a signup waits for X at most, in seconds."
    ),
    Setting(
        "X_RETRY_S",
        "5",
        _seconds,
        "First wait after trouble with X, in seconds; doubles per failed try to 15 minutes.",
    ),
    Setting(
        "X_DAILY_LOOKUPS",
        "1000",
        _whole,
        "Users that X may bill in a UTC day; beyond, handles wait.",
    ),
    Setting(
        "X_MONTHLY_BUDGET_USD",
        "10",
        _dollars,
        "What X may cost in a UTC month, at $0.010 a user returned.",
    ),
    Setting(
        "X_PROFILE",
        "claimed",
        _one_of("claimed", "proven", "never"),
        "When the public profile may be taken: for every handle given (`claimed`), for proven owners, or never.",
    ),
    Setting(
        "X_CACHE_FOUND_S",
        "604800",
        _whole,
        "For how long an account that X knew is not asked for again, in seconds (a week); 0: nothing is kept.",
    ),
    Setting(
        "X_CACHE_NOT_FOUND_S",
        "3600",
        _whole,
        "The same for a handle that X did not know or had suspended.",
    ),
    Setting(
        "X_REFRESH_DAYS",
        "30",
        _whole,
        "Age in days at which an account is asked for again, so that renames and suspensions are seen; 0: all are due at any time.",
    ),
    Setting(
        "ENDPOINT_ALLOW",
        "",
        _allowed,
        "Private networks or host names that endpoints may be on, comma-separated.",
    ),
    Setting(
        "DELIVERY_THREADS",
        "32",
        _threads,
        "How many deliveries a dispatcher has under way at once, 1 to 128.",
    ),
    Setting(
        "DELIVERY_LEASE_S",
        "60",
        _seconds,
        "After how many seconds another dispatcher takes over what one that died had under way.",
    ),
    Setting(
        "CA_BUNDLE",
        "",
        _existing_file,
        "File of certificates that endpoints are checked against.",
    ),
    Setting(
        "ALLOW_PRIVATE_ENDPOINTS",
        "0",
        _switch,
        "Development only: endpoints on loopback and plain http.",
    ),
)
