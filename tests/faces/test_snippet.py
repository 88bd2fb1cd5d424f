"""GET /v1/snippet and `regulars site snippet`: the fields as a shop's page shows them."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.cli.conftest import Commands
from tests.cli.conftest import cli as cli
from tests.cli.conftest import shop_at_hand as shop_at_hand
from tests.forms import Form
from tests.shops import ORIGIN, ShopUnderTest

from regulars.ask.markup import channels_markup, handle_markup
from regulars.ask.questions import Questions
from regulars.ask.widget.files import SCRIPT, newest_version, widget_file
from regulars.values.languages import LANGUAGES
from regulars.web.visitors import PUBLIC_RATE

JSON = {"Accept": "application/json"}
ROOM = int(PUBLIC_RATE.split()[0])


def get(shop: ShopUnderTest, query: str = "", **headers: str) -> Any:
    url = f"/v1/snippet?site={shop.site.publishable_key}{query}"
    return shop.client.get(url, headers=headers)


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_json_and_html_are_one(shop: ShopUnderTest) -> None:
    """The HTML is what the JSON draws, and both carry the keys that a signup may send."""
    asked = Questions.from_json(get(shop, **JSON).json)
    page = get(shop).text
    assert str(handle_markup(asked)) in page
    assert str(channels_markup(asked)) in page
    assert asked.handle.statement.key == shop.wording("x_link")
    form = Form(page)
    assert form.fields["site"] == shop.site.publishable_key
    typed = {"contact_channel": "email", "contact_email": "ana@tonys.example"}
    told = shop.sign_up(**{**form.fields, **typed})
    assert told.status_code == 201
    assert len(shop.last_customer()["consents"]) == 2


def test_json_is_what_an_empty_element_reads(shop: ShopUnderTest) -> None:
    """Its names are a contract with every version of the element that is out there."""
    told = get(shop, **JSON).json
    assert set(told) == {
        "site", "language", "dir", "endpoint", "invite", "handle", "channels", "texts",
    }  # fmt: skip
    assert told["endpoint"] == "https://connect.tonys.example/v1/check"
    assert set(told["handle"]) == {"label", "statement", "conversation"}
    assert set(told["handle"]["statement"]) == {"key", "text"}
    asked = told["channels"]
    assert set(asked) == {"legend", "statement", "choices", "details"}
    assert [it["value"] for it in asked["choices"]] == ["x", "email", "sms", "phone", "facebook", ""]  # fmt: skip
    details = {tuple(it["for"]): it for it in asked["details"]}
    assert set(details) == {("x",), ("email",), ("sms", "phone"), ("facebook",)}
    assert details["x",]["field"] is None
    assert details["sms", "phone"]["field"] == "contact_phone"
    assert [it["channel"] for it in details["sms", "phone"]["consents"]] == ["sms", "phone"]  # fmt: skip
    assert set(told["texts"]) == {
        "found", "not_found", "suspended", "pending", "unchecked", "checking", "malformed",
    }  # fmt: skip


def test_the_script_is_pinned(shop: ShopUnderTest) -> None:
    """The tag names the newest version with the hash of what is served there, and that fields post without."""
    page = get(shop).text
    (script,) = [given for tag, given in Tags(page).found if tag == "script"]
    file = widget_file(newest_version(), SCRIPT)
    path = f"/w/{file.version}/{SCRIPT}"
    assert script == {
        "type": "module",
        "src": f"https://connect.tonys.example{path}",
        "integrity": file.integrity,
        "crossorigin": "anonymous",
    }
    assert shop.client.get(path).data == file.bodies["identity"]
    assert "Without it the fields post all the same." in page


def test_nothing_inline(shop: ShopUnderTest) -> None:
    """No style, script or handler stands in the markup, and nothing is hidden, disabled or chosen."""
    for tag, given in Tags(get(shop).text).found:
        assert tag not in {"style", "link", "iframe", "img"}
        assert [name for name in given if name.startswith("on")] == []
        assert {"style", "hidden", "disabled", "checked", "required"} & set(given) == set()  # fmt: skip


def test_each_input_is_labelled_and_ids_are_single(shop: ShopUnderTest) -> None:
    """Every label and description leads to an id that is there once."""
    found = Tags(get(shop).text).found
    ids = [given["id"] for _, given in found if "id" in given]
    assert len(ids) == len(set(ids))
    wanted = {given["for"] for _, given in found if "for" in given}
    for _, given in found:
        wanted |= set((given.get("aria-describedby") or "").split())
    assert wanted <= set(ids)
    shown = [g for tag, g in found if tag == "input" and g.get("type") != "hidden"]
    unlabelled = [g for g in shown if g.get("id") not in wanted]
    # Those without an id stand inside of their label.
    assert {g["type"] for g in unlabelled} == {"radio", "checkbox"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_each_language(shop: ShopUnderTest, language: str) -> None:
    """Asked for by name, by the element's word or by the browser: texts, direction and keys are of it."""
    told = get(shop, f"&language={language}", **JSON).json
    assert told["language"] == language
    assert told["handle"]["statement"]["key"].endswith(f".{language}")
    assert told["dir"] == ("rtl" if language == "ar" else "ltr")
    assert get(shop, f"&lang={language}", **JSON).json == told
    assert get(shop, **JSON, **{"Accept-Language": language}).json == told
    page = get(shop, f"&language={language}")
    assert page.headers["Content-Language"] == language
    (host,) = [g for tag, g in Tags(page.text).found if tag == "regulars-handle"]
    assert (host["lang"], host["dir"]) == (language, told["dir"])
    # The element speaks English by itself; its other words come with the markup.
    texts = {f"text-{k.replace('_', '-')}": v for k, v in told["texts"].items()}
    assert {k: v for k, v in host.items() if k.startswith("text-")} == (
        {} if language == "en" else texts
    )


