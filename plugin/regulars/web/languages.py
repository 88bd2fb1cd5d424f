"""Which language a visitor is answered in, and how the templates are told."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Flask, Request, request
from flask_babel import Babel, force_locale, get_locale

from regulars.values.languages import (
    CATALOGUE,
    DOMAIN,
    LANGUAGES,
    closest_language,
    locale_name,
)


def language_of(request: Request, languages: Sequence[str] = LANGUAGES) -> str:
    """The one of *languages* to answer in: chosen by `?lang=`, else asked for by the browser.

    The first of them where none fits.
    """
    chosen = chosen_language(request, languages)
    if chosen is not None:
        return chosen
    # By the visitor's order, not by how well a tag matches: de-AT before en means German.
    for tag, quality in request.accept_languages:
        found = closest_language(tag, languages) if quality else None
        if found is not None:
            return found
    return languages[0]


def chosen_language(
    request: Request, languages: Sequence[str] = LANGUAGES
) -> str | None:
    """The one of *languages* that `?lang=` names; None where it names none."""
    return closest_language(request.args.get("lang", ""), languages)


def current_language() -> str:
    """The language that the request at hand is answered in: one of those that the shop offers."""
    return str(get_locale()).replace("_", "-")


def register_languages(app: Flask, languages: Sequence[str]) -> None:
    """Let the templates of *app* speak *languages*, from the one catalogue."""
    Babel(
        app,
        default_domain=DOMAIN,
        default_translation_directories=str(CATALOGUE),
        locale_selector=lambda: locale_name(language_of(request, languages)),
    )


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Let templates speak *language*, whatever the request asks for."""
    with force_locale(locale_name(language)):
        yield
