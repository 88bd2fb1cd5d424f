"""The shop's system in the acceptance tests: a receiver that answers as it is told to."""

import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook
from tests.acceptance.running import LOOPBACK, eventually


@dataclass(frozen=True)
class Plan:
    """How a receiver answers one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stunt: str = ""  # "silent", "reset", "garbage" or "drip"


OK = Plan()
SILENT = Plan(stunt="silent")
RESET = Plan(stunt="reset")
GARBAGE = Plan(stunt="garbage")
DRIP = Plan(stunt="drip")


@dataclass(frozen=True)
class Received:
    """One request that arrived whole."""

    at: float  # on the monotonic clock
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """The body, if the other party's library accepts its signature."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver(ThreadingHTTPServer):
    """The shop's system: answers by its plans, one a request, the last one for the rest."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *plans: Plan, port: int = 0) -> None:
        super().__init__((LOOPBACK, port), _ReceiverHandler)
        self.url = f"http://{LOOPBACK}:{self.server_address[1]}/hook"
        self.received: list[Received] = []
        self.closing = threading.Event()
        # Seconds between a request and its answer.
        self.hold_s = 0.0
        self._plans = list(plans) or [OK]
        self._books = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def answer_by(self, *plans: Plan) -> None:
        """Forget the plans so far."""
        with self._books:
            self._plans = list(plans)

    def note(self, received: Received) -> Plan:
        with self._books:
            self.received.append(received)
            return self._plans.pop(0) if len(self._plans) > 1 else self._plans[0]

    def wait_for(self, count: int = 1, *, within_s: float = 10.0) -> list[Received]:
        """What has arrived, once there are *count* requests."""
        what = f"{count} requests at {self.url}"
        eventually(
            lambda: len(self.received) >= count or None, within_s=within_s, what=what
        )
        return list(self.received)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a caller who leaves in the middle is part of the play."""


class _ReceiverHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # Whoever sent it was killed in the middle: no receiver would count that.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        plan = self.server.note(
            Received(time.monotonic(), self.command, self.path, headers, body)
        )
        if plan.stunt:
            self.close_connection = True
            getattr(self, f"_{plan.stunt}")()
            return
        self.server.closing.wait(self.server.hold_s)
        self.wfile.write(_http(plan))

    do_GET = do_POST

    def _silent(self) -> None:
        self.server.closing.wait()

    def _reset(self) -> None:
        # Closed with this option, a socket sends RST in place of its farewell.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()

    def _garbage(self) -> None:
        self.wfile.write(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n")

    def _drip(self) -> None:
        for byte in _http(OK):
            self.wfile.write(bytes([byte]))
            if self.server.closing.wait(1.0):
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test says what matters."""


def _http(plan: Plan) -> bytes:
    headers = {"content-length": str(len(plan.body)), **plan.headers}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {plan.status} Told", *lines, "", ""])
    return head.encode() + plan.body
