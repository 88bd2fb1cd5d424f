"""The dispatcher at work on real sockets: leases renewed, hung endpoints, an end in order."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.acceptance.receiver import SILENT, Receiver
from tests.acceptance.running import eventually
from tests.shop.by_hand import make_due, only_delivery, rows, sign_up, states
from tests.shops import ShopUnderTest

from regulars.tell.deliveries import attempt_table
from regulars.tell.dispatcher import Dispatcher
from regulars.tell.sending_trouble import find_sending_trouble
from regulars.values.instants import now_utc
from regulars_webhooks.retry import Failure
from regulars_webhooks.transport import Transport

Start = Callable[..., threading.Event]


@pytest.fixture
def start(shop: ShopUnderTest) -> Iterator[Start]:
    """Starts dispatchers; each gives what stops it. All have stopped when the test ends."""
    with ExitStack() as running:

        def begin(
            transport: dict[str, Any] | None = None, **how: Any
        ) -> threading.Event:
            return running.enter_context(at_work(shop, transport or {}, how))

        yield begin


@contextmanager
def at_work(
    shop: ShopUnderTest, transport: dict[str, Any], how: dict[str, Any]
) -> Iterator[threading.Event]:
    one = Transport(allow_private=True, **transport)
    dispatcher = Dispatcher(shop.house.database, one, now_utc, **how)
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        one.close()


def test_a_lease_is_renewed_while_its_attempt_goes_on(
    shop: ShopUnderTest, start: Start
) -> None:
    """An answer that takes three times the lease is waited for, and nobody else sends the same."""
    with Receiver() as receiver:
        receiver.hold_s = 1.8
        shop.add_endpoint(receiver.url)
        sign_up(shop)
        for _ in range(2):
            start(lease=timedelta(seconds=0.6))
        eventually(lambda: states(shop) == ["delivered"])
        assert len(receiver.received) == 1
    row = only_delivery(shop)
    assert (row.claims, row.attempts, row.unfinished) == (1, 1, 0)


def test_a_stop_waits_for_what_is_under_way(shop: ShopUnderTest, start: Start) -> None:
    """What ends within the bound is written down."""
    with Receiver() as receiver:
        receiver.hold_s = 0.5
        shop.add_endpoint(receiver.url)
        sign_up(shop)
        stop = start(drain_s=5.0)
        receiver.wait_for(1)
        stop.set()
        eventually(lambda: states(shop) == ["delivered"])


def test_a_stop_gives_back_what_does_not_end(shop: ShopUnderTest, start: Start) -> None:
    """Within the bound and a moment: due at once, for whoever comes next, and no attempt burnt."""
    with Receiver(SILENT) as receiver:
        shop.add_endpoint(receiver.url)
        sign_up(shop)
        stop = start(drain_s=0.3)
        receiver.wait_for(1)
        began = time.monotonic()
        stop.set()
        eventually(lambda: states(shop) == ["pending"])
        assert time.monotonic() - began < 2
    row = only_delivery(shop)
    assert (row.claims, row.attempts, row.step, row.lease_token) == (1, 0, 0, None)
    assert row.next_at <= now_utc()


def test_one_hung_endpoint_delays_nobody(shop: ShopUnderTest, start: Start) -> None:
    """Thirty wait for one that never answers; thirty of another's arrive at once."""
    with Receiver(SILENT) as hung, Receiver() as healthy:
        shop.add_endpoint(hung.url)
        sign_up(shop, 30)
        start()
        hung.wait_for(8)
        shop.add_endpoint(healthy.url)
        began = time.monotonic()
        sign_up(shop, 30)
        eventually(lambda: len(healthy.received) == 30, within_s=10)
        assert time.monotonic() - began < 8
        assert len(hung.received) == 8


def test_own_trouble_burns_no_attempt_and_tells_the_operator(
    shop: ShopUnderTest, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """While no name is resolved the schedule stands still; afterwards the same goes out."""
    is_down = threading.Event()
    is_down.set()

    def resolve(*arguments: Any, **more: Any) -> Any:
        if is_down.is_set():
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return socket.getaddrinfo(*arguments, **more)

    with Receiver() as receiver:
        shop.add_endpoint(receiver.url.replace("127.0.0.1", "localhost"))
        sign_up(shop)
        start({"resolver": resolve})
        (trouble,) = eventually(lambda: troubles(shop))
        assert trouble.failure is Failure.OUR_RESOLVER
        row = only_delivery(shop)
        assert (row.state, row.step, row.attempts) == ("pending", 0, 1)
        assert rows(shop, attempt_table)[0].blame == "us"
        assert caplog.text.count("nobody can be reached from here") == 1
        is_down.clear()

        def is_told() -> bool:
            make_due(shop, "pending")
            return len(receiver.received) == 1

        eventually(is_told)
        eventually(lambda: not troubles(shop))
    assert states(shop) == ["delivered"]


def troubles(shop: ShopUnderTest) -> list[Any]:
    with shop.house.database.reading() as connection:
        return list(find_sending_trouble(connection, now_utc()))


def test_what_one_endpoint_alone_has_is_its_own_trouble(
    shop: ShopUnderTest, start: Start
) -> None:
    """Others are reached meanwhile: its schedule goes on, and the operator is not troubled."""

    def resolve(host: str, *arguments: Any, **more: Any) -> Any:
        if host == "broken.example":
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return socket.getaddrinfo(host, *arguments, **more)

    with Receiver() as receiver:
        shop.add_endpoint(receiver.url)
        start({"resolver": resolve})
        sign_up(shop)
        receiver.wait_for(1)
        eventually(lambda: states(shop) == ["delivered"])
        shop.add_endpoint("http://broken.example:8009/")
        sign_up(shop)
        eventually(lambda: any(it.error == "dns" for it in rows(shop, attempt_table)))
    assert troubles(shop) == []
