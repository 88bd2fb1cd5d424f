"""The fields for everybody: axe in every state, the keyboard alone, forced colours, small screens."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.widget.conftest import Visit

pytestmark = pytest.mark.browser

PHONE_WIDTH = {"width": 320, "height": 640}
VERDICTS = ("found", "not_found", "suspended", "pending", "unchecked")
CHANNELS = ("x", "email", "sms", "phone", "whatsapp", "facebook", "")
# The best practices too.
EVERYTHING = {"resultTypes": ["violations"]}


def type_handle(visit: Visit, text: str, state: str) -> None:
    field = visit.page.locator("#x_handle")
    field.fill(text)
    if state not in {"editing", "checking"}:
        field.blur()
    visit.verdict(state)


def enter(visit: Visit, state: str) -> None:
    """Bring the page into *state*."""
    if state in VERDICTS:
        visit.service.verdicts["analima"] = state
        type_handle(visit, "AnaLima", state)
    elif state == "malformed":
        type_handle(visit, "ana lima", state)
    elif state == "editing":
        type_handle(visit, "AnaLima", state)
    elif state == "checking":
        visit.service.waits_s = 20
        type_handle(visit, "AnaLima", state)
        expect(visit.page.locator("[role=status]")).not_to_be_empty()
    elif state.startswith("channel"):
        value = state.partition("=")[2]
        visit.page.locator(f'[name=contact_channel][value="{value}"]').check()


STATES = (
    "empty",
    "editing",
    "checking",
    "malformed",
    *VERDICTS,
    *(f"channel={it}" for it in CHANNELS),
)


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_and_it_fits(
    new_visit: Callable[..., Visit], state: str, language: str
) -> None:
    """Light and dark, left to right and right to left, at 320 pixels, styled and bare."""
    visit = new_visit(viewport=PHONE_WIDTH)
    page = visit.page
    more = 'debounce="60000"' if state == "editing" else 'debounce="1"'
    body = visit.handle(f'{more} submit="signup"', language) + visit.channels(
        language=language
    )
    visit.show(body, head=visit.script + visit.style, language=language)
    page.wait_for_selector("regulars-handle:defined")
    enter(visit, state)
    for scheme, is_styled in (("light", True), ("dark", True), ("light", False)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate(
            "(on) => { document.querySelector('link').disabled = !on }", is_styled
        )
        results = Axe().run(page, options=EVERYTHING)
        assert results.violations_count == 0, results.generate_report()
        wide = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(wide) <= 0
    labelled = "[...document.querySelectorAll('input:not([type=hidden],[name=leave_empty])')].every((it) => it.labels.length == 1)"
    assert page.evaluate(labelled)


def test_live_region_is_there_before_its_first_message(visit: Visit) -> None:
    """The status stands empty on the page from the start, is polite, and stays the same element."""
    page = visit.show(visit.handle())
    page.wait_for_selector("regulars-handle:defined")
    page.evaluate("window.region = document.querySelector('[role=status]')")
    assert page.evaluate("[region.textContent, region.getAttribute('aria-live')]") == [
        "",
        None,
    ]
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    assert page.evaluate("region == document.querySelector('[role=status]')")
    described = page.locator("#x_handle").get_attribute("aria-describedby") or ""
    assert page.evaluate("region.id") in described.split()


def test_markup_without_a_live_region_gets_one(visit: Visit) -> None:
    """A shop that left the status out has one before anything is said."""
    page = visit.show(
        '<regulars-handle><label for="h">X handle</label><input id="h" name="x_handle"></regulars-handle>'
    )
    status = page.locator("[role=status]")
    status.wait_for(state="attached")
    assert page.locator("#h").get_attribute("aria-describedby") == status.get_attribute(
        "id"
    )


def test_keyboard_alone(visit: Visit) -> None:
    """Tab, Space and the arrows reach all of it in the order of reading; focus is never moved."""
    page = visit.show(
        visit.handle('submit="signup"') + visit.channels(),
        head=visit.script + visit.style,
    )
    page.wait_for_selector("regulars-channels:defined")
    keyboard = page.keyboard
    names: list[str] = []

    def tab() -> str:
        keyboard.press("Tab")
        return str(
            page.evaluate(
                "document.activeElement.name || document.activeElement.localName"
            )
        )

    names += [tab(), tab()]
    keyboard.type("AnaLima")
    visit.verdict("found")
    names += [tab(), tab(), tab()]
    keyboard.press("ArrowDown")
    names += [tab(), tab(), tab()]
    assert names == [
        "billing_email",
        "x_handle",
        "a",
        "consent_conversation_x",
        "contact_channel",
        "contact_email",
        "consent_offers_email",
        "button",
    ]
    assert page.locator("regulars-channels").get_attribute("channel") == "email"


def test_forced_colours_keep_the_marks(visit: Visit) -> None:
    """Where the system's colours rule, words, mark and line still tell the states apart."""
    page = visit.show(visit.handle(), head=visit.script + visit.style)
    page.emulate_media(forced_colors="active")
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    status = page.locator("[data-part=status]")
    look = status.evaluate(
        "(it) => [getComputedStyle(it, '::before').content, getComputedStyle(it).borderInlineStartStyle]"
    )
    assert look == ['"✓ " / ""', "solid"]
    results = Axe().run(page, options=EVERYTHING)
    assert results.violations_count == 0, results.generate_report()


def test_shop_rules_win_over_the_sheet(visit: Visit) -> None:
    """The sheet is a layer: any rule of the shop's own is stronger, and its properties are the shop's to set."""
    page = visit.show(
        visit.handle() + visit.channels(),
        head=visit.script + visit.style,
        style="p { margin: 7px } regulars-handle { --regulars-target: 60px } label { display: flex }",
    )
    page.wait_for_selector("regulars-channels:defined")
    margin = "(it) => getComputedStyle(it).marginTop"
    assert page.locator("[data-part=statement]").first.evaluate(margin) == "7px"
    box = page.locator("#x_handle").bounding_box()
    assert box is not None
    assert box["height"] >= 60
    # A rule of display for labels does not open what is hidden.
    assert page.locator("[data-part=detail] label:visible").count() == 0


def test_targets_are_large_enough(visit: Visit) -> None:
    """Each choice and box can be pressed on its whole line, 44 pixels high."""
    page = visit.show(visit.channels(), head=visit.script + visit.style)
    page.wait_for_selector("regulars-channels:defined")
    for label in page.locator("[data-part=choice] label").all():
        box = label.bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_nothing_moves_when_the_script_arrives(visit: Visit) -> None:
    """With the sheet, the upgrade and a verdict shift nothing on the page."""
    page = visit.page
    page.add_init_script("""
      window.shifts = 0;
      new PerformanceObserver((list) => { for (const it of list.getEntries()) if (!it.hadRecentInput) shifts += it.value })
        .observe({ type: 'layout-shift', buffered: true });""")
    visit.show(visit.handle() + visit.channels(), head=visit.style)
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
    )
    page.evaluate("(url) => import(url)", f"{visit.service.url}/w/1.0.0/fields.js")
    page.wait_for_selector("regulars-channels:defined")
    page.locator("#x_handle").fill("AnaLima")
    visit.verdict("found")
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
    )
    assert page.evaluate("shifts") == 0
