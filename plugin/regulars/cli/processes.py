"""``regulars serve`` and ``regulars dispatch``: the processes that run for years.

The web server starts its worker as a child process, and the dispatcher is one more. A
child whose parent is gone ends at once: else it would go on serving, unseen, beside
the next start.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from multiprocessing.connection import wait
from typing import Any

import click

from regulars.app import MAX_BODY_BYTES, WEB_THREADS, Shop, make_worker, open_shop
from regulars.cli.console import (
    at_work,
    bring_to_release,
    note,
    open_configured,
    open_existing,
    refuse,
)
from regulars.cli.front import Front, web_server
from regulars.cli.logs import configure_logs
from regulars.settings import load_settings

log = logging.getLogger(__name__)

_RESTART_PAUSE_S = 1.0
# What is not done by then is cut off: a delivery under way keeps its lease and goes out again.
_STOP_WITHIN_S = 5


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--no-dispatch", is_flag=True, help="The web alone: deliveries go out elsewhere."
)
def serve(host: str, port: int, no_dispatch: bool) -> None:
    """Serve the web, and by default make the deliveries."""
    shop = open_configured()
    with at_work(shop):
        _serve(shop, host, port, dispatches=not no_dispatch)


def _serve(shop: Shop, host: str, port: int, *, dispatches: bool) -> None:
    held = _hold(host, port)
    if shop.house.database.is_sqlite:
        bring_to_release(shop)
    else:
        open_existing()
    shop.house.database.engine.dispose()
    # A forked child would share locks and connections with threads that it lacks.
    multiprocessing.set_start_method("spawn")
    dispatcher = _Supervised(_run_dispatcher, "dispatcher") if dispatches else None
    server = web_server(
        "regulars.cli.processes:web_application",
        host=host,
        port=port,
        stop_within_s=_STOP_WITHIN_S,
    )
    note(
        f"Regulars is at http://{host}:{port}/ (public address: {shop.house.settings.base_url})"
    )
    try:
        if dispatcher:
            dispatcher.start()
        server.serve()
    finally:
        if dispatcher:
            dispatcher.stop()
        held.close()


@click.command()
def dispatch() -> None:
    """Make the deliveries, and check handles that wait.

    That is the half of 'serve' that --no-dispatch leaves out, as a process of its own.
    """
    with at_work(open_existing()):
        _run_dispatcher()


def _hold(host: str, port: int) -> socket.socket:
    """What keeps a second ``serve`` away while it is open; ends with a finding where one is there.

    The web server binds with SO_REUSEPORT, and later than this: it would share a taken
    port without a word, and so would two starts of one moment.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(socket.AF_UNIX)
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        if sys.platform == "linux":
            # A name without a file: it goes with its process, however that ends.
            held.bind(f"\0regulars serve {host}:{port}")
    except OSError as error:
        held.close()
        refuse(
            f"Cannot listen on {host}:{port}: {error.strerror}. Stop what is there,"
            " or choose another --port or --host."
        )
    return held


def web_application() -> Front:
    """What the web server's worker process serves."""
    configure_logs()
    _end_with_parent()
    return Front(
        open_shop(load_settings()).app,
        threads=WEB_THREADS,
        max_body_bytes=MAX_BODY_BYTES,
    )


def _run_dispatcher() -> None:
    configure_logs()
    _end_with_parent()
    worker = make_worker(open_shop(load_settings()).house)

    def _stop(number: int, frame: Any) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    log.info("dispatcher started")
    worker.run()
    log.info("dispatcher stopped")


def _end_with_parent() -> None:
    """End this process the moment the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # Ctrl-C goes to the whole process group: the parent decides, and tells its children.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def _watch() -> None:
        wait([parent.sentinel])
        # Deliveries under way keep their lease and go out again after it.
        os._exit(1)

    threading.Thread(target=_watch, name="parent", daemon=True).start()


class _Supervised:
    """A child process that is started again when it ends unasked."""

    def __init__(self, target: Any, name: str) -> None:
        self._target = target
        self._name = name
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._process: Any = None
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)

    def start(self) -> None:
        """Start the child and watch it."""
        self._thread.start()

    def stop(self) -> None:
        """End the child, by force if it does not end by itself."""
        with self._starting:
            self._stopping.set()
        process = self._process
        if process is not None and process.is_alive():
            process.terminate()
            process.join(_STOP_WITHIN_S)
            if process.is_alive():
                log.warning("child had to be killed", extra={"child": self._name})
                process.kill()
        self._thread.join()

    def _supervise(self) -> None:
        while self._start_one():
            self._process.join()
            if not self._stopping.is_set():
                log.error(
                    "child ended",
                    extra={"child": self._name, "exit": self._process.exitcode},
                )
                self._stopping.wait(_RESTART_PAUSE_S)

    def _start_one(self) -> bool:
        """Whether the child was started: not once ``stop`` has been called."""
        context = multiprocessing.get_context("spawn")
        with self._starting:
            if self._stopping.is_set():
                return False
            self._process = context.Process(target=self._target, name=self._name)
            self._process.start()
        return True
