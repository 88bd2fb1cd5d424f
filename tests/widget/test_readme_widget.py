"""The README's "Put it on your page": each block as it stands, on a page in a real browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string
from playwright.sync_api import Page, expect
from tests.conftest import need
from tests.readme.page import block
from tests.readme.running import load, sh
from tests.widget.running import NewTab, Site, pages
from tests.widget.running import new_module_shop as new_module_shop
from tests.widget.running import new_tab as new_tab
from tests.widget.running import site as site

from regulars.ask.widget.files import SCRIPT, newest_version, sri, widget_file

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(120)]

MODULES = Path(__file__).parent / "node_modules"
EXISTS = "@AnaLima exists on X."


@contextmanager
def shown(
    site: Site,
    new_tab: NewTab,
    body: str,
    files: dict[str, tuple[str, str]] | None = None,
    **headers: str,
) -> Iterator[Page]:
    """A tab with a page of the shop that has *body*."""
    text = f'<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">{body}'
    with pages({"/": ("text/html", text), **(files or {})}, **headers) as shop:
        site.allow(shop.url)
        page = new_tab()
        page.goto(shop.url)
        yield page


def headers_of(text: str) -> dict[str, str]:
    lines = (line.partition(": ") for line in text.strip().splitlines())
    return {name.replace("-", "_"): value for name, _, value in lines}


def check_works(page: Page) -> None:
    """Both elements are there, and the handle is checked."""
    expect(page.get_by_role("radio", name="E-mail")).to_be_visible()
    expect(page.get_by_text("checks with X that it exists")).to_be_visible()
    page.get_by_label("Your X handle").fill("@AnaLima")
    page.get_by_label("Your X handle").blur()
    expect(page.get_by_text(EXISTS)).to_be_visible()


def fields(site: Site, *more: str) -> str:
    return site.shop.service.command("site", "snippet", "Shop", *more).stdout


def test_two_empty_elements(site: Site, new_tab: NewTab) -> None:
    """The block with our key and hash in it draws the fields, and the events tell of the check."""
    watch = site.own(block("widget-events"))
    script = {"/watch.js": ("text/javascript", watch)}
    body = '<script src="/watch.js"></script>' + site.own(block("widget-tag"))
    with shown(site, new_tab, body, script) as page:
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        check_works(page)
        page.get_by_role("radio", name="E-mail").check()
        expect(page.get_by_label("E-mail address")).to_be_visible()
        assert told[-2:] == ["AnaLima found", "email"]


def test_the_policy(site: Site, new_tab: NewTab) -> None:
    """Under the line as it stands nothing of the widget is held back."""
    policy = headers_of(site.own(block("widget-csp")))
    with shown(site, new_tab, site.own(block("widget-tag")), **policy) as page:
        check_works(page)


def test_the_strictest_policy(site: Site, new_tab: NewTab) -> None:
    """One hash, no Trusted Types policy, Integrity-Policy: the pasted fields work under all of it."""
    told = widget_file(newest_version(), SCRIPT).integrity
    text = site.own(block("widget-csp-strict")).replace("sha384-…", told)
    body = f'<form method="post">{fields(site)}<button>Buy</button></form>'
    with shown(site, new_tab, body, **headers_of(text)) as page:
        check_works(page)
    # And it does hold back what was not named.
    foreign = body + '<script src="/other.js"></script>'
    files = {"/other.js": ("text/javascript", "document.title = 'Taken over'")}
    with pages({"/": ("text/html", foreign), **files}, **headers_of(text)) as shop:
        context = new_tab().context
        page = context.new_page()
        page.goto(shop.url)
        assert page.title() == ""


def test_the_inventory(site: Site, tmp_path: Path) -> None:
    """The command prints the entry, with the hash of what is served."""
    done = sh(block("widget-inventory"), tmp_path, site.shop.service.folder)
    assert done.returncode == 0, done.stderr
    assert widget_file(newest_version(), SCRIPT).integrity in done.stdout


def test_from_the_shops_own_origin(site: Site, new_tab: NewTab, tmp_path: Path) -> None:
    """The downloaded file has the same hash, and works from the shop's own address."""
    need(shutil.which("curl") is not None, "curl")
    (tmp_path / "static").mkdir()
    done = sh(site.own(block("widget-self-hosted")), tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    script = (tmp_path / "static" / SCRIPT).read_bytes()
    assert sri(script) == widget_file(newest_version(), SCRIPT).integrity
    body = re.sub(r'src="[^"]+/fields.js"', 'src="/fields.js"', fields(site))
    files = {"/fields.js": ("text/javascript", script.decode())}
    policy = f"script-src 'self'; connect-src {site.url}/v1/"
    own = {"Content_Security_Policy": policy}
    with shown(site, new_tab, f"<form>{body}</form>", files, **own) as page:
        check_works(page)


def test_no_script_at_all(site: Site, new_tab: NewTab, tmp_path: Path) -> None:
    """What is printed loads nothing, and posts what a signup needs."""
    (tmp_path / "templates").mkdir()
    done = sh(block("widget-no-script"), tmp_path, site.shop.service.folder)
    assert done.returncode == 0, done.stderr
    plain = (tmp_path / "templates/regulars.html").read_text("utf-8")
    body = f'<form method="post">{plain}<button>Buy</button></form>'
    policy = {"Content_Security_Policy": "default-src 'none'; img-src data:"}
    with pages({"/": ("text/html", body)}, **policy) as shop:
        page = new_tab()
        page.goto(shop.url)
        page.get_by_label("Your X handle").fill("@AnaLima")
        page.get_by_role("radio", name="X", exact=True).check()
        page.get_by_role("button").click()
        page.wait_for_selector("h1")
        (posted,) = shop.posted
    assert "x_handle=%40AnaLima" in posted
    assert re.search(r"consent_x_link=\d+\.en", posted)
    assert "contact_channel=x" in posted


# What node's require is to React's files.
REQUIRE = """
const files = {FILES}, made = {};
window.process = {env: {NODE_ENV: "production"}};
window.require = (name) => {
  if (!made[name]) {
    const module = (made[name] = {exports: {}});
    new Function("module", "exports", "require", files[name])(module, module.exports, require);
  }
  return made[name].exports;
};
const React = require("react");
"""
REACT = {
    "react": "react/cjs/react.production.js",
    "react-dom": "react-dom/cjs/react-dom.production.js",
    "react-dom/client": "react-dom/cjs/react-dom-client.production.js",
    "scheduler": "scheduler/cjs/scheduler.production.js",
}
MOUNT = """
const root = require("react-dom/client").createRoot(document.getElementById("app"));
window.draw = () => root.render(React.createElement(Reach));
draw();
"""


def compiled(jsx: str) -> str:
    """*jsx* as TypeScript's own compiler writes it."""
    program = (
        "const ts = require('typescript'); const input = require('fs').readFileSync(0, 'utf8');"
        "console.log(ts.transpileModule(input, {compilerOptions: {jsx: 'react', target: 'es2022'}}).outputText)"
    )
    done = subprocess.run(
        ["node", "-e", program],
        input=jsx,
        cwd=MODULES.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def tag(site: Site) -> str:
    """The script's tag of the block, without the form."""
    return site.own(block("widget-tag")).partition("<form")[0]


def need_npm() -> None:
    is_there = MODULES.is_dir() and shutil.which("node") is not None
    need(is_there, "npm ci --prefix tests/widget")


def test_react(site: Site, new_tab: NewTab) -> None:
    """React draws the elements and leaves alone what is inside of them, drawn again and again."""
    need_npm()
    files = {name: (MODULES / file).read_text("utf-8") for name, file in REACT.items()}
    code = REQUIRE.replace("{FILES}", json.dumps(files))
    code += compiled(site.own(block("widget-react"))) + MOUNT
    script = {"/app.js": ("text/javascript", code)}
    body = tag(site) + '<div id="app"></div><script src="/app.js"></script>'
    with shown(site, new_tab, body, script) as page:
        check_works(page)
        page.evaluate("draw()")
        expect(page.get_by_text(EXISTS)).to_be_visible()
        expect(page.get_by_label("Your X handle")).to_have_value("AnaLima")


def test_vue(site: Site, new_tab: NewTab) -> None:
    """With the line as it stands Vue takes the elements for what they are."""
    need_npm()
    form = re.search(r"<form.*?</form>", site.own(block("widget-tag")), re.DOTALL)
    assert form is not None
    code = (
        "const app = Vue.createApp({template: document.getElementById('form').innerHTML});"
        f"{block('widget-vue')}\napp.mount('#app');"
    )
    files = {
        "/vue.js": (
            "text/javascript",
            (MODULES / "vue/dist/vue.global.js").read_text(),
        ),
        "/app.js": ("text/javascript", code),
    }
    body = f"""{tag(site)}<div id="app"></div><template id="form">{form[0]}</template>
<script src="/vue.js"></script><script src="/app.js"></script>"""
    with shown(site, new_tab, body, files) as page:
        warned: list[str] = []
        page.on(
            "console",
            lambda it: warned.append(it.text) if it.type == "warning" else None,
        )
        page.reload()
        check_works(page)
        assert [it for it in warned if "resolve component" in it] == []


def test_wtforms(
    site: Site, new_tab: NewTab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form reads its sentences from the file, and the template draws the fields."""
    monkeypatch.chdir(tmp_path)
    Path("fields.json").write_text(fields(site, "--json"), "utf-8")
    module: Any = load("widget-wtforms", tmp_path)
    with Flask(__name__).app_context():
        drawn = render_template_string(
            block("widget-wtforms-template"), form=module.Checkout()
        )
    with shown(site, new_tab, tag(site) + drawn) as page:
        check_works(page)
