"""What the operator sets, read once from the settings file and the environment.

The only module that reads the environment. All problems are reported together.
"""

import contextlib
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from regulars.setting_parsers import absolute_path
from regulars.setting_rows import FOLLOW_FROM_OTHERS, SETTINGS
from regulars.values.contact import Channel
from regulars_webhooks.addresses import check_url

PREFIX = "REGULARS_"
FILE_NAME = "regulars.env"
KEY_NAME = "secret_key"
_MIN_SECRET_LENGTH = 32


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force; names and meanings are those of ``SETTINGS``."""

    data_dir: Path
    database_url: str
    secret_key: str
    base_url: str
    trusted_proxies: int
    shop_name: str
    shop_color: str
    shop_logo: str
    shop_x_username: str
    privacy_url: str
    channels: tuple[Channel, ...]
    default_country: str
    invite_text: str
    languages: tuple[str, ...]
    confirmed_languages: tuple[str, ...]
    x_mode: str
    x_bearer_token: str
    x_api_url: str
    x_timeout_s: float
    x_retry_s: float
    x_daily_lookups: int
    x_monthly_budget_usd: float
    x_profile: str
    x_cache_found_s: int
    x_cache_not_found_s: int
    x_refresh_days: int
    endpoint_allow: tuple[str, ...]
    delivery_threads: int
    delivery_lease_s: float
    retention_delivery_days: int
    ca_bundle: str
    allow_private_endpoints: bool
    names_database: bool
    """Whether the environment says where the database is, and not a default."""

    def check_endpoint_url(self, url: str) -> None:
        """Let an endpoint's *url* pass where these settings allow it.

        Raises:
            AddressRefused: nothing may be sent there.
        """
        check_url(
            url, allow_private=self.allow_private_endpoints, allow=self.endpoint_allow
        )


def load_settings(
    environment: Mapping[str, str] | None = None, *, first_key: str = ""
) -> Settings:
    """The settings of *environment* (default: the process's) over the settings file.

    Makes the data folder and, on the SQLite default, the secret key: a random one, or
    *first_key*.

    Raises:
        SettingsError: with a sentence for every problem found.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    data_dir = _data_dir(environment, problems)
    given = _read_file(data_dir / FILE_NAME, problems)
    values = _put_together(data_dir, given, environment, problems)
    if not problems and not values["database_url"]:
        _make_default_database(values, problems, first_key)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def try_settings(
    given: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings as they would be if *given* stood in the settings file; without it, as they are.

    Nothing is made: a secret key that has a file of its own is empty here.

    Raises:
        SettingsError: with a sentence for every problem found.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    data_dir = _data_dir(environment, problems)
    if given is None:
        given = _read_file(data_dir / FILE_NAME, problems)
    values = _put_together(data_dir, given, environment, problems)
    if problems:
        raise SettingsError(problems)
    values["database_url"] = values["database_url"] or _default_database(data_dir)
    return Settings(**values)


def _default_database(data_dir: Path) -> str:
    return f"sqlite:///{data_dir / 'regulars.sqlite3'}"


def is_in_environment(name: str) -> bool:
    """Whether the process's environment says what the setting *name* is."""
    return bool(os.environ.get(PREFIX + name))


def settings_file(environment: Mapping[str, str] | None = None) -> Path:
    """Where the settings file is, whether or not it is there.

    Raises:
        SettingsError: the data folder's name cannot be used.
    """
    problems: list[str] = []
    folder = _data_dir(os.environ if environment is None else environment, problems)
    if problems:
        raise SettingsError(problems)
    return folder / FILE_NAME


def _put_together(
    data_dir: Path,
    in_file: Mapping[str, str],
    environment: Mapping[str, str],
    problems: list[str],
) -> dict[str, Any]:
    given = dict(in_file)
    for row in SETTINGS:
        if PREFIX + row.name in environment:
            given[row.name] = environment[PREFIX + row.name]
    values = _parse(given, problems)
    values["data_dir"] = data_dir
    values["names_database"] = any(
        environment.get(PREFIX + name) for name in ("DATA_DIR", "DATABASE_URL")
    )
    _check_together(values, problems)
    return values


def _data_dir(environment: Mapping[str, str], problems: list[str]) -> Path:
    text = environment.get(PREFIX + "DATA_DIR", "")
    if text:
        try:
            return absolute_path(text)
        except ValueError as error:
            problems.append(f"{PREFIX}DATA_DIR {error}")
    base = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "regulars"


def _read_file(path: Path, problems: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        problems.append(f"{path} cannot be read: {reason}")
        return {}
    known = {row.name for row in SETTINGS} - {"DATA_DIR"}
    given: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip().removeprefix(PREFIX)
        if not equals or name not in known:
            reason = _why_unknown(name, known) if equals else "is not NAME=value"
            problems.append(f"{path}, line {number}: {reason}")
            continue
        given[name] = _unquoted(value.strip())
    return given


def _why_unknown(name: str, known: Collection[str]) -> str:
    if name == "DATA_DIR":
        return f"{name!r} is not a setting of this file, which it finds: set {PREFIX}{name} in the environment"
    close = get_close_matches(name, known, n=1)
    meant = (
        f"did you mean {close[0]}?"
        if close
        else f"there are {', '.join(sorted(known))}"
    )
    return f"{name!r} is not a setting; {meant}"


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def _parse(given: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for row in SETTINGS:
        text = given.get(
            row.name, "" if row.name in FOLLOW_FROM_OTHERS else row.default
        ).strip()
        if row.name == "DATA_DIR":
            continue
        try:
            values[row.name.lower()] = row.parse(text)
        except ValueError as error:
            problems.append(f"{PREFIX}{row.name} {error}")
    return values


def _check_together(values: dict[str, Any], problems: list[str]) -> None:
    """Name what does not go together; fill in the mode that follows from the token."""
    key = values.get("secret_key", "")
    if values.get("database_url") and not key:
        problems.append(
            f"{PREFIX}SECRET_KEY is required when {PREFIX}DATABASE_URL is set: give at"
            f" least {_MIN_SECRET_LENGTH} random characters, the same for every process"
        )
    if key and len(key) < _MIN_SECRET_LENGTH:
        problems.append(
            f"{PREFIX}SECRET_KEY must have at least {_MIN_SECRET_LENGTH} characters"
        )
    token = values.get("x_bearer_token", "")
    if values.get("x_mode") == "lookup" and not token:
        problems.append(
            f"{PREFIX}X_MODE is lookup, so {PREFIX}X_BEARER_TOKEN is required"
        )
    if "x_mode" in values and not values["x_mode"]:
        values["x_mode"] = "lookup" if token else "format"


def _make_default_database(
    values: dict[str, Any], problems: list[str], first_key: str
) -> None:
    """The place of the default database and its key; made only for settings that can be used."""
    data_dir: Path = values["data_dir"]
    values["database_url"] = _default_database(data_dir)
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        values["secret_key"] = values["secret_key"] or _made_once(
            data_dir / KEY_NAME, first_key or secrets.token_urlsafe(48)
        )
    except OSError as error:
        problems.append(
            f"{PREFIX}DATA_DIR {data_dir} cannot be used: {error.strerror}; name a"
            " folder that this user may write to"
        )
    if len(values["secret_key"]) < _MIN_SECRET_LENGTH and not problems:
        problems.append(
            f"{data_dir / KEY_NAME} holds no key of at least"
            f" {_MIN_SECRET_LENGTH} characters: put the right one back"
        )


def _made_once(path: Path, key: str) -> str:
    """What is in *path*, which is *key* if there was none; two first starts agree on one."""
    if not path.exists():
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key)
        # A link appears whole or not at all, and never over another process's key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text("ascii").strip()
