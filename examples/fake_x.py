"""A stand-in for X's user look-up: run the product and its tests without an account.

    python examples/fake_x.py --port 0      prints its address, serves until Ctrl-C
    with FakeX() as x:                      in a test
        x.answers["analima"] = LIMITED      keys are handles in lower case

Shapes: https://docs.x.com/x-api/users/lookup/integrate and
https://docs.x.com/x-api/fundamentals/response-codes-and-errors. A handle that means
trouble befalls its whole batch. Standard library only; it listens on 127.0.0.1 alone.
"""

import argparse
import hashlib
import html
import json
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

_PROBLEMS = "https://api.twitter.com/2/problems/"
_HANDLE = re.compile("[A-Za-z0-9_]{1,15}")
_FIELD = re.compile(  # those that the specification knew before and after 2026-08-07
    "created_at|description|entities|id|location|name|parody|profile_banner_url|"
    "profile_image_url|protected|public_metrics|url|username|verified|verified_type"
)


@dataclass(frozen=True)
class Gone:
    """No account: one entry of `errors`, with HTTP 200 unless `status` says otherwise."""

    title: str = "Not Found Error"
    detail: str = "Could not find user with username: [%s]."
    status: int = 200


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer: a text goes out as HTML, anything else as JSON.

    `reset_in_s` becomes the header x-rate-limit-reset, that many seconds from then.
    """

    status: int
    body: object
    reset_in_s: int | None = None


class Stunt(Enum):
    """An answer that is late, broken off or endless."""

    SLOW = "answers after ten seconds"
    SILENT = "never answers"
    RESET = "breaks the connection"
    DRIP = "sends one byte at a time, from the first header on"
    DRIP_BODY = "sends the headers at once, then the body one byte at a time"


def user(username: str, name: str, **more: Any) -> dict[str, Any]:
    """A found account; its id and numbers follow from its name alone."""
    number = int(hashlib.sha256(username.lower().encode()).hexdigest()[:12], 16)
    return {
        "id": str(1_000_000 + number),
        "name": name,
        "username": username,
        "created_at": f"20{10 + number % 14}-0{1 + number % 9}-17T09:30:00.000Z",
        "description": "",
        "profile_image_url": f"https://pbs.twimg.com/profile_images/{number}/a_normal.jpg",
        "protected": False,
        "public_metrics": {"followers_count": number % 5000, "post_count": 12},
        "verified_type": "none",
    } | more


def _problem(status: int, kind: str, title: str, detail: str, **more: Any) -> Reply:
    about = {"title": title, "detail": detail, "type": urljoin(_PROBLEMS, kind)}
    return Reply(status, about | more)


ANA = user(
    "AnaLima",
    "Ana Lima",
    id="2244994945",
    description="Quiet tables, strong coffee.",
    url="https://t.co/ana",
    entities={"url": {"urls": [{"expanded_url": "https://ana.example/"}]}},
    public_metrics={"followers_count": 321, "following_count": 88, "post_count": 1204},
)
NOT_FOUND = Gone()
SUSPENDED = Gone("Forbidden", "User has been suspended: [%s].")
LIMITED = Reply(429, {"title": "Too Many Requests", "status": 429}, reset_in_s=120)
NO_RESET = Reply(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]})
UNAUTHORIZED = _problem(401, "about:blank", "Unauthorized", "Unauthorized")
BROKE = _problem(402, "credits-depleted", "Payment Required", "credits depleted")
FORBIDDEN = _problem(403, "client-forbidden", "Client Forbidden", "Not enrolled.")
CAPPED = _problem(429, "usage-capped", "UsageCapExceeded", "Usage cap exceeded.")
PAGE = "<!doctype html><title>Over capacity</title><p>Please come back later."

Sent = Reply | Stunt
Answer = dict[str, Any] | Gone | Sent
# The handle as people type it, what it does, how it answers.
SAMPLES: tuple[tuple[str, str, Answer], ...] = (
    ("AnaLima", "exists, with a full profile", ANA),
    ("Bento_Diner", "exists; an underscore", user("Bento_Diner", "Bento's Diner")),
    ("Caio1970", "exists; a short profile", user("Caio1970", "Caio")),
    ("protected_pat", "is protected", user("protected_pat", "Pat", protected=True)),
    ("nosuch", "does not exist", NOT_FOUND),
    ("GhostWriter", "does not exist", NOT_FOUND),
    ("gone_gil", "does not exist, told by HTTP 404", Gone(status=404)),
    ("suspended_sam", "is suspended", SUSPENDED),
    ("slow_sue", Stunt.SLOW.value, Stunt.SLOW),
    ("silent_sid", Stunt.SILENT.value, Stunt.SILENT),
    ("drip_dora", Stunt.DRIP.value, Stunt.DRIP),
    ("reset_ray", Stunt.RESET.value, Stunt.RESET),
    ("down_dan", "503 with an HTML page", Reply(503, PAGE)),
    ("html_hal", "200 with an HTML page", Reply(200, PAGE)),
    ("limit_lou", "429 that names its reset", LIMITED),
    ("limit_luc", "429 without a reset", NO_RESET),
    ("unauth_una", "401: the token is wrong", UNAUTHORIZED),
    ("broke_bea", "402: no credit left", BROKE),
    ("forbid_fay", "403: the app is not enrolled", FORBIDDEN),
    ("capped_cy", "429: the monthly cap is reached", CAPPED),
)


class FakeX(ThreadingHTTPServer):
    """The server, up between `with` and its end.

    `url` is its address, `calls` what each well-formed call asked, `billed` the users
    returned. Handles without an entry in `answers` do not exist, unless *everyone* does.
    """

    request_queue_size = 64  # callers at once

    def __init__(self, port: int = 0, *, everyone: bool = False) -> None:
        """Bind *port* of 127.0.0.1, a free one for 0."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: dict[str, Answer] = {name.lower(): it for name, _, it in SAMPLES}
        self.calls: list[tuple[str, ...]] = []
        self.billed = 0
        self.everyone = everyone
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

    def reply(self, handles: list[str], parameter: str, only: set[str]) -> Sent:
        """The answer to one well-formed call, and its entry in the books."""
        told: dict[str, Answer] = {}
        for it in handles:
            stranger = user(it, it) if self.everyone else NOT_FOUND
            told[it] = self.answers.get(it.lower(), stranger)
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
        "type": _PROBLEMS + "resource-not-found",
    }


