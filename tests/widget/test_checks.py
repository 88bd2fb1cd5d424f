"""When a handle is checked, and what is said of it."""

import re

import pytest
from playwright.sync_api import expect
from tests.widget.conftest import Visit
from tests.widget.pages import RECEIPT, SITE

pytestmark = pytest.mark.browser

WORDS = {
    "found": "@AnaLima exists on X.",
    "not_found": "We could not find @AnaLima on X: check the spelling.",
    "suspended": "We could not use that account: @AnaLima.",
    "pending": "We will check @AnaLima a little later.",
    "unchecked": "We take @AnaLima as you typed it.",
}
STATUS = "regulars-handle [role=status]"


@pytest.mark.parametrize("verdict", WORDS)
def test_each_verdict_is_reflected_told_and_said_once(
    visit: Visit, verdict: str
) -> None:
    """Attribute, property, state, event and one message, for each word of the vocabulary."""
    visit.service.verdicts["analima"] = verdict
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("AnaLima")
    visit.verdict(verdict)
    assert visit.element("it.verdict") == verdict
    assert visit.element(f"it.matches(':state({verdict})')")
    assert visit.said == [WORDS[verdict]]
    page.locator("#x_handle").blur()
    has_receipt = verdict in {"found", "not_found", "suspended"}
    receipt = f"{RECEIPT}AnaLima" if has_receipt else None
    assert visit.element("it.receipt") == receipt
    told = {"handle": "AnaLima", "verdict": verdict, "receipt": receipt}
    assert visit.events == [
        ["regulars-check", {"handle": "AnaLima"}],
        ["regulars-verdict", told],
    ]
    assert visit.said == [WORDS[verdict]]


def test_check_sends_the_site_the_handle_and_the_consent(visit: Visit) -> None:
    """Three form fields and no cookie, in a request that needs no preflight."""
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("@AnaLima")
    visit.verdict("found")
    [check] = visit.service.sent("/v1/check")
    assert check.values == {
        "site": SITE,
        "handle": "AnaLima",
        "consent_x_link": "x_link.en",
    }
    assert "cookie" not in check.headers
    assert visit.service.sent("/v1/check", "OPTIONS") == []


def test_steady_typing_is_one_check(visit: Visit) -> None:
    """Thirteen keys, 60 ms apart: one check, after the last."""
    # Far above what a busy machine may put between two keys.
    page = visit.show(visit.handle('debounce="2000"'))
    page.locator("#x_handle").press_sequentially("tonys_kitchen", delay=60)
    visit.verdict("found")
    page.locator("#x_handle").blur()
    assert visit.service.checks == ["tonys_kitchen"]


@pytest.mark.parametrize("way", ["blur", "Enter", "paste"])
def test_leaving_enter_and_paste_are_checked_without_waiting(
    visit: Visit, way: str
) -> None:
    """With a rest of a minute the check comes all the same, at once."""
    page = visit.show(visit.handle('debounce="60000"'))
    page.evaluate(
        "document.forms[0].addEventListener('submit', (e) => e.preventDefault())"
    )
    field = page.locator("#x_handle")
    if way == "paste":
        field.focus()
        page.evaluate("document.execCommand('insertText', false, '')")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.evaluate("navigator.clipboard.writeText(' @AnaLima ')")
        field.press("Control+v")
    else:
        field.press_sequentially("AnaLima")
        field.press("Enter") if way == "Enter" else field.blur()
    visit.verdict("found")
    assert visit.service.checks == ["AnaLima"]


def test_only_on_leaving_when_asked_so(visit: Visit) -> None:
    """verify="blur": rest is not enough; verify="off": nothing is ever asked, syntax still is."""
    page = visit.show(visit.handle('verify="blur" debounce="1"'))
    field = page.locator("#x_handle")
    field.press_sequentially("AnaLima")
    page.wait_for_timeout(100)
    assert visit.service.checks == []
    field.blur()
    visit.verdict("found")
    page = visit.show(visit.handle('verify="off" debounce="1"'))
    field.press_sequentially("BobLima")
    field.blur()
    assert visit.element("it.verdict") == "editing"
    field.fill("bob lima")
    field.blur()
    visit.verdict("malformed")
    assert visit.service.checks == ["AnaLima"]


def test_text_is_cleaned_on_leaving_never_under_the_cursor(visit: Visit) -> None:
    """The @ and the spaces stay while the cursor is there and are gone afterwards."""
    page = visit.show(visit.handle())
    field = page.locator("#x_handle")
    field.fill(" ＠AnaLima ")
    visit.verdict("found")
    expect(field).to_have_value(" ＠AnaLima ")
    assert visit.element("it.value") == "AnaLima"
    field.blur()
    expect(field).to_have_value("AnaLima")
    assert visit.service.checks == ["AnaLima"]


def test_link_goes_to_the_server_as_it_is(visit: Visit) -> None:
    """Only the server reads links; what it read is what is said."""
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("https://x.com/AnaLima")
    visit.verdict("found")
    assert visit.service.checks == ["https://x.com/AnaLima"]
    expect(page.locator(STATUS)).to_have_text(WORDS["found"])


def test_link_that_is_no_profile_is_malformed(visit: Visit) -> None:
    """What the server refuses is told as the page's own refusals are."""
    visit.service.status = 422
    visit.service.body = (
        b'{"errors":[{"field":"handle","code":"handle.not_a_profile"}]}'
    )
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("https://x.com/home")
    page.locator("#x_handle").blur()
    visit.verdict("malformed")
    expect(page.locator("#x_handle")).to_have_attribute("aria-invalid", "true")


