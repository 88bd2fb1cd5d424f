"""The examples in a real browser: from the page of a shop into the database and out to the receiver."""

from itertools import count
from typing import Any

import pytest
from examples.flask_shop.app import Regulars, create_app
from examples.jquery_checkout import app as jquery_checkout
from playwright.sync_api import Page, expect
from tests.readme.page import ROOT
from tests.widget.running import (
    NewTab,
    Site,
    jquery,
    pages,
    running_app,
)
from tests.widget.running import new_module_shop as new_module_shop
from tests.widget.running import new_tab as new_tab
from tests.widget.running import site as site

from regulars.ask.questions import Questions

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(120)]

EXISTS = "@AnaLima exists on X."
_numbers = count(1)


def someone() -> tuple[str, str]:
    """The address and number of a person whom nobody knows yet."""
    number = next(_numbers)
    return f"ana.{number}@tonys.example", f"(212) 456-{2000 + number}"


def give_handle(page: Page, handle: str = "@AnaLima") -> None:
    page.get_by_label("Your X handle").fill(handle)
    page.get_by_label("Your X handle").blur()


def purposes(customer: Any) -> set[tuple[str, str]]:
    return {(it["purpose"], it["channel"]) for it in customer["consents"]}


def test_plain_html_needs_no_server_of_its_own(site: Site, new_tab: NewTab) -> None:
    """The page as it stands, its three placeholders filled in: the sale goes its way and the signup its own."""
    text = (ROOT / "examples/plain_html/checkout.html").read_text("utf-8")
    email, _ = someone()
    with pages({"/": ("text/html", site.own(text))}) as shop:
        site.allow(shop.url)
        page = new_tab()
        page.goto(shop.url)
        page.fill("#name", "Ana")
        page.fill("#email", email)
        give_handle(page)
        expect(page.get_by_text(EXISTS)).to_be_visible()
        page.get_by_label("E-mail", exact=True).check()
        expect(page.get_by_label("E-mail address")).to_have_value(email)
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", name="Thanks")).to_be_visible()
        (posted,) = shop.posted
    assert "name=Ana" in posted
    customer = site.told(email)
    assert customer["preferred_channels"] == ["email"]
    assert customer["source"]["surface"] == "checkout"
    assert purposes(customer) == {("x_link", "x"), ("order", "email"), ("service_news", "email")}  # fmt: skip


def test_plain_html_without_script(site: Site, new_tab: NewTab) -> None:
    """Who runs no scripts buys all the same, and finds the hosted page."""
    text = (ROOT / "examples/plain_html/checkout.html").read_text("utf-8")
    with pages({"/": ("text/html", site.own(text))}) as shop:
        page = new_tab(java_script_enabled=False)
        page.goto(shop.url)
        link = page.get_by_role("link", name="How may we reach you?")
        assert page.goto(str(link.get_attribute("href"))).ok  # type: ignore[union-attr]
        page.goto(shop.url)
        page.fill("#name", "Ana")
        page.fill("#email", "ana@tonys.example")
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", name="Thanks")).to_be_visible()


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
def test_the_flask_shop(site: Site, new_tab: NewTab, has_script: bool) -> None:
    """Under its own strict policy the fields are checked while typed, and reach the shop's system."""
    fields = site.shop.service.command("site", "snippet", "Shop").stdout
    _, phone = someone()
    shop = create_app(Regulars(site.url, site.shop.key), fields)
    with running_app(site, shop) as url:
        page = new_tab(java_script_enabled=has_script)
        page.goto(url)
        page.get_by_label("Name").fill("Ana")
        page.get_by_label("E-mail for the receipt").fill("ana@tonys.example")
        give_handle(page)
        if has_script:
            expect(page.get_by_text(EXISTS)).to_be_visible()
        assert not page.locator("#contact_phone").is_visible()
        page.get_by_label("Text message").check()
        page.fill("#contact_phone", phone)
        boxes = page.locator("[data-part=detail] [type=checkbox]:visible")
        assert [it.get_attribute("name") for it in boxes.all()] == ["consent_offers_sms"]  # fmt: skip
        boxes.check()
        page.get_by_role("button").click()
        expect(page.get_by_text(EXISTS)).to_be_visible()
        expect(page.get_by_role("heading", name="Grazie")).to_be_visible()
    customer = site.told(phone)
    assert (customer["given_name"], customer["preferred_channels"]) == ("Ana", ["sms"])
    assert purposes(customer) == {("x_link", "x"), ("order", "sms"), ("service_news", "sms"), ("offers", "sms")}  # fmt: skip


