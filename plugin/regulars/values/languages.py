"""The languages that customers are spoken to in, and the one catalogue of what is said.

The catalogue is gettext's: its keys are the English sentences, and `make messages` brings
it in step with the code. Templates read it by Flask-Babel, all else by `translate`.
"""

import gettext
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

DOMAIN: Final = "regulars"
CATALOGUE: Final = Path(__file__).parent / "catalogue"

# Each under its BCP 47 tag, in its own words.
NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "English",
        "es": "Español",
        "pt-BR": "Português (Brasil)",
        "fr": "Français",
        "de": "Deutsch",
        "ar": "العربية",
    }
)
LANGUAGES: Final[tuple[str, ...]] = tuple(NAMES)
SOURCE_LANGUAGE: Final = LANGUAGES[0]
_RIGHT_TO_LEFT: Final = frozenset({"ar"})


def N_(message: str) -> str:
    """*message* as it is: marks a text that is translated where it is shown."""
    return message


def direction(language: str) -> str:
    """`ltr` or `rtl`: how *language* is written."""
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


def closest_language(tag: str, offered: Iterable[str] = LANGUAGES) -> str | None:
    """The one of *offered* that *tag* (BCP 47, whatever its case) asks for; None if none fits.

    Another country's form of the same language fits where its own is not offered.
    """
    wanted = tag.strip().replace("_", "-").casefold()
    main = wanted.partition("-")[0]
    languages = list(offered)
    same = [one for one in languages if one.casefold() == wanted]
    akin = [one for one in languages if one.casefold().partition("-")[0] == main]
    return next(iter([*same, *akin]), None)


def locale_name(language: str) -> str:
    """*language* as gettext and Babel write it, such as pt_BR."""
    return language.replace("-", "_")


@cache
def _translations(language: str) -> gettext.NullTranslations:
    return gettext.translation(
        DOMAIN, CATALOGUE, languages=[locale_name(language)], fallback=True
    )


def translate(message: str, language: str) -> str:
    """*message*, which is English, in *language* (BCP 47), or as it is where that has no words."""
    if not message:
        return message  # gettext keeps the catalogue's own header under the empty text
    return _translations(closest_language(language) or SOURCE_LANGUAGE).gettext(message)


def parse_languages(value: str) -> tuple[str, ...]:
    """The languages that *value* names, separated by commas.

    Raises:
        ValueError: it names none, one twice, or one that there are no words in.
    """
    tags = [tag.strip() for tag in value.split(",") if tag.strip()]
    found = [
        one for tag in tags for one in LANGUAGES if one.casefold() == tag.casefold()
    ]
    if not found or len(found) < len(tags) or len(set(found)) < len(found):
        raise ValueError(f"must name some of {', '.join(LANGUAGES)}, each once")
    return tuple(found)
