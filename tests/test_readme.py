"""The README tells the truth: every block in it is run, every table compared with the code.

A block is named by the comment above it, ``<!-- run: name -->``. What takes a whole demo
to run is run by the tests that ``ELSEWHERE`` names.
"""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import requests
from tests.conftest import need
from tests.fakes import FakeLookup
from tests.readme.page import FENCE, ROOT, TEXT, block, layout, pretty, steady, table
from tests.readme.running import BIN, free_port, load, process, served, sh, wait_for
from tests.shops import EMAIL, HANDLE, ORIGIN, PHONE, ShopUnderTest

from regulars.ask.snippet import render_snippet
from regulars.cli import main
from regulars.keep.idempotency import KEPT
from regulars.setting_rows import SETTINGS
from regulars.settings import load_settings
from regulars.tell.changing import ROTATION_OVERLAP
from regulars_webhooks.events import EVENT_TYPES, schema
from regulars_webhooks.retry import SCHEDULE
from regulars_webhooks.signing import generate_secret, sign

ELSEWHERE = {"two-commands": "tests/test_demo.py"}
PUBLIC = "https://connect.tonys.example"
NODE_MODULES = ROOT / "tests" / "readme" / "node_modules"


def test_every_block_has_a_test() -> None:
    """No block of code stands in the README that nobody runs, and no name stands twice."""
    found = [m for m in FENCE.finditer(TEXT) if m["language"] != "text"]
    assert TEXT.count("\n```") == 2 * len([*FENCE.finditer(TEXT)])
    calls = [
        node
        for file in sorted((ROOT / "tests").rglob("test_readme*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    run_here = {
        argument.value
        for call in calls
        if call.func.id in {"block", "load"}  # type: ignore[attr-defined]
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant)
    }
    assert sorted(str(m["name"]) for m in found) == sorted(run_here)


def test_the_two_commands_are_there(tmp_path: Path) -> None:
    """Both are targets of the Makefile; what `make run` does is tested by the file named."""
    need(shutil.which("make") is not None, "make")
    for line in block("two-commands").splitlines():
        asked = [*line.split(), "-n", "-C", str(ROOT)]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
    assert all((ROOT / file).is_file() for file in ELSEWHERE.values())


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    """From nothing to a shop with a site, a key and an endpoint, and its snippet."""
    (tmp_path / "templates").mkdir()
    done = sh(block("run-it"), tmp_path, tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"site_\w+  pk_\S+\nkey_\w+  sk_\S+\nep_\w+  whsec_\S+\n", done.stdout
    )
    done = sh(block("snippet"), tmp_path, tmp_path / "data")
    assert done.returncode == 0, done.stderr
    snippet = (tmp_path / "templates" / "regulars.html").read_text("utf-8")
    assert 'name="consent_x_link" value="1.en"' in snippet


@pytest.mark.slow
def test_serve_runs_as_it_stands(tmp_path: Path) -> None:
    """It starts on an empty folder and answers at its port; Ctrl-C ends it."""
    port = free_port()
    data = {"REGULARS_DATA_DIR": str(tmp_path / "data")}
    command, *arguments = block("serve").replace("8000", str(port)).split()
    with process(str(BIN / command), *arguments, folder=tmp_path, **data) as started:
        wait_for(f"http://127.0.0.1:{port}/healthz", started)
        ready = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).json()
    assert set(ready) == {"status", "queue", "x"}
    assert started.returncode is not None


def test_the_settings_file_is_read(tmp_path: Path) -> None:
    """The file as shown is accepted and means what it says."""
    text = block("settings-file").replace("AAAA…", "AAAA-token")
    (tmp_path / "regulars.env").write_text(text, "utf-8")
    settings = load_settings({"REGULARS_DATA_DIR": str(tmp_path)})
    assert (settings.base_url, settings.shop_name) == (PUBLIC, "Tony's")
    assert (settings.trusted_proxies, settings.x_mode) == (1, "lookup")


