"""The sale never waits for the fields: whatever is down, slow, blocked or wrong, the form goes."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect
from tests.widget.conftest import Visit

pytestmark = pytest.mark.browser

SRI = re.compile(r"crossorigin")


def down(visit: Visit) -> None:
    visit.page.route("**/v1/**", lambda route: route.abort("connectionrefused"))


def slow(visit: Visit) -> None:
    visit.service.waits_s = 25


def broken(visit: Visit) -> None:
    visit.service.status, visit.service.body = 500, b"<h1>Sorry</h1>"


def limited(visit: Visit) -> None:
    visit.service.status, visit.service.body = 429, b'{"status":429}'


def blocked(visit: Visit) -> None:
    def refuse(route: Route) -> None:
        route.abort("blockedbyclient")

    visit.page.route(f"{visit.service.url}/**", refuse)


TROUBLES = {it.__name__: it for it in (down, slow, broken, limited, blocked)}


@pytest.mark.parametrize("mode", ["", 'submit="signup"'], ids=["forwarded", "direct"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_form_goes_at_once(visit: Visit, trouble: str, mode: str) -> None:
    """Enter in the field, with whatever trouble: the form's request starts in the same task."""
    TROUBLES[trouble](visit)
    page = visit.show(visit.handle(f"required {mode}") + visit.channels())
    page.evaluate("""() => {
      window.steps = [];
      document.forms[0].addEventListener('submit', (e) => steps.push(e.defaultPrevented));
      addEventListener('keydown', (e) => { if (e.key == 'Enter') window.pressed = performance.now() }, true);
      addEventListener('submit', () => sessionStorage.setItem('took', performance.now() - window.pressed));
    }""")
    page.locator("#x_handle").fill("AnaLima")
    assert page.evaluate("document.forms[0].checkValidity()")
    page.locator("#x_handle").press("Enter")
    page.wait_for_url("**/order")
    assert visit.ordered["x_handle"] == ["AnaLima"]
    # What the fields do on the way is no wait: some milliseconds even on a busy machine.
    assert float(page.evaluate("sessionStorage.getItem('took')")) < 100


def test_slow_check_ends_by_itself(visit: Visit) -> None:
    """After four seconds the page says that the handle is checked later."""
    visit.service.waits_s = 25
    page = visit.show(visit.handle("debounce=1"))
    page.locator("#x_handle").fill("AnaLima")
    visit.verdict("checking")
    started = time.monotonic()
    visit.verdict("pending")
    assert 2 < time.monotonic() - started < 8
    expect(page.locator("[role=status]")).to_contain_text("a little later")


@pytest.mark.parametrize("trouble", ["down", "broken", "limited"])
def test_trouble_is_pending_and_tried_again_when_asked(
    visit: Visit, trouble: str
) -> None:
    """What could not be asked is `pending`, and is not remembered as an answer."""
    TROUBLES[trouble](visit)
    page = visit.show(visit.handle("debounce=1"))
    page.locator("#x_handle").fill("AnaLima")
    visit.verdict("pending")
    page.unroute_all()
    visit.service.status, visit.service.body = 200, None
    assert visit.element("it.check()") == "found"


@pytest.mark.parametrize("verdict", ["not_found", "suspended", "pending", "unchecked"])
def test_no_verdict_sets_validity(visit: Visit, verdict: str) -> None:
    """Even with strict and required only a malformed handle may hold the form."""
    visit.service.verdicts["analima"] = verdict
    page = visit.show(visit.handle("strict required"))
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict(verdict)
    assert page.evaluate("document.forms[0].checkValidity()")
    assert page.locator("#x_handle").get_attribute("aria-invalid") is None


def test_malformed_holds_the_form_only_with_strict(visit: Visit) -> None:
    """Strict: refused with our words until it is mended. Otherwise: it goes."""
    page = visit.show(visit.handle("strict"))
    field = page.locator("#x_handle")
    field.fill("ana lima")
    page.get_by_role("button", name="Buy now").click()
    assert visit.shop.sent("/order") == []
    assert "@name" in field.evaluate("(it) => it.validationMessage")
    field.fill("AnaLima")
    assert visit.buy()["x_handle"] == ["AnaLima"]
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("ana lima")
    assert visit.buy()["x_handle"] == ["ana lima"]


@pytest.mark.parametrize("moment", ["leaving", "answer"])
def test_message_never_takes_the_button_from_under_a_press(
    visit: Visit, moment: str
) -> None:
    """Words that come while the button is pressed wait until it is let go: the click counts."""
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("ana lima" if moment == "leaving" else "AnaLima")
    if moment == "answer":
        visit.service.waits_s = 20
        page.locator("#x_handle").blur()
        expect(page.locator("[role=status]")).to_have_text("Checking…")
    box = page.get_by_role("button", name="Buy now").bounding_box()
    assert box is not None
    page.evaluate(
        "document.forms[0].addEventListener('submit', (e) => { e.preventDefault(); window.sold = true })"
    )
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] - 3)
    page.mouse.down()
    visit.service.go.set()
    visit.verdict("malformed" if moment == "leaving" else "found")
    wanted = "@name" if moment == "leaving" else "exists"
    expect(page.locator("[role=status]")).not_to_contain_text(wanted)
    page.mouse.up()
    expect(page.locator("[role=status]")).to_contain_text(wanted)
    assert page.evaluate("window.sold")


def test_strict_knows_a_link_cannot_be_judged_here(visit: Visit) -> None:
    """A link that the server may read is never held."""
    page = visit.show(visit.handle("strict"))
    page.locator("#x_handle").fill("https://x.com/intent/user?screen_name=AnaLima")
    assert "screen_name=AnaLima" in visit.buy()["x_handle"][0]


@pytest.mark.parametrize("script", ["wrong hash", "missing", "not a script"])
def test_page_without_our_script_sells(
    new_visit: Callable[..., Visit], script: str
) -> None:
    """A wrong hash, a 404 or nonsense: the markup is still a form and posts."""
    visit = new_visit()
    url = f"{visit.service.url}/w/1.0.0/fields.js"
    head = {
        "wrong hash": f'<script type="module" src="{url}" integrity="sha384-{"A" * 64}" crossorigin></script>',
        "missing": f'<script type="module" src="{visit.service.url}/gone.js"></script>',
        "not a script": f'<script type="module" src="{visit.service.endpoint}"></script>',
    }[script]
    page = visit.show(visit.handle() + visit.channels(), head=head)
    page.locator("#x_handle").fill("AnaLima")
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    assert page.locator("regulars-handle:defined").count() == 0
    sent = visit.buy()
    assert (sent["x_handle"], sent["contact_email"]) == (
        ["AnaLima"],
        ["ana@example.com"],
    )
