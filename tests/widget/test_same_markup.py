"""The same markup from three places: the snippet, the WTForms mixin and the element itself."""

from typing import Any

import pytest
from playwright.sync_api import Page
from tests.widget.running import NewTab, Site, pages
from tests.widget.running import new_module_shop as new_module_shop
from tests.widget.running import new_tab as new_tab
from tests.widget.running import site as site
from wtforms import Form

from regulars.ask.fields import Offer, RegularsFields
from regulars.ask.questions import Questions

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# What says the same: attributes in order of name, no white space between elements.
NORMAL = """
(hosts) => hosts.map(function plain(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data.trim() ? node.data.replace(/\\s+/g, " ").trim() : null;
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  const given = [...node.attributes].filter((it) => !SKIPPED.includes(it.name)).map((it) => `${it.name}=${it.value}`).sort();
  return [node.localName, given, [...node.childNodes].map(plain).filter((it) => it !== null)];
})
"""
# Where the page says it anyhow, or the element itself once it is at work.
STATE = ["site", "endpoint", "lang", "dir", "verdict", "channel", "hidden", "disabled", "style", "aria-invalid"]  # fmt: skip
TAGS = "regulars-handle, regulars-channels"
PAGE = """<!doctype html><html lang="{language}"><link rel="icon" href="data:,">
<title>Shop</title>{script}<form method="post">{fields}<button>Buy</button></form>"""
SCRIPT = (
    '<script type="module" src="{url}/w/1/fields.js" crossorigin="anonymous"></script>'
)
EMPTY = """<regulars-handle site="{key}" endpoint="{url}/v1/check"></regulars-handle>
<regulars-channels site="{key}" endpoint="{url}/v1/check"></regulars-channels>"""


def normal(page: Page) -> Any:
    return page.eval_on_selector_all(TAGS, NORMAL.replace("SKIPPED", str(STATE)))


def shown(site: Site, new_tab: NewTab, fields: str, language: str, script: str) -> Any:
    text = PAGE.format(language=language, script=script, fields=fields)
    with pages({"/": ("text/html", text)}) as server:
        site.allow(server.url)
        page = new_tab()
        page.goto(server.url)
        if script:
            page.wait_for_selector("regulars-channels fieldset", state="attached")
            page.wait_for_selector("regulars-handle [data-part=statement]")
        return normal(page)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_three_places_one_markup(site: Site, new_tab: NewTab, language: str) -> None:
    """What the command prints, what a form draws and what an empty element makes are the same DOM."""
    words = ("site", "snippet", "Shop", "--language", language)
    printed = site.shop.service.command(*words, "--no-script").stdout
    told = site.shop.service.command_json(*words)

    class Checkout(RegularsFields, Form):
        """A shop's own form."""

        regulars_questions = Questions.from_json(told)
        regulars_offer = Offer(channels=Questions.from_json(told).offered)

    form = Checkout()
    drawn = form.regulars_handle() + form.regulars_channels()
    empty = EMPTY.format(key=site.shop.publishable_key, url=site.url)
    script = SCRIPT.format(url=site.url)

    first = shown(site, new_tab, printed, language, "")
    assert [it[0] for it in first] == TAGS.split(", ")
    assert first == shown(site, new_tab, drawn, language, "")
    assert first == shown(site, new_tab, empty, language, script)
    # Upgrading what stands there already changes nothing but state.
    assert first == shown(site, new_tab, printed, language, script)
