"""The hosted pages in a real browser in both directions of writing, with a shop's own colour and logo."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.acceptance.conftest import MakeShop
from tests.acceptance.test_browser import ARGUMENTS, CHROMIUM, DESK_WIDTH, PHONE_WIDTH
from tests.conftest import need
from tests.values.test_look import png

from regulars.values.languages import LANGUAGES, direction

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CHANNELS = ("x", "email", "sms", "phone", "whatsapp", "facebook")
_numbers = count(1)
# A yellow that nobody could read on white: all that axe says of contrast is of this.
COLOUR = "#ffd400"


@dataclass
class Visit:
    """A tab on the hosted page in one language, and what the browser complained of."""

    page: Page
    url: str
    site: str
    language: str
    complaints: list[str]

    def open(self, path: str = "") -> Page:
        self.page.goto(
            f"{self.url}{path or '/signup?site=' + self.site}"
            f"{'&' if not path else '?'}lang={self.language}"
        )
        return self.page

    def choose(self, channel: str) -> None:
        self.page.locator(f"label[for=contact_channel-{channel}]").click()

    def save(self) -> None:
        self.page.locator("form button").click()

    def sign_up(self, channel: str = "email") -> Page:
        page = self.open()
        page.fill("#x_handle", f"Ana_{next(_numbers)}")
        self.choose(channel)
        if channel == "email":
            page.fill("#contact_email", f"ana.{next(_numbers)}@example.com")
            page.locator("label[for=consent_offers_email]").click()
        self.save()
        expect(page.locator(".seal")).to_be_visible()
        return page

    def own_page(self) -> Page:
        page = self.sign_up()
        page.locator("a.quiet").click()
        expect(page.locator("form button")).to_be_visible()
        return page

    def stop(self) -> Page:
        page = self.own_page()
        self.save()
        expect(page.get_by_role("status")).to_be_visible()
        return page

    def err(self) -> Page:
        page = self.open()
        page.fill("#x_handle", "ana lima!")
        self.choose("sms")
        self.save()
        expect(page.locator("#problems")).to_be_focused()
        return page

    def chosen(self, channel: str) -> Page:
        page = self.open()
        self.choose(channel)
        return page

    def rectangle(self, text: str, character: str) -> float:
        """The left edge of *character* where *text* stands on the page."""
        script = """([text, character]) => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let node; (node = walker.nextNode());) {
            const at = node.data.indexOf(text);
            if (at < 0) continue;
            const range = document.createRange();
            const start = at + text.indexOf(character);
            range.setStart(node, start);
            range.setEnd(node, start + 1);
            return range.getBoundingClientRect().left;
          }
        }"""
        found = self.page.evaluate(script, [text, character])
        assert found is not None, f"{text} is not on the page"
        return float(found)


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


@pytest.fixture(scope="module")
def service(
    new_module_shop: MakeShop, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    """The address of a running shop with a colour and a logo, and its site's key."""
    logo = tmp_path_factory.mktemp("logo") / "logo.png"
    logo.write_bytes(png(120, 40))
    shop = new_module_shop(
        CHANNELS=",".join(CHANNELS),
        SHOP_NAME="Tony's Trattoria",
        SHOP_X_USERNAME="tonys",
        SHOP_COLOR=COLOUR,
        SHOP_LOGO=str(logo),
    )
    shop.service.start()
    return shop.service.url, shop.publishable_key


@pytest.fixture
def visit(browser: Browser, service: tuple[str, str]) -> Iterator[Callable[..., Visit]]:
    """Opens tabs in which nothing may break the policy of the page."""
    visits: list[Visit] = []
    with ExitStack() as tabs:

        def open_one(language: str, **options: Any) -> Visit:
            options = {"viewport": PHONE_WIDTH, **options}
            context = tabs.enter_context(browser.new_context(**options))
            context.set_default_timeout(10_000)
            page = context.new_page()
            made = Visit(page, *service, language, [])
            page.on(
                "console",
                lambda message: (
                    made.complaints.append(message.text)
                    if message.type == "error" and "status of 4" not in message.text
                    else None
                ),
            )
            visits.append(made)
            return made

        yield open_one
        for made in visits:
            assert made.complaints == []


VIEWS: dict[str, Callable[[Visit], Page]] = {
    "empty": Visit.open,
    "errors": Visit.err,
    "thanks": Visit.sign_up,
    "thanks for X": lambda visit: visit.sign_up("x"),
    "preferences": Visit.own_page,
    "stopped": Visit.stop,
    "gone": lambda visit: visit.open("/p/" + "x" * 22),
    "no such page": lambda visit: visit.open("/signup/nowhere"),
    **{
        channel: (lambda visit, channel=channel: visit.chosen(channel))
        for channel in (*CHANNELS, "none")
    },
}


