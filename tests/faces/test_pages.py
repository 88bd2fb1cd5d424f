"""The hosted pages as people meet them: one form, one press, one thank-you, one way out."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlalchemy import select
from tests.fakes import FakeLookup
from tests.shops import EMAIL, HANDLE, ORIGIN, PHONE, ShopUnderTest

from regulars.app import open_shop
from regulars.keep.sites import site_table
from regulars.keep.wordings import wording_table

BASE = "https://connect.tonys.example"


class Form(HTMLParser):
    """The form of a page: its fields with their values, its labels, its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inputs: list[dict[str, str]] = []
        self.labels: set[str] = set()
        self.text = ""
        self.action = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input":
            self.inputs.append(found)
        elif tag == "label":
            self.labels.add(found.get("for", ""))
        elif tag == "form":
            self.action = found["action"]

    def handle_data(self, data: str) -> None:
        self.text += data

    def hidden(self) -> dict[str, str]:
        return {i["name"]: i["value"] for i in self.inputs if i["type"] == "hidden"}

    def value(self, name: str) -> str:
        (found,) = [i for i in self.inputs if i.get("name") == name]
        return found.get("value", "")

    def boxes(self) -> dict[str, str]:
        """Name and value of each box."""
        return {i["name"]: i["value"] for i in self.inputs if i["type"] == "checkbox"}


def open_page(shop: ShopUnderTest, **headers: str) -> Form:
    answer = shop.client.get(
        f"/signup?site={shop.site.publishable_key}", headers=headers
    )
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return Form(answer.get_data(as_text=True))


def press(
    shop: ShopUnderTest,
    page: Form,
    headers: dict[str, str] | None = None,
    **typed: Any,
) -> Any:
    """What the button sends: the hidden fields and what was typed."""
    fields = {**page.hidden(), **typed}
    return shop.client.post(page.action, data=fields, headers=headers or {})


def thanks(shop: ShopUnderTest, **typed: Any) -> str:
    """The text of the page after the button."""
    answer = press(shop, open_page(shop), **typed)
    assert answer.status_code == 303
    return Form(shop.client.get(answer.location).get_data(as_text=True)).text


def test_home_leads_to_the_first_sites_page(shop: ShopUnderTest) -> None:
    """The bare address means the oldest site's signup."""
    answer = shop.client.get("/")
    assert answer.status_code == 302
    assert answer.location == f"/signup?site={shop.site.publishable_key}"


def test_home_without_a_site(shop: ShopUnderTest) -> None:
    """A service that has no site yet says so readably, and what to do."""
    with shop.house.database.transaction() as connection:
        connection.execute(site_table.delete())
    answer = shop.client.get("/")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "regulars site add" in answer.get_data(as_text=True)


@pytest.mark.parametrize("query", ["", "?site=", "?site=pk_unknown", "?site=%00%ff"])
def test_a_page_of_no_site(shop: ShopUnderTest, query: str) -> None:
    """A link that names no site is a readable 404."""
    answer = shop.client.get(f"/signup{query}")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "ask the shop" in answer.get_data(as_text=True)


def test_the_form_carries_what_it_needs(shop: ShopUnderTest) -> None:
    """Site, wording keys and a fresh idempotency key are hidden fields; each visible field has a label."""
    page, other = open_page(shop), open_page(shop)
    assert set(page.hidden()) == {
        "site",
        "idempotency_key",
        "locale",
        "consent_x_link",
        "contact_wording",
    }
    assert page.value("idempotency_key") != other.value("idempotency_key")
    seen = {i["id"] for i in page.inputs if i["type"] != "hidden"}
    assert seen <= page.labels


def test_nothing_is_chosen_beforehand(shop: ShopUnderTest) -> None:
    """No radio and no box is set: silence is no consent."""
    assert [i for i in open_page(shop).inputs if "checked" in i] == []


