"""One HTTP request to X on a connection that another thread may cut. `x_call` uses it."""

import io
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from regulars.check.x_answers import Heard

_LARGEST_BODY = 2_000_000  # bytes; a hundred full profiles are about a tenth of it


class TooLarge(requests.RequestException):
    """The answer is larger than any answer to a look-up."""


class Line:
    """The way of one request: where it goes, with which token, until when.

    ``heard`` is X's response once it has been read to its end. *deadline* is on the
    monotonic clock.
    """

    def __init__(self, bearer_token: str, api_url: str, deadline: float) -> None:
        """Nothing is opened before the session asks."""
        self.bearer_token = bearer_token
        self.api_url = api_url
        self.heard: Heard | None = None
        self._deadline = deadline
        self._lock = threading.Lock()
        self._is_cut = False
        self._socket: socket.socket | None = None

    def carry(self, session: requests.Session, host: str) -> None:
        """Let *session* reach X by this line alone, in place of *host*."""
        session.trust_env = False  # a .netrc would replace the token
        session.max_redirects = 0
        session.adapters.clear()
        session.mount(host, _Adapter(self, host))

    def remaining_s(self) -> float:
        """Seconds until the deadline, never 0, which sockets take for "no waiting"."""
        return max(0.001, self._deadline - time.monotonic())

    def watch(self, opened: socket.socket) -> socket.socket:
        """Remember the socket just opened, so that `cut` reaches it.

        Raises:
            TimeoutError: the line has been cut already; the socket is closed.
        """
        with self._lock:
            if self._is_cut:
                opened.close()
                raise TimeoutError
            # A duplicate: TLS takes the first one over and leaves an empty shell.
            self._socket = opened.dup()
        return opened

    def cut(self) -> None:
        """End the connection at once, whatever a thread is reading from it."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                with suppress(OSError):  # X was quicker
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket, when the request is over."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class _Adapter(HTTPAdapter):
    """Sends the session's request by its line, and lays the response by."""

    def __init__(self, line: Line, host: str) -> None:
        super().__init__(max_retries=0)
        self._line = line
        self._host = host

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool whose connection the line can cut."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _watched(pool.ConnectionCls, self._line)
        return pool

    def send(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> requests.Response:
        """The response with its body read; the line decides on timeout and TLS."""
        path = (request.url or "").removeprefix(self._host)
        request.url = self._line.api_url + path
        request.headers["Authorization"] = f"Bearer {self._line.bearer_token}"
        response = super().send(
            request, stream=True, timeout=self._line.remaining_s(), verify=True
        )
        try:
            body = _read(response.raw)
        finally:
            response.raw.close()
        response.raw = io.BytesIO(body)
        self._line.heard = Heard(
            response.status_code,
            response.headers.get("content-type", ""),
            response.headers.get("x-rate-limit-reset"),
            body,
            response.headers.get("x-rate-limit-limit"),
            response.headers.get("x-rate-limit-remaining"),
        )
        return response


def _watched(kind: Any, line: Line) -> type:
    """The connection class *kind* that shows *line* the socket it opens."""

    class Watched(kind):  # type: ignore[misc]  # plain or TLS, urllib3 knows which
        def _new_conn(self) -> socket.socket:
            return line.watch(super()._new_conn())

    return Watched


def _read(raw: urllib3.HTTPResponse) -> bytes:
    """The decoded body.

    Raises:
        TooLarge: it has more than _LARGEST_BODY bytes.
    """
    body = bytearray()
    for chunk in raw.stream(65_536, decode_content=True):
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise TooLarge
    return bytes(body)
