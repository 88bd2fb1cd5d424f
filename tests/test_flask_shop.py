"""The example shop, before a Regulars that answers as a test says: no sale is ever lost."""

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest
from examples.flask_shop.app import Regulars, create_app
from flask.testing import FlaskClient
from tests.fakes import Clock
from tests.forms import Form
from tests.shops import make_shop

from regulars.ask.snippet import render_snippet


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
        try:
            yield Upstream(f"http://127.0.0.1:{server.server_port}", received)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def fields(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The snippet as the service prints it."""
    folder = tmp_path_factory.mktemp("snippet")
    shutil.copy(empty_database, folder / "regulars.sqlite3")
    shop = make_shop(folder, None, Clock())
    with shop.shop.app.app_context():
        snippet = render_snippet(shop.house, shop.site)
    shop.house.database.engine.dispose()
    return snippet


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
    """Every page of the shop carries its policy; nothing comes from elsewhere but the pinned script."""
    client = create_app(Regulars("http://127.0.0.1:1", "sk"), fields).test_client()
    for path, status in (("/", 200), ("/privacy", 200), ("/orders/none", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src http://127.0.0.1:1/w/; connect-src http://127.0.0.1:1/v1/" in policy  # fmt: skip
        script = r'<script type="module" src="https://connect[^"]+" integrity="sha384-'
        page = re.sub(script, "", answer.text)
        assert not re.search(r'(?:src|href)="(?!/|data:|https?://tonys)', page)
