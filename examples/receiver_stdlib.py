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
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from regulars_webhooks import Event, MemorySeenIds, Receiver, VerificationError

MAX_BODY_BYTES = 256 * 1024
NAME = re.compile(r'^( +)("(?:[^"\\]|\\.)*"):', re.MULTILINE)
SHOWN = 50

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>Events received</title><link rel="icon" href="data:,"><style>
:root {{ color-scheme: light dark; --ink: #1b2027; --soft: #5a6472; --line: #dde2e8; --page: #f4f6f8; --card: #fff;
        --good: #17724a; --good-tint: #e6f4ec; --bad: #b42318; --key: #7a3e00 }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e8ebef; --soft: #a2acb9; --line: #2f363f; --page: #111418;
        --card: #191d23; --good: #7fd3a6; --good-tint: #163325; --bad: #ff9d8f; --key: #f0b277 }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 2.5rem 1rem;
       color: var(--ink); background: var(--page); overflow-wrap: anywhere }}
h1 {{ font-size: 1.75rem; line-height: 1.2; margin: 0 }} h2 {{ font-size: 1.125rem; margin: 0; margin-right: auto }}
article {{ background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.25rem;
          margin: 1rem 0 }}
header {{ display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem }}
p {{ margin: .35rem 0 0 }} small, .intro {{ color: var(--soft) }} .intro {{ margin-bottom: 1.5rem }}
a {{ color: inherit }} b {{ color: var(--key); font-weight: 400 }}
.good {{ color: var(--good); background: var(--good-tint); border-radius: 99px; padding: .1rem .75rem;
        font-size: .875rem; font-weight: 600 }} .good::before {{ content: "\\2713\\00a0" }}
.refused {{ border-color: var(--bad) }} .refused h2 {{ color: var(--bad) }}
pre {{ margin: .9rem 0 0; padding: .9rem 1rem; max-height: 30rem; overflow: auto; font-size: .8125rem; line-height: 1.45;
      background: var(--page); border-radius: 8px; white-space: pre-wrap }}
</style></head><body>{heading}
{entries}</body></html>
"""
HEADING = """<h1>Events received</h1>
<p class="intro">What this shop\'s own system was told, newest first. The page renews itself.</p>"""
REFRESH = '<meta http-equiv="refresh" content="2">'
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
    """The page of all *entries* as HTML; all that came from outside is escaped."""
    shown = [render_entry(entry, whole=n == 0) for n, entry in enumerate(entries)]
    listed = "\n".join(shown) or "<article>Nothing yet.</article>"
    return PAGE.format(refresh=REFRESH, heading=HEADING, entries=listed)


def render_one(entry: Entry) -> str:
    """The page of one event: it stands still, for reading."""
    shown = render_entry(entry, whole=True)
    return PAGE.format(refresh="", heading='<a href="/">All events</a>', entries=shown)


def render_entry(entry: Entry, *, whole: bool) -> str:
    """One entry as HTML, with the *whole* event or the way to it."""
    at = f"<small>{entry.at:%H:%M:%S} UTC</small>"
    if entry.event is None:
        return f'<article class="refused"><header><h2>refused: {html.escape(entry.refused)}</h2>{at}</header></article>'
    event_id = html.escape(entry.event.id)
    link = (
        f'<a href="/events/{quote(entry.event.id, safe="")}">open on its own page</a>'
    )
    return (
        f'<article><header><h2>{html.escape(entry.event.type)}</h2><span class="good">signature verified</span>{at}</header>'
        f"<p>{html.escape(summary_or_blank(entry.event))}</p><p><small>{event_id}</small> <small>{link}</small></p>"
        f"{render_data(entry.event) if whole else ''}</article>"
    )


def render_data(event: Event) -> str:
    """The event's ``data``, indented, its names set apart from its values."""
    pretty = json.dumps(dict(event.data), indent=2, ensure_ascii=False)
    # Indented JSON begins each line with a name, so that no value can look like one.
    named = NAME.sub(r"\1<b>\2</b>:", html.escape(pretty, quote=False))
    return f'<pre tabindex="0">{named}</pre>'


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
        """The page of all events, or of one."""
        entries = list(self.server.entries)
        event_id = unquote(self.path.removeprefix("/events/"))
        found = [it for it in entries if it.event and it.event.id == event_id]
        if self.path == "/":
            self.answer(200, render(entries).encode("utf-8", "replace"))
        elif found:
            self.answer(200, render_one(found[0]).encode("utf-8", "replace"))
        else:
            self.answer(404)

    def answer(self, status: int, body: bytes = b"") -> None:
        """Send *status*, with *body* as the page."""
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header(
                "Content-Security-Policy",
                "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
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
