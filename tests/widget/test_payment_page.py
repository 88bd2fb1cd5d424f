"""On a payment page: the strictest policies, and nothing left in the browser."""

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from tests.widget.conftest import Visit
from tests.widget.pages import SCRIPT, STYLE, WIDGET

pytestmark = pytest.mark.browser


def sri(body: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()


HASH = sri(SCRIPT.read_bytes())


def policy(visit: Visit) -> dict[str, str]:
    return {
        "Content-Security-Policy": "; ".join(
            [
                "default-src 'none'",
                f"script-src '{HASH}'",
                f"style-src {visit.service.url}/w/",
                f"connect-src {visit.service.url}/v1/",
                "form-action 'self'",
                "base-uri 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            ]
        ),
        "Integrity-Policy": "blocked-destinations=(script)",
    }


def head(visit: Visit) -> str:
    url = f"{visit.service.url}/w/1.0.0"
    return (
        f'<script type="module" src="{url}/fields.js" integrity="{HASH}" crossorigin="anonymous"></script>'
        f'<link rel="stylesheet" href="{url}/fields.css" integrity="{sri(STYLE.read_bytes())}" crossorigin="anonymous">'
    )


def show(visit: Visit, body: str) -> None:
    visit.shop.headers = policy(visit)
    page = visit.show(body, head=head(visit))
    # The shop's own page of this test has one inline sheet, which its policy refuses.
    page.wait_for_selector("regulars-handle:defined")
    page.evaluate("violations.length = 0")


@pytest.mark.parametrize("kind", ["markup", "empty"])
def test_strictest_policies_are_kept(visit: Visit, kind: str) -> None:
    """Hash alone, Trusted Types without a policy, Integrity-Policy: everything works, no violation."""
    body = {
        "markup": visit.handle('submit="signup"') + visit.channels(),
        "empty": f'<regulars-handle site=pk_test submit=signup endpoint="{visit.service.endpoint}"></regulars-handle>'
        f'<regulars-channels site=pk_test endpoint="{visit.service.endpoint}"></regulars-channels>',
    }[kind]
    show(visit, body)
    page = visit.page
    page.wait_for_selector("[data-part=statement]")
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    page.get_by_label("E-mail", exact=True).check()
    page.locator("#contact_email").fill("ana@example.com")
    page.evaluate(
        "document.forms[0].addEventListener('submit', (e) => e.preventDefault())"
    )
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_selector("[name=regulars_signup]", state="attached")
    assert page.evaluate("violations") == []


def test_breach_would_be_seen(visit: Visit) -> None:
    """The detector works: a style attribute and HTML from text are refused, and reported."""
    show(visit, visit.handle())
    page = visit.page
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.wait_for_function("violations.length > 0")
    page.evaluate("violations.length = 0")
    page.evaluate("try { document.body.innerHTML = '<b>x</b>' } catch {}")
    page.wait_for_function("violations.length > 0")


def test_nothing_is_left_in_the_browser(new_visit: Callable[..., Visit]) -> None:
    """No cookie, no storage of any kind, no frame, no worker, no font or image, only our own addresses."""
    visit = new_visit()
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.show(visit.handle('submit="signup"') + visit.channels())
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    visit.buy()
    state = page.context.storage_state(indexed_db=True)
    assert state == {"cookies": [], "origins": []}
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    ours = {url for url in asked if url.startswith(visit.service.url)}
    paths = {url.removeprefix(visit.service.url) for url in ours}
    assert paths == {"/w/1.0.0/fields.js", "/v1/check", "/v1/signups"}
    assert all(url.startswith((visit.shop.url, visit.service.url)) for url in asked)


def test_ready_costs_one_request(visit: Visit) -> None:
    """The fields with their markup need the script and nothing else."""
    page = visit.show(visit.handle() + visit.channels())
    page.wait_for_selector("regulars-channels:defined")
    assert [it.path for it in visit.service.received] == ["/w/1.0.0/fields.js"]


@pytest.mark.parametrize("name", sorted(it.name for it in WIDGET.glob("fields*.js")))
def test_script_uses_nothing_that_an_auditor_would_ask_about(name: str) -> None:
    """No import, eval, HTML from text, cookie, storage, style text or frame in any script."""
    text = (WIDGET / name).read_text("utf-8")
    code = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    forbidden = (
        r"\bimport\b(?!\.meta)|\beval\b|\bFunction\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|"
        r"\bcookie\b|Storage\b|indexedDB|setAttribute\(\"style|cssText|<style|iframe|Worker|sendBeacon"
    )
    assert re.findall(forbidden, code) == []
