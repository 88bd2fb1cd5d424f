"""`make run` shows the whole product, and leaves nothing behind; its shop never loses a sale."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from examples.demo_parts import free_ports
from examples.fake_x import FakeX
from examples.flask_shop.app import Regulars, create_app
from flask.testing import FlaskClient
from tests.conftest import need
from tests.shops import ShopUnderTest

from regulars.ask.snippet import render_snippet

ROOT = Path(__file__).parents[1]


class Form(HTMLParser):
    """What a browser would post of a page's only form, when nobody touched it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.offered: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag != "input" or name is None:
            return
        self.offered.setdefault(name, []).append(value)
        if given.get("type") not in {"radio", "checkbox"}:
            self.fields[name] = value


def until(is_so: Callable[[], object], within_s: float = 20) -> None:
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """The living processes below *pid*, with their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
    found: dict[int, str] = {}
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        for child in fresh:
            with suppress(OSError):
                found[child] = Path(f"/proc/{child}/cmdline").read_text()
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@dataclass
class Demo:
    """A demo under way; *pages* is what it printed."""

    process: subprocess.Popen[str]
    pages: dict[str, str]

    def address(self, of: str) -> str:
        return next(url for name, url in self.pages.items() if of in name.lower())

    def check_out(self, **typed: str) -> str:
        """The confirmation after the shop's form was sent as a browser would."""
        page = requests.get(self.address("checkout"), timeout=10).text
        fields = {"name": "Ana", "email": "ana@tonys.example", **typed}
        answer = requests.post(
            self.address("checkout"), data=Form(page).fields | fields, timeout=10
        )
        assert answer.status_code == 200
        assert "/orders/" in answer.url
        return answer.text

    def events(self) -> str:
        return requests.get(self.address("events"), timeout=10).text


