"""The sentences of errors: none is missing, each says what to do, none can be made to say something else."""

import re

import pytest

from regulars.values.contact import ContactCode
from regulars.values.handle import HandleCode
from regulars.values.languages import LANGUAGES
from regulars.values.messages import SENTENCES, FormCode, hint, sentence

CODES = [*HandleCode, *ContactCode, *FormCode]
DATA = {"limit": "15", "offered": "X, e-mail"}


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_sentence(code: str) -> None:
    """Each code that an error can carry is a plain sentence with its gaps filled."""
    words = sentence(code, **DATA)
    assert re.fullmatch(r"[A-Z][^{}]+\.", words)
    assert code not in words


def test_no_sentence_is_left_of_a_code_that_is_gone() -> None:
    """The table has no row that nothing can raise."""
    assert set(SENTENCES) <= set(CODES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_language_fills_the_same_gaps(code: str, language: str) -> None:
    """Each sentence ends as one and names what the English one names."""
    words = sentence(code, language, **DATA)
    assert re.fullmatch(r"[^{}]+\.", words)
    gaps = {value for name, value in DATA.items() if f"{{{name}}}" in SENTENCES[code]}
    assert all(value in words for value in gaps)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "E-Mail"),
        ("de-AT", "E-Mail"),
        ("pt", "e-mail"),
        ("ar-EG", "بريد إلكتروني"),
    ],
)
def test_a_customer_is_told_in_their_language(language: str, words: str) -> None:
    """A language is found under any of its countries' tags."""
    told = sentence("handle.looks_like_email", language)
    assert words in told
    assert told != sentence("handle.looks_like_email")


@pytest.mark.parametrize("language", ["en", "en-GB", "tlh", ""])
def test_a_language_without_words_falls_back_to_english(language: str) -> None:
    """A visitor whose language is missing is answered in English rather than not at all."""
    assert "An X handle looks like @name." in sentence(
        "handle.looks_like_email", language
    )


def test_sentence_fills_its_gaps_and_reads_no_more_from_the_data() -> None:
    """What is filled in is text, whatever braces it holds."""
    assert sentence("text.too_long", limit="80") == "Please keep this to 80 characters."
    assert "{limit}" in sentence("text.too_long", limit="{limit}")


@pytest.mark.parametrize(
    ("code", "data"), [("no.such", {}), ("text.too_long", {})], ids=["code", "gap"]
)
def test_sentence_fails_on_our_own_mistakes(code: str, data: dict[str, str]) -> None:
    """An unknown code or an unfilled gap is a KeyError, so that a test finds it."""
    with pytest.raises(KeyError):
        sentence(code, **data)


def test_hints_are_for_codes_that_a_developer_can_mend() -> None:
    """A wrong wording key tells the customer to reload and the developer where keys come from."""
    assert sentence("wording.unknown") == "This page is out of date: please reload it."
    assert "wording key" in (hint("wording.unknown") or "")
    assert hint("handle.empty") is None
