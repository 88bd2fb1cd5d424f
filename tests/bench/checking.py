"""What checking handles costs: calls and users billed, beside one tweepy call per signup."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import requests
import tweepy
from examples.fake_x import FakeX
from requests.adapters import HTTPAdapter
from tests.acceptance import running
from tests.bench.measuring import cpu_ms, interleaved, percentile, table
from tests.fakes import Clock
from tests.shop.by_hand import recheck
from tests.shops import BEARER, ShopUnderTest, make_shop

from regulars.app import open_shop, upgrade_schema
from regulars.check.cache import Freshness
from regulars.check.gate import Gate
from regulars.check.lookup import Found
from regulars.check.terms import Terms
from regulars.check.usage import Caps
from regulars.check.x_api import XLookup
from regulars.keep.contact_points import count_pending
from regulars.settings import load_settings
from regulars.values.handle import Handle
from regulars.values.instants import now_utc

SIGNUPS, FLOOD = 1000, 5000
X_LIMIT = 300  # calls of a kind in 15 minutes
FRESH, ROUNDS = 100, 7
AMPLE = {"X_DAILY_LOOKUPS": "100000", "X_MONTHLY_BUDGET_USD": "1000"}
TERMS = Terms(
    caps=Caps(users_a_day=1_000_000, usd_a_month=100_000.0),
    freshness=Freshness(found=timedelta(days=7), not_found=timedelta(hours=1)),
    retry=timedelta(seconds=5),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a thousand signups, or a flood, made of X."""

    calls: int
    billed: int
    note: str = ""


def run() -> None:
    with tempfile.TemporaryDirectory(prefix="regulars-bench-") as folder:
        base = Path(folder)
        rows = {
            "1,000 signups with handles of their own": _signups(base / "a", SIGNUPS),
            "1,000 signups, 30 % of them returning": _signups(base / "b", 700),
            "1,000 look-ups waiting at once": _at_once(base / "c"),
            f"a flood of {FLOOD:,} over HTTP, X allows {X_LIMIT}": _flood(base / "d"),
            "1,000 signups, one tweepy call each": _bare_tweepy(),
        }
        print(
            "\nWhat X counts and bills\n\n| | calls | users billed | |\n|---|---|---|---|"
        )
        for name, cost in rows.items():
            print(f"| {name} | {cost.calls:,} | {cost.billed:,} | {cost.note} |")
        _cached(base / "e")
        _cpu(base / "f")


def _shop(folder: Path, x_url: str) -> ShopUnderTest:
    folder.mkdir()
    upgrade_schema(open_shop(load_settings({"REGULARS_DATA_DIR": str(folder)})))
    lookup = XLookup(BEARER, api_url=x_url)
    # By the clock of this machine: the stand-in tells its resets by it.
    return make_shop(folder, lookup, Clock(now_utc()), **AMPLE)


def _signups(folder: Path, distinct: int) -> Cost:
    """A thousand one after the other, and what was left to the dispatcher."""
    with FakeX(everyone=True, limit=X_LIMIT) as x:
        shop = _shop(folder, x.url)
        verdicts = []
        for number in range(SIGNUPS):
            handle = f"guest{number % distinct}"
            answer = shop.sign_up(by_key=True, x_handle=handle, **shop.consent())
            verdicts.append(answer.json["handle"]["verdict"])
        while _pending(shop):
            recheck(shop)
            shop.clock.advance(0.5)
        at_once = verdicts.count("found")
        note = f"{at_once} told at once, the rest by event"
        return Cost(len(x.calls), x.billed, note)


def _pending(shop: ShopUnderTest) -> int:
    with shop.house.database.reading() as connection:
        return count_pending(connection)


def _gate(shop: ShopUnderTest, x_url: str, waiting: int) -> Gate:
    lookup = XLookup(BEARER, api_url=x_url)
    return Gate(
        lookup,
        shop.house.database,
        TERMS,
        waiting=waiting,
        take_windows=lookup.take_windows,
    )


def _at_once(folder: Path) -> Cost:
    with _x_elsewhere() as url:
        shop = _shop(folder, url)
        gate = _gate(shop, url, SIGNUPS)
        arrived = threading.Semaphore(0)
        waits: list[float] = []

        def ask(number: int) -> bool:
            handle = Handle(f"guest{number}")
            arrived.release()
            told = gate.look_up([handle], timeout_s=30, now=now_utc())
            waits.append(time.monotonic() - started)
            return isinstance(told[handle.key], Found)

        with ThreadPoolExecutor(SIGNUPS) as threads:
            # Nobody gets on before all are there, however slowly this machine starts them.
            with shop.house.database.transaction():
                answers = [threads.submit(ask, number) for number in range(SIGNUPS)]
                for _ in answers:
                    arrived.acquire()
                time.sleep(0.5)
                started = time.monotonic()
            found = sum(answer.result() for answer in answers)
        books = requests.get(f"{url}/books", timeout=5).json()
        note = f"{found} found, the last after {max(waits):.1f} s"
        return Cost(books["calls"], books["users_billed"], note)


