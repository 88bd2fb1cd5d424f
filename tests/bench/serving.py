"""A running ``regulars serve`` for benchmarks, on SQLite or PostgreSQL."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REGULARS = str(Path(sys.executable).with_name("regulars"))


class Served:
    """Starts the service on a throw-away database; ends it with the block."""

    def __init__(self, database_url: str = "") -> None:
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

    def sign_up(self, external_id: str, connection: Any = None) -> float:
        """The monotonic time at which the signup was answered."""
        body = {
            "external_id": external_id,
            "x_handle": "AnaLima",
            "contact_channel": ["x", "sms"],
            "contact_phone": "(212) 456-7890",
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
        return time.monotonic()
