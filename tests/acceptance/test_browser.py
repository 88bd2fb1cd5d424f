"""The hosted pages in a real browser: what a customer sees, presses and is spared."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from examples.fake_x import FakeX
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import LOOPBACK, Shop, eventually
from tests.conftest import need
from tests.shops import BEARER

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    "/usr/bin/chromium",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}",
]
PHONE_WIDTH = {"width": 320, "height": 640}
DESK_WIDTH = {"width": 1280, "height": 900}

# What choosing a channel shows; everything else stays hidden.
NEEDED = {
    "x": None,
    "email": "#contact_email",
    "sms": "#contact_phone",
    "phone": "#contact_phone",
    "whatsapp": "#contact_phone",
    "facebook": "#contact_facebook",
}
_numbers = count(1)
ADDRESSES = ("#contact_email", "#contact_phone", "#contact_facebook")


@dataclass
class Visit:
    """One customer's tab, and what the shop is told of it."""

    page: Page
    site: "Site"
    number: int
    complaints: list[str]
    strangers: list[str]

    @property
    def email(self) -> str:
        """An address of this visit alone: a known one would be somebody's."""
        return f"ana.lima.{self.number}@example.com"

    @property
    def phone(self) -> str:
        return f"(212) 456-{1000 + self.number}"

    def told(self, value: str, events: int = 1) -> list[Any]:
        """What the shop was told of whoever has the address *value*, once it is as many *events*."""

        def about() -> list[Any] | None:
            found = [
                customer
                for it in list(self.site.receiver.received)
                for customer in (it.event["data"]["customer"],)
                if value in [point["value"] for point in customer["contact_points"]]
            ]
            return found if len(found) >= events else None

        return sorted(eventually(about), key=lambda it: int(it["version"]))

    def open_signup(self) -> Page:
        self.page.goto(self.site.signup_url)
        return self.page

    def choose(self, channel: str) -> None:
        # A press on the label, as people do it.
        self.page.locator(f"label[for=contact_channel-{channel}]").click()

    def press_save(self) -> None:
        self.page.get_by_role("button", name="Save my choices").click()

    def sign_up_by_email(self) -> Page:
        """Fill in the whole way to the thanks."""
        self.open_signup()
        self.page.fill("#x_handle", f"@Ana_{self.number}")
        self.choose("email")
        self.page.fill("#contact_email", self.email)
        self.press_save()
        expect(self.page.get_by_role("heading", name="Thank you")).to_be_visible()
        return self.page


@dataclass
class Site:
    """The running shop, its X and its receiver."""

    shop: Shop
    x: FakeX
    receiver: Receiver

    @property
    def signup_url(self) -> str:
        key = self.shop.publishable_key
        return f"{self.shop.service.url}/signup?site={key}"

    def signups(self) -> int:
        rows = self.shop.service.rows("SELECT count(*) AS n FROM signup")
        return int(rows[0]["n"])


@pytest.fixture(scope="module")
def site(new_module_shop: MakeShop) -> Iterator[Site]:
    need(Path(CHROMIUM).exists(), "Chromium")
    with FakeX() as x, Receiver() as receiver:
        shop = new_module_shop(
            X_API_URL=x.url,
            X_BEARER_TOKEN=BEARER,
            CHANNELS=",".join(NEEDED),
        )
        shop.add_endpoint(receiver.url)
        shop.service.start()
        yield Site(shop, x, receiver)


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        ) as launched,
    ):
        yield launched


