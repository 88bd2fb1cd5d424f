"""One signup by JSON: ours on both databases beside the same rows written in other ways."""

import json
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from flask import Flask, request
from sqlalchemy import event, text
from tests.bench.measuring import cpu_ms, interleaved, percentile, table
from tests.bench.serving import Served
from tests.fakes import Clock
from tests.shops import ShopUnderTest, make_shop

from regulars.app import open_shop, upgrade_schema
from regulars.ask.fields import Offer, SignupForm, fields_from_json
from regulars.keep.db import db
from regulars.settings import load_settings

TIMES, ROUNDS = 200, 5
CONNECTIONS, SIGNUPS = 8, 800


def run() -> None:
    with tempfile.TemporaryDirectory(prefix="regulars-bench-") as folder:
        _in_process(Path(folder))
    _under_load()


def _shop(folder: Path) -> ShopUnderTest:
    folder.mkdir()
    upgrade_schema(open_shop(load_settings({"REGULARS_DATA_DIR": str(folder)})))
    shop = make_shop(folder, None, Clock())
    shop.add_endpoint()
    return shop


def _body(shop: ShopUnderTest, number: int) -> dict[str, Any]:
    return {
        "x_handle": f"user{number}",
        "contact_channel": ["x", "sms"],
        "contact_phone": f"(212) 456-{number % 10000:04d}",
        "given_name": "Ana",
        "external_id": f"A-{number}",
        **shop.consent(),
    }


def _in_process(folder: Path) -> None:
    """CPU of the whole request in one process; the others replay our very statements."""
    ours = _shop(folder / "ours")
    number = iter(range(10_000_000))

    def sign_up() -> None:
        ours.clock.advance(0.01)
        answer = ours.sign_up(by_key=True, **_body(ours, next(number)))
        if answer.status_code != 201:
            raise RuntimeError(answer.text)

    statements = _recorded(ours, sign_up)
    copies = folder / "copies"
    kinds: dict[str, Callable[[], object]] = {
        "the same statements by bare sqlite3": _replay_bare(
            copies / "bare", statements
        ),
        "ours, SQLite": sign_up,
        "the same statements in a Flask-SQLAlchemy session": _replay_session(
            copies / "session", statements
        ),
    }
    for work in kinds.values():
        for _ in range(20):
            work()
    figures = interleaved(
        {name: lambda work=work: cpu_ms(work, TIMES) for name, work in kinds.items()},
        ROUNDS,
    )
    table(
        "One signup by JSON in one process: Flask, the form, all reads and writes, commit",
        figures,
        "CPU ms",
        "the same statements by bare sqlite3",
    )


Statements = list[tuple[str, Any]]


def _recorded(shop: ShopUnderTest, sign_up: Callable[[], None]) -> Statements:
    """The SQL of one signup with its values, as it went to the driver."""
    sign_up()
    said: Statements = []

    def note(
        connection: Any, cursor: Any, statement: str, values: Any, *more: Any
    ) -> None:
        said.append((statement, values))

    engine = shop.house.database.engine
    event.listen(engine, "before_cursor_execute", note)
    sign_up()
    event.remove(engine, "before_cursor_execute", note)
    return [row for row in said if not row[0].startswith("BEGIN")]


def _fresh(values: Any, number: int) -> Any:
    """*values* with ids of their own, as the next signup would have them."""
    if isinstance(values, list):
        return [_fresh(row, number) for row in values]
    return tuple(
        f"{value[:31]}{number}"
        if isinstance(value, str) and "_01" in value
        else f"{value}{number}"
        if isinstance(value, str) and (value.startswith("A-") or len(value) == 64)
        else value
        for value in values
    )


def _app_around(write: Callable[[], None]) -> Callable[[], object]:
    """A Flask view with the same form before *write*."""
    app = Flask(__name__)
    offer = Offer()

    @app.post("/v1/signups")
    def view() -> tuple[dict[str, str], int]:
        form = SignupForm(
            fields_from_json(json.loads(request.get_data())),
            offer=offer,
            is_known_wording=lambda wording_id, key: True,
            may_send_external_id=True,
        )
        if not form.validate():
            raise RuntimeError
        form.answer()
        write()
        return {"id": "sgn_"}, 201

    client = app.test_client()
    body = {
        "x_handle": "user1",
        "contact_channel": ["x", "sms"],
        "contact_phone": "(212) 456-7890",
        "given_name": "Ana",
        "external_id": "A-1",
        "consent_x_link": "1.en",
        "contact_wording": "1.en",
    }
    return lambda: client.post("/v1/signups", json=body)


def _replay_bare(folder: Path, statements: Statements) -> Callable[[], object]:
    folder.parent.mkdir(exist_ok=True)
    _shop(folder)
    connection = sqlite3.connect(folder / "regulars.sqlite3", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    number = iter(range(1, 10_000_000))

    def write() -> None:
        count = next(number)
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            fresh = _fresh(values, count)
            if isinstance(fresh, list):
                connection.executemany(statement, fresh)
            else:
                connection.execute(statement, fresh).fetchall()
        connection.execute("COMMIT")

    return _app_around(write)


def _replay_session(folder: Path, statements: Statements) -> Callable[[], object]:
    shop = _shop(folder)
    number = iter(range(1, 10_000_000))
    named = [_named(statement) for statement, _ in statements]

    def write() -> None:
        count = next(number)
        with shop.shop.app.app_context():
            for (_, values), statement in zip(statements, named, strict=True):
                fresh = _fresh(values, count)
                rows = fresh if isinstance(fresh, list) else [fresh]
                given = [{f"p{i}": v for i, v in enumerate(row)} for row in rows]
                db.session.execute(statement, given if len(given) > 1 else given[0])
            db.session.commit()

    return _app_around(write)


def _named(statement: str) -> Any:
    """*statement* with named places, as a session takes it."""
    parts = statement.split("?")
    joined = parts[0] + "".join(f":p{i}{part}" for i, part in enumerate(parts[1:]))
    return text(joined)


def _under_load() -> None:
    """Wall-clock at eight connections that send one after the other."""
    rows = {"SQLite": ""}
    if url := os.environ.get("REGULARS_TEST_POSTGRES_URL"):
        rows["PostgreSQL"] = url
    print(
        f"\nSignups over HTTP, {CONNECTIONS} connections, {SIGNUPS} signups"
        "\n\n| | signups/s | p50 ms | p99 ms | p99 ÷ p50 |\n|---|---|---|---|---|"
    )
    for name, url in rows.items():
        with Served(url) as served:
            waits, took = _load(served)
        p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
        print(
            f"| {name} | {SIGNUPS / took:.0f} | {p50:.1f} | {p99:.1f} | {p99 / p50:.1f} |"
        )


def _load(served: Served) -> tuple[list[float], float]:
    waits: list[float] = []
    tag = time.time_ns()

    def send(worker: int) -> None:
        connection = HTTPConnection("127.0.0.1", served.port)
        for number in range(SIGNUPS // CONNECTIONS):
            started = time.monotonic()
            served.sign_up(f"{tag}-{worker}-{number}", connection)
            waits.append((time.monotonic() - started) * 1000)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(CONNECTIONS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits, time.monotonic() - started
