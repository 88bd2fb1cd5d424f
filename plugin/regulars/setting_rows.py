"""The table of settings: every name with its default, what it may be and what it is for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from regulars.setting_parsers import (
    absolute_path,
    as_address,
    as_allowed,
    as_channels,
    as_country,
    as_dollars,
    as_existing_file,
    as_link,
    as_own_handle,
    as_seconds,
    as_switch,
    as_text,
    as_threads,
    as_token,
    as_whole,
    database_url,
    one_of,
)
from regulars.values.colour import parse_colour
from regulars.values.languages import LANGUAGES, N_, parse_languages
from regulars.values.picture import parse_picture


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table: its name, default as documented, parser and purpose."""

    name: str
    default: str
    parse: Callable[[str], Any]
    purpose: str


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
        as_text,
        "Signs preference links; at least 32 characters. Required when `DATABASE_URL` is set.",
    ),
    Setting(
        "BASE_URL",
        "http://127.0.0.1:8000",
        as_address,
        "Public address of this service; links are made from it, never from a request.",
    ),
    Setting(
        "TRUSTED_PROXIES",
        "0",
        as_whole,
        "How many proxies stand in front and set `X-Forwarded-For`.",
    ),
    Setting("SHOP_NAME", "Our shop", as_text, "The shop's name, as customers know it."),
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
        as_own_handle,
        "The shop's own X handle, for the follow link.",
    ),
    Setting(
        "PRIVACY_URL",
        "",
        as_link,
        "The shop's privacy page, linked where data is asked.",
    ),
    Setting(
        "CHANNELS",
        "x,email,sms,phone,facebook",
        as_channels,
        "Ways to be contacted that the shop offers, in the order shown (also: `whatsapp`).",
    ),
    Setting(
        "DEFAULT_COUNTRY",
        "US",
        as_country,
        "Country of phone numbers written without a country code.",
    ),
    Setting(
        "INVITE_TEXT",
        N_(
            "So that we can reach you the way you like, most of all when something changes."
        ),
        as_text,
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
        one_of("", "lookup", "format", "off"),
        "`lookup` asks X, `format` checks the spelling alone, `off` never asks X for anything.",
    ),
    Setting(
        "X_BEARER_TOKEN",
        "",
        as_token,
        "App-only bearer token of the shop's own X app.",
    ),
    Setting("X_API_URL", "https://api.x.com", as_address, "Where X answers."),
    Setting(
        "X_TIMEOUT_S",
        "2.0",
        as_seconds,
        "What a signup waits for X at most, in seconds.",
    ),
    Setting(
        "X_RETRY_S",
        "5",
        as_seconds,
        "First wait after trouble with X, in seconds; doubles per failed try to 15 minutes.",
    ),
    Setting(
        "X_DAILY_LOOKUPS",
        "1000",
        as_whole,
        "Users that X may bill in a UTC day; beyond, handles wait.",
    ),
    Setting(
        "X_MONTHLY_BUDGET_USD",
        "10",
        as_dollars,
        "What X may cost in a UTC month, at $0.010 a user returned.",
    ),
    Setting(
        "X_PROFILE",
        "claimed",
        one_of("claimed", "proven", "never"),
        "When the public profile may be taken: for every handle given (`claimed`), for proven owners, or never.",
    ),
    Setting(
        "X_CACHE_FOUND_S",
        "604800",
        as_whole,
        "For how long an account that X knew is not asked for again, in seconds (a week); 0: nothing is kept.",
    ),
    Setting(
        "X_CACHE_NOT_FOUND_S",
        "3600",
        as_whole,
        "The same for a handle that X did not know or had suspended.",
    ),
    Setting(
        "X_REFRESH_DAYS",
        "30",
        as_whole,
        "Age in days at which an account is asked for again, so that renames and suspensions are seen; 0: all are due at any time.",
    ),
    Setting(
        "ENDPOINT_ALLOW",
        "",
        as_allowed,
        "Private networks or host names that endpoints may be on, comma-separated.",
    ),
    Setting(
        "DELIVERY_THREADS",
        "32",
        as_threads,
        "How many deliveries a dispatcher has under way at once, 1 to 128.",
    ),
    Setting(
        "DELIVERY_LEASE_S",
        "60",
        as_seconds,
        "After how many seconds another dispatcher takes over what one that died had under way.",
    ),
    Setting(
        "RETENTION_DELIVERY_DAYS",
        "30",
        as_whole,
        "After how many days the body of an event that was delivered to all is emptied; 0: never.",
    ),
    Setting(
        "CA_BUNDLE",
        "",
        as_existing_file,
        "File of certificates that endpoints are checked against.",
    ),
    Setting(
        "ALLOW_PRIVATE_ENDPOINTS",
        "0",
        as_switch,
        "Development only: endpoints on loopback and plain http.",
    ),
)
