"""The one catalogue: whole in every language, in step with the code, and the same for whoever reads it."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import regulars
from regulars.values.contact import Channel
from regulars.values.languages import (
    CATALOGUE,
    DOMAIN,
    LANGUAGES,
    NAMES,
    SOURCE_LANGUAGE,
    closest_language,
    direction,
    locale_name,
    parse_languages,
    translate,
)
from regulars.values.widget import widget_texts
from regulars.values.wording import render_labels, render_wording, wording_ids

PLUGIN = Path(regulars.__file__).parent.parent
TRANSLATED = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]
WIDGET = PLUGIN / "regulars" / "ask" / "widget"
# What a translation has to keep: gaps of both kinds, and markup.
_KEPT = re.compile(r"%\(\w+\)s|\{\w+\}|<[^>]*>")

every_translation = pytest.mark.parametrize("language", TRANSLATED)


def _file(language: str, ending: str) -> Path:
    return CATALOGUE / locale_name(language) / "LC_MESSAGES" / f"{DOMAIN}.{ending}"


def _catalogue(language: str) -> Catalog:
    with _file(language, "po").open("rb") as file:
        return read_po(file, locale=locale_name(language), domain=DOMAIN)


def _messages(language: str) -> list[Message]:
    return [message for message in _catalogue(language) if message.id]


@pytest.fixture(scope="module")
def in_the_code(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every sentence that `make messages` finds in the code."""
    found = tmp_path_factory.mktemp("messages") / "messages.pot"
    command = ["pybabel", "-q", "extract", "-F", str(PLUGIN.parent / "pyproject.toml")]
    CommandLineInterface().run([*command, "-k", "N_", "-o", str(found), str(PLUGIN)])
    with found.open("rb") as file:
        return {str(message.id) for message in read_po(file) if message.id}


@every_translation
def test_the_catalogue_is_in_step_with_the_code(
    language: str, in_the_code: set[str]
) -> None:
    """No sentence is missing and none is left of what the code no longer says: run `make messages`."""
    catalogue = _catalogue(language)
    assert {message.id for message in catalogue if message.id} == in_the_code
    assert list(catalogue.obsolete) == []


@every_translation
def test_every_sentence_is_translated(language: str) -> None:
    """Nothing is empty and nothing is a guess that waits for a look."""
    assert [m.id for m in _messages(language) if not m.string or m.fuzzy] == []


@every_translation
def test_gaps_and_markup_are_those_of_the_english(language: str) -> None:
    """A translation fills the same gaps and holds the same tags, each as often."""
    for message in _messages(language):
        kept = sorted(_KEPT.findall(str(message.id)))
        assert sorted(_KEPT.findall(str(message.string))) == kept, message.id
        # A stray percent sign would break the sentence where it is filled in.
        assert "%" not in _KEPT.sub("", str(message.string))
        assert str(message.string).strip() == message.string


@every_translation
def test_what_is_read_is_what_was_written(language: str) -> None:
    """The compiled file, which a bare clone and a wheel both have, is that of the text beside it."""
    compiled = BytesIO()
    write_mo(compiled, _catalogue(language))
    assert _file(language, "mo").read_bytes() == compiled.getvalue()


def test_every_catalogue_is_of_a_language_that_is_offered() -> None:
    """No folder is left of a language that is gone."""
    folders = {path.name for path in CATALOGUE.iterdir() if path.is_dir()}
    assert folders == {locale_name(language) for language in TRANSLATED}


