"""The front between server and application, over real sockets, with a short deadline."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.acceptance.echoing import (
    BODIES_WAITING,
    BODY_WITHIN_S,
    LARGE,
    MAX_BODY_BYTES,
    THREADS,
)
from tests.acceptance.raw import ask, connect, head, is_closed, read
from tests.acceptance.running import LOOPBACK, eventually, free_port, is_listened_on

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the echoing application is served."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.echoing", str(port)]
    )
    try:
        eventually(lambda: is_listened_on(port), within_s=20, what="the front is up")
        yield port
    finally:
        process.terminate()
        assert process.wait(10) == 0


def echoed(port: int, *sent: bytes) -> dict[str, str]:
    """What the application was given."""
    told: dict[str, str] = json.loads(ask(port, *sent)[1])
    return told


def test_address_and_query_reach_the_application_as_wsgi_wants(port: int) -> None:
    """The path is decoded, to bytes as latin-1; the query is not; both ends are named."""
    told = echoed(port, head("GET", "/caf%C3%A9%2Fx%20%FF?q=%20%C3%A9&r"))
    assert told["PATH_INFO"] == "/cafÃ©/x ÿ"
    assert told["QUERY_STRING"] == "q=%20%C3%A9&r"
    assert told["SCRIPT_NAME"] == ""
    assert told["REQUEST_METHOD"] == "GET"
    assert told["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert (told["SERVER_NAME"], told["SERVER_PORT"]) == (LOOPBACK, str(port))
    assert told["REMOTE_ADDR"] == LOOPBACK
    assert told["HTTP_HOST"] == "shop"
    assert told["scheme"] == "http"


def test_headers_given_twice_are_one_value(port: int) -> None:
    """Two headers of one name are joined by a comma, cookies by a semicolon, in their order."""
    told = echoed(
        port, head("GET", "/", "X-A: 1", "Cookie: a=1", "x-a: 2", "Cookie: b=2")
    )
    assert told["HTTP_X_A"] == "1, 2"
    assert told["HTTP_COOKIE"] == "a=1; b=2"


def test_header_cannot_pass_for_another_by_its_underscores(port: int) -> None:
    """X_Forwarded_For is not taken for X-Forwarded-For, alone or beside it."""
    told = echoed(port, head("GET", "/", "X_Forwarded_For: 6.6.6.6"))
    assert "HTTP_X_FORWARDED_FOR" not in told
    lines = ("X-Forwarded-For: 1.1.1.1", "X_Forwarded_For: 6.6.6.6")
    told = echoed(port, head("GET", "/", *lines))
    assert told["HTTP_X_FORWARDED_FOR"] == "1.1.1.1"


def test_header_beyond_ascii_arrives_as_its_bytes(port: int) -> None:
    """What is no ASCII is neither dropped nor emptied."""
    assert echoed(port, head("GET", "/", "X-Name: café"))["HTTP_X_NAME"] == "café"


def test_environment_of_the_process_stays_out_of_the_requests(port: int) -> None:
    """Settings and secrets of the process are none of the request's."""
    assert "PATH" not in echoed(port, head("GET", "/"))


def test_body_in_pieces_arrives_whole(port: int) -> None:
    """A body that comes in two pieces, a chunked one and an announced one are the same."""
    announced = echoed(port, head("POST", "/", "Content-Length: 6"), b"one", b"two")
    chunked = echoed(
        port,
        head("POST", "/", "Transfer-Encoding: chunked"),
        b"3\r\none\r\n",
        b"3\r\ntwo\r\n0\r\n\r\n",
    )
    assert announced["body"] == chunked["body"] == "onetwo"
    assert announced["CONTENT_LENGTH"] == "6"
    assert "CONTENT_LENGTH" not in chunked


def test_client_that_waits_for_a_continue_gets_it(port: int) -> None:
    """Expect: 100-continue is answered before the body comes; a body too large is not waited for."""
    with connect(
        port, head("POST", "/size", "Content-Length: 2", "Expect: 100-continue")
    ) as connection:
        assert connection.recv(100) == CONTINUE
        connection.sendall(b"hi")
        assert read(connection)[1] == b"2"
    lines = (f"Content-Length: {MAX_BODY_BYTES + 1}", "Expect: 100-continue")
    assert ask(port, head("POST", "/size", *lines))[0].status == 413


def test_connection_is_used_again(port: int) -> None:
    """Two requests on one connection are answered in their order, also when sent at once."""
    with connect(port, head("POST", "/size", "Content-Length: 2"), b"hi") as connection:
        assert read(connection)[1] == b"2"
        both = head("POST", "/size", "Content-Length: 1") + b"a"
        connection.sendall(both + head("POST", "/size"))
        assert read(connection)[1] == b"1"
        assert read(connection)[1] == b"0"


def test_head_has_the_headers_alone(port: int) -> None:
    """HEAD is answered without a body, and the connection goes on."""
    with connect(port, head("HEAD", "/large")) as connection:
        answer, body = read(connection, "HEAD")
        assert (answer.status, body) == (200, b"")
        connection.sendall(head("POST", "/size"))
        assert read(connection)[1] == b"0"


