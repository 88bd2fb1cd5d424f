"""A shop's page and the service beside it, on real sockets and two origins, for the tests of the fields.

The service answers as slowly, as wrongly or as little as a test wants; what each was sent is kept.
"""

import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

from regulars.ask.asking import ask
from regulars.ask.markup import channels_markup, handle_markup
from regulars.ask.questions import Questions, Sentence
from regulars.values.contact import Channel
from regulars.values.languages import direction
from regulars.values.wording import render_wording

WIDGET = Path(__file__).parents[2] / "plugin/regulars/ask/widget/1.0.0"
SCRIPT, STYLE = WIDGET / "fields.js", WIDGET / "fields.css"
JQUERY = Path(__file__).parent / "node_modules/jquery/dist/jquery.min.js"
SITE = "pk_test"
RECEIPT = "receipt-of-"
CHANNELS = (
    Channel.X,
    Channel.EMAIL,
    Channel.SMS,
    Channel.PHONE,
    Channel.WHATSAPP,
    Channel.FACEBOOK,
)


# What the shop is sent for the customer of `Visit.fill_in`.
GIVEN = {
    "x_handle": ["AnaLima"],
    "consent_x_link": ["x_link.en"],
    "x_handle_receipt": [f"{RECEIPT}AnaLima"],
    "contact_wording": ["contact_channel.en"],
    "contact_channel": ["sms"],
    "contact_phone": ["(212) 456-7890"],
    "billing_email": [""],
}


@dataclass
class Received:
    """One request: its path, its form fields in order, its headers."""

    method: str
    path: str
    fields: list[tuple[str, str]]
    headers: dict[str, str]

    @property
    def values(self) -> dict[str, str]:
        return dict(self.fields)


@dataclass
class Host:
    """What a server shows and what it was sent; changed by the test while it runs."""

    received: list[Received] = field(default_factory=list)
    url: str = ""

    def sent(self, path: str, method: str = "POST") -> list[Received]:
        """The requests to *path*, the oldest first."""
        found = list(self.received)
        return [it for it in found if (it.method, it.path) == (method, path)]

    def answer(self, request: Received) -> tuple[int, dict[str, str], bytes]:
        raise NotImplementedError


@dataclass
class Service(Host):
    """Our service: the widget's files, the check, the signup, the snippet."""

    verdicts: dict[str, str] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    language: str = "en"
    integrity: bool = False
    # Answers to checks and signups wait until it is set, at most so long.
    go: threading.Event = field(default_factory=threading.Event)
    waits_s: float = 0.0
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def checks(self) -> list[str]:
        """The handles that were asked for."""
        return [it.values["handle"] for it in self.sent("/v1/check")]

    @property
    def endpoint(self) -> str:
        return f"{self.url}/v1/check"

    def answer(self, request: Received) -> tuple[int, dict[str, str], bytes]:
        path = request.path
        open_to_all = {"Access-Control-Allow-Origin": "*"}
        if path.startswith("/w/1.0.0/"):
            file = WIDGET / path.rpartition("/")[2]
            kind = mimetypes.guess_type(file.name)[0] or "text/plain"
            return 200, {**open_to_all, "Content-Type": kind}, file.read_bytes()
        if path.startswith("/v1/") and self.waits_s:
            self.waiting.release()
            self.go.wait(self.waits_s)
        if path == "/v1/snippet":
            html = "\n".join(markup(self.endpoint, self.language))
            kind = "text/html; charset=utf-8"
            return self.status, {**open_to_all, "Content-Type": kind}, html.encode()
        told = self._told(request)
        kind = "application/json"
        body = json.dumps(told).encode() if self.body is None else self.body
        return self.status, {**open_to_all, "Content-Type": kind}, body

    def _told(self, request: Received) -> object:
        if request.path == "/v1/signups":
            return {"id": "sgn_01TEST", "handle": None, "preferences_url": "/p/x"}
        handle = request.values.get("handle", "")
        name = handle.rpartition("/")[2]
        verdict = self.verdicts.get(name.lower(), "found")
        has_receipt = verdict in {"found", "not_found", "suspended"}
        receipt = RECEIPT + name if has_receipt else None
        return {"verdict": verdict, "handle": name, "receipt": receipt}


@dataclass
class ShopHost(Host):
    """The shop: its page, under the policy that the test gives, and its order form's target."""

    page: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self, request: Received) -> tuple[int, dict[str, str], bytes]:
        if request.path == "/jquery.js" and JQUERY.exists():
            return 200, {"Content-Type": "text/javascript"}, JQUERY.read_bytes()
        if request.path == "/favicon.ico":
            return 204, {}, b""
        if request.path == "/order":
            page = "<!doctype html><title>Thanks</title><h1>Thank you</h1>"
            return 200, {"Content-Type": "text/html"}, page.encode()
        page = self.pages.get(request.path, self.page)
        kind = {"Content-Type": "text/html; charset=utf-8"}
        return 200, {**kind, **self.headers}, page.encode()


@contextmanager
def serving(host: Host) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode()
            parts = urlsplit(self.path)
            fields = parse_qsl(text or parts.query, keep_blank_values=True)
            told = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, parts.path, fields, told)
            host.received.append(request)
            status, headers, body = host.answer(request)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the page went on without us

        do_GET = do_POST = do_OPTIONS = _take

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            pass  # a browser that leaves is no error

    server = Server(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def questions(endpoint: str, language: str = "en") -> Questions:
    """What the fields ask at the shop of the tests."""

    def sentence(wording_id: str) -> Sentence:
        text = render_wording(
            wording_id,
            language,
            shop_name="Tony's",
            privacy_url="https://tonys.example/privacy",
        )
        return Sentence(f"{wording_id}.{language}", text)

    return ask(
        SITE,
        language,
        endpoint=endpoint,
        invite="",
        channels=CHANNELS,
        sentences=sentence,
    )


def markup(endpoint: str, language: str = "en") -> tuple[str, str]:
    """The canonical markup of both elements."""
    asked = questions(endpoint, language)
    return str(handle_markup(asked)), str(channels_markup(asked))


def page(
    body: str,
    *,
    head: str = "",
    language: str = "en",
    style: str = "",
    title: str = "Checkout",
) -> str:
    """A shop's page with *body* inside its order form."""
    return f"""<!doctype html>
<html lang="{language}" dir="{direction(language)}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>:root {{ color-scheme: light dark; background: Canvas; color: CanvasText }} body {{ font: 1rem/1.5 Georgia, serif }} {style}</style>
{head}</head>
<body><main><h1>{title}</h1>
<form action="/order" method="post">
<p><label for="billing_email">Your e-mail</label> <input id="billing_email" name="billing_email"></p>
{body}
<p><button>Buy now</button> <button type="reset">Start again</button></p>
</form></main></body></html>"""


def query_of(url: str) -> dict[str, list[str]]:
    """The parameters of an address."""
    return parse_qs(urlsplit(url).query)
