"""What hosts do to a page with the fields on it: swap, double, strip, turn around and take away."""

import pytest
from playwright.sync_api import expect
from tests.widget.conftest import Visit
from tests.widget.pages import GIVEN

pytestmark = pytest.mark.browser


def test_fragment_replaced_with_the_same_html(visit: Visit) -> None:
    """As shops' checkouts do it: the typed values put back into new markup, one receipt, one message, no call."""
    page = visit.fill_in()
    page.evaluate("""() => {
      const form = document.forms[0], had = [...form.querySelectorAll('input')].map((i) => [i.value, i.checked]);
      form.innerHTML = form.innerHTML;
      form.querySelectorAll('input').forEach((i, n) => { if (had[n]) [i.value, i.checked] = had[n] });
    }""")
    page.wait_for_function(
        "document.querySelector('regulars-handle').verdict == 'found'"
    )
    page.get_by_label("Text message", exact=True).dispatch_event("change")
    page.locator("#contact_phone").fill("(212) 456-7890")
    assert page.locator("[name=x_handle_receipt]").count() == 1
    assert page.locator("[role=status]").count() == 1
    assert visit.service.checks == ["AnaLima"]
    assert visit.buy() == GIVEN


def test_host_replaces_only_what_is_inside(visit: Visit) -> None:
    """New children in the same elements are upgraded like the first ones."""
    page = visit.show(visit.handle() + visit.channels())
    page.evaluate("""() => document.querySelectorAll('regulars-handle,regulars-channels')
      .forEach((it) => { it.innerHTML = it.innerHTML })""")
    expect(page.locator("#contact_phone")).to_be_hidden()
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    expect(page.locator("[role=status]")).to_have_text("@AnaLima exists on X.")


@pytest.mark.parametrize("when", ["twice", "async", "late"])
def test_script_comes_twice_early_or_late(visit: Visit, when: str) -> None:
    """Loaded twice, in the middle of parsing or long after it: one upgrade, one check."""
    url = f"{visit.service.url}/w/1.0.0/fields.js"
    head = {
        "twice": f'{visit.script}<script type="module" src="{url}?again"></script>',
        "async": f'<script type="module" async src="{url}"></script>',
        "late": "",
    }[when]
    page = visit.show(visit.handle() + visit.channels(), head=head)
    if when == "late":
        page.locator("#x_handle").fill("early")
        page.evaluate("(url) => import(url)", url)
    page.wait_for_selector("regulars-handle:defined")
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    assert visit.service.checks == ["AnaLima"]
    assert page.locator("regulars-handle input").count() == 4


def test_two_on_a_page_keep_to_their_own(visit: Visit) -> None:
    """The same markup twice: each label, message and receipt belongs to its own input, no id is there twice."""
    page = visit.show(f"{visit.handle()}{visit.handle()}{visit.channels()}")
    page.wait_for_selector("#x_handle-2")
    for name, number in (("AnaLima", 0), ("BobLima", 1)):
        field = page.get_by_label("Your X handle (optional)").nth(number)
        field.fill(name)
        field.blur()
        expect(page.locator("[role=status]").nth(number)).to_have_text(
            f"@{name} exists on X."
        )
        described = (field.get_attribute("aria-describedby") or "").split()
        assert len(described) == 2
        own = page.locator("regulars-handle").nth(number)
        assert all(own.locator(f"#{one}").count() == 1 for one in described)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_host_that_strips_aria(visit: Visit) -> None:
    """Descriptions, the error's mark and the live region's role come back, the shop's own hint too."""
    text = visit.handle().replace(
        'aria-describedby="', 'aria-describedby="own-hint ', 1
    )
    page = visit.show(f'<p id="own-hint">As on X</p>{text}')
    page.evaluate("""() => {
      for (const type of ['input', 'change', 'blur']) document.forms[0].addEventListener(type, () => {
        const field = document.querySelector('#x_handle');
        field.removeAttribute('aria-invalid');
        field.removeAttribute('aria-describedby');
        document.querySelector('[data-part=status]').removeAttribute('role');
      }, true);
    }""")
    field = page.locator("#x_handle")
    field.fill("ana lima")
    field.blur()
    visit.verdict("malformed")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_attribute(
        "aria-describedby", "own-hint x_handle-statement x_handle-status"
    )
    expect(page.locator("[role=status]")).to_contain_text("@name")


def test_right_to_left(visit: Visit) -> None:
    """On an Arabic page the texts are Arabic, the handle itself reads from left to right."""
    page = visit.show(
        visit.handle(language="ar") + visit.channels(language="ar"), language="ar"
    )
    field = page.locator("#x_handle")
    field.fill("AnaLima")
    field.blur()
    visit.verdict("found")
    status = page.locator("[role=status]")
    expect(status).to_contain_text("AnaLima")
    assert field.evaluate("(it) => getComputedStyle(it).direction") == "ltr"
    assert status.evaluate("(it) => getComputedStyle(it).direction") == "rtl"


def test_element_taken_out_lets_go(visit: Visit) -> None:
    """A removed element hears and says nothing more, and no signup comes from it."""
    visit.service.waits_s = 20
    page = visit.show(visit.handle('submit="signup"'))
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("checking")
    page.evaluate("window.it = document.querySelector('regulars-handle'); it.remove()")
    visit.service.go.set()
    page.wait_for_timeout(100)
    assert page.evaluate("it.verdict") == "checking"
    assert [name for name, _ in visit.events] == ["regulars-check"]
    visit.buy()
    assert visit.service.sent("/v1/signups") == []
