"""What the operator sets, read once from the settings file and the environment.

The only module that reads the environment. All problems are reported together.
"""

import contextlib
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from regulars.values.contact import Channel
from regulars.values.handle import InvalidHandle, parse_handle

PREFIX = "REGULARS_"
FILE_NAME = "regulars.env"
_MIN_SECRET_LENGTH = 32


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table: its name, default as documented, parser and purpose."""

    name: str
    default: str
    parse: Callable[[str], Any]
    purpose: str


def _text(value: str) -> str:
    return value


def _whole(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("must be a whole number, 0 or more")
    return int(value)


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


def _allowed(value: str) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in value.split(",") if entry.strip())
    for entry in entries:
        try:
            ipaddress.ip_network(entry)
        except ValueError as error:
            if not re.fullmatch(r"[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*", entry):
                raise ValueError(
                    "must list networks (10.1.0.0/16) or host names"
                ) from error
    return entries


def _absolute(value: str) -> Path:
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _existing_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError("names no file")
    return value


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATA_DIR",
        "$XDG_DATA_HOME/regulars",
        _absolute,
        "Folder of the settings file `regulars.env`, the secret key, the SQLite database and the erasure journal. An absolute path.",
    ),
    Setting(
        "DATABASE_URL",
        "SQLite in the data folder",
        _text,
        "Where everything is kept: an SQLAlchemy URL.",
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
        "So that we can reach you the way you like, most of all when something changes.",
        _text,
        "The one sentence that says why the shop asks.",
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
        _text,
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
        "X_PROFILE",
        "claimed",
        _one_of("claimed", "proven", "never"),
        "When the public profile may be taken: for every handle given (`claimed`), for proven owners, or never.",
    ),
    Setting(
        "ENDPOINT_ALLOW",
        "",
        _allowed,
        "Private networks or host names that endpoints may be on, comma-separated.",
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


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force; names and meanings are those of ``SETTINGS``."""

    data_dir: Path
    database_url: str
    secret_key: str
    base_url: str
    trusted_proxies: int
    shop_name: str
    shop_x_username: str
    privacy_url: str
    channels: tuple[Channel, ...]
    default_country: str
    invite_text: str
    x_mode: str
    x_bearer_token: str
    x_api_url: str
    x_timeout_s: float
    x_retry_s: float
    x_profile: str
    endpoint_allow: tuple[str, ...]
    ca_bundle: str
    allow_private_endpoints: bool


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of *environment* (default: the process's) over the settings file.

    Makes the data folder and, on the SQLite default, the secret key.

    Raises:
        SettingsError: with a sentence for every problem found.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    data_dir = _data_dir(environment, problems)
    given = _read_file(data_dir / FILE_NAME, problems)
    for row in SETTINGS:
        if PREFIX + row.name in environment:
            given[row.name] = environment[PREFIX + row.name]
    values = _parse(given, problems)
    values["data_dir"] = data_dir
    _complete(values, given, problems)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _data_dir(environment: Mapping[str, str], problems: list[str]) -> Path:
    text = environment.get(PREFIX + "DATA_DIR", "")
    if text:
        try:
            return _absolute(text)
        except ValueError as error:
            problems.append(f"{PREFIX}DATA_DIR {error}")
    base = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "regulars"


def _read_file(path: Path, problems: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    known = {row.name for row in SETTINGS} - {"DATA_DIR"}
    given: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip().removeprefix(PREFIX)
        if not equals or name not in known:
            problems.append(f"{path}, line {number}: {name!r} is not a setting")
            continue
        given[name] = value.strip().strip("\"'")
    return given


def _parse(given: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    computed = {"DATA_DIR", "DATABASE_URL", "SECRET_KEY", "X_MODE"}
    for row in SETTINGS:
        text = given.get(row.name, "" if row.name in computed else row.default).strip()
        if row.name == "DATA_DIR":
            continue
        try:
            values[row.name.lower()] = row.parse(text)
        except ValueError as error:
            problems.append(f"{PREFIX}{row.name} {error}")
    return values


def _complete(
    values: dict[str, Any], given: Mapping[str, str], problems: list[str]
) -> None:
    """Fill in what follows from other settings."""
    data_dir: Path = values["data_dir"]
    key = values.get("secret_key", "")
    if not values.get("database_url"):
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        values["database_url"] = f"sqlite:///{data_dir / 'regulars.sqlite3'}"
        values["secret_key"] = key or _made_once(data_dir / "secret_key")
    elif not key:
        problems.append(
            f"{PREFIX}SECRET_KEY is required when {PREFIX}DATABASE_URL is set: give at"
            " least 32 random characters, the same for every process"
        )
    if key and len(key) < _MIN_SECRET_LENGTH:
        problems.append(f"{PREFIX}SECRET_KEY must have at least 32 characters")
    token = values.get("x_bearer_token", "")
    if values.get("x_mode") == "lookup" and not token:
        problems.append(
            f"{PREFIX}X_MODE is lookup, so {PREFIX}X_BEARER_TOKEN is required"
        )
    if "x_mode" in values and not values["x_mode"]:
        values["x_mode"] = "lookup" if token else "format"


def _made_once(path: Path) -> str:
    """The key in *path*, made if there is none; two first starts agree on one key."""
    if not path.exists():
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        # A link appears whole or not at all, and never over another process's key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text("ascii").strip()