@pytest.fixture
def checkout(site: Site, new_tab: NewTab) -> Any:
    """The page of the jQuery checkout."""
    told = site.shop.service.command_json("site", "snippet", "Shop")
    teller = jquery_checkout.teller(site.url, site.shop.key)
    app = jquery_checkout.create_app(
        Questions.from_json(told), site.url, jquery(), teller
    )
    with running_app(site, app) as url:
        page = new_tab()
        page.goto(url)
        yield page


def test_jquery_sends_the_fields(site: Site, checkout: Page) -> None:
    """What `serialize()` takes along arrives, the handle with the statement's key."""
    email, _ = someone()
    checkout.get_by_label("Name").fill("Ana")
    give_handle(checkout)
    expect(checkout.get_by_text(EXISTS)).to_be_visible()
    checkout.get_by_label("E-mail", exact=True).check()
    checkout.get_by_label("E-mail address").fill(email)
    checkout.get_by_role("button").click()
    expect(checkout.get_by_role("heading", name="Order received")).to_be_visible()
    customer = site.told(email)
    assert customer["preferred_channels"] == ["email"]
    assert ("x_link", "x") in purposes(customer)
    assert [it["value"] for it in customer["contact_points"]] == ["AnaLima", email]


def test_swapped_in_the_middle_nothing_is_lost(site: Site, checkout: Page) -> None:
    """Another way of shipping swaps the fields for fresh ones: answers, details and the check are back."""
    _, phone = someone()
    checkout.get_by_label("Name").fill("Ana")
    give_handle(checkout)
    expect(checkout.get_by_text(EXISTS)).to_be_visible()
    checkout.get_by_label("WhatsApp", exact=True).check()
    checkout.get_by_label("Phone number").fill(phone)
    before = checkout.locator("regulars-handle").element_handle()
    checkout.get_by_label("By bike").check()
    expect(checkout.get_by_text("$36.50")).to_be_visible()
    assert not before.evaluate("(it) => it.isConnected")
    expect(checkout.get_by_text(EXISTS)).to_be_visible()
    expect(checkout.get_by_label("WhatsApp", exact=True)).to_be_checked()
    expect(checkout.get_by_label("Phone number")).to_have_value(phone)
    assert not checkout.locator("#contact_email").is_visible()
    checkout.get_by_role("button").click()
    expect(checkout.get_by_role("heading", name="Order received")).to_be_visible()
    assert site.told(phone)["preferred_channels"] == ["whatsapp"]


def test_a_mistake_is_shown_at_its_field(site: Site, checkout: Page) -> None:
    """What cannot be used stops nothing but this form: the server's sentence stands at the field, then it goes."""
    email, _ = someone()
    checkout.get_by_label("Name").fill("Ana")
    checkout.get_by_label("E-mail", exact=True).check()
    checkout.get_by_label("E-mail address").fill("nowhere")
    checkout.get_by_role("button").click()
    expect(checkout.get_by_text("An e-mail address has an @ in it")).to_be_visible()
    field = checkout.get_by_label("E-mail address")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill(email)
    checkout.get_by_role("button").click()
    expect(checkout.get_by_role("heading", name="Order received")).to_be_visible()
    assert site.told(email)["preferred_channels"] == ["email"]


def test_the_field_stays_described_whatever_the_host_strips(checkout: Page) -> None:
    """jQuery takes the field's ARIA away at each key; the element puts it back."""
    handle = checkout.get_by_label("Your X handle")
    handle.press_sequentially("Ana")
    expect(handle).to_have_attribute(
        "aria-describedby", "x_handle-statement x_handle-status"
    )
