"""Which language a visitor is answered in."""

from flask import Request

from regulars.values.wording import LANGUAGES


def language_of(request: Request) -> str:
    """The best of our languages for what the browser asks; the first when none fits."""
    best = request.accept_languages.best_match(LANGUAGES)
    return best or LANGUAGES[0]