def _flood(folder: Path) -> Cost:
    folder.mkdir()
    empty = open_shop(load_settings({"REGULARS_DATA_DIR": str(folder)}))
    upgrade_schema(empty)
    empty.house.database.scrub()
    empty.house.database.engine.dispose()
    with (
        FakeX(everyone=True, limit=X_LIMIT) as x,
        running.make_shop(
            folder / "shop",
            folder / "regulars.sqlite3",
            X_API_URL=x.url,
            X_BEARER_TOKEN=BEARER,
            **AMPLE,
        ) as shop,
    ):
        shop.service.start()
        started = time.monotonic()

        def sign_up(number: int) -> float:
            answer = shop.sign_up(x_handle=f"guest{number}", contact_channel="x")
            if answer.status != 201:
                raise RuntimeError(answer.body.decode())
            return answer.took_s

        with ThreadPoolExecutor(24) as guests:
            waits = list(guests.map(sign_up, range(FLOOD)))
        taken_s = time.monotonic() - started
        pending = "SELECT count(*) FROM contact_point WHERE verdict = 'pending'"
        while shop.service.rows(pending)[0][0]:
            time.sleep(0.2)
            if time.monotonic() - started > 1800:
                raise TimeoutError("verdicts are missing after two windows")
        all_in_s = time.monotonic() - started
        left = X_LIMIT - max(x.calls_by_kind.values())
        note = (
            f"taken in {taken_s:.0f} s (p99 {percentile(waits, 0.99) * 1000:.0f} ms),"
            f" every verdict in after {all_in_s:.0f} s, {left} of {X_LIMIT} calls left"
        )
        return Cost(len(x.calls), x.billed, note)


class _ToFake(HTTPAdapter):
    """tweepy knows one host; this takes its requests elsewhere."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(
        self, request: requests.PreparedRequest, *args: object, **kwargs: object
    ) -> requests.Response:
        host = "https://api.twitter.com"
        request.url = self._url + (request.url or "").removeprefix(host)
        return super().send(request, *args, **kwargs)  # type: ignore[arg-type]


def _tweepy(url: str) -> tweepy.Client:
    client = tweepy.Client("token", return_type=dict)
    client.session.mount("https://api.twitter.com", _ToFake(url))
    return client


def _bare_tweepy() -> Cost:
    with FakeX(everyone=True) as x:
        client = _tweepy(x.url)
        for number in range(SIGNUPS):
            client.get_user(username=f"guest{number}")
        note = f"X allows {X_LIMIT} in 15 minutes"
        return Cost(len(x.calls), x.billed, note)


def _cached(folder: Path) -> None:
    """What an answer costs that is known already, in process and one after the other."""
    with FakeX(everyone=True) as x:
        shop = _shop(folder, x.url)
        handles = [Handle(f"guest{number}") for number in range(FRESH)]
        now = shop.clock()
        shop.house.gate.probe(handles, timeout_s=10, now=now, is_pending=True)
        check, asked = shop.house.check_lookup, len(x.calls)
        waits = []
        for number in range(20 * FRESH):
            started = time.perf_counter()
            check.look_up([handles[number % FRESH]], timeout_s=2, now=now)
            waits.append((time.perf_counter() - started) * 1000)
        if len(x.calls) > asked:
            raise RuntimeError("a cached handle was asked for")
    print(
        f"\nA handle that is known, {len(waits):,} checks in process, SQLite\n\n"
        "| p50 | p99 |\n|---|---|\n"
        f"| {statistics.median(waits):.2f} ms | {percentile(waits, 0.99):.2f} ms |"
    )


@contextmanager
def _x_elsewhere() -> Iterator[str]:
    """The address of a stand-in in a process of its own, whose CPU is not counted."""
    command = [sys.executable, "examples/fake_x.py", "--port", "0", "--everyone"]
    with subprocess.Popen(
        [*command, "--limit", "1000000"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def _cpu(folder: Path) -> None:
    """CPU of a call for a hundred handles that nobody asked for before."""
    with _x_elsewhere() as url:
        shop = _shop(folder, url)
        gate, bare = _gate(shop, url, 4), _tweepy(url)
        fields = "created_at description entities profile_image_url protected"
        user_fields = [*fields.split(), "public_metrics", "url", "verified_type"]
        numbers = iter(range(10_000_000))

        def fresh() -> list[str]:
            return [f"guest{next(numbers)}" for _ in range(FRESH)]

        def ours() -> None:
            handles: Sequence[Handle] = [Handle(name) for name in fresh()]
            gate.probe(handles, timeout_s=10, now=shop.clock(), is_pending=True)

        def theirs() -> None:
            bare.get_users(usernames=fresh(), user_fields=user_fields)

        kinds = {
            "tweepy.Client.get_users of 100": theirs,
            "ours: claimed, paid for, asked, read, kept (SQLite)": ours,
        }
        figures = interleaved(
            {
                name: lambda work=work: cpu_ms(work, 10) / FRESH
                for name, work in kinds.items()
            },
            ROUNDS,
        )
        table(
            "One fresh handle, of a hundred asked for together (client CPU)",
            figures,
            "CPU ms",
            "tweepy.Client.get_users of 100",
        )
