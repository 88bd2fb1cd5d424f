"""X is asked with the right call, in time, without a word too many."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from examples.fake_x import FakeX, Reply, Stunt, user

from regulars.check.lookup import (
    Answer,
    Found,
    NotAsked,
    NotFound,
    Reason,
    Suspended,
    Unavailable,
)
from regulars.check.x_api import XLookup
from regulars.values.handle import Handle

TOKEN = "AAAA-secret-token"
ANA_URL = "https://api.x.com/2/users/by/username/AnaLima"
ANA = {"id": "2244994945", "name": "Ana Lima", "username": "AnaLima"}


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


def look_up(url: str, *texts: str, timeout_s: float = 5.0) -> dict[str, Answer]:
    handles = [Handle(text) for text in texts]
    lookup = XLookup(TOKEN, api_url=url)
    return dict(lookup.look_up(handles, timeout_s=timeout_s, now=datetime.now(UTC)))


def reason(answer: Answer) -> Reason:
    assert isinstance(answer, Unavailable)
    return answer.reason


def wait_for_the_threads() -> None:
    """Each thread of a look-up ends soon after its look-up."""
    for thread in threading.enumerate():
        if thread.name == "x-lookup":
            thread.join(2)
            assert not thread.is_alive()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Address of a server that hears one request and then does as *talk* says."""

    def serve() -> None:
        line, _ = listener.accept()
        with line:
            line.recv(65_536)
            talk(line)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        ("AnaLima", Found),
        ("analima", Found),
        ("Bento_Diner", Found),
        ("protected_pat", Found),
        ("nosuch", NotFound),
        ("GhostWriter", NotFound),
        ("gone_gil", NotFound),
        ("suspended_sam", Suspended),
    ],
)
def test_verdicts_by_the_single_call_and_by_the_batch(
    x: FakeX, handle: str, kind: type[Answer]
) -> None:
    """A handle gets the same verdict alone and among others."""
    assert isinstance(look_up(x.url, handle)[handle.lower()], kind)
    assert isinstance(look_up(x.url, "Caio1970", handle)[handle.lower()], kind)
    assert x.calls == [(handle,), ("Caio1970", handle)]


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("reset_ray", Reason.UNREACHABLE),
        ("down_dan", Reason.SERVER_ERROR),
        ("html_hal", Reason.UNEXPECTED),
        ("limit_luc", Reason.RATE_LIMITED),
        ("unauth_una", Reason.UNAUTHORIZED),
        ("broke_bea", Reason.PAYMENT_REQUIRED),
        ("forbid_fay", Reason.FORBIDDEN),
        ("capped_cy", Reason.USAGE_CAPPED),
    ],
)
def test_trouble_by_the_single_call_and_by_the_batch(
    x: FakeX, handle: str, expected: Reason
) -> None:
    """X's trouble is named, never raised, never repeated, never held against a handle."""
    assert look_up(x.url, handle) == {handle: Unavailable(expected)}
    both = look_up(x.url, "AnaLima", handle)
    assert both == dict.fromkeys(["analima", handle], Unavailable(expected))
    assert len(x.calls) == 2


def test_a_full_profile_comes_through(x: FakeX) -> None:
    """The call asks for what the profile needs, by names that X accepts."""
    found = look_up(x.url, "AnaLima")["analima"]
    assert isinstance(found, Found)
    assert found.profile is not None
    assert found.profile.url == "https://ana.example/"
    assert found.profile.followers_count == 321
    assert found.profile.verified_type == "none"


def test_a_protected_profile_is_not_taken(x: FakeX) -> None:
    """A protected account exists; nothing else of it is kept."""
    found = look_up(x.url, "protected_pat")["protected_pat"]
    assert isinstance(found, Found)
    assert found.profile is None


def test_a_rename_is_told_by_name(x: FakeX) -> None:
    """An account that X returns under another name is found, with that name."""
    x.answers["analima"] = user("AnaSouza", "Ana", id="2244994945")
    found = look_up(x.url, "AnaLima")["analima"]
    assert isinstance(found, Found)
    assert (found.user_id, found.username) == ("2244994945", "AnaSouza")


