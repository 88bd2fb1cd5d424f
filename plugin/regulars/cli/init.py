"""``regulars init``: five answers, and a shop is ready to be served.

Everything is asked and checked before anything is written. What is there already stays
as it is, so that a start that was interrupted is completed by doing it again.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from regulars.app import Shop, open_shop
from regulars.cli.console import (
    as_json,
    bring_to_release,
    misuse,
    open_configured,
    show,
)
from regulars.cli.questions import Answers, Question
from regulars.cli.settings_file import settings_text, write_once
from regulars.cli.sites import as_browsers_write, site_json
from regulars.keep.schema import SchemaState, state_of_schema
from regulars.keep.sites import add_key, add_site, list_keys, list_sites
from regulars.setting_rows import SETTINGS
from regulars.settings import (
    Settings,
    SettingsError,
    is_in_environment,
    settings_file,
    try_settings,
)
from regulars.tell.endpoints import Recipient, add_endpoint, list_endpoints
from regulars_webhooks.errors import AddressRefused

SITE_NAME = "Shop"
_KEY_NAME = "shop server"
_RECIPIENTS = [recipient.value for recipient in Recipient]
_PARSERS = {row.name: row.parse for row in SETTINGS}


def _needed(name: str) -> Callable[[str], str]:
    """The parser of the setting *name*, which here must not be empty."""

    def parse(text: str) -> str:
        if not text.strip():
            raise ValueError("must not be empty")
        if not text.isprintable():
            raise ValueError("must be one line of text")
        _PARSERS[name](text.strip())
        return text.strip()

    return parse


_OF_SETTINGS = {
    "SHOP_NAME": Question(
        "--shop-name", "The shop's name, as customers know it", _needed("SHOP_NAME")
    ),
    "BASE_URL": Question(
        "--base-url",
        "The public address that this service will have (https://connect.…)",
        _needed("BASE_URL"),
    ),
    "PRIVACY_URL": Question(
        "--privacy-url",
        "The address of the shop's privacy page",
        _needed("PRIVACY_URL"),
    ),
}
_ORIGIN = Question("--origin", "The shop's own website (https://…)", as_browsers_write)


@dataclass(frozen=True, slots=True)
class _There:
    """What the database has already."""

    site: bool
    key: bool
    endpoint: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be made; None for what is there, or is not wanted."""

    settings: Mapping[str, str] | None
    origin: str | None
    endpoint: tuple[str, Recipient] | None


@click.command()
@click.option("--shop-name", help="The shop's name, as customers know it.")
@click.option("--base-url", help="The public address that this service will have.")
@click.option("--privacy-url", help="The shop's privacy page.")
@click.option("--origin", help="The shop's own website: its pages may post here.")
@click.option("--endpoint", help="The URL of the system that gets the events.")
@click.option(
    "--recipient",
    type=click.Choice(_RECIPIENTS),
    help="Whose system that is: 'own' gets the X profile; 'third-party' does not.",
)
@click.option(
    "--no-endpoint",
    is_flag=True,
    help="Do not ask for one; 'endpoint add' does it later.",
)
@click.option("--country", help="Of phone numbers without a country code.")
@click.option("--x-username", help="The shop's own X handle.")
@click.option(
    "--x-token",
    help="Bearer token of the shop's X app; '-': read it from standard input.",
)
@as_json
def init(as_json: bool, **given: Any) -> None:
    """Make a shop: settings, database, site, key, endpoint.

    Five things are asked, or given as flags: --shop-name, --base-url, --privacy-url,
    --origin and --endpoint with its --recipient. Doing it again changes nothing.
    """
    answers = Answers(given)
    path = _settings_file()
    is_new = not path.exists()
    settings_given = _settings_asked(answers) if is_new else None
    settings = _tried(settings_given)
    wanted = _rows_asked(answers, settings, settings_given)
    made_file = wanted.settings is not None and write_once(
        path, settings_text(wanted.settings)
    )
    shop = open_configured()
    made_database = state_of_schema(shop.house.database.engine) is not (
        SchemaState.CURRENT
    )
    bring_to_release(shop)
    made = _make(shop, wanted)
    changed = made_file or made_database or any(made.values())
    told = {"changed": changed, "settings_file": str(path), **made}
    show({**told, "next": _next()}, _as_text(shop, told), as_json=as_json)


def _settings_file() -> Path:
    try:
        return settings_file()
    except SettingsError as error:
        misuse("\n".join(error.problems))


def _tried(given: Mapping[str, str] | None) -> Settings:
    """The settings that will be in force; ends the command where they cannot be used."""
    try:
        return try_settings(given)
    except SettingsError as error:
        misuse("\n".join([*error.problems, "Nothing was written."]))


