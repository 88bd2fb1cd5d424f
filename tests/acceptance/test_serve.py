"""``regulars serve`` as an operator meets it: it starts whole, stops whole and leaves nothing."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import OK, SILENT, Receiver
from tests.acceptance.running import (
    LOOPBACK,
    Service,
    Shop,
    call,
    eventually,
    foreign_listener,
    is_listened_on,
    is_running,
)

pytestmark = pytest.mark.slow

# The promise is one second; the rest is for a busy machine.
GONE_WITHIN_S = 1.5


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that was never started: no database, no key."""
    with Service(tmp_path / "data") as made:
        yield made


@pytest.fixture
def shop(new_shop: MakeShop) -> Shop:
    return new_shop()


def test_first_start_makes_the_database_and_the_key_and_says_where_it_is(
    service: Service,
) -> None:
    """One command on an empty folder: SQLite migrated, key made for the owner alone, address told."""
    service.start()
    assert service.rows("SELECT version_num FROM alembic_version")
    assert service.rows("SELECT count(*) AS n FROM customer")[0]["n"] == 0
    assert service.rows("PRAGMA journal_mode")[0][0] == "wal"
    assert (service.folder / "secret_key").stat().st_mode & 0o077 == 0
    assert f"http://{LOOPBACK}:{service.port}/" in service.log()
    assert service.command("site", "add", "Shop").returncode == 0
    assert call("GET", f"{service.url}/").status == 302


def test_two_first_starts_at_once_agree_on_one_database(service: Service) -> None:
    """Two starts on one new SQLite file both come up: one migrates, the other waits."""
    with Service(service.folder) as twin:
        twin.log_file = service.folder / "twin.log"
        service.begin()
        twin.begin()
        service.wait_until_it_answers()
        twin.wait_until_it_answers()
        assert service.command("site", "add", "Shop").returncode == 0
        assert call("GET", f"{twin.url}/").status == 302


def test_killed_main_process_takes_its_children_along(shop: Shop) -> None:
    """kill -9 of the main process: worker and dispatcher are gone in a second, the port is free."""
    service = shop.service.start()
    children = [service.worker(), service.dispatcher()]
    os.kill(service.pid, signal.SIGKILL)
    service.wait(within_s=5)
    killed_at = time.monotonic()
    eventually(
        lambda: not any(map(is_running, children)),
        within_s=GONE_WITHIN_S,
        what="the children are gone",
    )
    assert time.monotonic() - killed_at < GONE_WITHIN_S
    eventually(
        lambda: not is_listened_on(service.port),
        within_s=GONE_WITHIN_S,
        what="the port is free",
    )


def test_port_just_left_is_taken_again_at_once(shop: Shop) -> None:
    """A restart follows a kill -9, and then a clean stop with connections open, without a pause."""
    service = shop.service.start()
    with closing(socket.create_connection((LOOPBACK, service.port))) as visitor:
        visitor.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert visitor.recv(100).startswith(b"HTTP/1.1 200")
        os.kill(service.pid, signal.SIGKILL)
        service.wait(within_s=5)
        service.start()
    with closing(socket.create_connection((LOOPBACK, service.port))) as visitor:
        visitor.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert visitor.recv(100).startswith(b"HTTP/1.1 200")
        assert service.end() == 0
        service.start()
    assert "Cannot listen" not in service.log()


def test_killed_worker_is_replaced(shop: Shop) -> None:
    """kill -9 of the web worker: another one answers, and the rest of the house stays."""
    service = shop.service.start()
    worker, dispatcher = service.worker(), service.dispatcher()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not is_running(worker))
    service.wait_until_it_answers()
    assert service.worker() != worker
    assert service.dispatcher() == dispatcher
    assert shop.sign_up(contact_email="ana.lima@example.com").status == 201


def test_killed_dispatcher_is_replaced_and_deliveries_go_on(shop: Shop) -> None:
    """kill -9 of the dispatcher: another one is started and delivers what came meanwhile."""
    service = shop.service.start()
    with Receiver() as receiver:
        _, secret = shop.add_endpoint(receiver.url)
        worker, dispatcher = service.worker(), service.dispatcher()
        os.kill(dispatcher, signal.SIGKILL)
        assert shop.sign_up(contact_email="ana.lima@example.com").status == 201
        [received] = receiver.wait_for(1)
        assert received.verified(secret)["type"] == "customer.created"
        assert service.dispatcher() != dispatcher
        assert service.worker() == worker


def test_stops_cleanly_in_the_middle_of_a_delivery(shop: Shop) -> None:
    """A signal ends everything in a few seconds with status 0, whatever is under way."""
    service = shop.service.start()
    with Receiver(SILENT) as receiver:
        shop.add_endpoint(receiver.url)
        shop.sign_up(contact_email="ana.lima@example.com")
        receiver.wait_for(1)
        children = [service.worker(), service.dispatcher()]
        started = time.monotonic()
        assert service.end(signal.SIGINT) == 0
        assert time.monotonic() - started < 8
        assert not any(map(is_running, children))
        assert not is_listened_on(service.port)
    # What was under way is still to be done, by whoever comes next: the lease is given back.
    states = [row["state"] for row in service.rows("SELECT state FROM delivery")]
    assert states == ["pending"]


