"""Look-ups of one process that are wanted at the same time travel together.

The first goes at once and alone. While a call is under way the next ones gather until
they are a hundred or one of them has waited for the window, and go on gathering while
the call waits for the database; a handle that is already on its way is not asked for
again. Whoever waits leaves when its own time is over.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from regulars.check.lookup import BATCH_SIZE, Answer, Reason, Unavailable
from regulars.values.handle import Handle

WINDOW_S = 0.05


Seal = Callable[[], tuple[Sequence[Handle], frozenset[str]]]
"""Closes the batch, and tells its handles and the keys that the public check alone wants."""
Ask = Callable[[Seal, float, datetime], Iterator[Mapping[str, Answer]]]
"""Seals the batch when it has to and asks within so many seconds; tells the answers by key,
as each is known."""


@dataclass(slots=True)
class _Entry:
    """One handle on its way, and the answer when it comes."""

    handle: Handle
    batch: "_Batch"
    is_public: bool = True
    answer: "Future[Answer]" = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class _Batch:
    """What travels in one call; ``until`` is when the last of those who wait leaves."""

    gathers: bool
    until: float = 0.0
    entries: list[_Entry] = field(default_factory=list)
    is_full: threading.Event = field(default_factory=threading.Event)


class Coalescer:
    """Gathers the look-ups of any number of threads into few calls of *ask*."""

    # Whoever begins a batch makes its call, in its own thread; in a new one where
    # another of the batch may wait longer. No thread waits for work when there is none.

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._on_its_way: dict[str, _Entry] = {}
        self._forming: _Batch | None = None
        self._calls = 0

    def look_up(
        self,
        handles: Sequence[Handle],
        *,
        is_public: bool,
        timeout_s: float,
        now: datetime,
    ) -> dict[str, Answer]:
        """The answers for *handles* by key, ``Unavailable`` for those late by *timeout_s*."""
        until = time.monotonic() + timeout_s
        with self._lock:
            begun: list[_Batch] = []
            entries = {
                handle.key: self._join(handle, is_public, until, begun)
                for handle in handles
            }
        for batch in begun:
            self._lead(batch, until, now)
        return {key: _await(entry, until) for key, entry in entries.items()}

    def _join(
        self, handle: Handle, is_public: bool, until: float, begun: list[_Batch]
    ) -> _Entry:
        """The entry of *handle*: the one on its way, or a new one in the forming batch."""
        entry = self._on_its_way.get(handle.key)
        if entry is None:
            if self._forming is None:
                self._forming = _Batch(gathers=self._calls > 0)
                begun.append(self._forming)
            batch = self._forming
            entry = self._on_its_way[handle.key] = _Entry(handle, batch)
            batch.entries.append(entry)
            if len(batch.entries) == BATCH_SIZE:
                self._forming = None
                batch.is_full.set()
        entry.is_public = entry.is_public and is_public
        entry.batch.until = max(entry.batch.until, until)
        return entry

    def _lead(self, batch: _Batch, until: float, now: datetime) -> None:
        """See *batch* off when it is full or has waited for the window."""
        if batch.gathers:
            batch.is_full.wait(min(WINDOW_S, max(until - time.monotonic(), 0)))
        with self._lock:
            self._calls += 1
        if batch.until <= until:
            self._call(batch, now)
            return
        call = threading.Thread(
            target=self._call, args=(batch, now), name="x-batch", daemon=True
        )
        try:
            call.start()
        except RuntimeError:  # the system has no thread left to give
            self._call(batch, now)

    def _call(self, batch: _Batch, now: datetime) -> None:
        timeout_s = batch.until - time.monotonic()
        try:
            for told in self._ask(lambda: self._seal(batch), timeout_s, now):
                self._settle(batch, told)
        except Exception as error:  # noqa: BLE001 - each of those who wait is told
            self._seal(batch)
            for entry in self._unsettled(batch):
                entry.answer.set_exception(error)
        finally:
            self._seal(batch)
            for entry in self._unsettled(batch):
                entry.answer.set_result(Unavailable(Reason.UNEXPECTED))
            with self._lock:
                self._calls -= 1

    def _seal(self, batch: _Batch) -> tuple[Sequence[Handle], frozenset[str]]:
        with self._lock:
            if self._forming is batch:
                self._forming = None
            public = frozenset(it.handle.key for it in batch.entries if it.is_public)
            return [entry.handle for entry in batch.entries], public

    def _settle(self, batch: _Batch, told: Mapping[str, Answer]) -> None:
        for entry in self._unsettled(batch, set(told)):
            entry.answer.set_result(told[entry.handle.key])

    def _unsettled(self, batch: _Batch, keys: set[str] | None = None) -> list[_Entry]:
        """Those of *batch*, of *keys* if named, without an answer; nobody joins them any more."""
        found = []
        with self._lock:
            for entry in batch.entries:
                is_named = keys is None or entry.handle.key in keys
                if is_named and not entry.answer.done():
                    self._on_its_way.pop(entry.handle.key, None)
                    found.append(entry)
        return found


def _await(entry: _Entry, until: float) -> Answer:
    try:
        return entry.answer.result(timeout=max(until - time.monotonic(), 0))
    except TimeoutError:
        return Unavailable(Reason.TIMEOUT)
