"""The example receivers as a shop would run them: a process, a socket, a signed event."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from regulars_webhooks import generate_secret, sign

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = generate_secret()
RECEIVERS = ["receiver_stdlib.py", "receiver_flask.py"]
CUSTOMER = {
    "id": "cus_1",
    "status": "active",
    "given_name": "Ana <script>alert(1)</script>",
    "family_name": None,
    "preferred_channel": "x",
    "contact_points": [{"kind": "x_account", "value": "AnaLima", "verdict": "found"}],
}


class Shop:
    """A running example, spoken to over its socket."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Any = None
    ) -> tuple[int, str]:
        parts = urlsplit(self.address)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def tell(self, event_id: str, data: Any, *, secret: str = SECRET) -> int:
        body = json.dumps(
            {
                "id": event_id,
                "type": "customer.created",
                "api_version": "2026-11-01",
                "timestamp": "2026-11-21T20:15:04.318Z",
                "data": data,
            }
        ).encode()
        headers = sign(event_id, body, secrets=[secret], now=datetime.now(UTC))
        return self.request("POST", "/hook", body, headers)[0]

    def page(self) -> str:
        status, page = self.request("GET", "/")
        assert status == 200
        return page


@contextmanager
def running(example: str, *arguments: str, **environment: str) -> Iterator[Shop]:
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / example, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    with process:
        assert process.stdout is not None
        try:
            yield Shop(process, process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture(scope="module", params=RECEIVERS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with running(request.param, "--secret", SECRET) as one:
        yield one


@pytest.mark.slow
def test_event_is_shown(shop: Shop) -> None:
    """A genuine event appears once, verified, with the customer in words and everything escaped."""
    assert [shop.tell("evt_shown", {"customer": CUSTOMER}) for _ in range(2)] == [
        204,
        204,
    ]
    page = shop.page()
    assert page.count(">evt_shown<") == 1
    for text in (
        "signature verified",
        "customer.created",
        "prefers x",
        "@AnaLima",
        "Ana &lt;script&gt;",
    ):
        assert text in page
    assert "<script>alert" not in page
    assert 'http-equiv="refresh"' in page


@pytest.mark.slow
def test_refusal_is_shown(shop: Shop) -> None:
    """A forged event is refused and listed with its code."""
    assert shop.tell("evt_forged", {}, secret=generate_secret()) in {400, 401}
    page = shop.page()
    assert "refused: no_match" in page
    assert "evt_forged" not in page


@pytest.mark.slow
def test_newest_is_first(shop: Shop) -> None:
    """What came last stands on top."""
    for event_id in ("evt_earlier", "evt_later"):
        shop.tell(event_id, {"customer": CUSTOMER})
    page = shop.page()
    assert page.index("evt_later") < page.index("evt_earlier")


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"message": "hello"},
        {"customer": "?"},
        {"customer": {"status": "erased", "id": "cus_1", "version": 2}},
        {"customer": {"status": "active", "contact_points": 1}},
    ],
    ids=["empty", "ping", "no object", "erased", "unknown form"],
)
def test_unknown_data_does_not_break_the_page(shop: Shop, data: Any) -> None:
    """The page survives an event of a form that it does not know."""
    event_id = f"evt_{abs(hash(json.dumps(data)))}"
    assert shop.tell(event_id, data) == 204
    assert event_id in shop.page()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_paths_do_not_exist(shop: Shop, method: str) -> None:
    """There is a hook and a page."""
    assert shop.request(method, "/elsewhere")[0] == 404


@pytest.mark.slow
@pytest.mark.parametrize(
    ("length", "status"),
    [("262145", b"413"), ("x", b"4"), ("-1", b"4")],
    ids=["long", "no number", "negative"],
)
def test_odd_lengths_are_refused(shop: Shop, length: str, status: bytes) -> None:
    """A body that is too long, or whose length is nonsense, is refused unread."""
    parts = urlsplit(shop.address)
    with socket.create_connection(
        (parts.hostname or "", parts.port or 0), timeout=10
    ) as connection:
        connection.sendall(
            f"POST /hook HTTP/1.1\r\nHost: shop\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert connection.recv(64).split(b" ")[1].startswith(status)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("example", RECEIVERS)
def test_ends_quietly(example: str, number: signal.Signals) -> None:
    """The secret may come from the environment; a signal ends the process with status 0 and no word."""
    with running(example, REGULARS_WEBHOOK_SECRET=SECRET) as one:
        assert one.tell("evt_1", {"customer": CUSTOMER}) == 204
        one.process.send_signal(number)
        rest, errors = one.process.communicate(timeout=10)
        assert (rest, errors, one.process.returncode) == ("", "", 0)


@pytest.mark.slow
@pytest.mark.parametrize("example", RECEIVERS)
def test_without_a_secret_it_says_so(example: str) -> None:
    """No secret, no start: one line says what is missing."""
    with running(example, REGULARS_WEBHOOK_SECRET="") as one:
        rest, errors = one.process.communicate(timeout=10)
        assert (rest, one.process.returncode) == ("", 2)
        assert "no_secret" in errors
        assert errors.count("\n") == 1
