"""The element and the running service: every part of their contract once, over two origins."""

import pytest
from playwright.sync_api import expect
from tests.widget.pages import page
from tests.widget.running import NewTab, Site, pages
from tests.widget.running import new_module_shop as new_module_shop
from tests.widget.running import new_tab as new_tab
from tests.widget.running import site as site

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(120)]


def body(site: Site, more: str = "") -> str:
    given = f'site="{site.shop.publishable_key}" endpoint="{site.url}/v1/check"'
    return (
        f"<regulars-handle {given} {more}></regulars-handle>"
        f"<regulars-channels {given}></regulars-channels>"
    )


def test_empty_elements_end_as_an_event(site: Site, new_tab: NewTab) -> None:
    """Markup from the snippet, a verdict with its receipt, a signup beside the sale, one event for the shop."""
    head = f'<script type="module" src="{site.url}/w/1.0.0/fields.js"></script>'
    text = page(body(site, 'submit="signup"'), head=head)
    with pages({"/": ("text/html", text)}) as shop:
        site.allow(shop.url)
        tab = new_tab()
        preflights: list[str] = []
        tab.on(
            "request",
            lambda it: preflights.append(it.url) if it.method == "OPTIONS" else None,
        )
        tab.goto(shop.url)
        tab.wait_for_selector("[data-part=statement]")
        tab.get_by_label("Your X handle (optional)").fill("@AnaLima")
        tab.get_by_label("E-mail", exact=True).check()
        tab.locator("#contact_email").fill("ana.element@example.com")
        expect(tab.get_by_text("@AnaLima exists on X.")).to_be_visible()
        receipt = tab.locator("[name=x_handle_receipt]").input_value()
        assert receipt
        tab.evaluate(
            "document.forms[0].addEventListener('submit', (e) => e.preventDefault())"
        )
        tab.get_by_role("button", name="Buy now").click()
        field = tab.locator("[name=regulars_signup]")
        field.wait_for(state="attached")
        assert field.input_value().startswith("sgn_")
    customer = site.told("ana.element@example.com")
    verdicts = {it["kind"]: it["verdict"] for it in customer["contact_points"]}
    assert verdicts == {"x_account": "found", "email_address": None}
    given = {(it["purpose"], it["channel"]) for it in customer["consents"]}
    assert given == {("x_link", "x"), ("order", "email"), ("service_news", "email")}
    assert preflights == []


READINGS = {
    "https://x.com/AnaLima?s=21": "found",
    "https://x.com/intent/follow?screen_name=AnaLima": "found",
    "nobody_here_at_all": "malformed",
    "AnaLima": "found",
}


def test_service_reads_what_the_page_leaves_to_it(site: Site, new_tab: NewTab) -> None:
    """Links are cleaned by what the service read in them."""
    head = f'<script type="module" src="{site.url}/w/1.0.0/fields.js"></script>'
    with pages({"/": ("text/html", page(body(site), head=head))}) as shop:
        site.allow(shop.url)
        tab = new_tab()
        tab.goto(shop.url)
        tab.wait_for_selector("[data-part=statement]")
        field = tab.get_by_label("Your X handle (optional)")
        for typed, verdict in READINGS.items():
            field.fill(typed)
            field.blur()
            tab.wait_for_selector(f'regulars-handle[verdict="{verdict}"]')
