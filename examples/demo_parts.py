"""The parts of the demo as processes: started, watched, and gone when it is.

Used by `demo.py` alone.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

HOST = "127.0.0.1"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
TAIL_LINES = 15


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running part; what it says is in *log*."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Nothing while it runs.

        Raises:
            DemoError: it has ended, with its last lines.
        """
        status = self.process.poll()
        if status is not None:
            raise DemoError(f"{self.name} ended with status {status}:\n{self._tail()}")

    def _tail(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"


@dataclass(slots=True)
class Troupe:
    """All the parts, in a process group that does not outlive the demo."""

    folder: Path
    group: int
    children: list[Child] = field(default_factory=list)

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]
    ) -> Child:
        """Start *command* as the part called *name*."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                env={**outer_environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=self.group,
            )
        self.children.append(Child(name, process, log))
        return self.children[-1]

    def check(self) -> None:
        """Nothing while all run.

        Raises:
            DemoError: one of them has ended.
        """
        for child in self.children:
            child.check()

    def wait_for(self, port: int, path: str = "/") -> str:
        """The address of *path* on *port*, once it answers there.

        Raises:
            DemoError: it does not within START_WITHIN_S, or a part has ended.
        """
        end = time.monotonic() + START_WITHIN_S
        while not is_answering(port, path):
            self.check()
            if time.monotonic() > end:
                raise DemoError(f"nothing answers at {HOST}:{port}{path}")
            time.sleep(0.05)
        return f"http://{HOST}:{port}{path}"

    def stop(self) -> None:
        """End the parts in good order; whoever does not is left to the group's end."""
        for child in self.children:
            child.process.terminate()
        end = time.monotonic() + STOP_WITHIN_S
        for child in self.children:
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"demo: {child.name} had to be killed", file=sys.stderr)


@contextmanager
def troupe(folder: Path) -> Iterator[Troupe]:
    """A troupe whose parts are all gone afterwards, however the demo ends.

    A shell leads their process group and reads a pipe that only this process can write:
    the moment it closes, by `kill -9` too, the shell kills its group. Ctrl-C in the
    terminal does not reach that group: we end the parts, in good order.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", "read nothing; kill -9 0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as leader:
        parts = Troupe(folder, leader.pid)
        try:
            yield parts
        finally:
            # A second Ctrl-C must not leave the stopping half done.
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            parts.stop()


def outer_environment() -> dict[str, str]:
    """The environment without settings of Regulars: the demo must not touch a real shop."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("REGULARS_")
    }
    # The parts talk with each other directly, whatever proxy the way to X needs.
    hosts = [kept.get("no_proxy") or kept.get("NO_PROXY"), HOST]
    kept["no_proxy"] = kept["NO_PROXY"] = ",".join(filter(None, hosts))
    return kept


def free_ports(preferred: Sequence[int]) -> list[int]:
    """A free port for each of *preferred*: itself where it is free."""
    with ExitStack() as held:
        return [_free_port(port, held) for port in preferred]


def _free_port(preferred: int, held: ExitStack) -> int:
    for port in (preferred, 0):
        # Held until all are chosen: no free port is given out twice.
        probe = held.enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            continue
        chosen: int = probe.getsockname()[1]
        return chosen
    raise DemoError("there is no free port")


def is_answering(port: int, path: str) -> bool:
    """Whether a GET of *path* is answered with 200 or a redirect."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()  # closed unread, it would look to the server like a broken line
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return answer.status < 400
