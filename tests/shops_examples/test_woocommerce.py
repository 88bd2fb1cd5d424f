"""The WooCommerce plugin: its PHP runs under php-cli against a Regulars that answers by HTTP.

WordPress and WooCommerce themselves are stood in for by woocommerce.php beside this file.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.conftest import need
from tests.fakes import FakeLookup
from tests.readme.running import free_port, served
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars.ask.snippet import render_snippet, snippet_labels
from regulars.keep.wordings import wording_table

HERE = Path(__file__).parent
PLUGIN = HERE.parents[1] / "examples" / "woocommerce" / "regulars"
FILES = sorted(PLUGIN.glob("*.php"))
ORDER = {"id": 1029, "email": EMAIL, "phone": PHONE, "first_name": "Ana", "last_name": "Lima"}  # fmt: skip
Buy = Callable[..., Any]


@pytest.fixture(autouse=True)
def php() -> None:
    need(shutil.which("php") is not None, "PHP")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_php_reads_it(file: Path) -> None:
    """Each file is PHP."""
    subprocess.run(["php", "-l", file], check=True, capture_output=True)


def test_each_part_is_short() -> None:
    """A checkout takes about forty lines of PHP, and so does what both share."""
    code = {
        file.name: [
            line
            for line in file.read_text("utf-8").splitlines()
            if line.strip() and not line.strip().startswith(("/*", "*", "//"))
        ]
        for file in FILES
    }
    assert set(code) == {"blocks.php", "classic.php", "regulars.php"}
    assert {name: len(lines) <= 45 for name, lines in code.items()} == dict.fromkeys(
        code, True
    )


@pytest.fixture
def buy(shop: ShopUnderTest, lookup: FakeLookup, tmp_path: Path) -> Iterator[Buy]:
    """Makes one sale, and tells what the shop's software saw of it."""
    lookup.found(HANDLE, "2244994945")
    plugin = tmp_path / "regulars"
    shutil.copytree(PLUGIN, plugin)
    with shop.shop.app.test_request_context():
        fields = render_snippet(shop.house, shop.site)
    (plugin / "fields.html").write_text(fields, "utf-8")
    labels = snippet_labels(shop.house, shop.site)
    (plugin / "labels.json").write_text(json.dumps(labels), "utf-8")

    with served(shop.shop.app) as url:

        def sell(checkout: str, typed: dict[str, Any], **more: Any) -> Any:
            scenario = {
                "plugin": str(plugin),
                "url": url,
                "key": shop.key,
                "checkout": checkout,
                "order": ORDER,
                "typed": typed,
                **more,
            }
            done = subprocess.run(
                ["php", "-d", "display_errors=stderr", HERE / "woocommerce.php"],
                input=json.dumps(scenario),
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            assert (done.returncode, done.stderr) == (0, "")
            return json.loads(done.stdout)

        yield sell


class Hidden(HTMLParser):
    """The hidden fields of a page: what a browser posts unasked."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found["value"]


def classic(buy: Buy, typed: dict[str, Any], **more: Any) -> Any:
    """A sale at the classic checkout: its hidden fields come back with what was typed."""
    page = buy("classic", {})
    return buy("classic", {**Hidden(page["html"]).fields, **typed}, **more)


def block(buy: Buy, handle: str = "", channel: str = "", **more: Any) -> Any:
    """A sale at the block checkout."""
    typed = {"regulars/x-handle": handle, "regulars/channel": channel}
    return buy("blocks", {name: v for name, v in typed.items() if v}, **more)


def told(shop: ShopUnderTest) -> Any:
    """The one event's customer."""
    (event,) = shop.events()
    return event["data"]["customer"]


def wording(shop: ShopUnderTest, row: dict[str, Any]) -> str:
    """The text that a consent row of the event proves."""
    found = row["wording"]
    query = select(wording_table.c.text).where(
        wording_table.c.id == found["id"], wording_table.c.key == found["key"]
    )
    with shop.house.database.reading() as connection:
        return connection.execute(query).scalar_one()


def test_the_classic_checkout(buy: Buy, shop: ShopUnderTest) -> None:
    """Handle, channel and box of the classic checkout arrive in one event, after the sale."""
    box = {"consent_offers_sms": shop.wording("offers_sms"), "billing_city": "Rio"}
    typed = {"x_handle": "@AnaLima ", "contact_channel": "sms", "contact_phone": "", **box}  # fmt: skip
    seen = classic(buy, typed, order={**ORDER, "customer_id": 7})
    assert (seen["during_the_sale"], seen["kept"], seen["notes"]) == (0, None, [])
    assert [r["timeout"] for r in seen["requests"]] == [3]
    customer = told(shop)
    assert (customer["preferred_channel"], customer["external_id"]) == ("sms", "7")
    assert (customer["given_name"], customer["family_name"]) == ("Ana", "Lima")
    points = {p["kind"]: p for p in customer["contact_points"]}
    assert points["x_account"]["verdict"] == "found"
    assert points["phone_number"]["normalized"] == "+12124567890"
    assert customer["channels"]["sms"]["allowed_for"] == ["order", "service_news"]
    assert customer["channels"]["sms"]["blocked"]["offers"] == "pending_consent"
    assert {row["rendered_by"] for row in customer["consents"]} == {"shop"}
    source = customer["source"]
    assert (source["order_id"], source["order_verified"]) == ("1029", True)
    assert (source["site_id"], source["surface"]) == (shop.site.id, "checkout")


def test_the_block_checkout(buy: Buy, shop: ShopUnderTest) -> None:
    """The two fields of the block checkout arrive under the words that were their labels."""
    seen = block(buy, "https://x.com/AnaLima?s=20", "email")
    assert (seen["during_the_sale"], seen["kept"], seen["notes"]) == (0, None, [])
    customer = told(shop)
    points = {p["kind"]: p for p in customer["contact_points"]}
    assert points["x_account"]["value"] == HANDLE
    assert points["email_address"]["value"] == EMAIL
    assert customer["preferred_channel"] == "email"
    shown = {field["id"]: field["label"] for field in seen["fields"]}
    rows = {row["wording"]["id"]: row for row in customer["consents"]}
    assert wording(shop, rows["x_link"]) == shown["regulars/x-handle"]
    assert wording(shop, rows["contact_channel"]) == shown["regulars/channel"]
    assert {row["rendered_by"] for row in customer["consents"]} == {"shop"}


def test_the_fields_of_the_block_checkout(buy: Buy) -> None:
    """WooCommerce gets labels that it shows as they are, and never fills a handle in by itself."""
    handle, channel = block(buy)["fields"]
    for field in (handle, channel):
        assert field["label"] == field["optionalLabel"]
        assert (field["location"], len(field["label"]) <= 100) == ("order", True)
        assert "(optional)" in field["label"]
        assert "Tony's" in field["label"]
    assert handle["attributes"]["autocomplete"] == "off"
    assert [o["value"] for o in channel["options"]] == ["x", "email", "sms", "phone"]


def test_a_part_without_its_file_does_nothing(
    buy: Buy, shop: ShopUnderTest, tmp_path: Path
) -> None:
    """A plugin that was copied without its two files harms no page and no sale."""
    (tmp_path / "regulars" / "labels.json").unlink()
    (tmp_path / "regulars" / "fields.html").unlink()
    for seen in (block(buy, HANDLE, "x"), buy("classic", {"x_handle": HANDLE})):
        assert (seen["fields"], seen["html"], seen["requests"]) == ([], "", [])
    assert shop.events() == []


def test_a_label_is_another_wording(shop: ShopUnderTest) -> None:
    """A label has a key of its own, and both texts stay good."""
    labels = snippet_labels(shop.house, shop.site)
    long = shop.wording("x_link")
    assert labels["x_link"]["key"] != long
    for key in (labels["x_link"]["key"], long):
        assert shop.house.wording_book.find("x_link", key) is not None


NOTHING = [
    pytest.param("", "", {}, id="nothing"),
    pytest.param("  ", "", {}, id="blank"),
    pytest.param("", "x", {}, id="X without a handle"),
    pytest.param("", "sms", {"phone": ""}, id="text message without a number"),
]


@pytest.mark.parametrize(("handle", "channel", "order"), NOTHING)
def test_nothing_said_is_nothing_sent(
    buy: Buy, shop: ShopUnderTest, handle: str, channel: str, order: dict[str, str]
) -> None:
    """Who says nothing, or nothing that can be used, is not told about."""
    before = shop.rows()
    for sale in (
        block(buy, handle, channel, order={**ORDER, **order}),
        classic(
            buy,
            {"x_handle": handle, "contact_channel": channel},
            order={**ORDER, **order},
        ),
    ):
        assert (sale["requests"], sale["kept"]) == ([], None)
    assert shop.rows() == before


def test_a_handle_outlives_a_channel_without_address(
    buy: Buy, shop: ShopUnderTest
) -> None:
    """A channel that has no address is left out, so that the handle is not lost with it."""
    block(buy, HANDLE, "sms", order={**ORDER, "phone": ""})
    assert told(shop)["preferred_channel"] is None
    assert [p["value"] for p in told(shop)["contact_points"]] == [HANDLE]


def test_told_twice_is_once(buy: Buy, shop: ShopUnderTest) -> None:
    """A job that ran again after its process died makes nothing twice."""
    seen = block(buy, HANDLE, "x", repeats=2)
    assert len(seen["requests"]) == 3
    assert told(shop)["version"] == 1


def test_while_regulars_is_down(buy: Buy, shop: ShopUnderTest) -> None:
    """The answer stays with the order, and is told later: soon first, then every six hours."""
    nobody = f"http://127.0.0.1:{free_port()}"
    seen = block(buy, HANDLE, "x", url=nobody)
    assert seen["kept"]["x_handle"] == HANDLE
    ((pause_s, hook, arguments),) = seen["later"]
    assert (pause_s in {119, 120}, hook, arguments) == (
        True,
        "regulars_tell",
        [1029, 2],
    )
    ((pause_s, _, _),) = block(buy, HANDLE, "x", url=nobody, attempt=12)["later"]
    assert pause_s in {21599, 21600}


def test_with_a_wrong_key(buy: Buy) -> None:
    """A key that was revoked loses nothing: whoever mends it within three days has it all."""
    seen = block(buy, HANDLE, "x", key="sk_revoked")
    assert seen["kept"]["x_handle"] == HANDLE
    assert len(seen["later"]) == 1
    seen = block(buy, HANDLE, "x", key="sk_revoked", attempt=20)
    assert (seen["later"], seen["kept"]) == ([], None)
    assert seen["notes"] == ["Regulars took nothing (401): key.unknown"]


def test_what_cannot_be_used(buy: Buy, shop: ShopUnderTest) -> None:
    """An answer that is refused is noted on the order by its code, and not sent again."""
    seen = block(buy, "not a handle!", "email")
    assert (seen["later"], seen["kept"], shop.events()) == ([], None, [])
    (note,) = seen["notes"]
    assert note == "Regulars took nothing (422): handle.has_spaces"


def test_names_that_are_no_fields_of_ours(buy: Buy) -> None:
    """Lists and foreign fields of the checkout's form stay where they are."""
    typed = {"x_handle": ["@AnaLima"], "contact_channel": "", "card_number": "4111"}
    assert classic(buy, typed)["requests"] == []
