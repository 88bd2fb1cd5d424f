"""A line to PostgreSQL, or to anybody, that a test cuts, mends and stalls, as networks do."""

import socket
import threading
from contextlib import suppress
from typing import Self

from sqlalchemy import make_url

_LOOPBACK = "127.0.0.1"


class Line:
    """Forwards a port of its own to the server behind *url* while it is not cut."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._server = (parsed.host or _LOOPBACK, parsed.port or 5432)
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._books = threading.Lock()
        self._port = 0
        self._flows = threading.Event()
        self._flows.set()
        self.mend()
        line = parsed.set(host=_LOOPBACK, port=self._port)
        self.url = line.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        """Let connections through, on the same port as ever."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, self._port))
        listener.listen(64)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stall(self) -> None:
        """Let nothing through any more, and end nothing: as if the other side were silent."""
        self._flows.clear()

    def flow(self) -> None:
        """Let through what was held up, and all that comes."""
        self._flows.set()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        with self._books:
            listener, self._listener = self._listener, None
            ends, self._ends = self._ends, []
        for end in [listener, *ends]:
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._server)
                with self._books:
                    if self._listener is not listener:
                        near.close()
                        far.close()
                        return
                    self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(
                        target=self._pass_on, args=pair, daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                self._flows.wait()
                target.sendall(chunk)
        _end(source, target)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