def test_curl_gets_the_answer_shown(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The line as it stands gets the answer shown, and a second time the same one."""
    need(shutil.which("curl") is not None, "curl")
    lookup.found(HANDLE, "2244994945")
    shop.house.wordings("en")
    with served(shop.shop.app) as url:
        script = block("curl").replace(PUBLIC, url).replace("sk_…", shop.key)
        first, again = (
            subprocess.run(
                ["sh", "-c", script], capture_output=True, text=True, check=True
            ).stdout
            for _ in range(2)
        )
    answer = json.loads(first)
    assert first == again
    assert steady(json.loads(block("signup-answer"))) == steady(answer), pretty(answer)


def test_the_hosted_page_is_where_the_link_says(shop: ShopUnderTest) -> None:
    """The link with the site's key opens the signup page."""
    (link,) = re.findall(r'href="([^"]+)"', block("hosted-link"))
    path = link.removeprefix(PUBLIC).replace("pk_…", shop.site.publishable_key)
    assert b'name="x_handle"' in shop.client.get(path).data


Buy = Callable[..., tuple[str, list[str]]]


@pytest.fixture
def buy(shop: ShopUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Buy:
    """Buys once in the Flask shop of the README: the page that comes, and the orders then."""
    folder = tmp_path / "flask_shop"
    (folder / "templates").mkdir(parents=True)
    with shop.shop.app.app_context():
        snippet = render_snippet(shop.house, shop.site)
    (folder / "templates" / "regulars.html").write_text(snippet, "utf-8")
    page = folder / "templates" / "checkout.html"
    page.write_text(block("checkout-template"), "utf-8")
    module: Any = load("flask-shop", folder)
    orders: list[str] = []

    def save_order(form: Any) -> str:
        orders.append(form.name.data)
        return "1029"

    def buy_once(url: str, **typed: str) -> tuple[str, list[str]]:
        monkeypatch.setenv("REGULARS_URL", url)
        monkeypatch.setenv("REGULARS_KEY", shop.key)
        client = module.app.test_client()
        empty = client.get("/checkout").text
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', empty)
        sent = {**dict(hidden), "name": "Ana", **typed}
        answer = client.post("/checkout", data=sent).text
        module.later.shutdown()
        return answer, orders

    module.save_order = save_order
    return buy_once


def test_the_flask_shop_tells_regulars(
    shop: ShopUnderTest, lookup: FakeLookup, buy: Buy
) -> None:
    """What was filled in at the checkout becomes one event with the order's number."""
    lookup.found(HANDLE, "2244994945")
    with served(shop.shop.app) as url:
        typed = {"contact_channel": "sms", "contact_phone": PHONE}
        assert buy(url, x_handle="@AnaLima", **typed) == ("Thank you!", ["Ana"])
    customer = shop.last_customer()
    assert customer["source"]["order_id"] == "1029"
    assert customer["source"]["site_id"] == shop.site.id
    assert customer["channels"]["sms"]["allowed_for"] == ["order", "service_news"]
    assert shop.events()[-1]["data"]["profile"]["username"] == HANDLE


def test_the_flask_shop_sells_while_regulars_is_down(
    buy: Buy, caplog: pytest.LogCaptureFixture
) -> None:
    """With nobody at the address the order stands and the customer is thanked."""
    nobody = f"http://127.0.0.1:{free_port()}"
    assert buy(nobody, x_handle="AnaLima") == ("Thank you!", ["Ana"])
    assert "order 1029: not told (ConnectionError)" in caplog.text


def test_the_flask_shop_shows_the_hint(buy: Buy) -> None:
    """A handle that is none brings the form back with the service's own sentence."""
    page, orders = buy("http://127.0.0.1:9", x_handle="ana@example.com")
    assert '<p role="alert">' in page
    assert orders == []


def test_the_event_is_what_the_code_makes(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> None:
    """The event shown is made anew; but for its random ids it is the same, and valid."""
    lookup.found(HANDLE, "2244994945")
    shop = open_under_test(lookup, CHANNELS="x,sms")
    shop.sign_up(
        by_key=True,
        site=shop.site.publishable_key,
        x_handle="@AnaLima",
        contact_channel=["x", "sms"],
        contact_phone=PHONE,
        consent_offers_sms=shop.wording("offers_sms"),
        given_name="Ana",
        locale="pt-BR",
        topic="quiet_times",
        interest="Fluminense",
        external_id="A-1029",
        order_id="1029",
        **shop.consent(),
    )
    (made,) = shop.events()
    shown = json.loads(block("event"))
    assert steady(shown) == steady(made), pretty(made)
    jsonschema.validate(shown, schema(shown["type"]))


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    made = generate_secret()
    monkeypatch.setenv("REGULARS_WEBHOOK_SECRET", made)
    return made


def assert_verifies(secret: str, url: str) -> None:
    """Whoever is at *url* takes a fresh event and refuses what was changed or is old."""
    body = json.dumps(json.loads(block("event")), ensure_ascii=False).encode()
    event_id, now = json.loads(body)["id"], datetime.now(UTC)
    fresh = sign(event_id, body, secrets=[generate_secret(), secret], now=now)
    old = sign(event_id, body, secrets=[secret], now=now - timedelta(minutes=6))
    foreign = sign(event_id, body, secrets=[generate_secret()], now=now)
    tampered = body.replace(b'"version": 1', b'"version": 2')
    assert tampered != body
    answers = [
        requests.post(url, data=data, headers=headers, timeout=10).status_code
        for headers, data in [
            (fresh, body),
            (fresh, tampered),
            (old, body),
            (foreign, body),
            ({}, body),
        ]
    ]
    assert answers[0] == 204
    assert all(400 <= status <= 499 for status in answers[1:]), answers


def assert_app_verifies(module: Any, secret: str) -> None:
    stored: list[Any] = []
    module.store = stored.append
    with served(module.app) as url:
        assert_verifies(secret, f"{url}/hook")
    assert len(stored) == 1


def test_our_own_receiver_verifies(tmp_path: Path, secret: str) -> None:
    """The blueprint takes the genuine event alone."""
    assert_app_verifies(load("verify-regulars", tmp_path), secret)


def test_the_python_library_verifies(tmp_path: Path, secret: str) -> None:
    """The Standard Webhooks library for Python takes the genuine event alone."""
    assert_app_verifies(load("verify-python", tmp_path), secret)


def test_the_node_library_verifies(tmp_path: Path, secret: str) -> None:
    """The Standard Webhooks library for Node takes the genuine event alone."""
    need(shutil.which("node") is not None, "node")
    need(NODE_MODULES.is_dir(), "npm ci --prefix tests/readme")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "hook.mjs").write_text(block("verify-node"), "utf-8")
    port = free_port()
    given = {"PORT": str(port), "REGULARS_WEBHOOK_SECRET": secret}
    with process("node", "hook.mjs", folder=tmp_path, **given) as started:
        wait_for(f"http://127.0.0.1:{port}/", started)
        assert_verifies(secret, f"http://127.0.0.1:{port}/hook")


def test_plain_php_verifies(tmp_path: Path, secret: str) -> None:
    """PHP without any library takes the genuine event alone."""
    need(shutil.which("php") is not None, "php")
    (tmp_path / "hook.php").write_text(block("verify-php"), "utf-8")
    address = f"127.0.0.1:{free_port()}"
    given = {"REGULARS_WEBHOOK_SECRET": secret}
    with process("php", "-S", address, "hook.php", folder=tmp_path, **given) as started:
        wait_for(f"http://{address}/", started)
        assert_verifies(secret, f"http://{address}/hook")


@pytest.mark.sqlite_only
def test_a_person_is_found_exported_and_erased(shop: ShopUnderTest) -> None:
    """The three commands run as they stand, and nobody is found afterwards."""
    shop.sign_up(contact_channel="email", contact_email=EMAIL, **shop.consent())
    customer_id = shop.last_customer()["id"]
    shop.house.database.engine.dispose()
    data_dir = shop.house.settings.data_dir
    script = block("erase").replace("cus_…", customer_id)
    done = sh(script, data_dir, data_dir)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{customer_id} is erased.\n")
    again = sh(script.splitlines()[0], data_dir, data_dir)
    assert again.returncode == 1


def test_the_settings_table_is_the_code() -> None:
    """Every setting has its row, cell by cell as the code has it, in the same order."""
    expected = [
        [f"`REGULARS_{row.name}`", row.default or "–", row.purpose] for row in SETTINGS
    ]
    assert table("| Setting | Default | What it is |") == expected


def test_the_commands_table_is_the_code() -> None:
    """Every command has its place, none is invented, and the options named are there."""
    shown: dict[str, list[str]] = {}
    for noun, what in table("| Command | What it does |"):
        shown[noun.strip("`")] = re.findall(r"`([^`]+)`", what)
    assert set(shown) == set(main.commands)
    for noun, entries in shown.items():
        command: Any = main.commands[noun]
        if isinstance(command, click.Group):
            assert {entry.split()[0] for entry in entries} == set(command.commands)
        for entry in entries:
            verb = entry.split()[0]
            asked = getattr(command, "commands", {}).get(verb, command)
            options = {name for option in asked.params for name in option.opts}
            assert set(re.findall(r"--[a-z-]+", entry)) <= options


def test_the_reasons_table_is_the_schema() -> None:
    """Each reason of the schema is explained, or named as one that is never sent yet."""
    shown = [row[0].strip("`") for row in table("| Reason | It means |")]
    defined = schema("customer.created")["$defs"]["channel"]["properties"]["blocked"]
    known = defined["additionalProperties"]["enum"]
    assert [why for why in known if why not in {"paused", "not_following"}] == shown


def test_what_is_named_in_words_is_there() -> None:
    """Linked files, the paths of the layout, extras, event types and periods exist."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert [path for path in links if not (ROOT / path).exists()] == []
    assert [path for path in layout() if not (ROOT / path).exists()] == []
    assert all(f"`{event_type}`" in TEXT for event_type in EVENT_TYPES)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert all(
        f"\n{extra} = [" in project for extra in re.findall(r"'\.\[(\w+)\]'", TEXT)
    )
    assert (KEPT.days, ROTATION_OVERLAP) == (30, timedelta(hours=24))
    assert (len(SCHEDULE) + 1, sum(SCHEDULE, timedelta()).days) == (10, 3)
    assert ORIGIN in TEXT
