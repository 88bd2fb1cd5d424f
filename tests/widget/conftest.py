"""What the tests of the fields on a page share: a Chromium, a shop's page, and a service beside it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.conftest import need
from tests.widget.pages import Service, ShopHost, markup, page, serving

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    "/usr/bin/chromium",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# Everything that a page may complain of, before any script of it runs.
WATCH = """
window.violations = [];
for (const type of ["securitypolicyviolation"])
  addEventListener(type, (e) => violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`), true);
new ReportingObserver((all) => all.forEach((r) => violations.push(JSON.stringify(r.toJSON?.() ?? r.type))),
  { types: ["integrity-violation", "csp-violation"], buffered: true }).observe();
window.heard = [];
for (const type of ["regulars-check", "regulars-verdict", "regulars-channel"])
  addEventListener(type, (e) => heard.push([type, e.detail]));
window.said = [];
addEventListener("DOMContentLoaded", () => new MutationObserver((all) => {
  for (const { target } of all) {
    const status = (target.closest ? target : target.parentElement)?.closest("[role=status]");
    if (status && status.textContent && said.at(-1) != status.textContent) said.push(status.textContent);
  }
}).observe(document, { subtree: true, childList: true, characterData: true }));
"""


@dataclass
class Visit:
    """A customer at the shop's page."""

    page: Page
    shop: ShopHost
    service: Service
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        return f'<script type="module" src="{self.service.url}/w/1.0.0/fields.js"></script>'

    @property
    def style(self) -> str:
        return f'<link rel="stylesheet" href="{self.service.url}/w/1.0.0/fields.css">'

    def show(self, body: str, **options: Any) -> Page:
        """Open a page that has *body* in its form, and our script."""
        options.setdefault("head", self.script)
        self.shop.page = page(body, **options)
        self.page.goto(self.shop.url)
        return self.page

    def handle(self, more: str = "", language: str = "en") -> str:
        """The canonical markup of the handle field, its element with the attributes *more*."""
        text, _ = markup(self.service.endpoint, language)
        return text.replace("<regulars-handle", f"<regulars-handle {more}", 1)

    def channels(self, more: str = "", language: str = "en") -> str:
        """The canonical markup of the channels, its element with the attributes *more*."""
        _, text = markup(self.service.endpoint, language)
        return text.replace("<regulars-channels", f"<regulars-channels {more}", 1)

    def verdict(self, wanted: str) -> None:
        """Wait until the handle's element is in the state *wanted*."""
        self.page.wait_for_selector(f'regulars-handle[verdict="{wanted}"]')

    def element(self, expression: str) -> Any:
        """A JavaScript expression over `it`, the first handle's element."""
        return self.page.evaluate(
            f"() => {{ const it = document.querySelector('regulars-handle'); return {expression} }}"
        )

    @property
    def events(self) -> list[Any]:
        return list(self.page.evaluate("heard"))

    @property
    def said(self) -> list[str]:
        """What a screen reader was given to say, in order."""
        return list(self.page.evaluate("said"))

    def fill_in(self) -> Page:
        """The usual customer: a handle, texts on the phone."""
        head = f'<script src="/jquery.js"></script>{self.script}'
        page = self.show(self.handle() + self.channels(), head=head)
        page.locator("#x_handle").fill("@AnaLima")
        page.locator("#x_handle").blur()
        self.verdict("found")
        page.get_by_label("Text message", exact=True).check()
        page.locator("#contact_phone").fill("(212) 456-7890")
        return page

    def buy(self) -> dict[str, list[str]]:
        """Press the button; the fields that the shop's server was sent."""
        self.page.get_by_role("button", name="Buy now").click()
        self.page.wait_for_url("**/order")
        return self.ordered

    @property
    def ordered(self) -> dict[str, list[str]]:
        [order] = self.shop.sent("/order")[-1:]
        found: dict[str, list[str]] = {}
        for name, value in order.fields:
            found.setdefault(name, []).append(value)
        return found


# Of one module: no other module can open a Playwright of its own while one is open.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need(Path(CHROMIUM).exists(), "Chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            # Shops' customers go back; the browser keeps the page for them.
            ignore_default_args=["--disable-back-forward-cache"],
        ) as launched,
    ):
        yield launched


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with serving(service):
        yield service
        service.go.set()


@pytest.fixture
def shop() -> Iterator[ShopHost]:
    shop = ShopHost()
    with serving(shop):
        yield shop


@pytest.fixture
def new_visit(
    browser: Browser, shop: ShopHost, service: Service
) -> Iterator[Callable[..., Visit]]:
    """Opens tabs; in none of them a script fails or a policy is broken."""
    visits: list[Visit] = []
    with ExitStack() as tabs:

        def open_one(**options: Any) -> Visit:
            context = tabs.enter_context(browser.new_context(**options))
            context.set_default_timeout(10_000)
            context.add_init_script(WATCH)
            tab = context.new_page()
            visit = Visit(tab, shop, service)
            tab.on("pageerror", lambda error: visit.complaints.append(str(error)))
            visits.append(visit)
            return visit

        yield open_one
        for visit in visits:
            assert visit.complaints == []


@pytest.fixture
def visit(new_visit: Callable[..., Visit]) -> Visit:
    return new_visit()