@pytest.fixture
def new_visit(site: Site, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens tabs. In none of them a script fails, the CSP is broken or a stranger is called."""
    visits: list[Visit] = []
    with ExitStack() as tabs:

        def open_one(**options: Any) -> Visit:
            options = {"viewport": DESK_WIDTH, "locale": "en-US", **options}
            context = tabs.enter_context(browser.new_context(**options))
            visit = _visit(context, site, next(_numbers))
            visits.append(visit)
            return visit

        yield open_one
        for visit in visits:
            assert visit.complaints == []
            assert visit.strangers == []


def _visit(context: BrowserContext, site: Site, number: int) -> Visit:
    context.set_default_timeout(10_000)
    page = context.new_page()
    visit = Visit(page, site, number, [], [])

    def hear(message: ConsoleMessage) -> None:
        # The browser itself remarks on every answer that is not 2xx.
        if message.type == "error" and "status of 4" not in message.text:
            visit.complaints.append(message.text)

    def fail(error: Error) -> None:
        visit.complaints.append(str(error))

    def watch(request: Request) -> None:
        if not request.url.startswith((site.shop.service.url, "data:")):
            visit.strangers.append(request.url)

    page.on("console", hear)
    page.on("pageerror", fail)
    page.on("request", watch)
    return visit


@pytest.fixture
def visit(new_visit: Callable[..., Visit]) -> Visit:
    return new_visit()


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def any_visit(request: pytest.FixtureRequest, new_visit: Callable[..., Visit]) -> Visit:
    """A visit by a browser that runs scripts, and by one that does not."""
    return new_visit(java_script_enabled=request.param)


def test_nothing_is_preselected(any_visit: Visit) -> None:
    """The empty page: no channel chosen, no box ticked, no address asked for, one way to decline."""
    page = any_visit.open_signup()
    expect(page).to_have_title("Stay in touch with Tony's")
    assert page.locator("input:checked").count() == 0
    assert page.locator("input[type=radio]").count() == len(NEEDED) + 1
    expect(page.get_by_label("Please don’t contact me")).to_be_visible()
    assert [it for it in ADDRESSES if page.locator(it).is_visible()] == []
    boxes = page.locator("input[type=checkbox]:visible")
    assert boxes.count() == 1
    for label in ("Your X handle", "First name"):
        assert page.get_by_label(label).input_value() == ""


def test_address_is_shown_under_its_choice_and_only_then(any_visit: Visit) -> None:
    """Choosing a channel shows the address that it needs, its own box, and nothing of the others."""
    page = any_visit.open_signup()
    for channel, needed in NEEDED.items():
        any_visit.choose(channel)
        shown = [it for it in ADDRESSES if page.locator(it).is_visible()]
        assert shown == [it for it in (needed,) if it]
        offers = page.locator("input[name^=consent_offers_]:visible")
        names = [offers.nth(n).get_attribute("name") for n in range(offers.count())]
        assert names == [f"consent_offers_{channel}"]
        assert not offers.first.is_checked()
    any_visit.choose("none")
    assert [it for it in ADDRESSES if page.locator(it).is_visible()] == []


def test_form_arrives_as_one_signed_event(any_visit: Visit) -> None:
    """Filled in, with and without scripts: thanks with the verdict, and the shop is told once."""
    page = any_visit.open_signup()
    page.fill("#x_handle", "@AnaLima")
    any_visit.choose("email")
    page.fill("#contact_email", any_visit.email)
    page.locator("label[for=consent_offers_email]").click()
    page.fill("#given_name", "Ana")
    any_visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.get_by_text("@AnaLima exists on X.")).to_be_visible()
    assert any_visit.email not in page.url

    [customer] = any_visit.told(any_visit.email)
    assert customer["given_name"] == "Ana"
    assert customer["preferred_channels"] == ["email"]
    assert customer["source"]["surface"] == "signup_page"
    values = {it["kind"]: it["value"] for it in customer["contact_points"]}
    assert values == {"x_account": "AnaLima", "email_address": any_visit.email}
    consents = {
        (it["purpose"], it["channel"]): (it["state"], it["rendered_by"])
        for it in customer["consents"]
    }
    assert consents == {
        ("x_link", "x"): ("granted", "regulars"),
        ("order", "email"): ("granted", "regulars"),
        ("service_news", "email"): ("granted", "regulars"),
        ("offers", "email"): ("pending", "regulars"),
    }


def test_shared_number_is_sent_for_the_channel_that_was_chosen(
    any_visit: Visit,
) -> None:
    """A number typed under another choice first: only the last choice is posted, with its number."""
    page = any_visit.open_signup()
    any_visit.choose("sms")
    page.fill("#contact_phone", any_visit.phone)
    any_visit.choose("phone")
    assert page.locator("#contact_phone").input_value() == any_visit.phone
    any_visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    [customer] = any_visit.told(any_visit.phone)
    assert customer["preferred_channels"] == ["phone"]
    [point] = customer["contact_points"]
    assert point["normalized"] == f"+1212456{1000 + any_visit.number}"


def test_half_typed_address_of_another_choice_stays_here(visit: Visit) -> None:
    """With scripts, what was typed under a choice that was given up neither hinders nor is sent."""
    page = visit.open_signup()
    visit.choose("email")
    page.fill("#contact_email", "ana.lima@")
    visit.choose("phone")
    page.fill("#contact_phone", visit.phone)
    visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    [customer] = visit.told(visit.phone)
    assert [it["kind"] for it in customer["contact_points"]] == ["phone_number"]


def test_errors_are_summed_up_and_lead_to_their_fields(any_visit: Visit) -> None:
    """What is wrong stands in a summary that has the focus; each line leads to its field."""
    page = any_visit.open_signup()
    page.fill("#x_handle", "ana lima!")
    any_visit.choose("sms")
    page.fill("#given_name", "Ana")
    any_visit.press_save()
    summary = page.locator("#problems")
    expect(summary).to_be_visible()
    expect(summary).to_be_focused()
    expect(page).to_have_title(re.compile(r"^Error: "))
    assert summary.get_by_role("link").count() == 2
    # What was said is still there.
    expect(page.locator("#contact_channel-sms")).to_be_checked()
    expect(page.locator("#given_name")).to_have_value("Ana")
    for name in ("x_handle", "contact_phone"):
        field = page.locator(f"#{name}")
        expect(field).to_have_attribute("aria-invalid", "true")
        described = field.get_attribute("aria-describedby") or ""
        assert f"{name}-error" in described.split()
        summary.locator(f'a[href="#{name}"]').click()
        expect(field).to_be_focused()
        expect(field).to_be_in_viewport()
    page.fill("#x_handle", "AnaLima")
    page.fill("#contact_phone", any_visit.phone)
    any_visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def test_empty_form_changes_nothing(any_visit: Visit) -> None:
    """Nothing filled in and saved: the same page again, no signup and no event."""
    page = any_visit.open_signup()
    before = any_visit.site.signups()
    any_visit.press_save()
    expect(page.get_by_role("heading", name="Stay in touch")).to_be_visible()
    assert any_visit.site.signups() == before


def test_double_click_is_one_signup(any_visit: Visit) -> None:
    """An impatient customer presses twice: one signup, one event, and the thanks."""
    site, page = any_visit.site, any_visit.open_signup()
    before = site.signups()
    any_visit.choose("email")
    page.fill("#contact_email", any_visit.email)
    page.get_by_role("button", name="Save my choices").dblclick()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert len(any_visit.told(any_visit.email)) == 1
    assert site.signups() == before + 1


# How the value comes into the field; a person's way goes through its focus.
AUTOFILL = "name => { document.querySelector('#x_handle').value = name }"


def test_handle_of_autofill_alone_is_not_looked_up(visit: Visit) -> None:
    """A handle that only the browser put there is sent without the consent: kept, never asked for."""
    site, page = visit.site, visit.open_signup()
    asked = len(site.x.calls)
    page.evaluate(AUTOFILL, "Caio1970")
    visit.choose("email")
    page.fill("#contact_email", visit.email)
    visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    [customer] = visit.told(visit.email)
    [point] = [it for it in customer["contact_points"] if it["kind"] == "x_account"]
    assert (point["value"], point["verdict"]) == ("Caio1970", "unchecked")
    assert "x_link" not in [it["purpose"] for it in customer["consents"]]
    assert len(site.x.calls) == asked


def test_handle_that_was_touched_is_looked_up(visit: Visit) -> None:
    """The same value, once the person has been in the field: the consent goes with it."""
    page = visit.open_signup()
    page.evaluate(AUTOFILL, "Bento_Diner")
    page.locator("#x_handle").focus()
    visit.choose("x")
    visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    [customer] = visit.told("Bento_Diner")
    assert customer["contact_points"][0]["verdict"] == "found"


def test_touch_is_remembered_over_an_error(visit: Visit) -> None:
    """A handle that was typed keeps its consent when another field has to be mended."""
    page = visit.open_signup()
    page.fill("#x_handle", "AnaLima")
    visit.choose("email")
    visit.press_save()
    expect(page.locator("#problems")).to_be_visible()
    page.fill("#contact_email", visit.email)
    visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    [customer] = visit.told(visit.email)
    verdicts = {it["kind"]: it["verdict"] for it in customer["contact_points"]}
    assert verdicts["x_account"] == "found"


def test_keyboard_alone_leads_to_the_thanks(visit: Visit) -> None:
    """Tab, arrows, Space and Enter are enough, in the order in which the page is read."""
    page = visit.open_signup()
    keyboard = page.keyboard

    def tab_to(field_id: str) -> None:
        for _ in range(3):  # a statement may hold a link
            keyboard.press("Tab")
            if page.locator(f"#{field_id}:focus-visible").count():
                return
        raise AssertionError(f"Tab does not lead to {field_id}")

    tab_to("x_handle")
    keyboard.type("@AnaLima")
    tab_to("consent_conversation_x")
    keyboard.press("Space")
    tab_to("contact_channel-x")
    keyboard.press("ArrowDown")
    expect(page.locator("#contact_channel-email")).to_be_checked()
    tab_to("contact_email")
    keyboard.type(visit.email)
    tab_to("consent_offers_email")
    tab_to("given_name")
    keyboard.type("Ana")
    keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save my choices")).to_be_focused()
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    [customer] = visit.told(visit.email)
    given = {it["purpose"] for it in customer["consents"]}
    assert given == {"x_link", "conversation", "order", "service_news"}


def test_back_and_again_is_a_signup_of_its_own(any_visit: Visit) -> None:
    """Who goes back from the thanks, changes something and saves is thanked again."""
    site, page = any_visit.site, any_visit.sign_up_by_email()
    before = site.signups()
    page.go_back()
    expect(page.get_by_role("heading", name="Stay in touch")).to_be_visible()
    any_visit.choose("email")
    page.fill("#contact_email", "ana.other@example.com")
    any_visit.press_save()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert site.signups() == before + 1


def test_reload_of_the_thanks_signs_nobody_up(any_visit: Visit) -> None:
    """The thanks are a page of their own: reloading it sends nothing again."""
    page = any_visit.sign_up_by_email()
    before = any_visit.site.signups()
    page.reload()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert any_visit.site.signups() == before


def test_stop_everything_stops_everything(any_visit: Visit) -> None:
    """From the thanks to the own page: masked, one press, the shop is told, and it stays so."""
    page = any_visit.sign_up_by_email()
    page.get_by_role("link", name="Your choices").click()
    expect(page.get_by_role("heading", name="Your choices")).to_be_visible()
    assert any_visit.email not in page.content()
    expect(page.get_by_text("E-mail address")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("heading", name="Everything is stopped")).to_be_visible()

    _, customer = any_visit.told(any_visit.email, events=2)
    email = customer["channels"]["email"]
    assert email["allowed_for"] == []
    assert {email["blocked"]["order"], email["blocked"]["service_news"]} == {
        "withdrawn"
    }
    page.reload()
    expect(page.get_by_role("heading", name="Everything is stopped")).to_be_visible()
    assert page.get_by_role("button").count() == 0


def _show_error(visit: Visit) -> None:
    visit.open_signup()
    visit.page.fill("#x_handle", "ana lima!")
    visit.choose("email")
    visit.press_save()
    expect(visit.page.locator("#problems")).to_be_visible()


def _show_channel(channel: str) -> Callable[[Visit], None]:
    def show(visit: Visit) -> None:
        visit.open_signup()
        visit.choose(channel)

    return show


def _show_preferences(visit: Visit) -> None:
    visit.sign_up_by_email()
    visit.page.get_by_role("link", name="Your choices").click()
    expect(visit.page.get_by_role("button")).to_be_visible()


def _show_stopped(visit: Visit) -> None:
    _show_preferences(visit)
    visit.page.get_by_role("button", name="Stop everything").click()
    expect(visit.page.get_by_role("status")).to_be_visible()


VIEWS: dict[str, Callable[[Visit], object]] = {
    "empty": Visit.open_signup,
    "errors": _show_error,
    **{channel: _show_channel(channel) for channel in (*NEEDED, "none")},
    "thanks": Visit.sign_up_by_email,
    "preferences": _show_preferences,
    "stopped": _show_stopped,
    "gone": lambda visit: visit.page.goto(
        f"{visit.site.shop.service.url}/p/{'x' * 22}"
    ),
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accessible_and_fits(visit: Visit, view: str) -> None:
    """axe finds nothing in light and dark, on a phone and a desk; 320 pixels need no sideways scroll."""
    page = visit.page
    VIEWS[view](visit)
    for scheme, size in (("light", PHONE_WIDTH), ("dark", DESK_WIDTH)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        wide = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(wide) <= 0


def test_policy_is_in_force_and_its_breach_would_be_seen(
    new_visit: Callable[..., Visit],
) -> None:
    """The detector works: a script that somebody smuggles into the page is refused, and reported."""
    visit = new_visit()
    page = visit.open_signup()
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.smuggled = true'}))"
    )
    assert page.evaluate("window.smuggled") is None
    eventually(lambda: page.evaluate("1") and visit.complaints)
    [complaint] = visit.complaints
    assert "Content Security Policy" in complaint
    visit.complaints.clear()
