"""Visitors who send as slowly as they can, at a real ``regulars serve``: nobody else waits for them."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from tests.acceptance.conftest import MakeShop
from tests.acceptance.raw import ask, connect, drip_until_answered, head, read
from tests.acceptance.running import Shop, call

from regulars.app import MAX_BODY_BYTES, WEB_THREADS
from regulars.cli.front import BODY_WITHIN_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SLOW = 64
# What a visitor who does nothing wrong may have to wait for the answer, on a busy machine.
PROMPT_S = 1.0
FORM = ("POST", "/v1/signups", "Content-Type: application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def shop(new_module_shop: MakeShop) -> Shop:
    made = new_module_shop()
    made.service.start()
    return made


def assert_serves_others(shop: Shop, number: int) -> None:
    """The health is told and a signup taken, each promptly."""
    healthy = call("GET", f"{shop.service.url}/healthz")
    assert healthy.status == 200
    assert healthy.took_s < PROMPT_S
    taken = shop.sign_up(contact_email=f"guest{number}@example.org")
    assert taken.status == 201
    assert taken.took_s < PROMPT_S


def test_bodies_that_drip_hold_nobody_back(shop: Shop) -> None:
    """64 bodies of a byte a second, some with nothing at all: the shop goes on, they get 408 in time."""
    port = shop.service.port
    with ExitStack() as visitors, ThreadPoolExecutor(1) as background:
        slow = [
            visitors.enter_context(
                connect(
                    port,
                    head(*FORM, "Content-Length: 60000"),
                    b"x" * (n % 2),
                    source="127.0.0.2",
                )
            )
            for n in range(SLOW)
        ]
        ends = background.submit(
            lambda: list(
                drip_until_answered(
                    slow[::2], b"x", every_s=1.0, within_s=BODY_WITHIN_S + 5
                )
            )
        )
        for number in range(8):
            assert_serves_others(shop, number)
        assert not ends.done()
        waited = ends.result()
        assert min(waited) > BODY_WITHIN_S - 5
        answers = [read(connection) for connection in slow]
    # All have one address: the last of them are over its limit as well.
    assert {answer.status for answer, _ in answers} <= {408, 429}
    assert any(answer.status == 408 for answer, _ in answers)
    for answer, text in answers:
        assert b"body.late" in text or answer.status == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert_serves_others(shop, 100)


def test_chunks_that_drip_hold_nobody_back(shop: Shop) -> None:
    """The same for bodies that tell no length: one chunk, and then nothing."""
    lines = (*FORM, "Transfer-Encoding: chunked")
    with ExitStack() as visitors:
        slow = [
            visitors.enter_context(
                connect(
                    shop.service.port, head(*lines), b"1\r\nx\r\n", source="127.0.0.3"
                )
            )
            for _ in range(2 * WEB_THREADS)
        ]
        assert_serves_others(shop, 1)
        assert {read(connection)[0].status for connection in slow} == {408}


def test_headers_that_drip_hold_nobody_back(shop: Shop) -> None:
    """64 requests that never end their headers: the shop goes on as if they were not there."""
    with ExitStack() as visitors:
        for _ in range(SLOW):
            visitors.enter_context(
                connect(
                    shop.service.port, b"POST /v1/signups HTTP/1.1\r\nHost: shop\r\n"
                )
            )
        assert_serves_others(shop, 1)


def test_signup_in_chunks_is_taken(shop: Shop) -> None:
    """A form of unknown length is a signup like any other."""
    text = f"site={shop.publishable_key}&contact_email=ana%40example.org".encode()
    lines = (*FORM, "Origin: https://tonys.example", "Transfer-Encoding: chunked")
    half = len(text) // 2
    chunks = [
        f"{len(part):x}\r\n".encode() + part + b"\r\n"
        for part in (text[:half], text[half:])
    ]
    answer, _ = ask(shop.service.port, head(*lines), *chunks, b"0\r\n\r\n")
    assert answer.status == 201


def test_signup_cut_off_is_not_taken(shop: Shop) -> None:
    """Half a form is refused, not stored: its sender went away in the middle."""
    text = f"site={shop.publishable_key}&contact_email=cut%40example.org".encode()
    lines = (*FORM, "Origin: https://tonys.example", "Transfer-Encoding: chunked")
    chunk = f"{len(text):x}\r\n".encode() + text + b"\r\n"
    with connect(shop.service.port, head(*lines), chunk) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert read(connection)[0].status == 400
    query = "SELECT count(*) AS n FROM contact_point WHERE normalized = ?"
    assert shop.service.rows(query, "cut@example.org")[0]["n"] == 0


def test_body_too_large_is_a_problem_that_the_shops_page_may_read(shop: Shop) -> None:
    """413 in the form and with the headers of all errors, announced or not."""
    lines = (*FORM, "Origin: https://tonys.example")
    size = MAX_BODY_BYTES + 1
    announced = ask(shop.service.port, head(*lines, f"Content-Length: {size}"))
    chunk = f"{size:x}\r\n".encode() + b"x" * size
    chunked = ask(shop.service.port, head(*lines, "Transfer-Encoding: chunked"), chunk)
    for answer, text in (announced, chunked):
        assert answer.status == 413
        assert b"body.too_large" in text
        assert answer.headers["access-control-allow-origin"] == "https://tonys.example"


def test_end_does_not_wait_for_slow_visitors(new_shop: MakeShop) -> None:
    """A stop with bodies on their way is done in seconds, with status 0."""
    shop = new_shop()
    shop.service.start()
    with connect(shop.service.port, head(*FORM, "Content-Length: 10"), b"x"):
        assert_serves_others(shop, 1)
        assert shop.service.end(within_s=BODY_WITHIN_S) == 0