def test_a_rate_limit_tells_when_to_return(x: FakeX) -> None:
    """X's reset is passed on, in UTC; nobody sleeps until then."""
    answer = look_up(x.url, "limit_lou")["limit_lou"]
    assert isinstance(answer, Unavailable)
    assert answer.retry_at is not None
    assert timedelta(0) < answer.retry_at - datetime.now(UTC) <= timedelta(seconds=120)


def test_a_hundred_handles_go_into_one_call() -> None:
    """Two hundred and one handles are three calls, the last one single."""
    names = [f"guest_{n}" for n in range(201)]
    with FakeX(everyone=True) as x:
        answers = look_up(x.url, *names, "GUEST_0")
    assert [len(call) for call in x.calls] == [100, 100, 1]
    for name in names:
        found = answers[name]
        assert isinstance(found, Found)
        assert found.username.lower() == name


def test_trouble_spares_the_calls_after_it(x: FakeX) -> None:
    """Once a call failed as a whole the rest is not asked, and gets the same reason."""
    answers = look_up(x.url, "limit_luc", *[f"guest_{n}" for n in range(150)])
    assert len(x.calls) == 1
    assert set(answers.values()) == {Unavailable(Reason.RATE_LIMITED)}


def unchecked_handle(text: str) -> Handle:
    """A Handle that slipped past its own grammar."""
    handle = object.__new__(Handle)
    object.__setattr__(handle, "text", text)
    return handle


@pytest.mark.parametrize(
    "text",
    [
        "ana?user.fields=location",
        "../tweets",
        "ana\n",
        "a" * 16,
        "аna",
        "",
        "a/b",
        "a,b",
    ],
)
def test_no_odd_handle_reaches_the_path(x: FakeX, text: str) -> None:
    """What X's grammar does not allow is not asked, and does not spoil a batch."""
    odd = unchecked_handle(text)
    lookup = XLookup(TOKEN, api_url=x.url)
    answers = lookup.look_up(
        [odd, Handle("AnaLima")], timeout_s=5.0, now=datetime.now(UTC)
    )
    assert answers[odd.key] == NotAsked()
    assert isinstance(answers["analima"], Found)
    assert x.calls == [("AnaLima",)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([ANA], id="a list"),
        pytest.param({"data": {"username": "AnaLima"}}, id="no id"),
        pytest.param({"data": ANA | {"name": "x" * 2_000_000}}, id="over 2 MB"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404, 429, 503])
def test_odd_bodies_are_trouble(x: FakeX, status: int, body: Any) -> None:
    """A body that nobody expects is trouble under every status."""
    x.answers["analima"] = Reply(status, body)
    assert isinstance(look_up(x.url, "AnaLima")["analima"], Unavailable)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(b"", Reason.UNREACHABLE, id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", Reason.UNREACHABLE, id="another protocol"),
        pytest.param(
            b"HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{",
            Reason.UNREACHABLE,
            id="cut",
        ),
        pytest.param(
            b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            Reason.UNREACHABLE,
            id="broken chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
            Reason.UNEXPECTED,
            id="not the gzip it says",
        ),
        pytest.param(
            b"HTTP/1.1 429 X\r\nx-rate-limit-reset: soon\r\ncontent-length: 2\r\n\r\n{}",
            Reason.RATE_LIMITED,
            id="a reset that is no number",
        ),
    ],
)
def test_broken_http_is_trouble(sent: bytes, expected: Reason) -> None:
    """Whatever arrives instead of an answer has a reason of its own."""
    with raw_server(lambda line: line.sendall(sent)) as address:
        answers = look_up(f"http://{address}", "AnaLima")
    assert reason(answers["analima"]) is expected


