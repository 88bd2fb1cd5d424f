"""The question of how to be reached: what is shown, posted and told for each choice."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.widget.conftest import Visit

pytestmark = pytest.mark.browser

NEEDED = {
    "x": None,
    "email": "contact_email",
    "sms": "contact_phone",
    "phone": "contact_phone",
    "whatsapp": "contact_phone",
    "facebook": "contact_facebook",
}


@pytest.mark.parametrize("styled", [True, False], ids=["styled", "bare"])
def test_choice_opens_its_own_details(visit: Visit, styled: bool) -> None:
    """Only the address and the box of what was chosen are shown and posted; the event names it."""
    head = visit.script + (visit.style if styled else "")
    page = visit.show(visit.channels(), head=head)
    page.wait_for_selector("regulars-channels:defined")
    for channel, needed in NEEDED.items():
        page.locator(f"[name=contact_channel][value={channel}]").check()
        shown = page.locator("[data-part=detail] input:visible")
        names = [one.get_attribute("name") for one in shown.all()]
        assert names == [it for it in (needed, f"consent_offers_{channel}") if it]
        posted = page.evaluate("[...new FormData(document.forms[0]).keys()]")
        wanted = ["billing_email", "contact_wording", "contact_channel"]
        assert sorted(posted) == sorted([*wanted, *([needed] if needed else [])])
        host = page.locator("regulars-channels")
        expect(host).to_have_attribute("channel", channel)
        assert host.evaluate("(it) => it.value") == channel
    page.get_by_label("Please don’t contact me").check()
    assert page.locator("[data-part=detail] input:visible").count() == 0
    told = [detail["channel"] for name, detail in visit.events]
    assert told == [*NEEDED, ""]


def test_nothing_is_chosen_or_moved_at_first(visit: Visit) -> None:
    """No channel preselected, no box ticked, no event, and revealing moves no focus."""
    page = visit.show(visit.channels())
    page.wait_for_selector("regulars-channels:defined")
    assert page.locator("input:checked").count() == 0
    assert visit.events == []
    page.get_by_label("E-mail", exact=True).press("Space")
    assert page.evaluate("document.activeElement.value") == "email"


def test_with_the_stylesheet_details_are_closed_without_script(
    new_visit: Callable[..., Visit],
) -> None:
    """The sheet alone shows the details of the choice and hides the others."""
    visit = new_visit(java_script_enabled=False)
    page = visit.show(visit.channels(), head=visit.style)
    assert page.locator("[data-part=detail]:visible").count() == 0
    page.get_by_label("Phone call").check()
    assert page.locator("#contact_phone").is_visible()
    assert page.locator("#contact_email").is_hidden()


def test_several_may_be_chosen(visit: Visit) -> None:
    """With boxes in place of radios each choice opens its own; all are posted in order."""
    text = visit.channels("multiple").replace('type="radio"', 'type="checkbox"')
    page = visit.show(text)
    page.get_by_label("E-mail", exact=True).check()
    page.get_by_label("Text message", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    assert page.evaluate("document.querySelector('regulars-channels').details") == {
        "contact_email": "ana@example.com",
        "contact_phone": "",
    }
    sent = visit.buy()
    assert sent["contact_channel"] == ["email", "sms"]


def test_what_the_checkout_asked_is_not_asked_again(visit: Visit) -> None:
    """`email-from` names the checkout's own field: its value stands there once e-mail is chosen."""
    page = visit.show(visit.channels('email-from="#billing_email"'))
    page.locator("#billing_email").fill("ana@example.com")
    page.get_by_label("E-mail", exact=True).check()
    expect(page.locator("#contact_email")).to_have_value("ana@example.com")
    page.locator("#contact_email").fill("")
    page.get_by_label("Phone call").check()
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("other@example.com")
    page.locator("#billing_email").fill("third@example.com")
    assert visit.buy()["contact_email"] == ["other@example.com"]


def test_reset_by_script(visit: Visit) -> None:
    """reset() leaves nothing chosen and nothing typed."""
    page = visit.show(visit.channels())
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    page.evaluate("document.querySelector('regulars-channels').reset()")
    assert page.locator("input:checked").count() == 0
    expect(page.locator("#contact_email")).to_be_hidden()
    expect(page.locator("#contact_email")).to_have_value("")
