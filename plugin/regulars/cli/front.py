"""What stands between the web server and the application: whole requests in, whole answers out.

The application works in a few threads. A thread is taken when the body has come and is
free again when the answer is made, so that no visitor can hold one by being slow.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from granian.server.common import AbstractServer
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from regulars.web.problems import FieldError, ProblemError

# From the end of the headers; a phone with a bad signal needs a third of it for 64 kB.
BODY_WITHIN_S = 10.0
# At 64 kB each: what bodies that are still coming may hold of the memory.
BODIES_WAITING = 512
# The headers of one request; granian alone would keep six times as much.
_MAX_HEAD_BYTES = 64 * 1024
_HEAD_WITHIN_MS = 10_000
# A connection takes a place while it lasts, and waits for one when all are taken.
_CONNECTIONS = 8192

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


def web_server(
    target: str, *, host: str, port: int, stop_within_s: int
) -> AbstractServer[Any]:
    """The server of the :class:`Front` that *target*, a factory as ``module:name``, makes."""
    return Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        workers=1,
        factory=True,
        # The mode for both would wait for ever for the first byte of a connection.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEAD_WITHIN_MS, max_buffer_size=_MAX_HEAD_BYTES
        ),
        backlog=_CONNECTIONS,
        backpressure=_CONNECTIONS,
        websockets=False,
        # Its warnings are about settings that are ours.
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=stop_within_s,
        process_name=None,
    )


class Front:
    """The WSGI *application* as an ASGI one that waits for bodies without a thread.

    What is wrong with a body comes up where the application reads it, as an error that
    it answers like its own: in its form, with its headers, within its limits.
    """

    def __init__(
        self,
        application: Application,
        *,
        threads: int,
        max_body_bytes: int,
        body_within_s: float = BODY_WITHIN_S,
        bodies_waiting: int = BODIES_WAITING,
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._max_body_bytes = max_body_bytes
        self._body_within_s = body_within_s
        self._bodies_waiting = bodies_waiting
        # Those that wait for a body, the longest wait first.
        self._waits: dict[asyncio.Timeout, None] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        environ = _environ(scope)
        body = await self._body(_announced_bytes(environ), receive)
        environ["wsgi.input"] = body
        response = await asyncio.get_running_loop().run_in_executor(
            self._pool, self._answer, environ
        )
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers
        ]
        if isinstance(body, _Refused):
            headers.append((b"connection", b"close"))
        status = response.status_code
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": response.get_data()})

    def _answer(self, environ: Environ) -> Response:
        # Whole: else a thread would wait for those who read slowly.
        return Response.from_app(self._application, environ, buffered=True)

    async def _body(self, announced: int | None, receive: Receive) -> io.IOBase:
        if announced == 0:
            return io.BytesIO()
        if announced is not None and announced > self._max_body_bytes:
            return _Refused(RequestEntityTooLarge())
        self._make_room()
        try:
            async with asyncio.timeout(self._body_within_s) as wait:
                self._waits[wait] = None
                return await self._read(receive)
        except TimeoutError:
            return _Refused(_late() if wait in self._waits else _crowded())
        finally:
            self._waits.pop(wait, None)

    def _make_room(self) -> None:
        """Let the longest wait end where there are too many: what is honest came at once."""
        if len(self._waits) < self._bodies_waiting:
            return
        longest = next(iter(self._waits))
        del self._waits[longest]
        if not longest.expired():
            longest.reschedule(asyncio.get_running_loop().time())

    async def _read(self, receive: Receive) -> io.IOBase:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return _Refused(_cut())
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                return _Refused(RequestEntityTooLarge())
            if not message.get("more_body"):
                return io.BytesIO(body)


class _Refused(io.RawIOBase):
    """The input of a request whose body did not come as it should: reading it says why."""

    def __init__(self, reason: Exception) -> None:
        self._reason = reason

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise self._reason


def _late() -> ProblemError:
    text = "The request did not come in time. Send it again."
    return ProblemError(408, text, [FieldError("", "body.late", text)])


def _cut() -> ProblemError:
    text = "The request ended before its body did."
    return ProblemError(400, text, [FieldError("", "body.cut", text)])


def _crowded() -> ProblemError:
    text = "Too many requests are on their way. Try again."
    problem = [FieldError("", "server.crowded", text)]
    return ProblemError(503, text, problem, {"Retry-After": "5"})


def _announced_bytes(environ: Environ) -> int | None:
    """The length of the body; None where only its end will tell."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    length = environ.get("CONTENT_LENGTH", "0")
    return int(length) if length.isdecimal() else None


def _environ(scope: Message) -> Environ:
    """*scope* in the words of WSGI, but for the body.

    https://asgi.readthedocs.io/en/latest/specs/www.html, https://peps.python.org/pep-3333/
    """
    server, port = scope["server"]
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        # Bodies of unknown length end where the input does.
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # X_Forwarded_For would be taken for X-Forwarded-For, which a proxy answers for.
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            between = "; " if key == "HTTP_COOKIE" else ", "
            text = f"{environ[key]}{between}{text}"
        environ[key] = text
    return environ
