"""Claims on a long history, one hung endpoint among healthy ones, and a slow receiver.

``REGULARS_TEST_POSTGRES_URL`` names the server for the PostgreSQL rows; without it they
are left out. ``REGULARS_BENCH_FINISHED`` lists the lengths of the history: 10 million
take some minutes to make.
"""

import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import text
from tests.bench.delivering import _enqueue, _shops, dispatch_all
from tests.bench.measuring import percentile
from tests.shops import ShopUnderTest

from regulars.keep.db import Database
from regulars.tell.dispatcher import Dispatcher
from regulars.tell.endpoints import list_endpoints, set_limits
from regulars.tell.leases import give_back
from regulars.tell.outbox import claim
from regulars.tell.pace import Limits
from regulars.values.instants import now_utc
from regulars_webhooks.transport import Transport

FINISHED = [
    int(number)
    for number in os.environ.get("REGULARS_BENCH_FINISHED", "10000,1000000").split(",")
]
CLAIMS, AT_ONCE, THREADS, LATENCY_S = 100, 100, 32, 0.05
BURST = 1000


def run() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="regulars-bench-") as folder,
        ExitStack() as over,
    ):
        for name, shop in _shops(Path(folder), over):
            _claims(name, shop)
            if shop.house.database.is_sqlite:
                _slow_receiver(shop)
                _one_hangs(shop)


def _limit(shop: ShopUnderTest, max_inflight: int) -> None:
    with shop.house.database.transaction() as connection:
        for endpoint in list_endpoints(connection, now_utc()):
            limits = Limits(max_inflight, None)
            set_limits(connection, endpoint.id, limits, ordered=False)


def _claims(name: str, shop: ShopUnderTest) -> None:
    database = shop.house.database
    shop.add_endpoint("https://shop.example/claims")
    _limit(shop, AT_ONCE)
    for _ in range(3 * AT_ONCE):
        _enqueue(database)
    print(
        f"\nA claim of {AT_ONCE} on {name}\n\n"
        "| finished deliveries | p50 | p99 |\n|---|---|---|"
    )
    finished = 0
    for wanted in FINISHED:
        _finish(database, finished, wanted)
        finished = wanted
        waits = []
        for _ in range(CLAIMS):
            with database.transaction() as connection:
                began = time.perf_counter()
                claimed = claim(connection, AT_ONCE, now_utc())
                waits.append((time.perf_counter() - began) * 1000)
                give_back(connection, claimed, was_begun=False)
        p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
        print(f"| {wanted} | {p50:.1f} ms | {p99:.1f} ms |")
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM delivery"))
        connection.execute(text("DELETE FROM endpoint"))


def _finish(database: Database, first: int, last: int) -> None:
    """Add delivered deliveries numbered from *first* to *last*."""
    numbers = (
        "WITH RECURSIVE n(n) AS (SELECT CAST(:first AS INTEGER) UNION ALL"
        " SELECT n + 1 FROM n WHERE n < :last - 1)"
    )
    event = (
        " INSERT INTO event (id, type, version, body_own, body_third_party, created_at)"
        " SELECT 'evt_0' || n, 'test.ping', 0, '', '', 0 FROM n"
    )
    delivery = (
        " INSERT INTO delivery"
        " (id, event_id, endpoint_id, state, claims, attempts, step, created_at)"
        " SELECT 'dlv_0' || n, 'evt_0' || n, (SELECT max(id) FROM endpoint),"
        " 'delivered', 1, 1, 1, 0 FROM n"
    )
    with database.transaction() as connection:
        for statement in (event, delivery):
            connection.execute(
                text(numbers + statement), {"first": first, "last": last}
            )
    with database.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()


def _read_request(lines: BinaryIO) -> bool:
    """Whether one more request came."""
    length = 0
    while (line := lines.readline()) not in {b"\r\n", b""}:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    lines.read(length)
    return bool(line)


@contextmanager
def _receiver(latency_s: float) -> Iterator[str]:
    """A process that answers after a while; one that never does for a negative one."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_receive, args=(theirs, latency_s), daemon=True
    )
    process.start()
    yield f"http://127.0.0.1:{mine.recv()}/hook"
    process.terminate()


def _receive(port: Connection, latency_s: float) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port.send(listener.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            while _read_request(lines):
                time.sleep(latency_s if latency_s >= 0 else 3600)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    while True:
        one, _ = listener.accept()
        threading.Thread(target=serve, args=(one,), daemon=True).start()


@contextmanager
def _dispatching(database: Database) -> Iterator[None]:
    transport = Transport(allow_private=True, pool_size=THREADS)
    dispatcher = Dispatcher(database, transport, now_utc, threads=THREADS, drain_s=0.2)
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()
    transport.close()


def _slow_receiver(shop: ShopUnderTest) -> None:
    with _receiver(LATENCY_S) as url:
        shop.add_endpoint(url)
        _limit(shop, 2 * THREADS)
        for _ in range(BURST):
            _enqueue(shop.house.database)
        dispatch_all(shop.house.database, threads=THREADS)
    with shop.house.database.reading() as connection:
        first, last = connection.execute(
            text("SELECT min(started_at), max(started_at) FROM attempt")
        ).one()
    rate = (BURST - THREADS) / (last - first) * 1000
    best = THREADS / LATENCY_S
    print(
        f"\nA receiver that takes {LATENCY_S * 1000:.0f} ms, {THREADS} threads, SQLite:"
        f" {rate:.0f}/s, {rate / best:.2f} of {best:.0f}/s"
    )
    with shop.house.database.transaction() as connection:
        connection.execute(text("UPDATE endpoint SET state = 'paused'"))


def _one_hangs(shop: ShopUnderTest) -> None:
    database = shop.house.database
    with _receiver(-1.0) as hung, _receiver(0.005) as healthy:
        shop.add_endpoint(healthy)
        with _dispatching(database):
            alone = _latencies(shop)
        shop.add_endpoint(hung)
        for _ in range(50):
            _enqueue(database)
        with _dispatching(database):
            beside = _latencies(shop)
    p99 = [percentile(one, 0.99) * 1000 for one in (alone, beside)]
    print(
        "\nFrom commit to delivered at a healthy endpoint, SQLite, p99:"
        f" {p99[0]:.0f} ms alone, {p99[1]:.0f} ms beside one that hangs"
    )


def _latencies(shop: ShopUnderTest, times: int = 150) -> list[float]:
    """Seconds from the event to the attempt's record, at the endpoint that answers."""
    database = shop.house.database
    for _ in range(times):
        _enqueue(database)
        time.sleep(0.02)
    time.sleep(2)
    with database.reading() as connection:
        rows = connection.execute(
            text(
                "SELECT a.started_at - d.created_at AS waited FROM attempt a"
                " JOIN delivery d ON d.id = a.delivery_id WHERE a.status = 204"
                " ORDER BY a.started_at DESC LIMIT :times"
            ),
            {"times": times},
        )
        return [row.waited / 1000 for row in rows]
