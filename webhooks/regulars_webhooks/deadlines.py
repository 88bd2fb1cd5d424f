"""The time of one attempt: what it may dial, and what cuts it when its time is over.

Used by ``transport``. Neither a timeout of requests (it is per read) nor
``getaddrinfo`` (it has none) limits a whole attempt, so names are resolved in a thread
of their own, and a watchdog shuts the connection of an attempt that is late.
"""

import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from typing import TypeVar

from .addresses import Resolver, SocketAddress, check_url, resolve
from .errors import AddressRefused
from .retry import Failure

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rules:
    """Which addresses an attempt may dial."""

    allow_private: bool
    allow: tuple[str, ...]
    resolver: Resolver

    def check_url(self, url: str) -> None:
        """Nothing, or AddressRefused for what is plain in the text of *url*."""
        check_url(url, allow_private=self.allow_private, allow=self.allow)

    def resolve(self, host: str, port: int) -> list[SocketAddress]:
        """The addresses to dial. Raises AddressRefused, or OSError."""
        return resolve(
            host,
            port,
            allow_private=self.allow_private,
            allow=self.allow,
            resolver=self.resolver,
        )


class Attempt:
    """The time that one attempt has left, and the socket to shut when it has none."""

    def __init__(self, seconds: float, rules: Rules) -> None:
        """Start the clock of *seconds*."""
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        self.is_over = False
        self.is_late = False
        # What failed before there was a connection; urllib3 tells these apart badly.
        self.blame: Failure | None = None
        self._rules = rules
        self._lock = Lock()
        self._socket: socket.socket | None = None

    def left_s(self) -> float:
        """Seconds to the deadline, always above 0."""
        # Never 0, which would make a socket non-blocking instead of impatient.
        return max(self.deadline - time.monotonic(), 0.001)

    def elapsed_ms(self) -> int:
        """Milliseconds since the attempt began."""
        return round((time.monotonic() - self.started) * 1000)

    def watch(self, connected: socket.socket) -> None:
        """Shut this connection at the deadline.

        A second descriptor is kept for it: TLS detaches the first socket while it
        shakes hands, http.client closes it once the headers of a last answer are
        there, and the body still drips.
        """
        with self._lock:
            self._release()
            if self.is_late:
                raise TimeoutError("the deadline of the attempt has passed")
            self._socket = socket.socket(fileno=socket.dup(connected.fileno()))

    def cut(self) -> None:
        """Called by the watchdog at the deadline: whoever reads or writes wakes up."""
        with self._lock:
            self.is_late = True
            # None once the attempt is over: its connection may serve another one by now.
            if self._socket is not None:
                with suppress(OSError):  # the other side was faster
                    self._socket.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """The attempt is over: a connection that lives on is no longer its own."""
        with self._lock:
            self.is_over = True
            self._release()

    def dial(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of *host* that takes one.

        Raises:
            AddressRefused: an address of *host* may not be dialled.
            OSError: no name, no route, no answer; ``blame`` says which.
        """
        self.blame = Failure.DNS
        *others, last = _in_thread(lambda: self._rules.resolve(host, port)).result(
            timeout=self.left_s()
        )
        self.blame = Failure.CONNECT
        for index, address in enumerate(others):
            try:
                # One that swallows packets must leave the next ones their share of the time.
                return self._connect(address, self.left_s() / (len(others) + 1 - index))
            except OSError:
                continue
        return self._connect(last, self.left_s())

    def _connect(self, address: SocketAddress, seconds: float) -> socket.socket:
        family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
            # The TLS handshake obeys this as one limit for the whole of it.
            connection.settimeout(self.left_s())
            self.watch(connection)
        except OSError:
            connection.close()
            raise
        self.blame = None
        return connection

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Watchdog:
    """A thread that cuts each attempt at its deadline.

    All attempts have the same time, so the first that came is the first to cut.
    """

    def __init__(self) -> None:
        """Start no thread yet."""
        self._attempts: deque[Attempt] = deque()
        self._changed = Condition()
        self._is_running = False

    def guard(self, attempt: Attempt) -> None:
        """Cut *attempt* at its deadline, unless it is over by then."""
        with self._changed:
            self._attempts.append(attempt)
            if not self._is_running:
                self._is_running = True
                Thread(target=self._run, name="webhook-deadlines", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end once nothing is under way."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while (late := self._next_late()) is not None:
            late.cut()

    def _next_late(self) -> Attempt | None:
        with self._changed:
            while True:
                while self._attempts and self._attempts[0].is_over:
                    self._attempts.popleft()
                if not self._attempts:
                    # The next attempt starts a new thread; idle, there is none to stop.
                    self._is_running = False
                    return None
                wait_s = self._attempts[0].deadline - time.monotonic()
                if wait_s <= 0:
                    return self._attempts.popleft()
                self._changed.wait(wait_s)


def _in_thread(work: Callable[[], _T]) -> "Future[_T]":
    # A thread that is stuck in the resolver stays until that gives up (some 30 s); the
    # attempt does not wait for it.
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except (AddressRefused, OSError, ValueError) as error:
            future.set_exception(error)

    Thread(target=run, name="webhook-resolver", daemon=True).start()
    return future
