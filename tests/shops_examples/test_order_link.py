"""The order in a link: signed by the shop, believed by the hosted page, or left aside."""

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Commands
from tests.cli.conftest import cli as cli
from tests.cli.conftest import shop_at_hand as shop_at_hand
from tests.conftest import need
from tests.fakes import START
from tests.shops import EMAIL, ShopUnderTest

from regulars_webhooks.errors import OrderLinkRefused
from regulars_webhooks.order_link import expiry_of, read_order, sign_order

SECRET = "rs_sample"
Code = OrderLinkRefused.Code


def refused(token: str, secret: str = SECRET, after_s: float = 0) -> Code:
    with pytest.raises(OrderLinkRefused) as caught:
        read_order(token, secret, now=START + timedelta(seconds=after_s))
    return caught.value.code


def by_hand(order_id: bytes, expires: str, secret: str = SECRET) -> str:
    """The token as the module's docstring says it, in other words than its code."""
    first = base64.urlsafe_b64encode(order_id).decode().replace("=", "")
    mac = hmac.new(secret.encode(), f"order:{first}.{expires}".encode(), hashlib.sha256)
    return f"{first}.{expires}.{mac.digest()[:16].hex()}"


def test_a_known_token() -> None:
    """The format is fixed: links that shops printed last year are read by the next release."""
    token = sign_order("1029", SECRET, now=START, valid_for=timedelta(days=30))
    assert token == "MTAyOQ.1797884104.611b332df17f73d43dfad95db705ea44"
    assert token == by_hand(b"1029", "1797884104")
    assert expiry_of(token) == START.replace(microsecond=0) + timedelta(days=30)


@given(st.text(min_size=1, max_size=100))
def test_what_was_signed_is_read(order_id: str) -> None:
    """Every order id that can be signed comes back as it was; the others are refused at once."""
    try:
        token = sign_order(order_id, SECRET, now=START)
    except ValueError:
        assert not order_id.isprintable() or order_id != order_id.strip()
    else:
        assert re.fullmatch(r"[\w.-]+", token, re.ASCII)
        assert read_order(token, SECRET, now=START) == order_id


@given(st.text(max_size=80))
def test_any_text_is_refused_in_one_way(token: str) -> None:
    """Whatever stands in a link, nothing but OrderLinkRefused is raised."""
    refused(token)


GOOD = sign_order("1029", SECRET, now=START)
FIRST, EXPIRES, LAST = GOOD.split(".")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("", Code.MALFORMED, id="empty"),
        pytest.param("1029", Code.MALFORMED, id="order alone"),
        pytest.param(f"{FIRST}.{EXPIRES}", Code.MALFORMED, id="unsigned"),
        pytest.param(f"{GOOD}\n", Code.MALFORMED, id="line feed"),
        pytest.param(f"{GOOD}A", Code.MALFORMED, id="too long"),
        pytest.param(GOOD[:-1], Code.MALFORMED, id="truncated"),
        pytest.param(f"MTAzMA.{EXPIRES}.{LAST}", Code.NO_MATCH, id="other order"),
        pytest.param(f"{FIRST}.9{EXPIRES}.{LAST}", Code.NO_MATCH, id="later expiry"),
        pytest.param(f"{FIRST}.{EXPIRES}.{'a' * 32}", Code.NO_MATCH, id="guessed"),
        pytest.param(by_hand(b"1029", EXPIRES, "rs_other"), Code.NO_MATCH, id="other shop"),
        pytest.param(by_hand(b"\xff\xfe", EXPIRES), Code.MALFORMED, id="not UTF-8"),
        pytest.param(by_hand(b"a\nb", EXPIRES), Code.MALFORMED, id="two lines"),
        pytest.param(by_hand(b"1" * 101, EXPIRES), Code.MALFORMED, id="long id"),
        pytest.param(by_hand(b"1029", "1"), Code.EXPIRED, id="expired"),
    ],
)  # fmt: skip
def test_what_is_not_believed(token: str, code: Code) -> None:
    """Forged, altered and expired tokens are each refused under a stable code."""
    assert refused(token) is code


def test_the_last_second() -> None:
    """A link holds up to its expiry and no longer."""
    token = sign_order("1029", SECRET, now=START, valid_for=timedelta(seconds=10))
    end_s = (expiry_of(token) - START).total_seconds()
    assert read_order(token, SECRET, now=expiry_of(token)) == "1029"
    assert refused(token, after_s=end_s + 1) is Code.EXPIRED