def _settings_asked(answers: Answers) -> dict[str, str]:
    """What goes into the settings file, by name."""
    asked = {
        name: answers.answer(question)
        for name, question in _OF_SETTINGS.items()
        if not is_in_environment(name)
    }
    extra = {
        "DEFAULT_COUNTRY": answers.given["country"],
        "SHOP_X_USERNAME": answers.given["x_username"],
        "X_BEARER_TOKEN": _token(answers.given["x_token"]),
    }
    asked |= {name: value for name, value in extra.items() if value}
    return {name: value for name, value in asked.items() if value}


def _token(given: str | None) -> str | None:
    return sys.stdin.readline().strip() if given == "-" else given


def _rows_asked(
    answers: Answers, settings: Settings, settings_given: Mapping[str, str] | None
) -> _Wanted:
    """What is to be made, asked and checked; ends the command where something is wrong."""
    there = _what_is_there(settings)
    origin = None if there.site else answers.answer(_ORIGIN)
    endpoint = None
    is_first = not (there.site or there.key)
    is_given = answers.given["endpoint"] is not None
    if not there.endpoint and (is_given or is_first):
        endpoint = _endpoint_asked(answers, settings)
    answers.end_if_wrong()
    return _Wanted(settings_given, origin, endpoint)


def _endpoint_asked(
    answers: Answers, settings: Settings
) -> tuple[str, Recipient] | None:
    if answers.given["no_endpoint"]:
        return None

    def parse(text: str) -> str:
        try:
            settings.check_endpoint_url(text)
        except AddressRefused as error:
            raise ValueError(f"cannot be used: {error.detail or error}") from error
        return text

    def parse_recipient(text: str) -> Recipient:
        if text not in _RECIPIENTS:
            raise ValueError(f"must be {' or '.join(_RECIPIENTS)}")
        return Recipient(text)

    url = answers.answer(
        Question(
            "--endpoint",
            "The URL of your system that gets the events (--no-endpoint: later)",
            parse,
        )
    )
    recipient = answers.answer(
        Question(
            "--recipient",
            "Whose system that is: own (the business's own) or third-party",
            parse_recipient,
        )
    )
    return None if url is None or recipient is None else (url, recipient)


def _what_is_there(settings: Settings) -> _There:
    house = open_shop(settings).house
    database = house.database
    if state_of_schema(database.engine) is SchemaState.MISSING:
        return _There(site=False, key=False, endpoint=False)
    try:
        with database.reading() as connection:
            return _There(
                site=bool(list_sites(connection)),
                key=bool(list_keys(connection)),
                endpoint=bool(list_endpoints(connection, house.clock())),
            )
    finally:
        database.engine.dispose()


def _make(shop: Shop, wanted: _Wanted) -> dict[str, Any]:
    """What was made, with its secrets, all of it or nothing."""
    house = shop.house
    made: dict[str, Any] = {"site": None, "key": None, "endpoint": None}
    with house.database.transaction() as connection:
        now = house.clock()
        if wanted.origin is not None and not list_sites(connection):
            site = add_site(connection, SITE_NAME, [wanted.origin], now)
            made["site"] = site_json(site)
        if not list_keys(connection):
            key, text = add_key(connection, _KEY_NAME, now)
            made["key"] = {"id": key.id, "name": key.name, "key": text}
        if wanted.endpoint is not None and not list_endpoints(connection, now):
            url, recipient = wanted.endpoint
            endpoint_id, secret = add_endpoint(
                connection,
                house.database.seal,
                url=url,
                recipient=recipient,
                event_types=None,
                now=now,
            )
            made["endpoint"] = {
                "id": endpoint_id,
                "url": url,
                "recipient": recipient.value,
                "secret": secret,
            }
    return made


def _next() -> list[str]:
    return [f"regulars site snippet {SITE_NAME}", "regulars serve"]


def _as_text(shop: Shop, told: Mapping[str, Any]) -> str:
    lines = [f"Settings: {told['settings_file']}"]
    if not told["changed"]:
        lines.append("Everything is there already; nothing was changed.")
    if site := told["site"]:
        address = (
            f"{shop.house.settings.base_url}/signup?site={site['publishable_key']}"
        )
        lines += [f"Site {site['name']}: {site['publishable_key']}", f"Page: {address}"]
    if key := told["key"]:
        lines.append(f"Secret key of your server, shown once: {key['key']}")
    if endpoint := told["endpoint"]:
        lines.append(
            f"Signing secret of {endpoint['url']}, shown once: {endpoint['secret']}"
        )
    snippet, serve = _next()
    return "\n".join(
        [*lines, "Next:", f"  {snippet}   the HTML to paste", f"  {serve}"]
    )
