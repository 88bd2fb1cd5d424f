"""A stand-in for X's user look-up: run the product and its tests without an account.

    python examples/fake_x.py --port 0      prints its address, serves until Ctrl-C
    with FakeX() as x:                      in a test
        x.answers["analima"] = LIMITED      keys are handles in lower case
        x.rename("Caio1970", "Caio_70")     the same account, another handle

It answers the calls by one handle, by a hundred and by a hundred ids, counts them and the
users that X would bill (`GET /books`), and lets its accounts be renamed, suspended and so
on by whoever looks at its page. Shapes: https://docs.x.com/openapi.json (2.167 as of
August 2026), https://docs.x.com/x-api/users/lookup/integrate and
https://docs.x.com/x-api/fundamentals/response-codes-and-errors. A handle that means
trouble befalls its whole batch. Standard library only; it listens on 127.0.0.1 alone.
"""

import argparse
import html
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

if not __package__:  # run as a file, which alone lets Python see this folder only
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.fake_x_samples import (
    ANA,
    LIMITED,
    NOT_FOUND,
    SAMPLES,
    SUSPENDED,
    UNAUTHORIZED,
    Gone,
    Reply,
    Sent,
    Stunt,
    problem,
    user,
)
from examples.fake_x_world import FIELDS_OF, World

__all__ = ["ANA", "LIMITED", "SAMPLES", "FakeX", "Gone", "Reply", "Stunt", "user"]

_HANDLE = re.compile("[A-Za-z0-9_]{1,15}")
_ID = re.compile("[0-9]{1,19}")
_PAGE = Path(__file__).with_name("fake_x.html")