def test_answer_keeps_headers_of_one_name_apart(port: int) -> None:
    """Two cookies are set by two headers, as the application wrote them."""
    answer, _ = ask(port, head("GET", "/"))
    assert answer.msg.get_all("set-cookie") == ["a=1", "b=é"]


# Announced, and of a length that only its end tells.
TOO_LARGE = [
    [head("POST", "/size", f"Content-Length: {MAX_BODY_BYTES + 1}")],
    [
        head("POST", "/size", "Transfer-Encoding: chunked"),
        f"{MAX_BODY_BYTES + 1:x}\r\n".encode() + b"x" * (MAX_BODY_BYTES + 1),
    ],
]


@pytest.mark.parametrize("sent", TOO_LARGE, ids=["announced", "chunked"])
def test_body_too_large_is_refused_before_its_end(port: int, sent: list[bytes]) -> None:
    """413 as soon as it is known, though the body never ends; then the connection is closed."""
    started = time.monotonic()
    with connect(port, *sent) as connection:
        answer, _ = read(connection)
        assert time.monotonic() - started < BODY_WITHIN_S
        assert answer.status == 413
        assert is_closed(connection)


def test_body_as_large_as_allowed_is_taken(port: int) -> None:
    """The limit itself is within the limit, announced or chunked."""
    text = b"x" * MAX_BODY_BYTES
    announced = ask(port, head("POST", "/size", f"Content-Length: {len(text)}"), text)
    chunk = f"{len(text):x}\r\n".encode() + text + b"\r\n0\r\n\r\n"
    chunked = ask(port, head("POST", "/size", "Transfer-Encoding: chunked"), chunk)
    assert announced[1] == chunked[1] == str(MAX_BODY_BYTES).encode()


def test_body_cut_off_does_not_reach_the_application_as_a_whole_one(port: int) -> None:
    """A sender that stops in the middle gets 400, announced or chunked: half a form is no form."""
    for first in (
        head("POST", "/size", "Content-Length: 10") + b"x_handle=a",
        head("POST", "/size", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    ):
        with connect(port, first[:-1]) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert read(connection)[0].status == 400


def test_those_who_leave_in_the_middle_hold_nothing(port: int) -> None:
    """Connections that end in their bodies: the next visitor is answered at once."""
    first = head("POST", "/size", "Content-Length: 9", "Expect: 100-continue")
    for _ in range(4 * BODIES_WAITING):
        with connect(port, first) as connection:
            assert connection.recv(100) == CONTINUE
            connection.sendall(b"x")
    started = time.monotonic()
    assert ask(port, head("POST", "/size", "Content-Length: 2") + b"hi")[1] == b"2"
    assert time.monotonic() - started < BODY_WITHIN_S


def test_late_body_is_answered_408_at_the_deadline(port: int) -> None:
    """A body that does not come is answered at the deadline, and the connection is closed."""
    started = time.monotonic()
    with connect(port, head("POST", "/size", "Content-Length: 2"), b"x") as connection:
        answer, _ = read(connection)
        assert BODY_WITHIN_S <= time.monotonic() - started < BODY_WITHIN_S + 3
        assert answer.status == 408
        assert answer.headers["connection"] == "close"
        assert is_closed(connection)


def test_where_too_many_bodies_wait_the_oldest_gives_way(port: int) -> None:
    """One body too many: the longest wait ends early, and whoever sends at once is served."""
    first = head("POST", "/size", "Content-Length: 2", "Expect: 100-continue")
    waiting = [connect(port, first) for _ in range(BODIES_WAITING)]
    for connection in waiting:
        # Said when the body is waited for.
        assert connection.recv(100) == CONTINUE
    first = head("POST", "/size", "Content-Length: 2")
    started = time.monotonic()
    assert ask(port, first, b"hi")[1] == b"2"
    answers = [read(connection)[0] for connection in waiting]
    assert time.monotonic() - started < BODY_WITHIN_S + 3
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [408] * (BODIES_WAITING - 1) + [503]
    crowded = next(answer for answer in answers if answer.status == 503)
    assert crowded.headers["retry-after"] == "5"
    for connection in waiting:
        connection.close()


def test_those_who_read_slowly_hold_no_thread(port: int) -> None:
    """More large answers that nobody reads than there are threads: others are answered at once."""
    readers = [connect(port, head("GET", "/large")) for _ in range(2 * THREADS)]
    for reader in readers:
        assert reader.recv(20).startswith(b"HTTP/1.1 200")
    started = time.monotonic()
    assert ask(port, head("POST", "/size", "Content-Length: 2"), b"hi")[1] == b"2"
    assert time.monotonic() - started < BODY_WITHIN_S
    for reader in readers:
        reader.close()
    assert len(ask(port, head("GET", "/large"), method="GET")[1]) == LARGE
