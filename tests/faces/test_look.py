"""The hosted pages with the shop's own colour and logo, what each choice means, and the way back."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import segno
from tests.faces.test_pages import Form, open_page, press, thanks
from tests.shops import HANDLE, ShopUnderTest
from tests.values.test_look import png

pytestmark = pytest.mark.sqlite_only("about pages")
Open = Callable[..., ShopUnderTest]


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    file = tmp_path / "logo.png"
    file.write_bytes(png())
    return file


def linked(shop: ShopUnderTest, pattern: str) -> list[str]:
    page = shop.client.get(f"/signup?site={shop.site.publishable_key}").text
    return re.findall(pattern, page)


def test_a_shop_that_set_nothing(shop: ShopUnderTest) -> None:
    """Without a colour and a logo the pages have our own, and there is nothing to fetch."""
    assert linked(shop, r"/look/[^\"]*") == []
    assert linked(shop, r"class=\"(monogram|logo)\"") == ["monogram"]
    for path in ("/look/shop.css", "/look/logo"):
        assert shop.client.get(path).status_code == 404


def test_the_shops_colour(open_under_test: Open) -> None:
    """The colour comes as a style sheet of our own host, with what can be read beside it."""
    shop = open_under_test(SHOP_COLOR="#FFD400")
    (url,) = linked(shop, r'<link rel="stylesheet" href="(/look/[^"]*)">')
    answer = shop.client.get(url)
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "--brand: #ffd400;" in answer.text
    assert "--on-brand: #000000;" in answer.text
    assert "--accent: #ffd400;" in answer.text.partition("dark")[2]
    assert "--accent: #ffd400;" not in answer.text.partition("dark")[0]
    again = shop.client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_another_colour_has_another_address(open_under_test: Open) -> None:
    """A browser that keeps the old sheet asks for the new one."""
    urls = {
        linked(open_under_test(SHOP_COLOR=colour), r"/look/shop.css[^\"]*")[0]
        for colour in ("#111111", "#222222")
    }
    assert len(urls) == 2


def test_the_shops_logo(open_under_test: Open, logo: Path) -> None:
    """The logo stands where the letter stood, from our own host, as what its bytes are."""
    renamed = logo.rename(logo.with_name("logo.svg"))
    shop = open_under_test(SHOP_LOGO=str(renamed))
    (url,) = linked(shop, r'<img class="logo" src="([^"]*)" alt="">')
    assert linked(shop, r"class=\"monogram\"") == []
    answer = shop.client.get(url)
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert answer.data == png()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age=86400" in answer.headers["Cache-Control"]


def test_each_choice_says_what_it_means(open_under_test: Open) -> None:
    """A choice is named by what will happen; what is posted for all says so, with whom to follow."""
    shop = open_under_test(
        SHOP_X_USERNAME="tonys", CHANNELS="x,email,sms,phone,whatsapp,facebook"
    )
    text = open_page(shop).text
    for words in (
        "Follow on X On X we post for everybody; follow @tonys to see it.",
        "E-mail me We write to your address.",
        "Text me We send a text message to your phone.",
        "Call me One of us calls you.",
        "Message me on WhatsApp We write to you there.",
        "Follow on Facebook On Facebook we post for everybody to read.",
    ):
        assert words in text
    alone = open_under_test(SHOP_X_USERNAME="")
    assert "On X we post for everybody to read." in open_page(alone).text


def test_the_meaning_describes_the_choice_and_does_not_name_it(
    shop: ShopUnderTest,
) -> None:
    """A screen reader hears the name first and the meaning after it."""
    page = open_page(shop)
    radios = [it for it in page.inputs if it["type"] == "radio"]
    described = [it["aria-describedby"] for it in radios if it["value"]]
    assert described == [f"{it['id']}-means" for it in radios if it["value"]]
    assert "aria-describedby" not in radios[-1]


def test_the_trap_for_programs_is_there(shop: ShopUnderTest) -> None:
    """A text field that nobody sees, reaches by Tab or has filled in by the browser."""
    (trap,) = [it for it in open_page(shop).inputs if it.get("name") == "leave_empty"]
    assert (trap["type"], trap["tabindex"], trap["autocomplete"]) == (
        "text",
        "-1",
        "off",
    )
    assert "leave_empty" in open_page(shop).labels


class Drawing(HTMLParser):
    """The QR code on a page, as rows of modules."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.path = ""
        self.size = 0
        self._is_in_code = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if found.get("class") == "code-plate":
            self._is_in_code = True
        elif self._is_in_code and tag == "svg":
            self.size = int(found["viewbox"].split()[2])
        elif self._is_in_code and tag == "path" and "stroke" in found:
            self.path = found["d"]
            self._is_in_code = False


def test_the_thanks_have_the_link_as_a_code(open_under_test: Open) -> None:
    """The code is drawn for this signup's own page at the public address, without a style or a script."""
    shop = open_under_test(SHOP_X_USERNAME="tonys")
    taken = press(shop, open_page(shop), x_handle=HANDLE)
    html = shop.client.get(taken.location).text
    url = shop.house.settings.base_url + "/p/" + taken.location.rpartition("/")[2]
    drawn = Drawing(html)
    expected = segno.make_qr(url, error="m")
    assert drawn.size == expected.symbol_size(border=4)[0]
    assert drawn.path in expected.svg_inline(border=4, omitsize=True)
    assert " style=" not in html
    assert Form(html).text.count("scan this with your phone") == 1


def test_who_chose_x_is_asked_to_follow(open_under_test: Open) -> None:
    """News on X reaches those who follow: a plain link, for those alone who chose X."""
    shop = open_under_test(SHOP_X_USERNAME="tonys")
    assert "Follow @tonys on X" in thanks(shop, x_handle=HANDLE, contact_channel="x")
    assert "Follow @tonys on X" not in thanks(shop, x_handle=HANDLE)