@pytest.mark.parametrize(
    "language", [one for one in TRANSLATED if direction(one) == "rtl"]
)
def test_what_runs_left_to_right_is_held_together(language: str) -> None:
    """In a right-to-left sentence a handle, an address and a name stand between direction marks."""
    ltr, first_strong, end = "\u2066", "\u2068", "\u2069"
    for message in _messages(language):
        text = str(message.string)
        assert text.count(end) == text.count(ltr) + text.count(first_strong)
        for found in re.finditer(r"@(?=[{%a-z])|facebook\.com|x\.com/", text):
            assert text[found.start() - 1] == ltr or "name@" in text, message.id
        for found in re.finditer(r"\{shop\}|(?<!@)%\(shop\)s", text):
            assert text[found.start() - 1] == first_strong, message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_wording_stands_in_every_language(language: str) -> None:
    """A sentence to agree to names the shop, and is never English under another language's key."""
    ids = wording_ids(tuple(Channel))
    told = {"shop_name": "Bar da Praia", "privacy_url": "https://praia.example/p"}
    texts = {name: render_wording(name, language, **told) for name in ids}
    assert all("Bar da Praia" in text for text in texts.values())
    assert "https://praia.example/p" in texts["x_link"]
    assert "STOP" in texts["offers_sms"]
    assert len(set(texts.values())) == len(ids)
    labels = render_labels(language, shop_name="Bar da Praia")
    if language != SOURCE_LANGUAGE:
        english = {render_wording(name, SOURCE_LANGUAGE, **told) for name in ids}
        assert not english & set(texts.values())
    assert set(labels) == {"x_link", "contact_channel"}


def test_a_wording_in_a_language_without_words_is_none() -> None:
    """Consent to a text that nobody translated cannot be asked for."""
    with pytest.raises(KeyError):
        render_wording("x_link", "tlh", shop_name="Tony's", privacy_url=None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_widget_says_the_same_in_every_language(language: str) -> None:
    """Each state of a handle has its words, with the handle in them where there is one."""
    texts = widget_texts(language)
    assert set(texts) == set(widget_texts())
    with_handle = {state for state, text in texts.items() if "{handle}" in text}
    assert with_handle == set(texts) - {"checking", "malformed"}


@pytest.mark.parametrize("file", sorted(WIDGET.glob("*/fields*.js")), ids=str)
def test_the_widgets_files_hold_the_catalogues_words(file: Path) -> None:
    """What `fields.js` and `fields.<language>.js` say is what the catalogue says."""
    language = closest_language(file.name.split(".")[1]) or SOURCE_LANGUAGE
    script = re.sub(
        r"\\u([0-9a-f]{4})",
        lambda found: chr(int(found[1], 16)),
        file.read_text("utf-8"),
    )
    assert [it for it in widget_texts(language).values() if it not in script] == []


CLOSEST = {
    # what is asked for → what is answered in
    "en": "en",
    "EN-gb": "en",
    "pt": "pt-BR",
    "pt_PT": "pt-BR",
    "de-AT-1996": "de",
    "ar-EG": "ar",
    "tlh": None,
    "": None,
    "*": None,
    "english": None,
}


@pytest.mark.parametrize(("tag", "language"), CLOSEST.items())
def test_closest_language(tag: str, language: str | None) -> None:
    """Another country's form fits; another language does not."""
    assert closest_language(tag) == language


def test_only_what_is_offered_is_closest() -> None:
    """A language that the shop does not offer is nobody's closest."""
    assert closest_language("de", ("en", "fr")) is None
    assert closest_language("fr-CA", ("en", "fr")) == "fr"


def test_translate_says_english_where_there_are_no_words() -> None:
    """A language or a sentence that is missing is no error."""
    assert translate("Thank you", "de-CH") == "Vielen Dank"
    assert translate("Thank you", "tlh") == "Thank you"
    assert translate("A sentence of the shop's own", "de") == (
        "A sentence of the shop's own"
    )
    assert translate("", "de") == ""


def test_every_language_names_itself() -> None:
    """The names are for people who read that language and perhaps no other."""
    assert len(set(NAMES.values())) == len(LANGUAGES)
    assert [direction(one) for one in ("en", "pt-BR", "ar")] == ["ltr", "ltr", "rtl"]


@pytest.mark.parametrize("value", ["", ",", "tlh", "en,en", "en,tlh", "en,EN"])
def test_languages_that_cannot_be_offered(value: str) -> None:
    """None, one twice and one without words are refused."""
    with pytest.raises(ValueError, match="must name some of en, "):
        parse_languages(value)
