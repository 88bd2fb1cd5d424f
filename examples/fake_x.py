"""A stand-in for X's user look-up: run the product and its tests without an account.

    python examples/fake_x.py --port 0      prints its address, serves until Ctrl-C
    with FakeX() as x:                      in a test
        x.answers["analima"] = LIMITED      keys are handles in lower case

Shapes: https://docs.x.com/x-api/users/lookup/integrate and
https://docs.x.com/x-api/fundamentals/response-codes-and-errors. A handle that means
trouble befalls its whole batch. Standard library only; it listens on 127.0.0.1 alone.
"""

import argparse
import html
import json
import math
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
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
    PROBLEMS,
    SAMPLES,
    UNAUTHORIZED,
    Answer,
    Gone,
    Reply,
    Sent,
    Stunt,
    problem,
    user,
)

__all__ = ["ANA", "LIMITED", "SAMPLES", "FakeX", "Gone", "Reply", "Stunt", "user"]

_HANDLE = re.compile("[A-Za-z0-9_]{1,15}")
_FIELD = re.compile(  # those that the specification knew before and after 2026-08-07
    "created_at|description|entities|id|location|name|parody|profile_banner_url|"
    "profile_image_url|protected|public_metrics|url|username|verified|verified_type"
)
_PAGE = Path(__file__).with_name("fake_x.html")


class FakeX(ThreadingHTTPServer):
    """The server, up between `with` and its end.

    `url` is its address, `calls` what each well-formed call asked, `billed` the users
    returned. Handles without an entry in `answers` do not exist, unless *everyone* does.
    With *recover_after_s* a handle that means trouble is found that long after it was
    first asked; *clock* is read for that alone, in seconds.
    """

    request_queue_size = 64  # callers at once

    def __init__(
        self,
        port: int = 0,
        *,
        everyone: bool = False,
        recover_after_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind *port* of 127.0.0.1, a free one for 0."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: dict[str, Answer] = {name.lower(): it for name, _, it in SAMPLES}
        self.calls: list[tuple[str, ...]] = []
        self.billed = 0
        self.everyone = everyone
        self.recover_after_s = recover_after_s
        self.clock = clock
        self.first_asked: dict[str, float] = {}
        self.closing = threading.Event()
        self.books = threading.Lock()

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

    def answer_to(self, handle: str) -> Answer:
        """What becomes of *handle* now; trouble passes when it is to pass."""
        stranger = user(handle, handle) if self.everyone else NOT_FOUND
        answer = self.answers.get(handle.lower(), stranger)
        if self.recover_after_s is None or not isinstance(answer, Reply | Stunt):
            return answer
        now = self.clock()
        left_s = (
            self.first_asked.setdefault(handle.lower(), now)
            + self.recover_after_s
            - now
        )
        if left_s <= 0:
            return user(handle, handle.replace("_", " ").title())
        if isinstance(answer, Reply) and answer.reset_in_s is not None:
            # Whoever obeys the header comes back when the trouble is over.
            return replace(answer, reset_in_s=math.ceil(left_s) + 1)
        return answer

    def reply(self, handles: list[str], parameter: str, only: set[str]) -> Sent:
        """The answer to one well-formed call, and its entry in the books."""
        told = {it: self.answer_to(it) for it in handles}
        trouble = [it for it in told.values() if isinstance(it, Reply | Stunt)]
        users = [it for it in told.values() if isinstance(it, dict)]
        gone = [(handle, it) for handle, it in told.items() if isinstance(it, Gone)]
        with self.books:
            self.calls.append(tuple(handles))
            self.billed += 0 if trouble else len(users)
        if trouble:
            return trouble[0]
        data = [{k: v for k, v in it.items() if k in only} for it in users]
        errors = [_error(it, handle, parameter) for handle, it in gone]
        body: dict[str, Any] = {"errors": errors} if errors else {}
        if data:
            # The order of the question is not promised, so it is not kept.
            body["data"] = data[0] if parameter == "username" else data[::-1]
        return Reply(200 if data else max(it.status for _, it in gone), body)


def _error(gone: Gone, handle: str, parameter: str) -> dict[str, Any]:
    return {
        "value": handle,
        "detail": gone.detail % handle,
        "title": gone.title,
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": handle,
        "type": PROBLEMS + "resource-not-found",
    }


def _refusal(parameter: str, value: str, why: str) -> Reply:
    message = f"The `{parameter}` query parameter value [{value}] {why}"
    errors = [{"parameters": {parameter: [value]}, "message": message}]
    return problem(400, "invalid-request", "Invalid Request", message, errors=errors)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeX

    def do_GET(self) -> None:
        """Route: the page for people, the two look-ups, 404 for the rest."""
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}  # one counts, as on X
        asked = {*filter(None, query.get("user.fields", "").split(","))}
        single = re.fullmatch("/2/users/by/username/([^/]*)", url.path)
        answer: Sent = Reply(200, _page(self.server.recover_after_s))
        if single:
            answer = self.look_up([unquote(single[1])], "username", asked)
        elif url.path == "/2/users/by":
            listed = query.get("usernames", "").split(",")
            answer = self.look_up(listed, "usernames", asked)
        elif url.path != "/":
            answer = problem(404, "about:blank", "Not Found", "Not Found")
        if isinstance(answer, Stunt):
            return self.play(answer)
        self.wfile.write(_bytes(answer))

    def look_up(self, handles: list[str], parameter: str, asked: set[str]) -> Sent:
        """The answer to a look-up of *handles*, as well as the call is formed."""
        odd = [handle for handle in handles if not _HANDLE.fullmatch(handle)]
        unknown = [name for name in asked if not _FIELD.fullmatch(name)]
        if not re.fullmatch(r"Bearer \S+", self.headers.get("Authorization", "")):
            return UNAUTHORIZED
        if odd:
            return _refusal(parameter, odd[0], f"does not match ^{_HANDLE.pattern}$")
        if unknown:
            return _refusal("user.fields", unknown[0], "is not allowed")
        if len(handles) > 100:
            return _refusal(parameter, str(len(handles)), "has more than 100 items")
        return self.server.reply(handles, parameter, asked | {"id", "name", "username"})

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


def _bytes(reply: Reply) -> bytes:
    page = reply.body if isinstance(reply.body, str) else ""
    body = (page or json.dumps(reply.body)).encode()
    kind = "text/html" if page else "application/json"
    headers = {"content-type": kind, "content-length": str(len(body))}
    if reply.reset_in_s is not None:
        headers["x-rate-limit-reset"] = str(int(time.time()) + reply.reset_in_s)
    lines = [f"{name}: {it}" for name, it in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {reply.status} X", *lines, "", ""]).encode() + body


def _page(recover_after_s: float | None) -> str:
    rows = "".join(f"<tr><td>@{n}<td>{html.escape(does)}" for n, does, _ in SAMPLES)
    passes = (
        ""
        if recover_after_s is None
        else f" Trouble passes {recover_after_s:g} seconds after a handle was first asked; it is found then."
    )
    return _PAGE.read_text("utf-8").format(rows=rows, passes=passes)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for X's user look-up.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--everyone", action="store_true", help="unknown handles exist")
    parser.add_argument("--recover-after", type=float, help="seconds trouble lasts")
    asked = parser.parse_args()
    with FakeX(
        asked.port, everyone=asked.everyone, recover_after_s=asked.recover_after
    ) as x:
        print(x.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
