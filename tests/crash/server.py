"""A PostgreSQL of one test's own, that may be killed and started again on the same data."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.acceptance.running import eventually, free_port, is_listened_on
from tests.postgresql import _INITDB, _programs, _user, _wait_for


class Server:
    """What is committed survives a kill of every process; a power cut is another matter."""

    def __init__(self) -> None:
        programs = _programs()
        assert programs is not None
        self._programs, self._user = programs, _user()
        self._folder = Path(tempfile.mkdtemp(prefix="regulars-crash-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._run_to_end("initdb", "-D", str(self._data), "-U", "postgres", *_INITDB)
        self.start()

    @staticmethod
    def is_there() -> bool:
        """Whether this machine has the programs."""
        return _programs() is not None

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run_to_end(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd=self._folder,
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start, and wait until it answers; it mends itself from its log first."""
        settings = {
            "fsync": "off",  # a kill loses no page of the system's
            "listen_addresses": "127.0.0.1",
            "max_connections": "100",
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    *("-D", self._data, "-p", str(self._port), "-k", self._folder),
                    *options,
                ],
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _wait_for(self.url, self._process)

    def kill(self) -> None:
        """SIGKILL to the server and to each of its sessions."""
        children = [
            int(pid)
            for pid in Path(
                f"/proc/{self._process.pid}/task/{self._process.pid}/children"
            )
            .read_text()
            .split()
        ]
        for pid in (self._process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        eventually(lambda: not is_listened_on(self._port), what="the port is free")