@pytest.mark.parametrize("order_id", ["", " 1", "1\n", "1" * 101, "\x00"])
def test_what_cannot_be_signed(order_id: str) -> None:
    """An order id is one line of 1 to 100 characters."""
    with pytest.raises(ValueError, match="one line"):
        sign_order(order_id, SECRET, now=START)


def test_a_link_needs_a_secret_and_a_future() -> None:
    """An empty secret, a naive time and a link that is over at once are mistakes."""
    naive = START.replace(tzinfo=None)
    for secret, now, seconds in [("", START, 1), ("s", naive, 1), ("s", START, 0)]:
        with pytest.raises(ValueError):  # noqa: PT011 - three sentences
            sign_order("1", secret, now=now, valid_for=timedelta(seconds=seconds))


class Page(HTMLParser):
    """The hidden fields of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input" and found.get("type") == "hidden":
            self.hidden[found["name"]] = found["value"]

    def handle_data(self, data: str) -> None:
        self.text += data


def open_page(shop: ShopUnderTest, **query: str) -> Page:
    query = {"site": shop.site.publishable_key, **query}
    answer = shop.client.get("/signup", query_string=query)
    assert answer.status_code == 200
    return Page(answer.get_data(as_text=True))


def press(shop: ShopUnderTest, page: Page, **typed: str) -> Any:
    """The status after the button, and the order that the event then names."""
    fields = {**page.hidden, "contact_email": EMAIL, "contact_channel": "email"}
    answer = shop.client.post("/signup", data={**fields, **typed})
    assert answer.status_code == 303
    source = shop.last_customer()["source"]
    return source["order_id"], source["order_verified"]


def test_the_hosted_page_takes_the_signed_order(shop: ShopUnderTest) -> None:
    """The order of a signed link is shown, carried through the form and told as verified."""
    token = sign_order("1029", shop.site.receipt_secret, now=shop.clock())
    page = open_page(shop, order=token)
    assert "Your order: 1029" in " ".join(page.text.split())
    assert press(shop, page, order_id="666") == ("1029", True)


def test_the_order_survives_a_mistake(shop: ShopUnderTest) -> None:
    """A form that comes back with an error still carries the signed order."""
    token = sign_order("1029", shop.site.receipt_secret, now=shop.clock())
    fields = {**open_page(shop, order=token).hidden, "contact_email": "ana@"}
    answer = shop.client.post("/signup", data=fields)
    assert answer.status_code == 422
    assert press(shop, Page(answer.get_data(as_text=True))) == ("1029", True)


def test_an_order_with_markup_in_it(shop: ShopUnderTest) -> None:
    """An order id is text on the page, whatever it holds."""
    order_id = '<b>"1029"</b> & Söhne'
    token = sign_order(order_id, shop.site.receipt_secret, now=shop.clock())
    page = open_page(shop, order=token)
    assert order_id in page.text
    assert press(shop, page) == (order_id, True)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda token: token[:-1] + "!", id="malformed"),
        pytest.param(lambda _: sign_order("1", "rs_other", now=START), id="other site"),
        pytest.param(lambda _: "1029", id="order alone"),
        pytest.param(lambda _: "\x00", id="NUL"),
    ],
)
def test_a_forged_order_is_left_aside(shop: ShopUnderTest, forge: Any) -> None:
    """With a forged order the page opens and works; the order is neither shown nor kept."""
    token = forge(sign_order("1029", shop.site.receipt_secret, now=START))
    page = open_page(shop, order=token)
    assert "order" not in page.hidden
    assert "Your order" not in page.text
    assert press(shop, page, order=token) == (None, False)


def test_an_order_expired_meanwhile(shop: ShopUnderTest) -> None:
    """What expires between the page and the button is left aside; the signup is taken."""
    short = timedelta(seconds=60)
    token = sign_order("1", shop.site.receipt_secret, now=shop.clock(), valid_for=short)
    page = open_page(shop, order=token)
    shop.clock.advance(61)
    assert press(shop, page) == (None, False)


def test_an_order_typed_into_the_public_form(shop: ShopUnderTest) -> None:
    """An order that only the form names is kept, and told as not verified."""
    assert press(shop, open_page(shop), order_id="1029") == ("1029", False)


@pytest.mark.parametrize(("by_key", "told"), [(True, True), (False, False)])
def test_who_named_the_order(shop: ShopUnderTest, by_key: bool, told: bool) -> None:
    """The shop's own server vouches for its order; a page does not."""
    shop.sign_up(by_key=by_key, contact_email=EMAIL, order_id="1029")
    assert shop.last_customer()["source"]["order_verified"] is told


def test_no_order_is_not_verified(shop: ShopUnderTest) -> None:
    """Where there is no order nothing is vouched for, not even by a key."""
    shop.sign_up(by_key=True, contact_email=EMAIL)
    assert shop.last_customer()["source"]["order_verified"] is False


