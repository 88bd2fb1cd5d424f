"""X handles: what people paste becomes the canonical handle, or a refusal that says what it looks like."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.values.handle import Handle, HandleCode, InvalidHandle, parse_handle

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "handles.json").read_text("utf-8")
)
GRAMMAR = re.compile("[A-Za-z0-9_]{1,15}")

# What a text may hold that is near to a handle or a link, so that the parser's depths are reached.
FRAGMENTS = (
    st.sampled_from(
        ["x.com", "twitter.com", "https://", "//", "/", "\\", "?", "#", "#!/"]
    )
    | st.sampled_from(
        ["@", "＠", ":", ":443", "%40", "%2e", ".", " ", "\n", "&", "[", "]"]
    )
    | st.sampled_from(["\x00", "\ud800", "\u200b", "\u212a", "ſ", "+1", "555", "tel:"])
    | st.sampled_from(["AnaLima", "i", "user", "intent", "screen_name=", "user_id="])
    | st.sampled_from(["mastodon.social", "bsky.social", "mailto:", "javascript:"])
)
TEXTS = st.text(st.characters()) | st.lists(FRAGMENTS, max_size=12).map("".join)
HANDLES = st.from_regex(GRAMMAR, fullmatch=True)
# As the first segment of a link these would be pages, so a decorated one is no handle.
PROFILE_HANDLES = HANDLES.filter(lambda name: len(name) > 1).map(
    lambda name: f"_{name[1:]}"
)

DECORATIONS = [
    "@{}",
    "＠{}",
    "@@{}",
    " {}\n",
    "\u200b{}\u200f",
    "{}.",
    "x.com/{}",
    "https://www.x.com/{}/",
    "HTTP://TWITTER.COM:443/{}",
    "twitter.com/#!/{}",
    "https://mobile.twitter.com/@{}",
    "m.twitter.com/{}/status/1",
    "x.com./{}?s=20",
    "//x.com/{}#top",
    "https://x.com/intent/user?screen_name={}",
    "x.com/intent/follow?lang=en&screen_name=%40{}",
]


def refusal(text: str) -> HandleCode:
    with pytest.raises(InvalidHandle) as caught:
        parse_handle(text)
    return caught.value.code


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["name"]) for v in VECTORS if "handle" in v]
)
def test_parse_handle_reads_what_people_paste(vector: dict[str, str]) -> None:
    """Each way to write a handle gives the handle in the spelling that was typed."""
    assert vector["handle"] == parse_handle(vector["input"]).text


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["name"]) for v in VECTORS if "error" in v]
)
def test_parse_handle_names_what_it_refuses(vector: dict[str, str]) -> None:
    """A text that is no handle is refused with the code of what it looks like."""
    assert vector["error"] == refusal(vector["input"])


def test_vectors_reach_every_code_and_are_read_by_any_json_parser() -> None:
    """The shared table covers each refusal, names each row once, and is pure ASCII."""
    text = (Path(__file__).parents[1] / "vectors" / "handles.json").read_bytes()
    assert text.isascii()
    assert {vector["error"] for vector in VECTORS if "error" in vector} == set(
        HandleCode
    )
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS)


@settings(deadline=None)
@given(TEXTS)
def test_parse_handle_returns_a_handle_or_refuses(text: str) -> None:
    """Whatever the text, the result is in X's grammar and parses to itself, or InvalidHandle is raised."""
    try:
        handle = parse_handle(text)
    except InvalidHandle:
        return
    assert GRAMMAR.fullmatch(handle.text)
    assert parse_handle(handle.text) == handle


@settings(deadline=None)
@given(HANDLES)
def test_parse_handle_takes_each_name_in_the_grammar(name: str) -> None:
    """Typed bare, every name in the grammar is taken as it is."""
    assert name == parse_handle(name).text


@pytest.mark.parametrize("decoration", DECORATIONS)
@settings(deadline=None)
@given(name=PROFILE_HANDLES)
def test_parse_handle_sees_through_decoration(decoration: str, name: str) -> None:
    """Every usual way to decorate a valid handle gives that handle back."""
    assert name == parse_handle(decoration.format(name)).text


@settings(deadline=None)
@given(st.characters(exclude_characters="＠", min_codepoint=0x80))
def test_parse_handle_folds_full_width_forms_only(character: str) -> None:
    """Of all characters beyond ASCII only full-width ones may turn into a letter of a handle."""
    try:
        handle = parse_handle(f"Ana{character}Lima")
    except InvalidHandle:
        return
    is_full_width = 0xFF01 <= ord(character) <= 0xFF5E
    assert is_full_width or handle.text == "AnaLima"


@pytest.mark.parametrize("length", [2_001, 10_000, 1_000_000])
@pytest.mark.parametrize("unit", ["a", "@", ".", " ", "\u200b", "/", "x.com/", "%40"])
def test_parse_handle_refuses_long_texts_by_length(unit: str, length: int) -> None:
    """A text beyond any real link is refused before it costs work, whatever it is made of."""
    assert refusal((unit * length)[:length]) is HandleCode.TOO_LONG


def test_invalid_handle_keeps_the_text_to_itself() -> None:
    """The error names its code and never what the person typed, so that a log line is free of it."""
    with pytest.raises(InvalidHandle) as caught:
        parse_handle("ana@example.com")
    assert "ana" not in f"{caught.value!r} {caught.value} {caught.value.data}"


@pytest.mark.parametrize("text", ["", "a" * 16, "ana-lima", "AnaLima\n", "\u212aate"])
def test_handle_refuses_what_is_out_of_the_grammar(text: str) -> None:
    """A Handle that was not parsed holds to the grammar too, so that it may stand in a path."""
    with pytest.raises(InvalidHandle):
        Handle(text)


def test_handle_is_matched_without_case_and_links_to_its_profile() -> None:
    """Two spellings share a key, and the address keeps the spelling."""
    assert Handle("AnaLima").key == Handle("ANALIMA").key == "analima"
    assert Handle("AnaLima").url == "https://x.com/AnaLima"
