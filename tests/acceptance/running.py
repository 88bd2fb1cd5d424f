"""Regulars as it runs at a shop: processes and sockets; used by the acceptance tests.

Nothing here waits for luck: whatever is waited for is a fact that is looked at again
until it holds, and a deadline after which the test fails.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests.shops import EMAIL, HANDLE, PHONE

from regulars.app import open_shop
from regulars.keep.sites import add_key, add_site
from regulars.settings import load_settings
from regulars.tell.endpoints import Recipient, add_endpoint
from regulars.values.instants import now_utc
from regulars.web.house import House

LOOPBACK = "127.0.0.1"
ORIGIN = "https://tonys.example"
_REGULARS = [str(Path(sys.executable).with_name("regulars"))]
# Generous: what is slow here is a busy machine, and only a failing test waits so long.
START_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.02
_LISTEN = "0A"

T = TypeVar("T")


def eventually(fact: Callable[[], T], *, within_s: float = 10.0, what: str = "") -> T:
    """What *fact* returns as soon as it is truthy; AssertionError after *within_s* seconds."""
    deadline = time.monotonic() + within_s
    while True:
        told = fact()
        if told:
            return told
        if time.monotonic() > deadline:
            name = what or getattr(fact, "__name__", "it")
            raise AssertionError(f"not within {within_s} s: {name} (last: {told!r})")
        time.sleep(_LOOK_AGAIN_S)


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_running(pid: int) -> bool:
    """Whether the process works on: one that ended and was not reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def is_listened_on(port: int) -> bool:
    """Whether any socket of this machine listens on the TCP *port*."""
    return bool(_listening_inodes(port))


def _listening_inodes(port: int) -> set[str]:
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {
        columns[9]
        for columns in lines
        if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port
    }


def _children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            # multiprocessing keeps books in a process of its own.
            is_worker = b"resource_tracker" not in (folder / "cmdline").read_bytes()
            if int(parent) == pid and is_worker:
                found.append(int(folder.name))
    return found


@dataclass(frozen=True)
class Answer:
    """What an HTTP request came back with."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    timeout_s: float = 30.0,
) -> Answer:
    """One request on a connection of its own; OSError and HTTPException come through."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    started = time.monotonic()
    with closing(
        HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    ) as connection:
        connection.request(method, path or "/", body, headers or {})
        response = connection.getresponse()
        text = response.read()
        took_s = time.monotonic() - started
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, text, took_s)


