"""A line to PostgreSQL that stops at one named moment of a process's life, to be killed there."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from sqlalchemy import make_url

_LOOPBACK = "127.0.0.1"
_COMMIT = b"COMMIT"


@dataclass(frozen=True)
class Moment:
    """When *marker* has been said on a connection; then at its COMMIT, unless *at_once*.

    *after*: the server has heard it, but its answer never arrives.
    """

    marker: bytes
    at_once: bool = False
    after: bool = False


class Gate:
    """Forwards to the server behind *url*, until the moment comes: then nothing moves any more."""

    def __init__(self, url: str, moment: Moment) -> None:
        parsed = make_url(url)
        self._server = (parsed.host or _LOOPBACK, parsed.port or 5432)
        self._moment = moment
        self._listener = socket.create_server((_LOOPBACK, 0))
        self._ends: list[socket.socket] = [self._listener]
        port = self._listener.getsockname()[1]
        line = parsed.set(host=_LOOPBACK, port=port)
        self.url = line.render_as_string(hide_password=False)
        self.has_come = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._server)
                self._ends += [near, far]
                for work, pair in ((self._up, (near, far)), (self._down, (far, near))):
                    threading.Thread(target=work, args=pair, daemon=True).start()

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        """From the process to the server, until the moment."""
        seen, is_marked = b"", False
        with suppress(OSError):
            while chunk := near.recv(65536):
                seen = (seen + chunk)[-8192:]
                if not is_marked and self._moment.marker in seen:
                    is_marked, seen = True, seen.partition(self._moment.marker)[2]
                if is_marked and (self._moment.at_once or _COMMIT in seen):
                    if self._moment.after:
                        self.has_come.set()
                        far.sendall(chunk)
                    self.has_come.set()
                if not self.has_come.is_set():
                    far.sendall(chunk)
        # The process is gone, and its machine says so.
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while chunk := far.recv(65536):
                if self.has_come.is_set():
                    # Heard by nobody; the socket stays open, as with a silent network.
                    continue
                near.sendall(chunk)