def test_malformed_is_said_on_leaving_and_never_sent(visit: Visit) -> None:
    """The words name the cure; nothing is asked; typing again takes the error away."""
    page = visit.show(visit.handle())
    field = page.locator("#x_handle")
    field.press_sequentially("ana lima")
    assert visit.element("it.verdict") == "editing"
    field.blur()
    visit.verdict("malformed")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(STATUS)).to_contain_text("It looks like @name.")
    field.press("End")
    field.press("x")
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator(STATUS)).to_be_empty()
    assert visit.service.checks == []


def test_older_call_is_aborted_and_its_answer_dropped(visit: Visit) -> None:
    """Two checks under way: only the later one's answer is ever shown."""
    service = visit.service
    service.verdicts = {"ana": "not_found"}
    service.waits_s = 20
    page = visit.show(visit.handle('debounce="1"'))
    gone: list[str] = []
    page.on("requestfailed", lambda request: gone.append(request.url))
    field = page.locator("#x_handle")
    field.fill("ana")
    visit.verdict("checking")
    assert service.waiting.acquire(timeout=10)
    field.fill("anaLima")
    assert service.waiting.acquire(timeout=10)
    service.go.set()
    visit.verdict("found")
    assert gone == [service.endpoint]
    assert [name for name, _ in visit.events].count("regulars-verdict") == 1


def test_page_remembers_what_it_was_told(visit: Visit) -> None:
    """The same handle again, in whatever case, costs no second call."""
    page = visit.show(visit.handle('debounce="1"'))
    field = page.locator("#x_handle")
    for text in ("AnaLima", "BobLima", "@analima"):
        field.fill(text)
        field.blur()
        visit.verdict("found")
    assert visit.service.checks == ["AnaLima", "BobLima"]
    assert visit.element("it.receipt") == f"{RECEIPT}AnaLima"


def test_nothing_is_asked_before_the_statement_is_on_the_page(visit: Visit) -> None:
    """Without the statement, or with one that the page hides, there is no check and no consent."""
    text = visit.handle('debounce="1"')
    without = re.sub(r'<p data-part="statement".*?</p>', "", text)
    for body, style in (
        (without, ""),
        (text, "[data-part=statement] { display: none }"),
    ):
        page = visit.show(body, style=style)
        page.locator("#x_handle").fill("AnaLima")
        page.locator("#x_handle").blur()
        page.wait_for_timeout(50)
        assert "consent_x_link" not in visit.buy()
    assert visit.service.checks == []


def test_shop_may_stop_a_check(visit: Visit) -> None:
    """`regulars-check` is cancelable: nothing is sent, the state stays."""
    page = visit.show(visit.handle('debounce="1"'))
    page.evaluate("addEventListener('regulars-check', (e) => e.preventDefault())")
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    assert visit.element("it.verdict") == "editing"
    assert visit.service.checks == []


def test_check_by_script(visit: Visit) -> None:
    """check() resolves to the verdict, and asks nothing of a field that nobody touched."""
    page = visit.show(visit.handle('debounce="60000"'))
    assert visit.element("(it.input.value = 'AnaLima', it.check())") == ""
    page.locator("#x_handle").fill("BobLima")
    assert visit.element("it.check()") == "found"
    assert visit.service.checks == ["BobLima"]


def test_checking_is_said_only_when_it_takes_long(visit: Visit) -> None:
    """Half a second passes before "Checking…"; after it comes the one message of the verdict."""
    visit.service.waits_s = 20
    page = visit.show(visit.handle('debounce="1"'))
    page.locator("#x_handle").fill("AnaLima")
    visit.verdict("checking")
    assert visit.said == []
    expect(page.locator(STATUS)).to_have_text("Checking…")
    visit.service.go.set()
    visit.verdict("found")
    assert visit.said == ["Checking…", WORDS["found"]]


def test_composition_is_left_alone(visit: Visit) -> None:
    """While an input method composes nothing is checked; what it commits is."""
    page = visit.show(visit.handle('debounce="30"'))
    page.locator("#x_handle").focus()
    keyboard = page.context.new_cdp_session(page)
    for text in ("あ", "あな"):
        keyboard.send(
            "Input.imeSetComposition",
            {"text": text, "selectionStart": len(text), "selectionEnd": len(text)},
        )
    page.wait_for_timeout(200)
    assert visit.events == []
    assert visit.element("it.verdict") == "editing"
    keyboard.send("Input.insertText", {"text": "ＡｎａＬｉｍａ"})
    visit.verdict("found")
    assert visit.service.checks == ["AnaLima"]


def test_own_words_are_shown_only(visit: Visit) -> None:
    """Whatever a service might add to its answer, the page shows our sentence and nothing of it."""
    visit.service.body = (
        b'{"verdict":"found","handle":"<img src=x>","receipt":"r","name":"Ana of X"}'
    )
    page = visit.show(visit.handle())
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    expect(page.locator(STATUS)).to_have_text(WORDS["found"])
    assert page.locator("regulars-handle img").count() == 0


def test_texts_of_the_markup_win(visit: Visit) -> None:
    """A shop's own sentence, with the handle where it wants it."""
    text = visit.handle('text-found="{handle}: splendid"')
    page = visit.show(text)
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    expect(page.locator(STATUS)).to_have_text("AnaLima: splendid")