def test_nobody_listens() -> None:
    """A refused connection is unreachable."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answers = look_up(f"http://127.0.0.1:{port}", "AnaLima")
    assert answers == {"analima": Unavailable(Reason.UNREACHABLE)}


@pytest.mark.parametrize(
    "stunt", [Stunt.SLOW, Stunt.SILENT, Stunt.DRIP, Stunt.DRIP_BODY], ids=str
)
def test_the_deadline_holds(x: FakeX, stunt: Stunt) -> None:
    """Silent or dripping: caller and thread are free at the deadline."""
    x.answers["analima"] = stunt
    begun = time.monotonic()
    answers = look_up(x.url, "AnaLima", timeout_s=0.3)
    assert time.monotonic() - begun < 0.6
    assert answers == {"analima": Unavailable(Reason.TIMEOUT)}
    wait_for_the_threads()


def test_the_deadline_holds_in_a_tls_handshake() -> None:
    """A server that drips its handshake is cut off like any other."""
    gone = threading.Event()

    def drip(line: socket.socket) -> None:
        # A TLS record that announces 16,384 bytes of handshake.
        try:
            line.sendall(b"\x16\x03\x03\x40\x00")
            while not gone.wait(0.05):
                line.sendall(b"\x02")
        except ConnectionError:
            return

    with raw_server(drip) as address:
        begun = time.monotonic()
        answers = look_up(f"https://{address}", "AnaLima", timeout_s=0.3)
        assert time.monotonic() - begun < 0.6
        assert answers == {"analima": Unavailable(Reason.TIMEOUT)}
        wait_for_the_threads()
        gone.set()


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
def test_no_time_means_no_call(x: FakeX, timeout_s: float) -> None:
    """With the time used up X is not asked."""
    answers = look_up(x.url, "AnaLima", timeout_s=timeout_s)
    assert answers == {"analima": Unavailable(Reason.TIMEOUT)}
    assert x.calls == []


def test_24_threads_at_once_get_their_own_answers() -> None:
    """One look-up object serves all threads; nobody gets another's answer."""
    with FakeX(everyone=True) as x, ThreadPoolExecutor(24) as pool:
        lookup = XLookup(TOKEN, api_url=x.url)
        now = datetime.now(UTC)

        def ask(n: int) -> bool:
            handle = Handle(f"guest_{n}")
            found = lookup.look_up([handle], timeout_s=10.0, now=now)[handle.key]
            return isinstance(found, Found) and found.username == handle.text

        assert all(pool.map(ask, range(120)))


def test_24_threads_wait_together_not_in_turn(x: FakeX) -> None:
    """Twenty-four look-ups of a silent X end at the same deadline."""
    lookup = XLookup(TOKEN, api_url=x.url)
    now = datetime.now(UTC)
    with ThreadPoolExecutor(24) as pool:
        begun = time.monotonic()
        asked = [
            pool.submit(lookup.look_up, [Handle("silent_sid")], timeout_s=0.4, now=now)
            for _ in range(24)
        ]
        answers = [future.result()["silent_sid"] for future in asked]
        assert time.monotonic() - begun < 1.0
    assert set(answers) == {Unavailable(Reason.TIMEOUT)}


def test_too_many_at_once_are_turned_away_and_room_returns() -> None:
    """With 32 calls under way the next look-up is told at once; later it is served."""
    now = datetime.now(UTC)
    with ThreadPoolExecutor(32) as pool:
        with FakeX() as x:
            lookup = XLookup(TOKEN, api_url=x.url)
            silent = [Handle("silent_sid")]
            waiting = [
                pool.submit(lookup.look_up, silent, timeout_s=30.0, now=now)
                for _ in range(32)
            ]
            patience = time.monotonic() + 10
            while len(x.calls) < 32 and time.monotonic() < patience:
                time.sleep(0.01)
            begun = time.monotonic()
            answer = lookup.look_up([Handle("AnaLima")], timeout_s=30.0, now=now)
            assert time.monotonic() - begun < 0.5
            assert answer == {"analima": Unavailable(Reason.BUSY)}
        # The stand-in has hung up on them all.
        assert {reason(it.result()["silent_sid"]) for it in waiting} == {
            Reason.UNREACHABLE
        }
    answer = lookup.look_up([Handle("AnaLima")], timeout_s=30.0, now=now)
    assert answer == {"analima": Unavailable(Reason.UNREACHABLE)}