def assert_accessible(page: Page) -> None:
    """axe finds nothing, and nothing has to be scrolled sideways."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_view_is_accessible_in_both_directions(
    visit: Callable[..., Visit], language: str, view: str
) -> None:
    """On the narrowest phone, light and dark, left to right and right to left, in the shop's colour."""
    made = visit(language)
    page = VIEWS[view](made)
    expect(page.locator("html")).to_have_attribute("dir", direction(language))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert_accessible(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fits(visit: Callable[..., Visit], language: str) -> None:
    """The longest words of each language stay on a narrow phone, and on a wide screen."""
    made = visit(language)
    for page in (made.chosen("sms"), made.own_page()):
        assert_accessible(page)
        page.set_viewport_size(DESK_WIDTH)  # type: ignore[arg-type]
        assert_accessible(page)
        page.set_viewport_size(PHONE_WIDTH)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_can_be_spaced_out(visit: Callable[..., Visit], language: str) -> None:
    """With the spacing of WCAG 1.4.12 nothing is cut off and nothing runs out of the page."""
    made = visit(language, bypass_csp=True)
    for page in (made.chosen("email"), made.own_page()):
        page.add_style_tag(
            content="* { line-height: 1.5 !important; letter-spacing: 0.12em !important;"
            " word-spacing: 0.16em !important } p { margin-bottom: 2em !important }"
        )
        cut = page.evaluate(
            """() => [...document.querySelectorAll("main *")].filter((one) =>
              one.checkVisibility() && !one.closest(".nobody, svg, input")
              && one.scrollWidth > one.clientWidth + 1 && one.clientWidth).length"""
        )
        assert cut == 0
        wide = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(wide) <= 0


def test_a_handle_keeps_its_sign_in_front_in_arabic(
    visit: Callable[..., Visit],
) -> None:
    """Between Arabic words `@tonys` reads as it does alone, and so do an example and a masked address."""
    made = visit("ar")
    made.chosen("x")
    assert made.rectangle("@tonys", "@") < made.rectangle("@tonys", "t")
    made.err()
    made.page.fill("#x_handle", "ana@example.com")
    made.save()
    assert made.rectangle("@name", "@") < made.rectangle("@name", "n")
    made.sign_up("x")
    assert made.rectangle("@tonys", "@") < made.rectangle("@tonys", "t")
    page = made.own_page()
    masked = page.locator("dd bdi").last.inner_text()
    assert made.rectangle(masked, "@") < made.rectangle(masked, ".")


def test_the_keyboard_alone_is_enough_in_arabic(visit: Callable[..., Visit]) -> None:
    """Tab and the arrows walk the page in the order in which it is read, and the trap is not on the way."""
    made = visit("ar")
    page = made.open()
    keyboard = page.keyboard
    order = []
    for _ in range(12):
        keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.id")
        if focused == "contact_channel-x":
            keyboard.press("Space")
            keyboard.press("ArrowDown")
            focused = page.evaluate("document.activeElement.id")
        order += [focused] if focused else []
        if page.locator("form button:focus-visible").count():
            break
        if focused == "contact_email":
            keyboard.type(f"ana.{next(_numbers)}@example.com")
    assert order == [
        "x_handle",
        "consent_conversation_x",
        "contact_channel-email",
        "contact_email",
        "consent_offers_email",
        "given_name",
    ]
    keyboard.press("Enter")
    expect(page.locator(".seal")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_forced_colours_keep_what_is_chosen_and_focused(
    visit: Callable[..., Visit], language: str
) -> None:
    """With the system's colours the choice, the focus and the code can still be seen."""
    made = visit(language, forced_colors="active")
    page = made.chosen("email")
    widths = [
        page.locator(f".choice-{name}").evaluate(
            "it => getComputedStyle(it).borderTopWidth"
        )
        for name in ("email", "x")
    ]
    assert widths == ["3px", "1px"]
    page.keyboard.press("Tab")
    focus = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert focus != "none"
    assert_accessible(page)
    made.sign_up()
    plate = page.locator(".code-plate").evaluate(
        "it => getComputedStyle(it).backgroundColor"
    )
    assert plate == "rgb(255, 255, 255)"
    assert_accessible(page)


def test_a_language_is_a_press_away(visit: Callable[..., Visit]) -> None:
    """The links change the language of the page and keep its place."""
    made = visit("en")
    page = made.open()
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("a[aria-current]")).to_have_text("Deutsch")
    page.get_by_role("link", name="العربية").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    targets = page.locator(".languages a").evaluate_all(
        "all => all.map(it => it.getBoundingClientRect().height)"
    )
    assert min(targets) >= 24


def test_the_whole_tile_is_the_target(visit: Callable[..., Visit]) -> None:
    """A thumb anywhere on a tile chooses it; its size is that of a thumb."""
    made = visit("en")
    page = made.open()
    for channel in CHANNELS:
        tile = page.locator(f".choice-{channel} > .pick")
        box = tile.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        # On the words of the meaning, and on the drawing at the end.
        tile.click(position={"x": box["width"] - 8, "y": box["height"] - 8})
        expect(page.locator(f"#contact_channel-{channel}")).to_be_checked()


def test_the_logo_moves_nothing(visit: Callable[..., Visit]) -> None:
    """Its room is there before it is: the page with the logo stands as it does without."""
    made = visit("en", viewport=DESK_WIDTH)
    page = made.page
    places = """() => [...document.querySelectorAll(".shop-name, h1, .card")]
      .map((one) => one.getBoundingClientRect()).map(({x, y}) => [x, y])"""
    page.route("**/look/logo*", lambda route: route.abort())
    made.open()
    before = page.evaluate(places)
    page.unroute("**/look/logo*")
    made.open()
    assert page.locator("img.logo").evaluate("it => it.naturalWidth") == 120
    assert page.evaluate(places) == before
    made.complaints.clear()  # the logo that we kept away
