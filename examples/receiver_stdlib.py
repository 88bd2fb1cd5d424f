"""A shop's own system in one file: receives Regulars' events, verifies and shows them.

    python examples/receiver_stdlib.py --secret whsec_…

Needs the standard library and regulars_webhooks alone. POST /hook takes events; GET /
is a page that shows them. Keeps everything in memory: yours would upsert the customer
and remember the event's id in one transaction.
"""

import argparse
import html
import json
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from regulars_webhooks import Event, MemorySeenIds, Receiver, VerificationError

MAX_BODY_BYTES = 256 * 1024
SHOWN = 50

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2"><title>Events received</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2024; background: #f6f7f9 }}
article {{ background: #fff; border: 1px solid #d9dce1; border-left: 4px solid #18794e; border-radius: 6px;
          padding: .75rem 1rem; margin: 1rem 0 }}
article.refused {{ border-left-color: #b42318 }}
h2 {{ font-size: 1rem; margin: 0 }} p {{ margin: .25rem 0 }} .good {{ color: #18794e }}
.refused h2 {{ color: #b42318 }} small {{ color: #5b6470 }}
pre {{ overflow-x: auto; font-size: .8rem; background: #f6f7f9; padding: .75rem }}
</style></head><body><h1>Events received</h1>
<p><small>POST to <code>/hook</code>. Newest first; this page renews itself.</small></p>
{entries}</body></html>
"""
VERDICTS = {
    "found": "exists on X",
    "not_found": "does not exist on X",
    "suspended": "is suspended on X",
    "pending": "is not checked yet",
    "unchecked": "is not checked",
}


@dataclass(frozen=True)
class Entry:
    """One line of the page: an event, or the code of a refusal."""

    at: datetime
    event: Event | None = None
    refused: str = ""


def summary(data: Any) -> str:
    """Who it is, how they like to be reached, and what X said of the handle."""
    customer = data.get("customer")
    if not customer:
        return str(data.get("message", ""))
    if customer["status"] == "erased":
        return f"{customer['id']} was erased"
    name = (
        " ".join(filter(None, (customer["given_name"], customer["family_name"])))
        or customer["id"]
    )
    words = [name, f"prefers {customer['preferred_channel'] or 'no channel'}"]
    words += [
        f"@{point['value']} {VERDICTS.get(point['verdict'], '')}"
        for point in customer["contact_points"]
        if point["kind"] == "x_account"
    ]
    return " · ".join(words)


def render(entries: Sequence[Entry]) -> str:
    """The page as HTML; all that came from outside is escaped."""
    return PAGE.format(
        entries="\n".join(map(render_entry, entries)) or "<p>Nothing yet.</p>"
    )


def render_entry(entry: Entry) -> str:
    """One entry as HTML."""
    at = f"<small>{entry.at:%H:%M:%S} UTC</small>"
    if entry.event is None:
        return f'<article class="refused"><h2>refused: {html.escape(entry.refused)}</h2>{at}</article>'
    pretty = json.dumps(dict(entry.event.data), indent=2, ensure_ascii=False)
    return (
        f"<article><h2>{html.escape(entry.event.type)}</h2><p>{html.escape(summary_or_blank(entry.event))}</p>"
        f'<p><span class="good">signature verified</span> {at} <small>{html.escape(entry.event.id)}</small></p>'
        f"<details><summary>data</summary><pre>{html.escape(pretty)}</pre></details></article>"
    )


def summary_or_blank(event: Event) -> str:
    """The summary; nothing where ``data`` is of a form that this example does not know."""
    try:
        return summary(event.data)
    except (KeyError, TypeError, AttributeError):
        return ""


class Shop(ThreadingHTTPServer):
    """The server, what it has received, and the receiver that checks it."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], secrets: Sequence[str]) -> None:
        """Listen on *address*; port 0 is any free one."""
        super().__init__(address, Handler)
        self.receiver = Receiver(secrets, MemorySeenIds())
        self.entries: deque[Entry] = deque(maxlen=SHOWN)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Verify one request and keep what came of it; the status to answer with."""
        now = datetime.now(UTC)
        try:
            received = self.receiver.receive(headers, body, now)
        except VerificationError as error:
            self.entries.appendleft(Entry(now, refused=error.code))
            return 400
        if not received.is_repeat:
            self.entries.appendleft(Entry(now, received.event))
        return 204


class Handler(BaseHTTPRequestHandler):
    """POST /hook and GET /."""

    server: Shop
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self) -> None:
        """Take one event: 204, or 400 when it must not be believed."""
        length = self.headers.get("Content-Length", "")
        is_length = length.isascii() and length.isdigit() and len(length) < 10
        if self.path != "/hook" or not is_length or int(length) > MAX_BODY_BYTES:
            # What was not read would be taken for the next request.
            self.close_connection = True
            self.answer(404 if self.path != "/hook" else 413 if is_length else 411)
            return
        # The bytes as they came: JSON that is read and written again has another signature.
        body = self.rfile.read(int(length))
        self.answer(self.server.take(dict(self.headers.items()), body))

    def do_GET(self) -> None:
        """The page."""
        if self.path != "/":
            self.answer(404)
            return
        self.answer(200, render(list(self.server.entries)).encode("utf-8", "replace"))

    def answer(self, status: int, body: bytes = b"") -> None:
        """Send *status*, with *body* as the page."""
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header(
                "Content-Security-Policy",
                "default-src 'none'; style-src 'unsafe-inline'",
            )
            self.send_header("Cache-Control", "no-store")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page says it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        description="Receive, verify and show the events of Regulars."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8009, help="0 takes any free port")
    parser.add_argument(
        "--secret",
        action="append",
        help="whsec_…, twice during a rotation (or REGULARS_WEBHOOK_SECRET)",
    )
    options = parser.parse_args(arguments)
    secrets = options.secret or os.environ.get("REGULARS_WEBHOOK_SECRET", "").split()
    try:
        shop = Shop((options.host, options.port), secrets)
    except (VerificationError, OSError) as error:
        print(f"receiver: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        # shutdown() waits for the loop that this handler interrupts, hence the thread.
        signal.signal(number, lambda *_: threading.Thread(target=shop.shutdown).start())
    host, port = shop.server_address[:2]
    print(f"http://{host!s}:{port}/", flush=True)
    with shop:
        shop.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
