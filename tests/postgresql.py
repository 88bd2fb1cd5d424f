"""PostgreSQL for the tests: the server that is named, or a throw-away one of their own.

``REGULARS_TEST_POSTGRES_URL`` names a server whose user may create databases. Without it
one is started on a free port where its programs are installed, without fsync.
"""

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from regulars.app import open_shop, upgrade_schema
from regulars.keep.db import metadata
from regulars.keep.schema import UNFINISHED_COPY
from regulars.settings import load_settings

SECRET_KEY = "the-key-of-the-tests-on-postgresql-0123456789"
_LOOPBACK = "127.0.0.1"
# Nothing here has to survive a power cut.
_SPEED = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "listen_addresses": _LOOPBACK,
}

_INITDB = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]


@contextmanager
def running_server() -> Iterator[str | None]:
    """The URL of a server's database ``postgres``; None where there is none to be had."""
    named = os.environ.get("REGULARS_TEST_POSTGRES_URL")
    programs = _programs()
    if named:
        yield named
    elif programs is None:
        yield None
    else:
        with _own_server(programs) as url:
            yield url


def _programs() -> Path | None:
    """The folder of the newest ``initdb`` and ``postgres`` on this machine."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else []
    found += Path("/usr/lib/postgresql").glob("*/bin/initdb")
    folders = [it.parent for it in found if it.with_name("postgres").exists()]
    return max(
        folders,
        key=lambda it: [int(n) for n in re.findall(r"\d+", str(it))],
        default=None,
    )


@contextmanager
def _own_server(programs: Path) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="regulars-postgres-"))
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    settings = [f"-c{name}={value}" for name, value in _SPEED.items()]
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", *_INITDB],
            user=user,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    programs / "postgres",
                    "-D",
                    data,
                    "-p",
                    str(port),
                    "-k",
                    folder,
                    *settings,
                ],
                user=user,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        try:
            url = f"postgresql://postgres@{_LOOPBACK}:{port}/postgres"
            _wait_for(url, process)
            yield url
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder)


def _user() -> str | None:
    """Who runs the server: it refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


class Databases:
    """Databases on one server: empty and migrated ones are lent, and emptied afterwards.

    To make one takes a tenth of a second and to drop it another; to empty one takes a
    few milliseconds.
    """

    def __init__(self, server_url: str) -> None:
        self._server = server_url
        self._prefix = f"regulars_test_{secrets.token_hex(4)}"
        self._made: list[str] = []
        self._idle: list[str] = []
        self._template: str | None = None

    def lend(self) -> str:
        """The URL of a migrated database without rows that nobody else uses now."""
        if not self._idle:
            if self._template is None:
                self._template = self._new("template")
                self._migrate(self._template)
            self._idle.append(self._new(f"lent{len(self._made)}", self._template))
        return self.url(self._idle.pop())

    def take_back(self, url: str) -> None:
        """Empty the database that was lent, whoever may still be connected to it."""
        name = make_url(url).database or ""
        with closing(self._connect(name)) as connection:
            connection.execute(_EMPTY)
            # Else later rows fill the gaps, and are read in another order than written.
            connection.execute(f"VACUUM {', '.join(_TABLES)}")
        self._idle.append(name)

    def new(self) -> str:
        """The URL of a database without any table."""
        return self.url(self._new(f"bare{len(self._made)}"))

    def url(self, name: str) -> str:
        """The URL of the database *name* on this server."""
        address = make_url(self._server).set(database=name)
        return address.render_as_string(hide_password=False)

    def close(self) -> None:
        """Drop every database that was made."""
        with closing(self._connect()) as connection:
            for name in self._made:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _connect(
        self, name: str | None = None
    ) -> psycopg.Connection[tuple[object, ...]]:
        # psycopg reads a URL as libpq does, which knows no drivers.
        url = re.sub(r"\+psycopg", "", self.url(name) if name else self._server)
        return psycopg.connect(url, autocommit=True)

    def _new(self, label: str, template: str = "template1") -> str:
        name = f"{self._prefix}_{label}"
        with closing(self._connect()) as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
            )
        self._made.append(name)
        return name

    def _migrate(self, name: str) -> None:
        given = {"DATABASE_URL": self.url(name), "SECRET_KEY": SECRET_KEY}
        shop = open_shop(load_settings({f"REGULARS_{k}": v for k, v in given.items()}))
        upgrade_schema(shop)
        shop.house.database.engine.dispose()
        with closing(self._connect(name)) as connection:
            connection.execute(_KEEP_SEEDS)


_TABLES = [table.name for table in metadata.sorted_tables]
# What the migrations put in is put back after each test.
_KEEP_SEEDS = "CREATE SCHEMA seeds;" + "".join(
    f"CREATE TABLE seeds.{name} AS TABLE public.{name};" for name in _TABLES
)
_EMPTY = "".join(
    [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid();",
        f"DROP TABLE IF EXISTS {UNFINISHED_COPY};",
        *(f"DELETE FROM {name};" for name in reversed(_TABLES)),
        *(f"INSERT INTO {name} TABLE seeds.{name};" for name in _TABLES),
        "ALTER SEQUENCE consent_sequence_seq RESTART;",
    ]
)
