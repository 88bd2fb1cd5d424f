"""Visitors whose bytes the tests choose, one connection each."""

import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from http.client import HTTPResponse

LOOPBACK = "127.0.0.1"


def connect(port: int, *sent: bytes, source: str = LOOPBACK) -> socket.socket:
    """A connection from the address *source* on which *sent* went out."""
    connection = socket.create_connection((LOOPBACK, port), 30.0, (source, 0))
    for part in sent:
        connection.sendall(part)
    return connection


def head(method: str, path: str, *lines: str) -> bytes:
    """The first line and the headers of a request."""
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: shop", *lines, "", ""]
    ).encode("latin-1")


def read(connection: socket.socket, method: str = "POST") -> tuple[HTTPResponse, bytes]:
    """The next answer on *connection*."""
    answer = HTTPResponse(connection, method=method)
    answer.begin()
    return answer, answer.read()


def ask(port: int, *sent: bytes, method: str = "POST") -> tuple[HTTPResponse, bytes]:
    """The answer to *sent*."""
    with connect(port, *sent) as connection:
        return read(connection, method)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side ends *connection*, after what it still says."""
    with suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def drip_until_answered(
    connections: Sequence[socket.socket],
    byte: bytes,
    *,
    every_s: float,
    within_s: float,
) -> Iterable[float]:
    """Seconds until each was answered or closed, a *byte* going out on all in between."""
    started = time.monotonic()
    with selectors.DefaultSelector() as waiting:
        for connection in connections:
            waiting.register(connection, selectors.EVENT_READ)
        next_drip = started
        while waiting.get_map():
            now = time.monotonic()
            assert now - started < within_s, f"{len(waiting.get_map())} unanswered"
            if now >= next_drip:
                next_drip = now + every_s
                for key in list(waiting.get_map().values()):
                    with suppress(ConnectionError):
                        key.fileobj.send(byte)  # type: ignore[union-attr]
            for key, _ in waiting.select(max(0.0, next_drip - time.monotonic())):
                waiting.unregister(key.fileobj)
                yield time.monotonic() - started
