"""Whole deliveries: enqueue, claim, sign, POST, record; beside bare loops and a job queue.

``REGULARS_TEST_POSTGRES_URL`` names the server for the PostgreSQL rows; without it they
are left out. CPU is that of this process; the sink is one of its own.
"""

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests
import urllib3
from huey import SqliteHuey
from sqlalchemy import func, select
from tests.bench.measuring import interleaved
from tests.bench.sending import _serve
from tests.fakes import Clock
from tests.postgresql import SECRET_KEY, Databases
from tests.shops import ShopUnderTest, make_shop

from regulars.app import open_shop, upgrade_schema
from regulars.keep.db import Database
from regulars.settings import load_settings
from regulars.tell.deliveries import IS_OPEN, delivery_table, enqueue
from regulars.tell.dispatcher import Dispatcher
from regulars.tell.endpoints import list_endpoints, set_limits
from regulars.tell.events import add_event
from regulars.tell.pace import Limits
from regulars.values.instants import now_utc
from regulars_webhooks.signing import generate_secret, sign
from regulars_webhooks.transport import Transport

EVENTS, ROUNDS, THREADS = 10_000, 3, 8
PAYLOAD = {"message": "x" * 1400}


def run() -> None:
    with (
        _sink() as url,
        tempfile.TemporaryDirectory(prefix="regulars-bench-") as folder,
        ExitStack() as over,
    ):
        kinds: dict[str, Callable[[], tuple[float, float]]] = {
            "bare urllib3 loop, one thread": lambda: _loop(_urllib3(url), 1),
            f"bare urllib3 loop, {THREADS} threads": lambda: _loop(
                _urllib3(url), THREADS
            ),
            f"bare requests.Session loop, {THREADS} threads": lambda: _loop(
                _session(url), THREADS
            ),
            f"Huey on SQLite, {THREADS} threads": lambda: _huey(Path(folder), url),
        }
        for name, shop in _shops(Path(folder), over):
            shop.add_endpoint(url)
            _unlimited(shop)
            kinds[f"ours, {name}"] = lambda shop=shop: _ours(shop)  # type: ignore[misc]
            kinds[f"ours, {name}, pinned to one CPU"] = lambda shop=shop: _pinned(  # type: ignore[misc]
                lambda: _ours(shop)
            )
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}

        def note(name: str) -> float:
            measured[name].append(kinds[name]())
            return measured[name][-1][0]

        interleaved({name: lambda name=name: note(name) for name in kinds}, ROUNDS)
        _print(measured)


def _print(measured: dict[str, list[tuple[float, float]]]) -> None:
    base = next(iter(measured.values()))
    print(
        f"\nOne whole delivery of a 1.5 kB event to a keep-alive sink"
        f" ({EVENTS} events, {ROUNDS} rounds)\n\n"
        "| | CPU ms, median (min–max) | ÷ one urllib3 thread | deliveries/s |\n"
        "|---|---|---|---|"
    )
    for name, rounds in measured.items():
        cpu = [one for one, _ in rounds]
        ratio = statistics.median(
            mine / theirs[0] for mine, theirs in zip(cpu, base, strict=True)
        )
        rate = statistics.median(rate for _, rate in rounds)
        print(
            f"| {name} | {statistics.median(cpu):.3f} ({min(cpu):.3f}–{max(cpu):.3f})"
            f" | {ratio:.2f} | {rate:.0f} |"
        )


@contextmanager
def _sink() -> Iterator[str]:
    mine, theirs = multiprocessing.Pipe()
    sink = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs,), daemon=True
    )
    sink.start()
    yield f"http://127.0.0.1:{mine.recv()}/hook"
    sink.terminate()


