"""Elements that come without markup make it themselves, the same as the server's."""

import pytest
from playwright.sync_api import expect
from tests.widget.conftest import Visit
from tests.widget.pages import markup

pytestmark = pytest.mark.browser

# The markup without what the upgrade itself changes, so that two ways to it can be compared.
SHAPE = """(it) => {
  const copy = it.cloneNode(true);
  for (const one of [copy, ...copy.querySelectorAll('*')])
    for (const name of ['hidden', 'disabled', 'site', 'endpoint', 'channel', 'verdict']) one.removeAttribute(name);
  const walk = (node) => node.nodeType == 3 ? node.data.trim() :
    [node.localName, Object.fromEntries([...node.attributes].map((a) => [a.name, a.value]).sort()),
     ...[...node.childNodes].map(walk).filter(Boolean)];
  return walk(copy);
}"""


def empty(visit: Visit, tag: str, more: str = "") -> str:
    return f'<{tag} site="pk_test" endpoint="{visit.service.endpoint}" {more}></{tag}>'


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("tag", ["regulars-handle", "regulars-channels"])
def test_makes_the_same_markup(visit: Visit, tag: str, language: str) -> None:
    """Element by element and attribute by attribute what the server draws."""
    visit.service.language = language
    page = visit.show(empty(visit, tag), language=language)
    page.wait_for_selector("[data-part=statement]")
    made = page.locator(tag).evaluate(SHAPE)
    handle, channels = markup(visit.service.endpoint, language)
    page = visit.show(handle if tag == "regulars-handle" else channels)
    page.wait_for_selector(f"{tag}:defined")
    assert made == page.locator(tag).evaluate(SHAPE)


def test_language_of_the_page_is_asked_for(visit: Visit) -> None:
    """The nearest `lang` goes with the question."""
    visit.show(f'<div lang="pt-BR">{empty(visit, "regulars-channels")}</div>')
    visit.page.wait_for_selector("[data-part=statement]")
    [asked] = visit.service.sent("/v1/snippet", "GET")
    assert asked.values == {"site": "pk_test", "lang": "pt-BR"}


def test_input_is_there_at_once_and_stays(visit: Visit) -> None:
    """Typing begins before the answer; the input is never exchanged; the consent comes with the statement."""
    service = visit.service
    service.waits_s = 20
    page = visit.show(empty(visit, "regulars-handle", "debounce=1"))
    field = page.get_by_label("Your X handle (optional)")
    field.press_sequentially("Ana")
    page.evaluate("window.field = document.activeElement")
    page.wait_for_timeout(50)
    assert visit.service.checks == []
    service.go.set()
    page.wait_for_selector("[data-part=statement]")
    assert page.evaluate("document.activeElement == field && field.value == 'Ana'")
    field.press_sequentially("Lima")
    visit.verdict("found")
    sent = visit.buy()
    assert sent["x_handle"] == ["AnaLima"]
    assert sent["consent_x_link"] == ["x_link.en"]


@pytest.mark.parametrize("trouble", ["down", "refused", "nonsense"])
def test_plain_input_posts_when_the_answer_never_comes(
    visit: Visit, trouble: str
) -> None:
    """No statement: nothing is checked and no consent is sent, the handle is."""
    if trouble == "down":
        visit.page.route("**/v1/snippet*", lambda route: route.abort())
    elif trouble == "refused":
        visit.service.status = 403
        visit.service.language = "en"
        visit.page.route(
            "**/v1/snippet*", lambda route: route.fulfill(status=403, body="{}")
        )
    else:
        visit.page.route("**/v1/snippet*", lambda route: route.fulfill(body="<p>Hi"))
    page = visit.show(
        empty(visit, "regulars-handle") + empty(visit, "regulars-channels")
    )
    page.get_by_label("Your X handle (optional)").fill("AnaLima")
    page.get_by_label("Your X handle (optional)").blur()
    page.wait_for_timeout(100)
    assert visit.service.checks == []
    sent = visit.buy()
    assert sent == {"billing_email": [""], "x_handle": ["AnaLima"]}


def test_attributes_of_the_shop_are_kept(visit: Visit) -> None:
    """Its label, its field name, its choice of channels, several of them, no boxes for offers."""
    page = visit.show(
        empty(visit, "regulars-handle", 'label="X name" name="handle" required')
        + empty(
            visit, "regulars-channels", 'channels="email sms" multiple consent="none"'
        )
    )
    page.wait_for_selector("[data-part=channels]")
    page.wait_for_selector("regulars-handle [data-part=statement]")
    field = page.get_by_label("X name")
    assert field.evaluate("(it) => [it.name, it.required]") == ["handle", True]
    boxes = page.locator("[name=contact_channel]")
    assert [it.get_attribute("value") for it in boxes.all()] == ["email", "sms"]
    assert {it.get_attribute("type") for it in boxes.all()} == {"checkbox"}
    assert page.locator("[name^=consent_offers]").count() == 0
    page.get_by_label("Text message", exact=True).check()
    expect(page.locator("#contact_phone")).to_be_visible()
    expect(page.locator("#contact_email")).to_be_hidden()


def test_two_empty_ones_keep_to_their_own(visit: Visit) -> None:
    """No id twice, each label at its own input."""
    page = visit.show(empty(visit, "regulars-handle") * 2)
    page.wait_for_function(
        "document.querySelectorAll('[data-part=statement]').length == 2"
    )
    page.wait_for_function(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); return new Set(ids).size == ids.length })()"
    )
    for number in (0, 1):
        page.get_by_label("Your X handle (optional)").nth(number).fill(f"Ana{number}")
    assert visit.buy()["x_handle"] == ["Ana0", "Ana1"]
