"""`submit="signup"`: the element posts the signup itself, beside the form's own way."""

import pytest
from playwright.sync_api import Page
from tests.acceptance.running import eventually
from tests.widget.conftest import Visit
from tests.widget.pages import RECEIPT, SITE, Received

pytestmark = pytest.mark.browser


def signups(visit: Visit, count: int = 1) -> list[Received]:
    """The signups that the service was sent, once they are *count*."""
    sent = visit.service.sent
    eventually(lambda: len(sent("/v1/signups")) >= count, what="signups")
    return sent("/v1/signups")


def fill_in(visit: Visit) -> Page:
    page = visit.show(visit.handle('submit="signup"') + visit.channels())
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    page.locator("#billing_email").fill("card@example.com")
    return page


def stay(page: Page) -> None:
    """The host posts by a script of its own and stays on the page."""
    page.evaluate(
        "document.forms[0].addEventListener('submit', (e) => e.preventDefault())"
    )


def test_native_submit_sends_the_signup_on_its_way(visit: Visit) -> None:
    """Our fields alone, form-encoded, without a preflight or a cookie, though the page goes away."""
    fill_in(visit)
    visit.buy()
    [signup] = signups(visit)
    values = signup.values
    assert len(values.pop("idempotency_key")) >= 16
    assert values == {
        "site": SITE,
        "x_handle": "AnaLima",
        "x_handle_receipt": f"{RECEIPT}AnaLima",
        "consent_x_link": "x_link.en",
        "contact_wording": "contact_channel.en",
        "contact_channel": "email",
        "contact_email": "ana@example.com",
    }
    kind = signup.headers["content-type"]
    assert kind.startswith("application/x-www-form-urlencoded")
    assert "cookie" not in signup.headers
    assert visit.service.sent("/v1/signups", "OPTIONS") == []


def test_id_stands_in_the_form_once_known(visit: Visit) -> None:
    """A host that stays on the page finds `regulars_signup`; pressed again, the key is the same."""
    page = fill_in(visit)
    stay(page)
    button = page.get_by_role("button", name="Buy now")
    button.click()
    page.wait_for_selector("[name=regulars_signup]", state="attached")
    read = (
        "[...new FormData(document.forms[0])].filter(([n]) => n == 'regulars_signup')"
    )
    assert page.evaluate(read) == [["regulars_signup", "sgn_01TEST"]]
    button.click()
    first, second = signups(visit, 2)
    assert first.fields == second.fields
    page.locator("#contact_email").fill("other@example.com")
    button.click()
    third = signups(visit, 3)[2]
    assert third.values["idempotency_key"] != first.values["idempotency_key"]
    assert page.locator("[name=regulars_signup]").count() == 1


def test_untouched_handle_goes_without_consent(visit: Visit) -> None:
    """What only autofill put there is part of the signup, without the consent to look it up."""
    page = visit.show(visit.handle('submit="signup"'))
    page.wait_for_selector("regulars-handle:defined")
    page.evaluate("document.querySelector('#x_handle').value = 'AnaLima'")
    visit.buy()
    [signup] = signups(visit)
    assert signup.values["x_handle"] == "AnaLima"
    assert "consent_x_link" not in signup.values


def test_what_would_be_refused_does_not_cost_the_rest(visit: Visit) -> None:
    """A malformed handle, a way without its address, stay out of the signup; all else goes."""
    page = visit.show(visit.handle('submit="signup"') + visit.channels())
    page.locator("#x_handle").fill("ana lima")
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    visit.buy()
    assert "x_handle" not in signups(visit)[0].values
    assert signups(visit)[0].values["contact_email"] == "ana@example.com"
    for channel in ("sms", "x"):
        visit.service.received.clear()
        page = visit.show(visit.handle('submit="signup"') + visit.channels())
        page.locator("#x_handle").fill("AnaLima" if channel == "sms" else "ana lima")
        page.locator(f"[name=contact_channel][value={channel}]").check()
        visit.buy()
        values = signups(visit)[0].values
        assert "contact_channel" not in values
        assert values.get("x_handle") == ("AnaLima" if channel == "sms" else None)


def test_trap_that_was_filled_is_told(visit: Visit) -> None:
    """A robot that fills in everything gives itself away to the service."""
    page = visit.show(visit.handle('submit="signup"'))
    page.wait_for_selector("[name=leave_empty]", state="attached")
    page.evaluate(
        "document.querySelectorAll('input:not([type=hidden])').forEach((it) => { it.value = 'robot' })"
    )
    visit.buy()
    assert signups(visit)[0].values["leave_empty"] == "robot"


def test_both_elements_send_one(visit: Visit) -> None:
    """With the attribute on both, one signup; without it, none."""
    page = visit.show(
        visit.handle('submit="signup"')
        + visit.channels(f'submit="signup" site="{SITE}"')
    )
    page.locator("#x_handle").fill("AnaLima")
    visit.buy()
    assert len(signups(visit)) == 1
    visit.show(visit.handle() + visit.channels())
    visit.buy()
    assert len(signups(visit)) == 1


def test_trap_is_for_robots_alone(visit: Visit) -> None:
    """A text field, no hidden one, that nobody sees, hears or tabs into; one, also after a swap of fragments."""
    page = visit.show(visit.handle('submit="signup"'))
    trap = page.locator("[name=leave_empty]")
    trap.wait_for(state="attached")
    page.evaluate("document.forms[0].innerHTML = document.forms[0].innerHTML")
    assert trap.count() == 1
    assert trap.get_attribute("type") in {None, "text"}
    assert trap.evaluate("(it) => [it.tabIndex, it.ariaHidden, it.autocomplete]") == [
        -1,
        "true",
        "off",
    ]
    assert trap.evaluate("(it) => getComputedStyle(it).clipPath") == "inset(50%)"
    assert "leave_empty" not in page.locator("main").aria_snapshot()