def test_every_wording_shown_is_the_one_its_key_names(shop: ShopUnderTest) -> None:
    """The text beside each hidden key and box is, to the letter, the text kept under that key."""
    page = open_page(shop)
    keys = {
        "x_link": page.value("consent_x_link"),
        "contact_channel": page.value("contact_wording"),
        **{
            name.removeprefix("consent_"): value for name, value in page.boxes().items()
        },
    }
    assert len(keys) == 8
    with shop.house.database.reading() as connection:
        kept = {
            (row.id, row.key): row for row in connection.execute(select(wording_table))
        }
    for wording_id, key in keys.items():
        row = kept[wording_id, key]
        assert " ".join(row.text.split()) in page.text
        assert row.sha256 == hashlib.sha256(row.text.encode()).hexdigest()


def test_the_consent_row_names_the_text_that_was_shown(shop: ShopUnderTest) -> None:
    """What the record proves is the text on the page, rendered by us."""
    page = open_page(shop)
    press(shop, page, x_handle=HANDLE)
    (consent,) = [
        row for row in shop.last_customer()["consents"] if row["purpose"] == "x_link"
    ]
    text = shop.house.wordings("en")["x_link"].text
    assert " ".join(text.split()) in page.text
    assert consent["rendered_by"] == "regulars"
    assert consent["wording"] == {
        "id": "x_link",
        "key": page.value("consent_x_link"),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def test_a_page_that_was_open_while_a_setting_changed(shop: ShopUnderTest) -> None:
    """A changed text has a new key; a page opened before still counts, under its own key."""
    page = open_page(shop)
    settings = replace(shop.house.settings, shop_name="Tony & Sons", x_mode="off")
    opened = open_shop(settings, clock=shop.clock)
    renamed = ShopUnderTest(opened, shop.clock, shop.site, shop.key)
    fresh = open_page(renamed)
    assert fresh.value("consent_x_link") == "2.en"
    assert press(renamed, page, x_handle=HANDLE).status_code == 303
    (consent, *_) = renamed.last_customer()["consents"]
    assert consent["wording"]["key"] == page.value("consent_x_link") == "1.en"
    renamed.house.database.engine.dispose()


def test_the_button_leads_to_the_thanks(shop: ShopUnderTest) -> None:
    """An accepted form is answered with 303, so that a reload sends nothing again."""
    answer = press(shop, open_page(shop), contact_channel="email", contact_email=EMAIL)
    assert answer.status_code == 303
    assert re.fullmatch(r"/signup/thanks/[\w-]{22}", answer.location)
    assert EMAIL not in answer.location
    source = shop.last_customer()["source"]
    assert source["surface"] == "signup_page"
    assert source["site_id"] == shop.site.id


def test_pressing_twice_is_one_signup(shop: ShopUnderTest) -> None:
    """The second press of the same page leads to the same thanks and makes no row."""
    page = open_page(shop)
    first = press(shop, page, contact_email=EMAIL)
    before = shop.rows()
    second = press(shop, page, contact_email=EMAIL)
    assert (second.status_code, second.location) == (303, first.location)
    assert shop.rows() == before
    assert len(shop.events()) == 1


def test_going_back_to_correct_a_slip(shop: ShopUnderTest) -> None:
    """The same page sent with another text is a new signup and not a dead end."""
    page = open_page(shop)
    first = press(shop, page, contact_email="ana.lina@example.com")
    second = press(shop, page, contact_email=EMAIL)
    assert second.status_code == 303
    assert second.location != first.location
    assert len(shop.events()) == 2


def test_an_empty_form_leads_back(shop: ShopUnderTest) -> None:
    """Who presses with nothing typed sees the page again, and nothing is kept."""
    before = shop.rows()
    answer = press(shop, open_page(shop), x_handle="", contact_channel="")
    assert answer.status_code == 303
    assert answer.location == f"/signup?site={shop.site.publishable_key}"
    assert shop.rows() == before


def test_a_wrong_form_comes_back_as_typed(shop: ShopUnderTest) -> None:
    """Errors are 422, name each field, keep what was typed, and store nothing."""
    page = open_page(shop)
    before = shop.rows()
    answer = press(
        shop,
        page,
        x_handle="Ana Lima <b>",
        contact_channel="email",
        contact_email="ana.lima",
        given_name="Ana",
        consent_offers_email=page.boxes()["consent_offers_email"],
    )
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    html = answer.get_data(as_text=True)
    again = Form(html)
    assert again.value("x_handle") == "Ana Lima <b>"
    assert "<b>" not in html
    assert again.value("contact_email") == "ana.lima"
    assert again.value("given_name") == "Ana"
    checked = {i["id"] for i in again.inputs if "checked" in i}
    assert checked == {"contact_channel-email", "consent_offers_email"}
    wrong = {i["id"] for i in again.inputs if i.get("aria-invalid") == "true"}
    assert wrong == {"x_handle", "contact_email"}
    assert shop.rows() == before


def test_a_corrected_form_is_taken(shop: ShopUnderTest) -> None:
    """The page with errors can be sent again once they are corrected."""
    first = press(shop, open_page(shop), contact_channel="email")
    again = Form(first.get_data(as_text=True))
    answer = press(shop, again, contact_channel="email", contact_email=EMAIL)
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": BASE},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ORIGIN},
        {"Origin": f"{BASE}.evil.example"},
        {"Origin": BASE.replace("https", "http")},
        {"Origin": "http://localhost"},
    ],
    ids=str,
)
def test_another_sites_page_cannot_press(
    shop: ShopUnderTest, headers: dict[str, str]
) -> None:
    """A form that another origin's page sends is refused readably, and nothing is stored."""
    page = open_page(shop)
    before = shop.rows()
    answer = press(shop, page, headers, contact_email=EMAIL)
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "another site" in answer.get_data(as_text=True)
    assert shop.rows() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": BASE},
        {"Sec-Fetch-Site": "same-origin", "Origin": BASE},
    ],
    ids=str,
)
def test_our_own_page_can(shop: ShopUnderTest, headers: dict[str, str]) -> None:
    """Our page's form is taken from browsers of all ages."""
    answer = press(shop, open_page(shop), headers, contact_email=EMAIL)
    assert answer.status_code == 303