def test_timed_out_calls_do_not_use_up_the_room(x: FakeX) -> None:
    """After more dripping answers than there is room for, X is still asked."""
    lookup = XLookup(TOKEN, api_url=x.url)
    for _ in range(40):
        lookup.look_up([Handle("drip_dora")], timeout_s=0.02, now=datetime.now(UTC))
        wait_for_the_threads()
    answers = lookup.look_up([Handle("AnaLima")], timeout_s=5.0, now=datetime.now(UTC))
    assert isinstance(answers["analima"], Found)


def test_the_real_address_gets_the_token() -> None:
    """By default X's own host is asked, with the bearer token, and by no other way."""
    with responses.RequestsMock() as mock:
        mock.get(ANA_URL, json={"data": ANA})
        lookup = XLookup(TOKEN)
        answers = lookup.look_up(
            [Handle("AnaLima")], timeout_s=5.0, now=datetime.now(UTC)
        )
        request = mock.calls[0].request
    assert isinstance(answers["analima"], Found)
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "tweet" not in (request.url or "")


def test_a_redirect_is_trouble() -> None:
    """The token follows no redirect."""
    with responses.RequestsMock() as mock:
        mock.get(ANA_URL, status=302, headers={"Location": "https://api.twitter.com/2"})
        lookup = XLookup(TOKEN)
        answers = lookup.look_up(
            [Handle("AnaLima")], timeout_s=5.0, now=datetime.now(UTC)
        )
        assert len(mock.calls) == 1
    assert answers == {"analima": Unavailable(Reason.UNEXPECTED)}


@pytest.mark.parametrize(
    ("token", "api_url"),
    [
        ("", "https://api.x.com"),
        ("a b", "https://api.x.com"),
        ("a\nb", "https://api.x.com"),
        (TOKEN, "api.x.com"),
        (TOKEN, "ftp://api.x.com"),
        (TOKEN, "https://"),
    ],
)
def test_unusable_settings_are_refused(token: str, api_url: str) -> None:
    """A token or address that cannot work is refused at start, unquoted."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is for people
        XLookup(token, api_url=api_url)
    assert TOKEN not in str(refused.value)


def test_neither_token_nor_handle_reaches_a_log(
    x: FakeX, caplog: pytest.LogCaptureFixture
) -> None:
    """Also with every logger at DEBUG there is no token and no handle in the log."""
    for name in (None, "tweepy", "tweepy.client", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    for handle in ("AnaLima", "nosuch", "unauth_una", "html_hal", "reset_ray"):
        look_up(x.url, handle)
        look_up(x.url, handle, "Caio1970")
    assert "urllib3" in caplog.text  # the log was listening
    for secret in (TOKEN, "AnaLima", "Caio1970", "nosuch", "html_hal", "reset_ray"):
        assert secret not in caplog.text


def test_tweepy_is_quiet_by_default() -> None:
    """Whatever the root logger's level, tweepy's is WARNING."""
    assert logging.getLogger("tweepy").level == logging.WARNING


def test_an_unknown_shape_is_logged_once(
    x: FakeX, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator learns status, type and keys of an odd answer, one time."""
    x.answers["analima"] = Reply(200, {"surprise": "AnaLima"})
    lookup = XLookup(TOKEN, api_url=x.url)
    for _ in range(3):
        lookup.look_up([Handle("AnaLima")], timeout_s=5.0, now=datetime.now(UTC))
    ours = [it for it in caplog.records if it.name == "regulars.check.x_api"]
    assert [it.getMessage() for it in ours] == [
        "X answered in an unknown shape: status 200, application/json, keys surprise"
    ]