class FakeX(World, ThreadingHTTPServer):
    """The server, up between `with` and its end; `url` is its address.

    *spec* is the version of X's specification whose fields and metrics it knows.
    """

    request_queue_size = 64  # callers at once

    def __init__(
        self,
        port: int = 0,
        *,
        everyone: bool = False,
        recover_after_s: float | None = None,
        limit: int | None = None,
        spec: str = "2.167",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind *port* of 127.0.0.1, a free one for 0; the rest is `World`'s."""
        World.__init__(
            self,
            everyone=everyone,
            recover_after_s=recover_after_s,
            limit=limit,
            clock=clock,
        )
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.spec = spec
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        """Serve from a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and release whoever still waits for an answer."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a caller who leaves in the middle is part of the play."""


def _refusal(parameter: str, message: str, value: str) -> Reply:
    errors = [{"parameters": {parameter: [value]}, "message": message}]
    return problem(
        400,
        "invalid-request",
        "Invalid Request",
        "One or more parameters to your request was invalid.",
        errors=errors,
    )


def _odd_value(parameter: str, value: str, why: str) -> Reply:
    message = f"The `{parameter}` query parameter value [{value}] {why}"
    return _refusal(parameter, message, value)


_NOT_WITH_THIS_TOKEN = problem(
    403,
    "unsupported-authentication",
    "Unsupported Authentication",
    "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.",
    status=403,
)
_CHANGES: dict[str, Callable[[World, str], None]] = {
    "renamed": lambda x, handle: x.rename(handle, f"{handle[:11]}_new"),
    "recycled": lambda x, handle: x.recycle(handle, f"{handle[:11]}_old"),
    "protected": lambda x, handle: x.protect(handle),
    "suspended": lambda x, handle: x.becomes(handle, SUSPENDED),
    "deleted": lambda x, handle: x.becomes(handle, NOT_FOUND),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeX

    def do_GET(self) -> None:
        """Route: the page for people, the books, the three look-ups, 404 for the rest."""
        url = urlsplit(self.path)
        if url.path == "/":
            answer: Sent = Reply(200, _page(self.server))
        elif url.path == "/books":
            answer = Reply(200, self.server.summary())
        else:
            # Of a parameter that comes twice the first counts.
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            answer = self.route(url.path, query)
        if isinstance(answer, Stunt):
            return self.play(answer)
        self.wfile.write(_bytes(answer))

    def do_POST(self) -> None:
        """Let something happen to an account, as the form on the page says."""
        length = int(self.headers.get("Content-Length", "0"))
        form = parse_qs(self.rfile.read(length).decode())
        change = _CHANGES.get(form.get("becomes", [""])[0])
        handle = form.get("handle", [""])[0].strip().lstrip("@")
        if self.path != "/change" or change is None or not _HANDLE.fullmatch(handle):
            self.wfile.write(_bytes(Reply(400, "<p>Which handle becomes what?")))
            return
        with suppress(LookupError):  # there is no such account to change
            change(self.server, handle)
        self.send_response(303)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def route(self, path: str, query: dict[str, str]) -> Sent:
        """The answer to a call of X's."""
        fields = {*filter(None, query.get("user.fields", "").split(","))}
        single = re.fullmatch("/2/users/by/username/([^/]*)", path)
        if single:
            return self.look_up([unquote(single[1])], "username", fields)
        if path == "/2/users/by":
            listed = query.get("usernames", "").split(",")
            return self.look_up(listed, "usernames", fields)
        if path == "/2/users":
            return self.look_up(query.get("ids", "").split(","), "ids", fields)
        if path == "/2/users/me":
            return _NOT_WITH_THIS_TOKEN
        return problem(404, "about:blank", "Not Found", "Not Found", status=404)

    def look_up(self, asked: list[str], parameter: str, fields: set[str]) -> Sent:
        """The answer to a look-up of *asked*, as well as the call is formed."""
        grammar = _ID if parameter == "ids" else _HANDLE
        odd = [value for value in asked if not grammar.fullmatch(value)]
        known = FIELDS_OF[self.server.spec]
        unknown = sorted(fields - known)
        if not re.fullmatch(r"Bearer \S+", self.headers.get("Authorization", "")):
            return UNAUTHORIZED
        if odd:
            why = f"does not match ^{grammar.pattern}$"
            return _odd_value(parameter, odd[0], why)
        if unknown:
            why = f"is not one of [{','.join(sorted(known))}]"
            return _odd_value("user.fields", unknown[0], why)
        if len(asked) > 100:
            what = f"The number of values in the `{parameter}` query parameter list"
            count = str(len(asked))
            return _refusal(
                parameter, f"{what} [{count}] is not between 1 and 100", count
            )
        only = fields | {"id", "name", "username"}
        return _of_spec(self.server.reply(asked, parameter, only), self.server.spec)

    def play(self, stunt: Stunt) -> None:
        """Answer late, never, or bit by bit; what arrives in the end is Ana."""
        self.close_connection = True
        whole, closing = _bytes(Reply(200, {"data": ANA})), self.server.closing
        if stunt is Stunt.RESET:
            # Closed with this option, a socket sends RST in place of its farewell.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.rfile.close()
            self.connection.close()
        elif stunt in (Stunt.SLOW, Stunt.SILENT):
            if not closing.wait(10 if stunt is Stunt.SLOW else None):
                self.wfile.write(whole)
        else:
            at_once = whole.index(b"{") if stunt is Stunt.DRIP_BODY else 0
            self.wfile.write(whole[:at_once])
            for byte in whole[at_once:]:
                self.wfile.write(bytes([byte]))
                if closing.wait(0.05):
                    break

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: standard output holds the address alone."""


def _of_spec(sent: Sent, spec: str) -> Sent:
    """*sent* with the metrics by the names that *spec* has: posts were tweets once."""
    if spec == "2.159" and isinstance(sent, Reply):
        text = json.dumps(sent.body).replace('"post_count"', '"tweet_count"')
        return Reply(sent.status, json.loads(text), sent.reset_in_s, sent.allowance)
    return sent


def _bytes(reply: Reply) -> bytes:
    page = reply.body if isinstance(reply.body, str) else ""
    body = (page or json.dumps(reply.body)).encode()
    kind = "text/html" if page else "application/json"
    headers = {"content-type": kind, "content-length": str(len(body))}
    if reply.reset_in_s is not None:
        headers["x-rate-limit-reset"] = str(int(time.time()) + reply.reset_in_s)
    if reply.allowance is not None:
        remaining, limit = reply.allowance
        headers["x-rate-limit-limit"] = str(limit)
        headers["x-rate-limit-remaining"] = str(remaining)
    lines = [f"{name}: {it}" for name, it in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {reply.status} X", *lines, "", ""]).encode() + body


def _page(x: FakeX) -> str:
    rows = "".join(f"<tr><td>@{n}<td>{html.escape(does)}" for n, does, _ in SAMPLES)
    passes = (
        ""
        if x.recover_after_s is None
        else f" Trouble passes {x.recover_after_s:g} seconds after a handle was first asked; it is found then."
    )
    changes = "".join(f"<option>{name}" for name in _CHANGES)
    books = x.summary()
    return _PAGE.read_text("utf-8").format(
        rows=rows,
        passes=passes,
        changes=changes,
        calls=books["calls"],
        billed=books["users_billed"],
    )


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for X's user look-up.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--everyone", action="store_true", help="unknown handles exist")
    parser.add_argument("--recover-after", type=float, help="seconds trouble lasts")
    parser.add_argument(
        "--limit", type=int, default=300, help="calls of a kind in 15 minutes"
    )
    parser.add_argument(
        "--spec", choices=FIELDS_OF, default="2.167", help="whose fields it knows"
    )
    asked = parser.parse_args()
    with FakeX(
        asked.port,
        everyone=asked.everyone,
        recover_after_s=asked.recover_after,
        limit=asked.limit,
        spec=asked.spec,
    ) as x:
        print(x.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