def test_quick_delivery_is_settled_before_the_end(shop: Shop) -> None:
    """A delivery that the receiver is about to answer is awaited, not sent twice."""
    service = shop.service.start()
    with Receiver() as receiver:
        shop.add_endpoint(receiver.url)
        receiver.hold_s = 1.0
        shop.sign_up(contact_email="ana.lima@example.com")
        receiver.wait_for(1)
        assert service.end(signal.SIGTERM) == 0
    states = [row["state"] for row in service.rows("SELECT state FROM delivery")]
    assert states == ["delivered"]


def test_ctrl_c_of_the_whole_group_is_a_clean_end(shop: Shop) -> None:
    """A terminal sends SIGINT to every process: status 0 in seconds, nothing restarted, no trace."""
    service = shop.service.start()
    children = [service.worker(), service.dispatcher()]
    # An open connection must not hold the end back.
    with closing(socket.create_connection((LOOPBACK, service.port))) as visitor:
        visitor.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert visitor.recv(100).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        os.killpg(service.pid, signal.SIGINT)
        assert service.wait(within_s=10) == 0
        # By force it would have been longer.
        assert time.monotonic() - started < 5
    assert not any(map(is_running, children))
    log = service.log()
    assert log.count("dispatcher started") == 1
    for word in (
        "Traceback",
        "child ended",
        "Unexpected",
        "ERROR",
        "KeyboardInterrupt",
    ):
        assert word not in log


def test_start_on_a_port_of_another_serve_fails_and_says_so(
    shop: Shop, new_shop: MakeShop
) -> None:
    """A second start beside a running one ends with status 1, names the port and disturbs nobody."""
    shop.service.start()
    second = new_shop().service
    second.begin(port=shop.service.port)
    assert second.wait() == 1
    assert f"Cannot listen on {LOOPBACK}:{shop.service.port}" in second.log()
    assert "--port" in second.log()
    assert "Traceback" not in second.log()
    assert shop.service.is_up()


def test_of_two_starts_at_once_on_one_port_one_serves(
    shop: Shop, new_shop: MakeShop
) -> None:
    """Two starts of one moment on one port: one serves, the other ends with status 1."""
    first, second = shop.service, new_shop().service
    first.begin()
    second.begin(port=first.port)
    ended = eventually(
        lambda: [it for it in (first, second) if it.has_ended()],
        within_s=20,
        what="one of two has ended",
    )
    assert len(ended) == 1
    assert ended[0].wait() == 1
    assert "Cannot listen" in ended[0].log()
    eventually(first.is_up, within_s=20)


# What a foreign server holds, and what ours is told to listen on.
OVERLAPS = [(LOOPBACK, LOOPBACK), ("0.0.0.0", LOOPBACK), (LOOPBACK, "0.0.0.0")]


@pytest.mark.parametrize(("theirs", "ours"), OVERLAPS, ids=["same", "all", "one"])
def test_start_on_a_port_of_a_foreign_server_fails_and_says_so(
    shop: Shop, theirs: str, ours: str
) -> None:
    """A port that another program listens on, on this address or on all, is refused with status 1."""
    with foreign_listener(theirs) as port:
        shop.service.begin("--host", ours, port=port)
        assert shop.service.wait() == 1
    assert f"Cannot listen on {ours}:{port}" in shop.service.log()


def test_no_dispatch_starts_no_dispatcher(shop: Shop) -> None:
    """--no-dispatch: the web alone; ``regulars dispatch`` elsewhere delivers."""
    service = shop.service.start("--no-dispatch")
    with Receiver(OK) as receiver:
        shop.add_endpoint(receiver.url)
        assert service.children() == [service.worker()]
        shop.sign_up(contact_email="ana.lima@example.com")
        with Service(service.folder) as elsewhere:
            elsewhere.log_file = service.folder / "dispatch.log"
            assert receiver.received == []
            elsewhere.begin_dispatch()
            receiver.wait_for(1, within_s=20)
            assert elsewhere.end() == 0
    assert "dispatcher started" not in service.log()


def test_requests_leave_no_line_in_the_log(shop: Shop) -> None:
    """There is no access log: neither a path nor what a form held is ever written down."""
    service = shop.service.start()
    answer = shop.sign_up(
        x_handle="AnaLima",
        contact_channel=["email", "sms"],
        contact_email="ana.lima@example.com",
        contact_phone="(212) 456-7890",
    )
    token = answer.json["preferences_url"].rpartition("/")[2]
    call("GET", f"{service.url}/p/{token}")
    call("GET", f"{service.url}/nothing?email=ana.lima@example.com")
    call(
        "POST", f"{service.url}/v1/signups", b"{", {"Content-Type": "application/json"}
    )
    assert service.end() == 0
    log = service.log()
    assert token not in log
    for word in ("ana.lima", "AnaLima", "/v1/", "/p/", "nothing", "GET", "POST"):
        assert word not in log
