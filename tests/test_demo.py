"""`make run` shows the whole product, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from examples.demo_parts import free_ports
from examples.fake_x import FakeX
from tests.conftest import need
from tests.forms import Form

ROOT = Path(__file__).parents[1]


def until(is_so: Callable[[], object], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """The living processes below *pid*, with their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
    found: dict[int, str] = {}
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        for child in fresh:
            with suppress(OSError):
                found[child] = Path(f"/proc/{child}/cmdline").read_text()
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@dataclass
class Demo:
    """A demo under way; *pages* is what it printed."""

    process: subprocess.Popen[str]
    pages: dict[str, str]

    def address(self, of: str) -> str:
        return next(url for name, url in self.pages.items() if of in name.lower())

    def check_out(self, **typed: str) -> str:
        """The confirmation after the shop's form was sent as a browser would."""
        page = requests.get(self.address("checkout"), timeout=10).text
        fields = {"name": "Ana", "email": "ana@tonys.example", **typed}
        answer = requests.post(
            self.address("checkout"), data=Form(page).fields | fields, timeout=10
        )
        assert answer.status_code == 200
        assert "/orders/" in answer.url
        return answer.text

    def events(self) -> str:
        return requests.get(self.address("events"), timeout=10).text


@contextmanager
def demo(folder: Path, pages: int, **environment: str) -> Iterator[Demo]:
    """A demo as `make run` starts it, once it has printed *pages* addresses."""
    need(Path("/proc/self/stat").exists(), "/proc")
    outer = {k: v for k, v in os.environ.items() if not k.startswith("REGULARS_")}
    with subprocess.Popen(
        [sys.executable, "-u", "examples/demo.py", "--recover-after", "1"],
        cwd=ROOT,
        env={**outer, "TMPDIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(pages)]
            found = [line.rstrip("\n").rpartition(" ") for line in lines]
            yield Demo(process, {name: url for name, _, url in found})
        finally:
            # Its parts end with it, as a test below holds.
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_make_run(tmp_path: Path) -> None:
    """From a checkout to a verified event, pending handles too; Ctrl-C leaves nothing."""
    with socket.socket() as squatter:
        with suppress(OSError):
            # Whoever has it if we have not: it is taken.
            squatter.bind(("127.0.0.1", 8000))
            squatter.listen()
        with demo(tmp_path, pages=4) as it:
            assert urlsplit(it.address("signup")).port != 8000
            for address in it.pages.values():
                for url in (address, f"http://{urlsplit(address).netloc}/"):
                    answer = requests.get(url, timeout=10, allow_redirects=False)
                    assert answer.status_code in {200, 302, 303}

            checkout = requests.get(it.address("checkout"), timeout=10).text
            assert "<regulars-handle " in checkout
            (script,) = re.findall(r'src="([^"]+/fields\.js)"', checkout)
            assert requests.get(script, timeout=10).status_code == 200

            told = it.check_out(x_handle="@AnaLima", contact_channel="x")
            assert "exists on X" in told
            preferences = re.search(r'href="(http://[^"]+/p/[^"]+)"', told)
            assert preferences is not None
            assert requests.get(preferences[1], timeout=10).status_code == 200
            until(lambda: "@AnaLima exists on X" in it.events())
            assert "signature verified" in it.events()

            told = it.check_out(x_handle="down_dan", contact_channel="email")
            assert "a little later" in told
            until(lambda: "@down_dan is not checked yet" in it.events())
            until(lambda: "@down_dan exists on X" in it.events())
            assert "customer.updated" in it.events()
            assert 'class="refused"' not in it.events()

            parts = descendants(it.process.pid)
            it.process.send_signal(signal.SIGINT)
            printed, said = it.process.communicate(timeout=90)
    assert (printed, it.process.returncode) == ("", 0)
    assert said.count("\n") == 1
    assert len(parts) >= 6
    assert [line for pid, line in parts.items() if is_alive(pid)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_with_a_token_x_itself_is_asked(tmp_path: Path) -> None:
    """With a token there is no stand-in; no other setting of a real shop is touched."""
    with FakeX() as x:
        settings = {
            "REGULARS_X_BEARER_TOKEN": "AAAA-sample-bearer-token",
            "REGULARS_X_API_URL": x.url,
            "REGULARS_DATABASE_URL": "sqlite:////nowhere/real.sqlite3",
        }
        with demo(tmp_path, pages=3, **settings) as it:
            assert "exists on X" in it.check_out(x_handle="Caio1970")
            it.process.send_signal(signal.SIGTERM)
            printed, said = it.process.communicate(timeout=90)
        assert x.calls == [("Caio1970",)]
    assert (printed, it.process.returncode) == ("", 0)
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_killed_it_takes_its_parts_along(tmp_path: Path) -> None:
    """After `kill -9` of the demo none of its processes goes on."""
    with demo(tmp_path, pages=4) as it:
        parts = descendants(it.process.pid)
        it.process.kill()
        it.process.wait()
        until(lambda: not any(map(is_alive, parts)), within_s=20)
    assert len(parts) >= 6


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_part_that_ends_is_named(tmp_path: Path) -> None:
    """When a part dies the demo says which, stops the others and ends with status 1."""
    with demo(tmp_path, pages=4) as it:
        parts = descendants(it.process.pid)
        victim = next(pid for pid, line in parts.items() if "receiver_" in line)
        os.kill(victim, signal.SIGKILL)
        printed, said = it.process.communicate(timeout=90)
    assert (printed, it.process.returncode) == ("", 1)
    assert "receiver ended with status -9" in said
    assert [line for pid, line in parts.items() if is_alive(pid)] == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_part_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Nothing is printed of a product that is not there; its last words are shown."""
    settings = {"REGULARS_X_BEARER_TOKEN": "t", "REGULARS_X_TIMEOUT_S": "soon"}
    with demo(tmp_path, pages=0, **settings) as it:
        printed, said = it.process.communicate(timeout=90)
    assert (printed, it.process.returncode) == ("", 1)
    assert "regulars ended with status 2" in said
    assert "REGULARS_X_TIMEOUT_S" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_stopped_while_starting(tmp_path: Path) -> None:
    """Ctrl-C is obeyed at any moment, also before the first page is up."""
    with demo(tmp_path, pages=0) as it:
        until(lambda: any("serve" in it for it in descendants(it.process.pid).values()))
        parts = descendants(it.process.pid)
        it.process.send_signal(signal.SIGINT)
        printed, said = it.process.communicate(timeout=90)
    assert (printed, said, it.process.returncode) == ("", "", 0)
    assert not any(map(is_alive, parts))


def test_taken_ports_are_replaced() -> None:
    """A port that is free is kept, a taken one replaced, and none is given out twice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        chosen = free_ports([port, free, port])
    assert chosen[1] == free
    assert port not in chosen
    assert len(set(chosen)) == 3
