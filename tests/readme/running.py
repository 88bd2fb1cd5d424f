"""How the README's blocks are run: shells, processes of ours and servers on loopback."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from flask import Flask
from tests.readme.page import block
from werkzeug.serving import make_server

BIN = Path(sys.executable).parent


def sh(
    script: str, folder: Path, data_dir: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "REGULARS_DATA_DIR": str(data_dir),
        **more,
    }
    return subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@contextmanager
def process(*command: str, folder: Path, **environment: str) -> Iterator[Any]:
    """A process of ours, interrupted at the end."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGINT)
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                started.kill()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, started: Any) -> None:
    """Return once something answers at *url*."""
    until = time.monotonic() + 20
    while time.monotonic() < until and started.poll() is None:
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"nothing answered at {url}")


def load(name: str, folder: Path) -> ModuleType:
    """The python block *name* as a module in *folder*."""
    file = folder / f"{name.replace('-', '_')}.py"
    file.write_text(block(name), "utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Flask looks for its templates beside the file of the module so called.
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module