def test_a_garbled_form(shop: ShopUnderTest) -> None:
    """A form that is not UTF-8 is refused readably rather than kept garbled."""
    before = shop.rows()
    body = f"site={shop.site.publishable_key}&given_name=Jos%E9&contact_email={EMAIL}"
    answer = shop.client.post(
        "/signup", data=body, content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert shop.rows() == before


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{}", "application/json", 404),
        ("", "", 404),
        ("site=pk_unknown", "application/x-www-form-urlencoded", 404),
        ("--b", "multipart/form-data; boundary=b", 404),
        ("--b", "multipart/form-data", 404),
        ("a" * 100_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_what_no_page_of_ours_sends(
    shop: ShopUnderTest, body: str, content_type: str, status: int
) -> None:
    """Other bodies are answered with a page and never with a fault."""
    answer = shop.client.post("/signup", data=body, content_type=content_type)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


def test_the_service_is_named_by_its_setting_alone(shop: ShopUnderTest) -> None:
    """No link and no redirect is made from the request's Host header."""
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    site = shop.site.publishable_key
    page = shop.client.get(f"/signup?site={site}", headers=evil)
    form = Form(page.get_data(as_text=True))
    pressed = press(shop, form, evil, contact_email=EMAIL)
    after = shop.client.get(pressed.location, headers=evil)
    api = shop.sign_up(contact_email=EMAIL, headers=evil)
    slashes = shop.client.get("/signup//thanks", headers=evil)
    for answer in (
        page,
        pressed,
        after,
        api,
        slashes,
        shop.client.get("/", headers=evil),
    ):
        assert "evil.example" not in f"{answer.headers}{answer.get_data(as_text=True)}"
    assert api.get_json()["preferences_url"].startswith(f"{BASE}/p/")


SAID = {
    "found": (lambda x: x.found(HANDLE, "42"), f"@{HANDLE} exists on X."),
    "not_found": (lambda x: x.not_found(HANDLE), f"could not find @{HANDLE}"),
    "suspended": (lambda x: x.suspended(HANDLE), "could not use that account"),
    "pending": (lambda x: x.unavailable(HANDLE), f"will check @{HANDLE}"),
}


@pytest.mark.parametrize(("told", "expected"), SAID.values(), ids=SAID)
def test_thanks_say_what_x_said(
    shop: ShopUnderTest,
    lookup: FakeLookup,
    told: Callable[[FakeLookup], object],
    expected: str,
) -> None:
    """Each verdict has its sentence, in the spelling that was typed; none says "yours"."""
    told(lookup)
    text = thanks(shop, x_handle=f"@{HANDLE}")
    assert expected in text
    assert "Ana Lima" not in text


def test_thanks_tell_of_this_signup_alone(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A stranger who types a known address sees their own spelling and nothing that was held."""
    lookup.found(HANDLE, "42")
    thanks(shop, x_handle=HANDLE, contact_email=EMAIL, given_name="Ana")
    text = thanks(shop, x_handle="ANALIMA")
    assert "@ANALIMA exists on X." in text
    assert "AnaLima" not in text
    assert EMAIL not in text
    assert "found" not in thanks(shop, contact_email=EMAIL)


def test_thanks_of_no_signup(shop: ShopUnderTest) -> None:
    """A thank-you link that leads nowhere is a readable 404."""
    answer = shop.client.get("/signup/thanks/none")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def token(shop: ShopUnderTest, **fields: Any) -> str:
    answer = shop.sign_up(**fields, **shop.consent())
    return str(answer.get_json()["preferences_url"].removeprefix(f"{BASE}/p/"))


def test_preferences_are_masked(shop: ShopUnderTest) -> None:
    """The private link shows what was sent so that its owner knows it and nobody else can use it."""
    found = token(
        shop,
        x_handle=HANDLE,
        contact_email=EMAIL,
        contact_phone=PHONE,
        contact_facebook="facebook.com/ana.lima.9",
        contact_channel=["x", "sms"],
        given_name="Ana",
    )
    answer = shop.client.get(f"/p/{found}")
    html = answer.get_data(as_text=True)
    assert answer.status_code == 200
    for secret in (HANDLE, EMAIL, "ana.lima", "2124567890", "456-7890", "ana.lima.9"):
        assert secret.lower() not in html.lower()
    assert "Text message" in html


def test_opening_the_link_changes_nothing(shop: ShopUnderTest) -> None:
    """Mail scanners open links: neither GET nor HEAD writes a row."""
    path = f"/p/{token(shop, contact_email=EMAIL, contact_channel='email')}"
    before = shop.rows()
    assert shop.client.get(path).status_code == 200
    assert shop.client.head(path).status_code == 200
    assert shop.rows() == before


def test_one_press_stops_everything(shop: ShopUnderTest) -> None:
    """The button withdraws, leads back to the page, and a second press does nothing more."""
    path = f"/p/{token(shop, contact_email=EMAIL, contact_channel='email')}"
    answer = shop.client.post(path, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.location) == (303, path)
    assert "Everything is stopped" in shop.client.get(path).get_data(as_text=True)
    assert shop.last_customer()["channels"]["email"]["allowed_for"] == []
    before = shop.rows()
    assert shop.client.post(path).status_code == 303
    assert shop.rows() == before


def test_another_site_cannot_press_stop(shop: ShopUnderTest) -> None:
    """The button too takes our own page alone."""
    path = f"/p/{token(shop, contact_email=EMAIL, contact_channel='email')}"
    before = shop.rows()
    answer = shop.client.post(path, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert shop.rows() == before


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("unknown", ["none", "%00", "%ff", "a" * 3000])
def test_a_link_that_leads_nowhere(
    shop: ShopUnderTest, method: str, unknown: str
) -> None:
    """An unknown token is a readable 404, whatever it is made of."""
    answer = shop.client.open(f"/p/{unknown}", method=method)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