@contextmanager
def demo(folder: Path, pages: int, **environment: str) -> Iterator[Demo]:
    """A demo as `make run` starts it, once it has printed *pages* addresses."""
    need(Path("/proc/self/stat").exists(), "/proc")
    outer = {k: v for k, v in os.environ.items() if not k.startswith("REGULARS_")}
    with subprocess.Popen(
        [sys.executable, "-u", "examples/demo.py", "--recover-after", "1"],
        cwd=ROOT,
        env={**outer, "TMPDIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(pages)]
            found = [line.rstrip("\n").rpartition(" ") for line in lines]
            yield Demo(process, {name: url for name, _, url in found})
        finally:
            # Its parts end with it, as a test below holds.
            process.kill()


@pytest.mark.slow
def test_make_run(tmp_path: Path) -> None:
    """From a checkout to a verified event, pending handles too; Ctrl-C leaves nothing."""
    with socket.socket() as squatter:
        with suppress(OSError):
            # Whoever has it if we have not: it is taken.
            squatter.bind(("127.0.0.1", 8000))
            squatter.listen()
        with demo(tmp_path, pages=4) as it:
            assert urlsplit(it.address("signup")).port != 8000
            for address in it.pages.values():
                for url in (address, f"http://{urlsplit(address).netloc}/"):
                    answer = requests.get(url, timeout=10, allow_redirects=False)
                    assert answer.status_code in {200, 302, 303}

            told = it.check_out(x_handle="@AnaLima", contact_channel="x")
            assert "exists on X" in told
            preferences = re.search(r'href="(http://[^"]+/p/[^"]+)"', told)
            assert preferences is not None
            assert requests.get(preferences[1], timeout=10).status_code == 200
            until(lambda: "@AnaLima exists on X" in it.events())
            assert "signature verified" in it.events()

            told = it.check_out(x_handle="down_dan", contact_channel="email")
            assert "a little later" in told
            until(lambda: "@down_dan is not checked yet" in it.events())
            until(lambda: "@down_dan exists on X" in it.events())
            assert "customer.updated" in it.events()
            assert 'class="refused"' not in it.events()

            parts = descendants(it.process.pid)
            it.process.send_signal(signal.SIGINT)
            printed, said = it.process.communicate(timeout=20)
    assert (printed, it.process.returncode) == ("", 0)
    assert said.count("\n") == 1
    assert len(parts) >= 6
    assert [line for pid, line in parts.items() if is_alive(pid)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_with_a_token_x_itself_is_asked(tmp_path: Path) -> None:
    """With a token there is no stand-in; no other setting of a real shop is touched."""
    with FakeX() as x:
        settings = {
            "REGULARS_X_BEARER_TOKEN": "AAAA-sample-bearer-token",
            "REGULARS_X_API_URL": x.url,
            "REGULARS_DATABASE_URL": "sqlite:////nowhere/real.sqlite3",
        }
        with demo(tmp_path, pages=3, **settings) as it:
            assert "exists on X" in it.check_out(x_handle="Caio1970")
            it.process.send_signal(signal.SIGTERM)
            printed, said = it.process.communicate(timeout=20)
        assert x.calls == [("Caio1970",)]
    assert (printed, it.process.returncode) == ("", 0)
    assert "Traceback" not in said


@pytest.mark.slow
def test_killed_it_takes_its_parts_along(tmp_path: Path) -> None:
    """After `kill -9` of the demo none of its processes goes on."""
    with demo(tmp_path, pages=4) as it:
        parts = descendants(it.process.pid)
        it.process.kill()
        it.process.wait()
        until(lambda: not any(map(is_alive, parts)), within_s=5)
    assert len(parts) >= 6


@pytest.mark.slow
def test_a_part_that_ends_is_named(tmp_path: Path) -> None:
    """When a part dies the demo says which, stops the others and ends with status 1."""
    with demo(tmp_path, pages=4) as it:
        parts = descendants(it.process.pid)
        victim = next(pid for pid, line in parts.items() if "receiver_" in line)
        os.kill(victim, signal.SIGKILL)
        printed, said = it.process.communicate(timeout=20)
    assert (printed, it.process.returncode) == ("", 1)
    assert "receiver ended with status -9" in said
    assert [line for pid, line in parts.items() if is_alive(pid)] == []


@pytest.mark.slow
def test_a_part_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Nothing is printed of a product that is not there; its last words are shown."""
    settings = {"REGULARS_X_BEARER_TOKEN": "t", "REGULARS_X_TIMEOUT_S": "soon"}
    with demo(tmp_path, pages=0, **settings) as it:
        printed, said = it.process.communicate(timeout=20)
    assert (printed, it.process.returncode) == ("", 1)
    assert "regulars ended with status 2" in said
    assert "REGULARS_X_TIMEOUT_S" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_stopped_while_starting(tmp_path: Path) -> None:
    """Ctrl-C is obeyed at any moment, also before the first page is up."""
    with demo(tmp_path, pages=0) as it:
        until(lambda: any("serve" in it for it in descendants(it.process.pid).values()))
        parts = descendants(it.process.pid)
        it.process.send_signal(signal.SIGINT)
        printed, said = it.process.communicate(timeout=20)
    assert (printed, said, it.process.returncode) == ("", "", 0)
    assert not any(map(is_alive, parts))


def test_taken_ports_are_replaced() -> None:
    """A port that is free is kept, a taken one replaced, and none is given out twice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        chosen = free_ports([port, free, port])
    assert chosen[1] == free
    assert port not in chosen
    assert len(set(chosen)) == 3


# The shop alone, before a Regulars that answers as a test says.


@dataclass
class Upstream:
    """What the shop takes for Regulars: it keeps what it is sent."""

    url: str
    received: list[tuple[dict[str, list[str]], Mapping[str, str]]]


@contextmanager
def upstream(status: int, body: str) -> Iterator[Upstream]:
    received: list[tuple[dict[str, list[str]], Mapping[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((parse_qs(sent), self.headers))
            self.send_response(status)
            self.end_headers()
            if status != 204:
                self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Upstream(f"http://127.0.0.1:{server.server_port}", received)
        server.shutdown()
        thread.join()


@pytest.fixture
def fields(shop: ShopUnderTest) -> str:
    """The snippet as the service prints it."""
    with shop.shop.app.app_context():
        return render_snippet(shop.house, shop.site)


def buy(url: str, fields: str, **typed: str) -> str:
    """The confirmation's text after an order at a shop whose Regulars is at *url*."""
    client = create_app(Regulars(url, "sk_test", timeout_s=0.3), fields).test_client()
    return order(client, **typed)


def order(client: FlaskClient, **typed: str) -> str:
    form = Form(client.get("/").text)
    sent = form.fields | {"name": "Ana", "email": "ana@tonys.example"} | typed
    answer = client.post("/", data=sent, follow_redirects=True)
    assert answer.status_code == 200
    assert "Grazie" in answer.text
    return answer.text


def saved(verdict: str) -> str:
    return json.dumps(
        {
            "id": "sgn_1",
            "handle": {"value": "ana", "verdict": verdict},
            "preferences_url": "https://connect.tonys.example/p/token",
        }
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "<h1>Oops</h1>"),
        (401, '{"title":"Unauthorized"}'),
        (409, "{}"),
        (429, "{}"),
        (302, ""),
        (201, "<h1>A proxy's page</h1>"),
        (201, "[]"),
        (201, '{"handle":"?"}'),
        (422, "{}"),
        (422, '{"errors":[1]}'),
    ],
    ids=str,
)
def test_the_sale_never_fails(fields: str, status: int, body: str) -> None:
    """Whatever Regulars answers, the order is confirmed and the customer told the truth."""
    with upstream(status, body) as regulars:
        told = buy(regulars.url, fields, x_handle="ana")
    assert "Your order is fine, but we could not save" in told


def test_the_sale_never_waits(fields: str) -> None:
    """A Regulars that is down, or takes the call and never answers, costs the time-out at most."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        assert "could not save" in buy(url, fields, x_handle="ana")
        assert time.monotonic() - started < 2
    assert "could not save" in buy(url, fields, x_handle="ana")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("found", "<bdi>@ana</bdi> exists on X."),
        ("not_found", "We could not find <bdi>@ana</bdi> on X"),
        ("suspended", "We could not use that account"),
        ("pending", "We will check <bdi>@ana</bdi> a little later"),
        ("unchecked", "Your choice is saved.</p>"),
    ],
)
def test_the_verdict_is_told(fields: str, verdict: str, words: str) -> None:
    """The confirmation has the verdict in words and the way to the customer's own page."""
    with upstream(201, saved(verdict)) as regulars:
        told = buy(regulars.url, fields, x_handle="ana")
    assert words in told
    assert 'href="https://connect.tonys.example/p/token"' in told


def test_nothing_said_is_nothing_shown(fields: str) -> None:
    """Who skips the questions reads nothing about them."""
    with upstream(204, "") as regulars:
        assert "How we reach you" not in buy(regulars.url, fields)


def test_a_refusal_is_shown_with_a_second_chance(fields: str) -> None:
    """What Regulars could not take is said in its words, with the hosted page to try again."""
    problem = {"errors": [{"field": "x_handle", "code": "c", "message": "No <handle>"}]}
    with upstream(422, json.dumps(problem)) as regulars:
        told = buy(regulars.url, fields, x_handle="??")
        assert f'href="{regulars.url}/signup?site=pk_' in told
    assert "No &lt;handle&gt;" in told


def test_what_is_sent(fields: str) -> None:
    """The wordings as rendered, the chosen channel's address, the order: by key, once, no more."""
    with upstream(201, saved("found")) as regulars:
        buy(
            regulars.url,
            fields,
            x_handle="ana",
            contact_channel="sms",
            contact_phone="212 456 7890",
            contact_facebook="ana.lima",
            consent_offers_sms="1.en",
            consent_offers_email="1.en",
        )
    [(sent, headers)] = regulars.received
    assert headers["Authorization"] == "Bearer sk_test"
    assert re.fullmatch("[0-9a-f]{16}", headers["Idempotency-Key"])
    assert set(sent) == {
        "site",
        "x_handle",
        "consent_x_link",
        "contact_channel",
        "contact_wording",
        "contact_phone",
        "consent_offers_sms",
        "given_name",
        "order_id",
    }


def test_the_orders_address_serves_for_e_mail(fields: str) -> None:
    """Who chooses e-mail does not type the address twice; who does not keeps it to the order."""
    with upstream(201, saved("found")) as regulars:
        buy(regulars.url, fields, contact_channel="email")
        buy(regulars.url, fields, contact_channel="x", x_handle="ana")
    first, second = (sent for sent, _ in regulars.received)
    assert first["contact_email"] == ["ana@tonys.example"]
    assert "contact_email" not in second


def test_pressed_twice_is_one_order(fields: str) -> None:
    """The same form sent again shows the first order and tells Regulars nothing."""
    with upstream(201, saved("found")) as regulars:
        client = create_app(Regulars(regulars.url, "sk_test"), fields).test_client()
        once = {"order_id": "0123456789abcdef", "x_handle": "ana"}
        assert order(client, **once) == order(client, **once)
    assert len(regulars.received) == 1


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ({"name": " "}, 422),
        ({"email": "nowhere"}, 422),
        ({"order_id": "../etc"}, 400),
        ({"order_id": ""}, 400),
    ],
    ids=str,
)
def test_orders_that_are_none(fields: str, typed: dict[str, str], status: int) -> None:
    """An order without a name or address is asked again, one that we did not give is refused."""
    client = create_app(Regulars("http://127.0.0.1:1", "sk"), fields).test_client()
    sent = Form(client.get("/").text).fields | {"name": "<Ana>", "email": "a@b.example"}
    answer: Any = client.post("/", data=sent | typed)
    assert answer.status_code == status
    if status == 422:
        assert 'role="alert"' in answer.text
        assert "<Ana>" not in answer.text


def test_the_shops_pages_are_closed_to_others(fields: str) -> None:
    """Every page of the shop carries its policy; nothing comes from elsewhere."""
    client = create_app(Regulars("http://127.0.0.1:1", "sk"), fields).test_client()
    for path, status in (("/", 200), ("/privacy", 200), ("/orders/none", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not re.search(r'(?:src|href)="(?!/|data:|https?://tonys)', answer.text)
