"""A line can be cut at any stage, also by who came too late to see it opened."""

import socket
import time

import pytest

from regulars.check.x_line import Line


@pytest.fixture
def line() -> Line:
    return Line("token", "http://127.0.0.1", time.monotonic() + 5)


def test_cut_reaches_a_socket_that_tls_took_over(line: Line) -> None:
    """The socket that was watched may have been emptied into another since."""
    ours, theirs = socket.socketpair()
    line.watch(ours)
    with socket.socket(fileno=ours.detach()) as taken_over, theirs:
        line.cut()
        taken_over.settimeout(1)
        assert taken_over.recv(1) == b""
    line.close()


def test_a_cut_line_opens_no_socket(line: Line) -> None:
    """A connection that is made after the cut is closed at once."""
    ours, theirs = socket.socketpair()
    with theirs:
        line.cut()
        with pytest.raises(TimeoutError):
            line.watch(ours)
        assert theirs.recv(1) == b""


def test_closing_twice_and_cutting_after_is_harmless(line: Line) -> None:
    """The caller may come to the cut when the thread has ended already."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line.watch(ours)
        line.close()
        line.close()
        line.cut()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
