"""A running shop, a browser, and pages of other origins with the fields on them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from examples.fake_x import FakeX
from flask import Flask
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
)
from tests.acceptance.conftest import MakeShop
from tests.acceptance.conftest import new_module_shop as new_module_shop
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import LOOPBACK, Shop, eventually
from tests.conftest import need
from tests.readme.running import served
from tests.shops import BEARER

from regulars.ask.widget.files import SCRIPT, STYLE, newest_version, widget_file
from regulars.keep.sites import allow_origins

PUBLIC = "https://connect.tonys.example"
CHANNELS = "x,email,sms,phone,whatsapp,facebook"
JQUERY = (
    Path(__file__).parent / "node_modules/jquery/dist/jquery.min.js",
    Path("/usr/share/javascript/jquery/jquery.min.js"),
)


@dataclass
class Site:
    """The running shop, its X and its receiver."""

    shop: Shop
    x: FakeX
    receiver: Receiver

    @property
    def url(self) -> str:
        return self.shop.service.url

    def allow(self, origin: str) -> None:
        """Let pages of *origin* post to the site."""
        with self.shop.house.database.transaction() as connection:
            allow_origins(connection, "Shop", [origin])

    def told(self, value: str) -> Any:
        """The customer whom the receiver was told of under the address *value*."""

        def about() -> Any:
            for it in list(self.receiver.received):
                customer = it.event["data"]["customer"]
                if value in [point["value"] for point in customer["contact_points"]]:
                    return customer
            return None

        return eventually(about, what=f"the event of {value}")

    def own(self, text: str) -> str:
        """*text* with the address, key and hashes of this shop in place of the examples'."""
        version = newest_version()
        for name in (STYLE, SCRIPT):
            head, mark, tail = text.partition(f"/{version}/{name}")
            told = widget_file(version, name).integrity if mark else ""
            text = head + mark + tail.replace("sha384-…", told, 1)
        text = text.replace("pk_…", self.shop.publishable_key)
        return text.replace(PUBLIC, self.url)


@pytest.fixture(scope="module")
def site(new_module_shop: MakeShop) -> Iterator[Site]:
    with FakeX() as x, Receiver() as receiver:
        shop = new_module_shop(
            X_API_URL=x.url, X_BEARER_TOKEN=BEARER, CHANNELS=CHANNELS
        )
        shop.add_endpoint(receiver.url)
        shop.service.start()
        yield Site(shop, x, receiver)


@dataclass
class Tab:
    """A customer's tab, with what went wrong in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)


NewTab = Callable[..., Page]


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[NewTab]:
    """Opens tabs. In none of them a script fails or a policy is broken."""
    tabs: list[Tab] = []
    with ExitStack() as contexts:

        def open_one(**options: Any) -> Page:
            context = contexts.enter_context(browser.new_context(**options))
            context.set_default_timeout(10_000)
            tab = Tab(context.new_page())

            def hear(message: ConsoleMessage) -> None:
                if message.type == "error":
                    tab.complaints.append(message.text)

            tab.page.on("console", hear)
            tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
            tabs.append(tab)
            return tab.page

        yield open_one
        for tab in tabs:
            assert tab.complaints == [], tab.complaints


@dataclass
class Pages:
    """A server of pages that are not ours; *posted* is what their forms sent."""

    url: str
    posted: list[str]


@contextmanager
def pages(files: Mapping[str, tuple[str, str]], **headers: str) -> Iterator[Pages]:
    """Serves *files* (path to type and text) with *headers*; a POST is answered with thanks."""
    posted: list[str] = []
    sent = {name.replace("_", "-"): value for name, value in headers.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Browsers ask for a picture of the site that nobody named.
            kind, text = files.get(self.path, ("text/plain", ""))
            self._answer(200, kind, text)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            posted.append(self.rfile.read(length).decode())
            thanks = '<!doctype html><link rel="icon" href="data:,"><h1>Thanks</h1>'
            self._answer(200, "text/html", thanks)

        def _answer(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Pages(f"http://{LOOPBACK}:{server.server_port}", posted)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running_app(site: Site, app: Flask) -> Iterator[str]:
    """The address at which *app* is served, from which the fields may post."""
    with served(app) as url:
        site.allow(url)
        yield url


def jquery() -> str:
    """The library's text."""
    found = next((file for file in JQUERY if file.exists()), None)
    need(found is not None, "jQuery (npm ci in tests/widget, or Debian: libjs-jquery)")
    assert found is not None
    return found.read_text("utf-8")