def test_a_signed_order_alone_is_an_empty_form(shop: ShopUnderTest) -> None:
    """Who opens the link and presses the button without an answer leaves no row."""
    token = sign_order("1029", shop.site.receipt_secret, now=shop.clock())
    before = shop.rows()
    answer = shop.client.post("/signup", data=open_page(shop, order=token).hidden)
    assert (answer.status_code, shop.rows()) == (303, before)


def test_link_without_an_order(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """The link names the site at the public address, and nothing expires."""
    made = cli.json("site", "link", "Shop")
    site = shop_at_hand.site
    assert made["url"].endswith(f"/signup?site={site.publishable_key}")
    assert (made["order_id"], made["expires_at"]) == (None, None)
    assert cli.ok("site", "link", "Shop").strip() == made["url"]


def test_link_with_an_order(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """The link's order is signed with the site's secret, for as many days as asked."""
    site = shop_at_hand.site
    made = cli.json("site", "link", "Shop", "--order", "A 1029/2", "--days", "2")
    (token,) = parse_qs(urlsplit(made["url"]).query)["order"]
    ends = expiry_of(token)
    order_id = read_order(token, site.receipt_secret, now=ends - timedelta(days=1))
    assert (order_id, made["order_id"]) == ("A 1029/2", "A 1029/2")
    assert made["expires_at"] == ends.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )


def modules_of(svg: str) -> set[tuple[int, int]]:
    """Row and column of what the SVG draws dark, without the four light modules around."""
    (path,) = re.findall(r'stroke="#000" d="([^"]+)"', svg)
    dark, x, y = set(), 0.0, 0.0
    for command, text in re.findall(r"([Mmh])([-\d. ]+)", path):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        if command == "h":
            dark |= {(int(y) - 4, int(x) + n - 4) for n in range(int(numbers[0]))}
            x += numbers[0]
        else:
            x, y = x * (command == "m") + numbers[0], y * (command == "m") + numbers[1]
    return dark


def test_qr_is_drawn_of_the_link(
    cli: Commands, shop_at_hand: ShopUnderTest, tmp_path: Path
) -> None:
    """The SVG, printed or in a file, is the square of the link with its signed order."""
    file = tmp_path / "qr.svg"
    made = cli.json("site", "qr", "Shop", "--order", "1029", "--out", str(file))
    assert (made["file"], made["order_id"]) == (str(file), "1029")
    (token,) = parse_qs(urlsplit(made["url"]).query)["order"]
    secret = shop_at_hand.site.receipt_secret
    assert read_order(token, secret, now=expiry_of(token)) == "1029"
    matrix = segno.make_qr(made["url"], error="m").matrix
    dark = {(r, c) for r, row in enumerate(matrix) for c, bit in enumerate(row) if bit}
    assert modules_of(file.read_text("utf-8")) == modules_of(made["svg"]) == dark


def test_qr_reads_as_the_link(
    cli: Commands, shop_at_hand: ShopUnderTest, tmp_path: Path
) -> None:
    """A reader that is not ours finds the very link in the picture."""
    need(shutil.which("zbarimg") is not None, "zbarimg (Debian: zbar-tools)")
    file = tmp_path / "qr.png"
    told = cli.ok("site", "qr", "Shop", "--order", "A-1029", "--out", str(file))
    command = ["zbarimg", "--quiet", "--raw", "--nodbus", str(file)]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    assert read.stdout.strip() == told.splitlines()[0]


def test_qr_without_a_file(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """Without --out the SVG itself is printed, ready for a page or a file."""
    assert cli.ok("site", "qr", "Shop").startswith("<svg ")


@pytest.mark.parametrize("command", ["link", "qr"])
def test_link_of_no_site(cli: Commands, command: str) -> None:
    """A name that is none is a finding, with the command that lists them."""
    assert "site list" in cli.refused("site", command, "Nowhere", status=1)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["link", "Shop", "--order", ""], 2, id="empty order"),
        pytest.param(["link", "Shop", "--days", "0"], 2, id="no days"),
        pytest.param(["qr", "Shop", "--out", "qr.gif"], 2, id="gif"),
        pytest.param(["qr", "Shop", "--out", "/nowhere/qr.svg"], 1, id="no folder"),
    ],
)
def test_links_that_cannot_be_made(
    cli: Commands, shop_at_hand: ShopUnderTest, words: list[str], status: int
) -> None:
    """What cannot be signed, drawn or written is refused in a sentence."""
    cli.refused("site", *words, status=status)