def _refusal(parameter: str, value: str, why: str) -> Reply:
    message = f"The `{parameter}` query parameter value [{value}] {why}"
    errors = [{"parameters": {parameter: [value]}, "message": message}]
    return _problem(400, "invalid-request", "Invalid Request", message, errors=errors)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeX

    def do_GET(self) -> None:
        """Route: the page for people, the two look-ups, 404 for the rest."""
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}  # one counts, as on X
        asked = {*filter(None, query.get("user.fields", "").split(","))}
        single = re.fullmatch("/2/users/by/username/([^/]*)", url.path)
        answer: Sent = Reply(200, _page())
        if single:
            answer = self.look_up([unquote(single[1])], "username", asked)
        elif url.path == "/2/users/by":
            listed = query.get("usernames", "").split(",")
            answer = self.look_up(listed, "usernames", asked)
        elif url.path != "/":
            answer = _problem(404, "about:blank", "Not Found", "Not Found")
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


def _page() -> str:
    rows = "".join(f"<tr><td>@{n}<td>{html.escape(does)}" for n, does, _ in SAMPLES)
    head = "<meta charset=utf-8><title>Stand-in for X</title><h1>Handles to try</h1>"
    return f"<!doctype html><html lang=en>{head}<table>{rows}<tr><td>others<td>do not exist</table>"


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for X's user look-up.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--everyone", action="store_true", help="unknown handles exist")
    asked = parser.parse_args()
    with FakeX(asked.port, everyone=asked.everyone) as x:
        print(x.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