def _shops(folder: Path, over: ExitStack) -> Iterator[tuple[str, ShopUnderTest]]:
    """A shop on each database, until *over* ends."""
    home = folder / "sqlite"
    home.mkdir()
    upgrade_schema(open_shop(load_settings({"REGULARS_DATA_DIR": str(home)})))
    yield "SQLite", make_shop(home, None, Clock(), ALLOW_PRIVATE_ENDPOINTS="1")
    server = os.environ.get("REGULARS_TEST_POSTGRES_URL")
    if not server:
        return
    databases = Databases(server)
    given = {"DATABASE_URL": databases.lend(), "SECRET_KEY": SECRET_KEY}
    shop = make_shop(
        folder / "postgres", None, Clock(), ALLOW_PRIVATE_ENDPOINTS="1", **given
    )
    over.callback(databases.close)
    over.callback(shop.house.database.engine.dispose)
    yield "PostgreSQL", shop


def _unlimited(shop: ShopUnderTest) -> None:
    with shop.house.database.transaction() as connection:
        for endpoint in list_endpoints(connection, now_utc()):
            set_limits(connection, endpoint.id, Limits(64, None), ordered=False)


def _measured(work: Callable[[], None]) -> tuple[float, float]:
    """CPU milliseconds for each of the events, and how many a second."""
    began, cpu = time.monotonic(), time.process_time()
    work()
    cpu_s, took_s = time.process_time() - cpu, time.monotonic() - began
    return cpu_s / EVENTS * 1000, EVENTS / took_s


def _pinned(measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    try:
        return measure()
    finally:
        os.sched_setaffinity(0, everywhere)


SECRET = generate_secret()
BODY = b'{"id":"evt_1","data":"' + b"x" * 1500 + b'"}'


def _headers() -> dict[str, str]:
    signed = sign("evt_1", BODY, secrets=[SECRET], now=datetime.now(UTC))
    return {"content-type": "application/json", **signed}


def _urllib3(url: str) -> Callable[[], None]:
    pool = urllib3.PoolManager(maxsize=THREADS)

    def post() -> None:
        pool.request("POST", url, body=BODY, headers=_headers())

    return post


def _session(url: str) -> Callable[[], None]:
    own = threading.local()

    def post() -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        own.session.post(url, BODY, headers=_headers())

    return post


def _loop(post: Callable[[], None], threads: int) -> tuple[float, float]:
    def some() -> None:
        for _ in range(EVENTS // threads):
            post()

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(some) for _ in range(threads)]:
                done.result()

    return _measured(work)


def _huey(folder: Path, url: str) -> tuple[float, float]:
    file = folder / "huey.sqlite3"
    file.unlink(missing_ok=True)
    queue = SqliteHuey(filename=str(file), fsync=True, results=False)
    post, left, done = _session(url), threading.Semaphore(0), threading.Event()

    @queue.task(retries=9, retry_delay=5)
    def deliver(event_id: str, body: str) -> None:
        post()
        left.release()

    def work() -> None:
        for number in range(EVENTS):
            deliver(f"evt_{number}", BODY.decode())
        consumer = queue.create_consumer(
            workers=THREADS, periodic=False, initial_delay=0.001, max_delay=0.01
        )
        consumer.start()
        for _ in range(EVENTS):
            left.acquire()
        consumer.stop(graceful=True)
        done.set()

    return _measured(work)


def _ours(shop: ShopUnderTest) -> tuple[float, float]:
    database = shop.house.database

    def work() -> None:
        for _ in range(EVENTS):
            _enqueue(database)
        dispatch_all(database, threads=THREADS)

    return _measured(work)


def _enqueue(database: Database) -> None:
    now = now_utc()
    with database.transaction() as connection:
        event_id = add_event(
            connection, "test.ping", PAYLOAD, customer_id=None, version=0, now=now
        )
        enqueue(connection, event_id, list_endpoints(connection, now), now)


def dispatch_all(database: Database, *, threads: int) -> None:
    """Deliver until nothing waits."""
    transport = Transport(allow_private=True, pool_size=threads)
    dispatcher = Dispatcher(database, transport, now_utc, threads=threads)
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    waiting = select(func.count()).where(IS_OPEN).select_from(delivery_table)
    while True:
        with database.reading() as connection:
            if not connection.execute(waiting).scalar_one():
                break
        time.sleep(0.05)
    stop.set()
    thread.join()
    transport.close()