class Service:
    """One ``regulars serve`` on a throw-away data folder, in a process group of its own.

    Between ``with Service(...)`` and its end it may be started, killed and started
    again; whatever runs at the end is killed, and no log line may name a customer.
    """

    def __init__(
        self, folder: Path, database: Path | None = None, **settings: str
    ) -> None:
        """*database* is a migrated file to begin with; *settings* go without their prefix."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.log_file = folder / "log"
        self._settings = {
            "DATA_DIR": str(folder),
            "BASE_URL": self.url,
            "SHOP_NAME": "Tony's",
            "SHOP_X_USERNAME": "tonys",
            "PRIVACY_URL": "https://tonys.example/privacy",
            "ALLOW_PRIVATE_ENDPOINTS": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        if database is not None:
            shutil.copy(database, self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert_discreet(self.log())

    @property
    def database(self) -> Path:
        return self.folder / "regulars.sqlite3"

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this shop is given."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("REGULARS_")
        }
        own = {f"REGULARS_{name}": value for name, value in self._settings.items()}
        return {**inherited, **own}

    @property
    def pid(self) -> int:
        """The main process."""
        assert self._process is not None
        return self._process.pid

    def begin(self, *arguments: str, port: int | None = None) -> "Service":
        """Start without waiting for anything."""
        return self._run("serve", "--port", str(port or self.port), *arguments)

    def begin_dispatch(self) -> "Service":
        """Start a dispatcher alone, without waiting for anything."""
        return self._run("dispatch")

    def _run(self, *arguments: str) -> "Service":
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*_REGULARS, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        return self

    def start(self, *arguments: str) -> "Service":
        """Start, and wait until it answers and its dispatcher has begun."""
        begun = self.log().count("dispatcher started")
        self.begin(*arguments)
        self.wait_until_it_answers()
        if "--no-dispatch" not in arguments:
            eventually(
                lambda: self.log().count("dispatcher started") > begun,
                within_s=START_WITHIN_S,
                what="dispatcher started",
            )
        return self

    def wait_until_it_answers(self) -> None:
        process = self._process
        assert process is not None

        def answers() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"ended with {process.returncode}:\n{self.log()}")
            return self.is_up()

        eventually(answers, within_s=START_WITHIN_S, what="/healthz")

    def is_up(self) -> bool:
        with suppress(OSError):
            return call("GET", f"{self.url}/healthz", timeout_s=2).status == 200
        return False

    def log(self) -> str:
        """Standard output and error of all starts so far."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text("utf-8", "replace")

    def worker(self) -> int:
        """The process that answers requests."""
        return self._child(listens=True)

    def dispatcher(self) -> int:
        """The process that delivers."""
        return self._child(listens=False)

    def children(self) -> list[int]:
        return _children_of(self.pid)

    def _child(self, *, listens: bool) -> int:
        wanted = {f"socket:[{inode}]" for inode in _listening_inodes(self.port)}
        for pid in self.children():
            if bool(_open_files(pid) & wanted) is listens and is_running(pid):
                return pid
        raise AssertionError(f"no such child of {self.pid}")

    def end(self, number: int = signal.SIGTERM, *, within_s: float = 10.0) -> int:
        """The exit status after the signal *number* to the main process."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(within_s)

    def wait(self, *, within_s: float = START_WITHIN_S) -> int:
        """The exit status of a start that ends by itself."""
        assert self._process is not None
        return self._process.wait(within_s)

    def has_ended(self) -> bool:
        """Whether the main process is over."""
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL to every process of the group, and wait until all are gone."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)
        eventually(lambda: not is_listened_on(self.port), what="the port is free")
        self._process = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What ``regulars ARGUMENTS`` printed and returned."""
        return subprocess.run(
            [*_REGULARS, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=30,
            check=False,
        )

    def command_json(self, *arguments: str) -> Any:
        """The one JSON value that ``regulars ARGUMENTS --json`` printed."""
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """What is in the database now."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()

    def deliveries(self, endpoint_id: str) -> list[sqlite3.Row]:
        """The deliveries to the endpoint, the oldest first."""
        query = "SELECT * FROM delivery WHERE endpoint_id = ? ORDER BY rowid"
        return self.rows(query, endpoint_id)

    def let_leases_run_out(self) -> int:
        """How many deliveries were leased: their minute passes, as far as the database knows."""
        return self._change("UPDATE delivery SET next_at = 0 WHERE state = 'leased'")

    def let_waits_run_out(self) -> int:
        """How many deliveries waited for their next attempt, which is due now."""
        return self._change("UPDATE delivery SET next_at = 0 WHERE state = 'pending'")

    def let_endpoints_be_tried(self) -> None:
        """No endpoint is left alone for its failures, as far as the database knows."""
        self._change("UPDATE endpoint SET closed_until = NULL")

    def let_x_be_asked_again(self) -> None:
        """The waits that trouble with X imposes are over, as far as the database knows."""
        self._change("UPDATE lookup_gate SET retry_at = 0")
        self._change("DELETE FROM lookup_window")
        self._change("UPDATE contact_point SET try_after = 0 WHERE try_after > 0")

    def _change(self, statement: str) -> int:
        with (
            closing(sqlite3.connect(self.database, timeout=30)) as connection,
            connection,
        ):
            return connection.execute(statement).rowcount


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(FileNotFoundError, PermissionError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found


def assert_discreet(log: str) -> None:
    """No personal data, secret or token, and no access log, is in *log*."""
    needles = (HANDLE, EMAIL, PHONE, "2124567890", "whsec_", "sk_", "/p/")
    assert [needle for needle in needles if needle.lower() in log.lower()] == []
    assert [word for word in ("GET /", "POST /", "HTTP/1") if word in log] == []


@dataclass
class Shop:
    """A service with a site and a secret key, and words for what tests do to it."""

    service: Service
    house: House
    publishable_key: str
    key: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.house.database.engine.dispose()
        self.service.__exit__()

    def add_endpoint(
        self, url: str, recipient: Recipient = Recipient.OWN
    ) -> tuple[str, str]:
        """The id and secret of a new endpoint, in force at once."""
        with self.house.database.transaction() as connection:
            return add_endpoint(
                connection,
                self.house.database.seal,
                url=url,
                recipient=recipient,
                event_types=None,
                now=now_utc(),
            )

    def fields(self, **given: Any) -> dict[str, Any]:
        """The fields of a form on which the statements were shown."""
        wordings = self.house.wordings("en")
        return {
            "consent_x_link": wordings["x_link"].key,
            "contact_wording": wordings["contact_channel"].key,
            **given,
        }

    def sign_up(
        self, *, headers: dict[str, str] | None = None, **fields: Any
    ) -> Answer:
        """The answer to the shop's own server."""
        sent = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        body = json.dumps(self.fields(**fields)).encode()
        return call("POST", f"{self.service.url}/v1/signups", body, sent)

    def ready(self) -> Any:
        """What ``/readyz`` says."""
        return call("GET", f"{self.service.url}/readyz").json


def make_shop(folder: Path, database: Path, **settings: str) -> Shop:
    """A shop that is not started yet, on a copy of the migrated file *database*."""
    service = Service(folder, database, **settings)
    own = {k: v for k, v in service.environment.items() if k.startswith("REGULARS_")}
    house = open_shop(load_settings(own)).house
    with house.database.transaction() as connection:
        site = add_site(connection, "Shop", [ORIGIN], now_utc())
        _, key = add_key(connection, "shop server", now_utc())
    return Shop(service, house, site.publishable_key, key)


@contextmanager
def foreign_listener(host: str = LOOPBACK) -> Iterator[int]:
    """The port of a listener that is none of ours."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen()
        yield listener.getsockname()[1]
