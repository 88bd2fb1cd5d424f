"""The page's reading of handles beside the server's, over the same vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.widget.conftest import Visit

from regulars.values.handle import InvalidHandle, parse_handle

pytestmark = pytest.mark.browser

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "handles.json").read_text("utf-8")
)
# What the page leaves to the server: any text without a space that has the name of
# one of X's hosts in it. Of everything else the two readings are the same.
LEFT_TO_THE_SERVER = ("x.com", "twitter.com")
LEFT = 134
# JSON carries lone surrogates where a plain argument would not.
PARSE = """(texts) => JSON.parse(texts).map((text) => {
  const handle = customElements.get('regulars-handle').parse(text);
  return handle === undefined ? 'ASK THE SERVER' : handle;
})"""


@pytest.fixture
def ready(visit: Visit) -> Callable[[list[str]], list[Any]]:
    page = visit.show(visit.handle())
    page.wait_for_selector("regulars-handle:defined")

    def run(texts: list[str]) -> list[Any]:
        found: list[Any] = page.evaluate(PARSE, json.dumps(texts))
        return found

    return run


def test_vectors_are_read_as_the_server_reads_them(
    ready: Callable[[list[str]], list[Any]],
) -> None:
    """The same handle, the same nothing, the same refusal; only what may be a link is left open."""
    found = ready([case["input"] for case in VECTORS])
    wrong = []
    left = 0
    for case, handle in zip(VECTORS, found, strict=True):
        if handle == "ASK THE SERVER":
            left += 1
            text = case["input"].lower().replace("．", ".")
            if not any(host in text for host in LEFT_TO_THE_SERVER):
                wrong.append((case, handle))
        elif handle == "":
            if case.get("error") != "handle.empty":
                wrong.append((case, handle))
        elif handle != case.get("handle"):
            wrong.append((case, handle))
    assert wrong == []
    # Most of the vectors are links: hosts and paths are the server's to judge.
    assert left == LEFT


FRAGMENTS = st.sampled_from(
    [
        "x.com",
        "twitter.com",
        "https://",
        "/",
        "@",
        "＠",
        "Ana_1",
        ".",
        " ",
        "\u200b",
        "#!/",
    ]
)


def test_what_the_server_accepts_is_never_called_malformed(
    ready: Callable[[list[str]], list[Any]],
) -> None:
    """Over thousands of texts like those that people paste."""
    texts: list[str] = []

    @settings(
        max_examples=2000,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(FRAGMENTS | st.text(max_size=8), max_size=8).map("".join))
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    wrong = []
    for text, handle in zip(texts, ready(texts), strict=True):
        try:
            accepted = parse_handle(text).text
        except InvalidHandle:
            # The page may know less; what it takes for a handle, the server does too.
            if handle not in {None, "", "ASK THE SERVER"}:
                wrong.append((text, handle))
            continue
        if handle not in {accepted, "ASK THE SERVER"}:
            wrong.append((text, handle))
    assert wrong == []
