"""The fields in a shop's own form: what is posted, and what comes back."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.conftest import need
from tests.widget.conftest import Visit
from tests.widget.pages import GIVEN, JQUERY

pytestmark = pytest.mark.browser

# How the host reads its form: each gives the pairs of names and values.
READERS = {
    "FormData": "[...new FormData(document.forms[0])]",
    "jQuery": "[...new URLSearchParams(jQuery('form').serialize())]",
}
AUTOFILL = """(value) => {
  const field = document.querySelector('[name=x_handle]');
  field.dispatchEvent(new FocusEvent('focus'));
  field.dispatchEvent(new FocusEvent('focusin', { bubbles: true }));
  field.value = value;
  for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }));
  field.dispatchEvent(new FocusEvent('focusout', { bubbles: true }));
}"""


def test_native_post_has_every_value(visit: Visit) -> None:
    """The shop's server gets the fields of the contract and nothing of the other channels."""
    visit.fill_in()
    assert visit.buy() == GIVEN


@pytest.mark.parametrize("reader", READERS)
def test_scripts_of_the_host_read_the_same(visit: Visit, reader: str) -> None:
    """FormData and jQuery's serialize() find what a native POST would send."""
    need(JQUERY.exists(), "the packages of tests/widget (npm ci --prefix tests/widget)")
    pairs = visit.fill_in().evaluate(READERS[reader])
    assert {name: [value] for name, value in pairs} == GIVEN


def test_markup_alone_posts(new_visit: Callable[..., Visit]) -> None:
    """Without any script the fields are shown, all of them, and posted."""
    visit = new_visit(java_script_enabled=False)
    page = visit.show(visit.handle() + visit.channels())
    page.locator("#x_handle").fill("@AnaLima")
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    sent = visit.buy()
    assert sent["x_handle"] == ["@AnaLima"]
    assert sent["consent_x_link"] == ["x_link.en"]
    assert sent["contact_channel"] == ["email"]
    assert sent["contact_email"] == ["ana@example.com"]


def test_editing_takes_the_receipt_back(visit: Visit) -> None:
    """A receipt belongs to the very handle in the field; another text is posted without."""
    page = visit.fill_in()
    visit.service.verdicts["bob"] = "pending"
    page.locator("#x_handle").fill("bob")
    page.locator("#x_handle").blur()
    visit.verdict("pending")
    assert "x_handle_receipt" not in visit.buy()


def test_reset_of_the_form_is_a_new_beginning(visit: Visit) -> None:
    """No verdict, message, receipt, consent or open detail is left, and the next customer is asked anew."""
    page = visit.fill_in()
    page.get_by_role("button", name="Start again").click()
    expect(page.locator("[role=status]")).to_be_empty()
    expect(page.locator("#contact_phone")).to_be_hidden()
    assert visit.element("[it.verdict, it.receipt, it.getAttribute('verdict')]") == [
        "",
        None,
        None,
    ]
    assert page.locator("regulars-channels").get_attribute("channel") is None
    assert page.locator("[name=x_handle_receipt]").count() == 0
    sent = visit.buy()
    assert sent == {
        "billing_email": [""],
        "x_handle": [""],
        "contact_wording": ["contact_channel.en"],
    }


def test_disabled_fieldset_posts_and_asks_nothing(visit: Visit) -> None:
    """In a disabled fieldset nothing is sent anywhere; enabled again all is as before."""
    page = visit.show(
        f"<fieldset id=outer>{visit.handle('debounce=1')}{visit.channels()}</fieldset>"
    )
    page.locator("#x_handle").fill("AnaLima")
    page.evaluate("document.querySelector('#outer').disabled = true")
    page.wait_for_timeout(300)
    checks = visit.service.checks
    assert visit.element("it.check()") in {"editing", "found", "checking"}
    assert visit.service.checks == checks
    assert page.evaluate("[...new FormData(document.forms[0]).keys()]") == [
        "billing_email"
    ]
    page.evaluate("document.querySelector('#outer').disabled = false")
    assert visit.element("it.check()") == "found"


def test_handle_of_autofill_alone_is_not_checked_nor_consented(visit: Visit) -> None:
    """Until the person was in the field its value is sent without consent, and nobody is asked."""
    page = visit.show(visit.handle("debounce=1"))
    page.evaluate(AUTOFILL, "AnaLima")
    page.wait_for_timeout(100)
    assert visit.service.checks == []
    assert visit.events == []
    assert "consent_x_link" not in visit.buy()
    page.goto(visit.shop.url)
    # Somebody who only passes by, before the browser fills it in.
    page.locator("#x_handle").focus()
    page.locator("#x_handle").blur()
    page.evaluate(AUTOFILL, "AnaLima")
    sent = visit.buy()
    assert (sent["x_handle"], "consent_x_link" in sent) == (["AnaLima"], False)
    assert visit.service.checks == []


def test_handle_of_autofill_is_checked_once_touched(visit: Visit) -> None:
    """Being in the field and leaving it is what makes the value the person's own."""
    page = visit.show(visit.handle())
    page.evaluate(AUTOFILL, "AnaLima")
    page.locator("#x_handle").focus()
    page.keyboard.press("Tab")
    visit.verdict("found")
    assert visit.buy()["consent_x_link"] == ["x_link.en"]


def test_back_brings_the_page_as_it_was(visit: Visit) -> None:
    """From the browser's page cache: verdict, receipt and open details, and a new handle is checked."""
    page = visit.fill_in()
    page.evaluate("window.kept = true")
    visit.buy()
    page.go_back(wait_until="commit")
    assert page.evaluate("window.kept"), "the page was not kept by the browser"
    visit.verdict("found")
    expect(page.locator("#contact_phone")).to_be_visible()
    assert visit.buy() == GIVEN


def test_back_to_a_page_that_was_not_kept(visit: Visit) -> None:
    """Restored by history alone: the choice opens its details; the handle is nobody's until touched."""
    visit.shop.headers["Cache-Control"] = "no-store"
    page = visit.fill_in()
    page.evaluate("window.kept = true; addEventListener('unload', () => {})")
    visit.buy()
    page.go_back()
    page.wait_for_selector("regulars-handle:defined")
    if page.evaluate("window.kept"):
        pytest.fail("the page was kept")
    sms = page.get_by_label("Text message", exact=True)
    expect(page.locator("#contact_phone")).to_be_visible(visible=sms.is_checked())
    sent = visit.buy()
    assert ("contact_phone" in sent) == ("contact_channel" in sent)
    assert "consent_x_link" not in sent


def test_what_the_server_shows_again_keeps_its_error(visit: Visit) -> None:
    """An error of the server's own stays at the field until the person mends it."""
    text = visit.handle().replace(
        'maxlength="60"',
        'maxlength="60" aria-invalid="true" value="ana lima" data-touched',
        1,
    )
    text = re.sub(
        "(</label>)",
        r'\1<p data-part="error" id="x_handle-error">No.</p>',
        text,
        count=1,
    )
    page = visit.show(text)
    field = page.locator("#x_handle")
    page.wait_for_selector("regulars-handle:defined")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("AnaLima")
    field.blur()
    visit.verdict("found")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    assert page.locator("[data-part=error]").count() == 0
