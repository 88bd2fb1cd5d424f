"""A running ``regulars serve`` for benchmarks, on SQLite or PostgreSQL."""

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

REGULARS = str(Path(sys.executable).with_name("regulars"))


class Served:
    """Starts the service on a throw-away database; ends it with the block."""

    def __init__(self, database_url: str = "") -> None:
        self._numbers = itertools.count()
        self._folder = tempfile.TemporaryDirectory(prefix="regulars-bench-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._env = {
            **os.environ,
            "REGULARS_DATA_DIR": self._folder.name,
            "REGULARS_BASE_URL": f"http://127.0.0.1:{self.port}",
            "REGULARS_ALLOW_PRIVATE_ENDPOINTS": "1",
        }
        if database_url:
            self._env["REGULARS_DATABASE_URL"] = database_url
            self._env["REGULARS_SECRET_KEY"] = "k" * 48

    def __enter__(self) -> "Served":
        self.command("db", "upgrade")
        self.key: str = json.loads(self.command("key", "add", "bench", "--json"))["key"]
        self._process = subprocess.Popen(
            [REGULARS, "serve", "--port", str(self.port)],
            env=self._env,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait()
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port)
        return self

    def __exit__(self, *args: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()

    def command(self, *words: str) -> str:
        """What ``regulars WORDS`` prints."""
        return subprocess.run(
            [REGULARS, *words],
            env=self._env,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _wait(self) -> None:
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("regulars serve did not start")

    def cpu_s(self) -> float:
        """CPU seconds so far of all its processes that live."""
        ticks = 0
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
                if int(fields[2]) == self._process.pid:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def sign_up(self, connection: Any = None) -> tuple[str, float]:
        """Somebody new: the external id, and the monotonic time at which it was answered."""
        number = next(self._numbers)
        external_id = f"A-{number}"
        body = {
            "external_id": external_id,
            "x_handle": f"user{number}",
            "contact_channel": ["x", "sms"],
            "contact_phone": f"(212) 4{10 + number // 10_000 % 90}-{number % 10_000:04d}",
        }
        connection = connection or self._connection
        connection.request(
            "POST",
            "/v1/signups",
            json.dumps(body),
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"signup answered {answer.status}")
        return external_id, time.monotonic()