@pytest.mark.parametrize("given", ["xx", "", "../..", "en" * 999, "pt_br", "PT-PT"])
def test_a_language_that_we_have_not(shop: ShopUnderTest, given: str) -> None:
    """Whatever is asked for is answered, in the nearest language that there is."""
    told = get(shop, f"&language={given}", **JSON).json
    is_akin = given.lower().startswith("pt")
    assert told["language"] == ("pt-BR" if is_akin else "en")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("*/*", "text/html"),
        ("", "text/html"),
        ("image/png", "text/html"),
        ("application/json", "application/json"),
        ("application/json, */*;q=0.1", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
    ],
)
def test_the_form_is_chosen_by_accept(
    shop: ShopUnderTest, accept: str, kind: str
) -> None:
    """HTML, unless JSON is liked better."""
    answer = get(shop, Accept=accept)
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert {"Accept", "Accept-Language", "Origin"} <= set(answer.vary)


def test_any_page_may_read_and_keep_it_for_minutes(shop: ShopUnderTest) -> None:
    """It says what everybody sees anyway; a page that has it is told so."""
    answer = get(shop, Origin="https://unknown.example", **JSON)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    again = get(shop, **JSON, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    known = get(shop, Origin=ORIGIN, **JSON)
    assert known.headers["Access-Control-Allow-Origin"] == ORIGIN
    for told in (answer, known):
        assert "Access-Control-Allow-Credentials" not in told.headers
        assert "Set-Cookie" not in told.headers


@pytest.mark.parametrize(("query", "code"), [("", "site.missing"), ("?site=", "site.missing"), ("?site=pk_x", "site.unknown"), ("?site=%00", "site.unknown")])  # fmt: skip
def test_no_such_site(shop: ShopUnderTest, query: str, code: str) -> None:
    """A key that is none is a problem that the page's developer may read, and is not kept."""
    answer = shop.client.get(f"/v1/snippet{query}", headers=JSON)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert [it["code"] for it in answer.json["errors"]] == [code]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_tells_no_secret(shop: ShopUnderTest) -> None:
    """Neither form has more than the page shows: no receipt secret, origin, id, name or customer."""
    shop.sign_up(contact_email="ana@tonys.example", **shop.consent())
    for answer in (get(shop), get(shop, **JSON)):
        text = answer.text
        for secret in (shop.site.receipt_secret, shop.site.id, ORIGIN + '"', shop.key, "ana@"):  # fmt: skip
            assert secret not in text
        assert re.search(r"\b(rs|sk|whsec|site|cus)_[A-Za-z0-9]", text) is None


def test_it_is_limited(shop: ShopUnderTest) -> None:
    """One visitor gets sixty a minute; another still gets theirs."""
    statuses = {get(shop).status_code for _ in range(ROOM)}
    assert statuses == {200}
    answer = get(shop)
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers


def test_what_the_owner_writes_stays_text(open_under_test: Any) -> None:
    """A name or sentence of the owner's is never markup."""
    shop = open_under_test(SHOP_NAME="<b>T&T</b>", INVITE_TEXT='<img src=x onerror="1">')  # fmt: skip
    tags = {tag for tag, _ in Tags(get(shop).text).found}
    assert {"b", "img"} & tags == set()
    assert get(shop, **JSON).json["invite"] == '<img src=x onerror="1">'


def test_the_command_prints_the_same(
    cli: Commands, shop_at_hand: ShopUnderTest
) -> None:
    """HTML, and with --json what it is made of; --language chooses, --no-script loads nothing."""
    settings = shop_at_hand.house.settings
    cli.environment["REGULARS_SHOP_NAME"] = settings.shop_name
    cli.environment["REGULARS_PRIVACY_URL"] = settings.privacy_url
    words = ("site", "snippet", "Shop", "--language", "de")
    assert cli.ok(*words) == get(shop_at_hand, "&language=de").text + "\n"
    assert cli.json(*words) == get(shop_at_hand, "&language=de", **JSON).json
    plain = cli.ok("site", "snippet", "Shop", "--no-script")
    assert "<script" not in plain
    assert "<regulars-handle" in plain
    assert "--language" in cli.refused("site", "snippet", "Shop", "--language", "tlh", status=2)  # fmt: skip


def test_the_inventory_entry(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """What an assessor asks for: the address, the hash, the reason, and the policy that lets it in."""
    told = cli.ok("site", "snippet", "Shop", "--inventory")
    file = widget_file(newest_version(), SCRIPT)
    assert f"https://connect.tonys.example/w/{file.version}/{SCRIPT}" in told
    assert file.integrity in told
    assert "connect-src https://connect.tonys.example/v1/;" in told
