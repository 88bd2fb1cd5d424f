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
import threading
from multiprocessing.connection import wait
from typing import Any

import click
from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from regulars.app import WEB_THREADS, make_worker, open_shop, upgrade_schema
from regulars.cli.console import note, open_configured, open_existing, refuse
from regulars.cli.logs import configure_logs
from regulars.settings import load_settings

log = logging.getLogger(__name__)

_RESTART_PAUSE_S = 1.0
_STOP_WITHIN_S = 20.0


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--no-dispatch", is_flag=True, help="The web alone: deliveries go out elsewhere."
)
def serve(host: str, port: int, no_dispatch: bool) -> None:
    """Serve the web application, and by default deliver what it accepts."""
    shop = open_configured()
    _refuse_taken(host, port)
    if shop.house.database.is_sqlite:
        upgrade_schema(shop)
    else:
        open_existing()
    shop.house.database.engine.dispose()
    # A forked child would share locks and connections with threads that it lacks.
    multiprocessing.set_start_method("spawn")
    dispatcher = None if no_dispatch else _Supervised(_run_dispatcher, "dispatcher")
    server = Server(
        "regulars.cli.processes:web_application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=WEB_THREADS,
        factory=True,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        process_name=None,
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


@click.command()
def dispatch() -> None:
    """Deliver what is due, and check handles that could not be checked before."""
    open_existing()
    _run_dispatcher()


def _refuse_taken(host: str, port: int) -> None:
    """The server binds with SO_REUSEPORT and would share a taken port without a word."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            refuse(
                f"Cannot listen on {host}:{port}: {error.strerror}. Stop what is there,"
                " or choose another with --port."
            )


def web_application() -> Flask:
    """What the web server's worker process serves."""
    configure_logs()
    _end_with_parent()
    return open_shop(load_settings()).app


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
        self._process: Any = None
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)

    def start(self) -> None:
        """Start the child and watch it."""
        self._thread.start()

    def stop(self) -> None:
        """End the child, by force if it does not end by itself."""
        self._stopping.set()
        process = self._process
        if process is not None and process.is_alive():
            process.terminate()
            process.join(_STOP_WITHIN_S)
            if process.is_alive():
                process.kill()
        self._thread.join(_STOP_WITHIN_S)

    def _supervise(self) -> None:
        context = multiprocessing.get_context("spawn")
        while not self._stopping.is_set():
            self._process = context.Process(target=self._target, name=self._name)
            self._process.start()
            self._process.join()
            if not self._stopping.is_set():
                log.error(
                    "child ended",
                    extra={"child": self._name, "exit": self._process.exitcode},
                )
                self._stopping.wait(_RESTART_PAUSE_S)
