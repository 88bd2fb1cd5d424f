"""One signup by JSON: ours on both databases beside the same rows written in other ways."""

import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask, request
from sqlalchemy import event, text
from tests.bench.measuring import cpu_ms, interleaved, percentile, table
from tests.bench.serving import Served
from tests.fakes import Clock
from tests.postgresql import SECRET_KEY, Databases, running_server
from tests.shops import ShopUnderTest, make_shop

from regulars.app import open_shop, upgrade_schema
from regulars.ask.fields import Offer, SignupForm, fields_from_json
from regulars.keep.db import db
from regulars.settings import load_settings

TIMES, ROUNDS = 200, 5
CONNECTIONS, SIGNUPS = 8, 800


def run() -> None:
    with tempfile.TemporaryDirectory(prefix="regulars-bench-") as folder:
        _on_sqlite(Path(folder))
        with _postgresql() as databases:
            if databases:
                _on_postgresql(Path(folder), databases)
            _under_load(databases)


@contextmanager
def _postgresql() -> Iterator[Databases | None]:
    """Throw-away databases where there is a server for them."""
    with running_server() as server:
        if server is None:
            yield None
            return
        databases = Databases(server)
        try:
            yield databases
        finally:
            databases.close()


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
        "contact_phone": f"(212) 4{10 + number // 10_000 % 90}-{number % 10_000:04d}",
        "given_name": "Ana",
        "external_id": f"A-{number}",
        **shop.consent(),
    }


def _on_sqlite(folder: Path) -> None:
    ours = _shop(folder / "ours")
    sign_up, statements = _recorded(ours)
    copies = folder / "copies"
    bare = "the same statements by bare sqlite3"
    kinds = {
        bare: _replay_bare(_copy(ours, copies / "bare"), statements),
        "ours, SQLite": sign_up,
        "the same statements in a Flask-SQLAlchemy session": _replay_session(
            _copy(ours, copies / "session"), statements
        ),
    }
    _compare(kinds, bare)


def _on_postgresql(folder: Path, databases: Databases) -> None:
    ours = make_shop(
        folder,
        None,
        Clock(),
        DATABASE_URL=databases.lend(),
        SECRET_KEY=SECRET_KEY,
    )
    ours.add_endpoint()
    sign_up, statements = _recorded(ours)
    url = ours.house.database.engine.url.set(drivername="postgresql")
    bare = "the same statements by bare psycopg"
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        kinds = {
            bare: _replay_psycopg(connection, statements),
            "ours, PostgreSQL": sign_up,
        }
        _compare(kinds, bare)
    ours.house.database.engine.dispose()


def _compare(kinds: Mapping[str, Callable[[], object]], floor: str) -> None:
    """CPU of the whole request in this process; the others replay our very statements."""
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
        floor,
    )


Statements = list[tuple[str, Any]]


def _recorded(shop: ShopUnderTest) -> tuple[Callable[[], None], Statements]:
    """A signup of somebody new, and the SQL of one with its values as it went to the driver."""
    number = iter(range(10_000_000))

    def sign_up() -> None:
        shop.clock.advance(0.01)
        answer = shop.sign_up(by_key=True, **_body(shop, next(number)))
        if answer.status_code != 201:
            raise RuntimeError(answer.text)

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
    return sign_up, [row for row in said if not row[0].startswith("BEGIN")]


def _fresh(values: Any, number: int) -> Any:
    """*values* with ids of their own, as the next signup would have them."""
    if isinstance(values, list):
        return [_fresh(row, number) for row in values]
    if isinstance(values, Mapping):
        return {name: _fresh_value(value, number) for name, value in values.items()}
    return tuple(_fresh_value(value, number) for value in values)


def _fresh_value(value: Any, number: int) -> Any:
    if not isinstance(value, str) or value.startswith("ep_"):
        return value
    if "_01" in value:
        return f"{value[:31]}{number}"
    if value.startswith("A-"):
        return f"{value}-{number}"
    if len(value) == 64:
        return f"{number:08d}{value[8:]}"
    return value


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

    def post() -> None:
        if client.post("/v1/signups", json=body).status_code != 201:
            raise RuntimeError("the replay failed")

    return post


def _copy(shop: ShopUnderTest, folder: Path) -> Path:
    """A copy of the database of *shop*, in *folder*, which is new."""
    folder.mkdir(parents=True)
    copy = folder / "regulars.sqlite3"
    with (
        closing(sqlite3.connect(shop.house.database.file or "")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def _replay_bare(file: Path, statements: Statements) -> Callable[[], object]:
    connection = sqlite3.connect(file, isolation_level=None)
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


def _replay_psycopg(
    connection: psycopg.Connection[Any], statements: Statements
) -> Callable[[], object]:
    number = iter(range(1, 10_000_000))

    def write() -> None:
        count = next(number)
        for statement, values in statements:
            fresh = _fresh(values, count)
            with connection.cursor() as cursor:
                if isinstance(fresh, list):
                    cursor.executemany(statement, fresh)
                    continue
                cursor.execute(statement, fresh)
                if cursor.description:
                    cursor.fetchall()
        connection.commit()

    return _app_around(write)


def _replay_session(file: Path, statements: Statements) -> Callable[[], object]:
    app = open_shop(load_settings({"REGULARS_DATA_DIR": str(file.parent)})).app
    number = iter(range(1, 10_000_000))
    named = [_named(statement) for statement, _ in statements]

    def write() -> None:
        count = next(number)
        with app.app_context():
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


def _under_load(databases: Databases | None) -> None:
    """Wall-clock at eight connections that send one after the other."""
    rows = {"SQLite": ""}
    if databases:
        rows["PostgreSQL"] = databases.new()
    print(
        f"\nSignups over HTTP, {CONNECTIONS} connections, {SIGNUPS} signups"
        "\n\n| | signups/s | p50 ms | p99 ms | p99 ÷ p50 | CPU ms of all processes each |"
        "\n|---|---|---|---|---|---|"
    )
    for name, url in rows.items():
        with Served(url) as served:
            _load(served)
            before = served.cpu_s()
            waits, took = _load(served)
            cpu = (served.cpu_s() - before) / SIGNUPS * 1000
        p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
        print(
            f"| {name} | {SIGNUPS / took:.0f} | {p50:.1f} | {p99:.1f} | {p99 / p50:.1f} | {cpu:.1f} |"
        )


def _load(served: Served) -> tuple[list[float], float]:
    waits: list[float] = []

    def send(worker: int) -> None:
        connection = HTTPConnection("127.0.0.1", served.port)
        for _ in range(SIGNUPS // CONNECTIONS):
            started = time.monotonic()
            served.sign_up(connection)
            waits.append((time.monotonic() - started) * 1000)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(CONNECTIONS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits, time.monotonic() - started
