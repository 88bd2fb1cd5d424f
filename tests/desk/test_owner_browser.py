"""The owner's page in a real browser: on a phone and a desk, by day and by night."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.acceptance.test_browser import ARGUMENTS, CHROMIUM, DESK_WIDTH, PHONE_WIDTH
from tests.conftest import need
from tests.desk.conftest import PASSWORD, give_password, welcome_guests
from tests.fakes import Clock, FakeLookup
from tests.shops import ShopUnderTest

from regulars.check.lookup import Reason
from regulars.tell.deliveries import hold_endpoint
from regulars.tell.endpoints import EndpointState

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.sqlite_only("about what is seen"),
]


@dataclass
class Desk:
    """The page in a tab that runs no script at all, and what the browser complained of."""

    shop: ShopUnderTest
    page: Page
    url: str
    complaints: list[str]

    def open(self) -> None:
        self.page.goto(self.url)

    def sign_in(self) -> None:
        self.open()
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def is_in_order(self) -> None:
        """axe finds nothing, nothing is too wide, no press is too small; light and dark."""
        for scheme, size in (("light", PHONE_WIDTH), ("dark", PHONE_WIDTH), ("light", DESK_WIDTH), ("dark", DESK_WIDTH)):  # fmt: skip
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            results = Axe().run(self.page)
            assert results.violations_count == 0, results.generate_report()
            wide = "document.documentElement.scrollWidth - innerWidth"
            assert self.page.evaluate(wide) <= 0
        small = "[...document.querySelectorAll('button, .person, .pages a')].filter(e => e.getBoundingClientRect().height < 44).length"
        assert self.page.evaluate(small) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need(Path(CHROMIUM).exists(), "Chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        ) as launched,
    ):
        yield launched


@pytest.fixture
def desk(
    shop: ShopUnderTest, browser: Browser, serve: Callable[..., int]
) -> Iterator[Desk]:
    url = f"http://127.0.0.1:{serve(shop.shop.app)}"
    # The address of the pages' own host: over plain http Chromium takes the cookie on loopback.
    with browser.new_context(viewport=DESK_WIDTH, locale="en-US") as context:  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        page = context.new_page()
        complaints: list[str] = []
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type == "error" and "status of 4" not in message.text
                else None
            ),
        )
        yield Desk(shop, page, f"{url}/desk", complaints)
        assert complaints == []


def busy(desk: Desk, clock: Clock, lookup: FakeLookup) -> None:
    """Guests, a system that is not told, and an X whose credit is used up."""
    desk.shop.add_endpoint("https://hooks.tonys.example/in")
    welcome_guests(desk.shop, clock, lookup)
    endpoint_id, _ = desk.shop.add_endpoint("https://crm.example/in")
    with desk.shop.house.database.transaction() as connection:
        hold_endpoint(connection, endpoint_id, EndpointState.DISABLED, "It is gone.")
    lookup.unavailable("late_one", Reason.PAYMENT_REQUIRED)
    desk.shop.sign_up(x_handle="late_one", **desk.shop.consent())


def test_before_there_is_a_password(desk: Desk) -> None:
    """The page without a password is readable by everybody."""
    desk.open()
    expect(desk.page.get_by_text("regulars owner password")).to_be_visible()
    desk.is_in_order()


def test_a_wrong_password_is_said(desk: Desk, password_hash: str) -> None:
    """The mistake stands at the field, and is announced."""
    give_password(desk.shop, password_hash)
    desk.open()
    desk.page.get_by_label("Password").fill("another one")
    desk.page.keyboard.press("Enter")
    expect(desk.page.get_by_role("alert")).to_be_visible()
    assert desk.page.get_by_label("Password").get_attribute("aria-invalid") == "true"
    desk.is_in_order()


def test_a_morning(
    desk: Desk, password_hash: str, clock: Clock, lookup: FakeLookup
) -> None:
    """Sign in, see who came and what is the matter, open a card, go back, sign out."""
    busy(desk, clock, lookup)
    give_password(desk.shop, password_hash)
    desk.sign_in()
    heading = desk.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("6 people signed up today")
    expect(desk.page.get_by_text("The credit at X is used up.").first).to_be_visible()
    desk.is_in_order()
    desk.page.get_by_role("link", name="Ana Lima").click()
    expect(heading).to_have_text("Ana Lima")
    desk.is_in_order()
    desk.page.get_by_role("link", name="Everybody").click()
    expect(heading).to_have_text("6 people signed up today")
    desk.page.get_by_role("button", name="Sign out").click()
    expect(heading).to_have_text("Sign in")
    desk.page.go_back()
    expect(heading).to_have_text("Sign in")


def test_it_works_without_any_script(
    desk: Desk, browser: Browser, password_hash: str, clock: Clock, lookup: FakeLookup
) -> None:
    """A browser that runs no script at all can do everything."""
    busy(desk, clock, lookup)
    give_password(desk.shop, password_hash)
    with browser.new_context(java_script_enabled=False) as context:
        context.set_default_timeout(10_000)
        plain = Desk(desk.shop, context.new_page(), desk.url, [])
        plain.sign_in()
        plain.page.get_by_role("link", name="Ana Lima").click()
        expect(plain.page.get_by_role("heading", level=1)).to_have_text("Ana Lima")
        plain.page.get_by_role("button", name="Sign out").click()
        expect(plain.page.get_by_label("Password")).to_be_visible()
