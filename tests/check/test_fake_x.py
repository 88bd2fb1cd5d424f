"""The stand-in for X keeps to X's shapes, rules and bill."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from examples.fake_x import LIMITED, SAMPLES, FakeX, user
from examples.fake_x_samples import NOT_FOUND

BEARER = {"Authorization": "Bearer token"}
ROOT = Path(__file__).parents[2]
DOWN = next(it for name, _, it in SAMPLES if name == "down_dan")


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


def ask(x: FakeX, path: str, headers: dict[str, str] = BEARER) -> tuple[int, Any, str]:
    """Status, body (parsed if it is JSON) and the reset header of one GET."""
    connection = HTTPConnection(urlsplit(x.url).netloc, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        is_json = response.headers["content-type"].startswith("application/json")
        reset = response.headers.get("x-rate-limit-reset", "")
        return response.status, json.loads(text) if is_json else text, reset
    finally:
        connection.close()


def test_sample_handles_are_valid() -> None:
    """Each sample can be typed into the form: ASCII letters, digits, _, at most 15."""
    for name, _, _ in SAMPLES:
        assert name.isascii()
        assert name.replace("_", "a").isalnum()
        assert len(name) <= 15


def test_minimal_user_without_fields(x: FakeX) -> None:
    """Without user.fields X returns id, name and username; the case asked is no matter."""
    status, body, _ = ask(x, "/2/users/by/username/aNALIMA")
    data = {"id": "2244994945", "name": "Ana Lima", "username": "AnaLima"}
    assert (status, body) == (200, {"data": data})


def test_only_the_fields_asked(x: FakeX) -> None:
    """What is not asked is not told."""
    _, body, _ = ask(x, "/2/users/by/username/AnaLima?user.fields=protected")
    assert set(body["data"]) == {"id", "name", "username", "protected"}


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/2/users/by/username/bad-name", 400, "Invalid Request"),
        ("/2/users/by?usernames=AnaLima,bad-name", 400, "Invalid Request"),
        ("/2/users/by", 400, "Invalid Request"),
        ("/2/users/by?usernames=" + ",".join(["a"] * 101), 400, "Invalid Request"),
        (
            "/2/users/by/username/AnaLima?user.fields=pinned_tweet_id",
            400,
            "Invalid Request",
        ),
        ("/2/users/by/username/broke_bea", 402, "Payment Required"),
        ("/2/users/by?usernames=AnaLima,capped_cy", 429, "UsageCapExceeded"),
        ("/2/users/me", 403, "Unsupported Authentication"),
        ("/2/tweets", 404, "Not Found"),
        ("/2/users?ids=42,abc", 400, "Invalid Request"),
        ("/2/users?ids=" + ",".join(["1"] * 101), 400, "Invalid Request"),
        ("/2/users", 400, "Invalid Request"),
    ],
)
def test_refusals(x: FakeX, path: str, status: int, title: str) -> None:
    """What X refuses is refused, as a problem, and nobody is billed."""
    got, body, _ = ask(x, path)
    assert (got, body["title"]) == (status, title)
    assert x.billed == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eA=="}], ids=str)
def test_without_a_bearer_token_nothing_is_told(
    x: FakeX, headers: dict[str, str]
) -> None:
    """A call without a bearer token is 401 and no call in the books."""
    assert ask(x, "/2/users/by/username/AnaLima", headers)[0] == 401
    assert x.calls == []


def test_batch_tells_found_and_missing_apart(x: FakeX) -> None:
    """Found ones stand in data, the others in errors; only the found ones are billed."""
    path = "/2/users/by?usernames=NoSuch,AnaLima,suspended_sam,Caio1970"
    status, body, _ = ask(x, path)
    assert status == 200
    assert {it["username"] for it in body["data"]} == {"AnaLima", "Caio1970"}
    assert [(e["value"], e["title"]) for e in body["errors"]] == [
        ("NoSuch", "Not Found Error"),
        ("suspended_sam", "Forbidden"),
    ]
    assert x.billed == 2
    assert x.calls == [("NoSuch", "AnaLima", "suspended_sam", "Caio1970")]


def test_answers_can_be_scripted(x: FakeX) -> None:
    """A test decides what a handle gets, also that it was renamed."""
    x.answers["analima"] = LIMITED
    status, _, reset = ask(x, "/2/users/by/username/AnaLima")
    assert status == 429
    assert reset.isdigit()
    x.answers["analima"] = user("AnaSouza", "Ana", id="2244994945")
    assert ask(x, "/2/users/by/username/AnaLima")[1]["data"]["username"] == "AnaSouza"


def test_strangers_do_not_exist_unless_everyone_does(x: FakeX) -> None:
    """An unknown handle is missing; with `everyone` it is found, the same each time."""
    assert "data" not in ask(x, "/2/users/by/username/stranger")[1]
    with FakeX(everyone=True) as full:
        first = ask(full, "/2/users/by/username/stranger")[1]["data"]["id"]
        assert ask(full, "/2/users/by/username/Stranger")[1]["data"]["id"] == first
        assert "data" not in ask(full, "/2/users/by/username/nosuch")[1]


@pytest.mark.parametrize("handle", ["down_dan", "unauth_una", "limit_lou", "reset_ray"])
def test_trouble_can_pass(handle: str) -> None:
    """With `recover_after_s` a troubled handle is found that long after it was first asked."""
    now = [100.0]
    with FakeX(recover_after_s=20, clock=lambda: now[0]) as passing:
        answers = []
        for now[0] in (100.0, 119.0, 120.0):
            answers.append(passing.answer_to(handle))
        # The next one's time begins when it is asked itself.
        other = passing.answer_to("broke_bea")
    assert [isinstance(it, dict) for it in answers] == [False, False, True]
    assert answers[2]["username"] == handle
    assert not isinstance(other, dict)


def test_reset_names_the_end_of_the_trouble() -> None:
    """Whoever comes back at the reset that X named finds the trouble over."""
    now = [100.0]
    with FakeX(recover_after_s=20, clock=lambda: now[0]) as passing:
        answer = passing.answer_to("limit_lou")
        now[0] += answer.reset_in_s - 1  # the header has whole seconds
        assert isinstance(passing.answer_to("limit_lou"), dict)


def test_trouble_stays_by_default(x: FakeX) -> None:
    """Without that option trouble is for ever, and what does not exist never recovers."""
    x.clock = iter(range(0, 10_000, 1000)).__next__
    assert [x.answer_to("down_dan") for _ in range(2)] == [DOWN, DOWN]
    with FakeX(recover_after_s=0) as passing:
        assert passing.answer_to("nosuch") is NOT_FOUND


def test_page_lists_the_samples(x: FakeX) -> None:
    """The front page says what each sample handle does."""
    status, page, _ = ask(x, "/", {})
    assert status == 200
    for name, does, _ in SAMPLES:
        assert f"@{name}<td>{does}" in page


@pytest.mark.slow
def test_command_prints_its_address_and_serves() -> None:
    """Started by hand it prints one line, the address, before anything is asked."""
    command = [sys.executable, "examples/fake_x.py", "--port", "0", "--everyone"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as it:
        try:
            assert it.stdout is not None
            address = it.stdout.readline().strip()
            connection = HTTPConnection(urlsplit(address).netloc, timeout=5)
            connection.request("GET", "/")
            status = connection.getresponse().status
            connection.close()
        finally:
            it.terminate()
    assert status == 200
