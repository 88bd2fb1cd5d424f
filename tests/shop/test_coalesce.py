"""Look-ups that are wanted at once travel together, and nobody waits longer than they would."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from tests.fakes import START

from regulars.check.coalesce import WINDOW_S, Coalescer, Seal
from regulars.check.lookup import Answer, NotFound, Reason, Unavailable
from regulars.values.handle import Handle


class Wire:
    """What is asked, call by call; each call takes as long as it is told to."""

    def __init__(self, *, takes_s: float = 0.0, is_held: bool = False) -> None:
        self.calls: list[list[str]] = []
        self.public: list[frozenset[str]] = []
        self.began = threading.Semaphore(0)
        self.go = threading.Event()
        self._takes_s = takes_s
        if not is_held:
            self.go.set()

    def ask(
        self, seal: Seal, timeout_s: float, now: datetime
    ) -> Iterator[Mapping[str, Answer]]:
        handles, public = seal()
        self.calls.append([handle.key for handle in handles])
        self.public.append(public)
        self.began.release()
        assert self.go.wait(20)
        time.sleep(self._takes_s)
        yield {handle.key: NotFound() for handle in handles}


def look_up(
    coalescer: Coalescer,
    *texts: str,
    timeout_s: float = 20.0,
    is_public: bool = False,
) -> dict[str, Answer]:
    handles = [Handle(text) for text in texts]
    return coalescer.look_up(
        handles, is_public=is_public, timeout_s=timeout_s, now=START
    )


def at_once(coalescer: Coalescer, handles: Sequence[str]) -> list[dict[str, Answer]]:
    """What each of as many threads is told, all let go at the same moment."""
    together = threading.Barrier(len(handles))

    def one(handle: str) -> dict[str, Answer]:
        together.wait()
        return look_up(coalescer, handle)

    with ThreadPoolExecutor(len(handles)) as threads:
        return list(threads.map(one, handles))


def test_a_lone_look_up_waits_for_no_window() -> None:
    """It goes alone and at once: a hundred of them take less than ten windows."""
    wire = Wire()
    coalescer = Coalescer(wire.ask)
    started = time.monotonic()
    for number in range(100):
        assert look_up(coalescer, f"guest{number}") == {f"guest{number}": NotFound()}
    assert time.monotonic() - started < 10 * WINDOW_S
    assert {len(call) for call in wire.calls} == {1}


@pytest.mark.parametrize("count", [100, 250, 500])
def test_many_at_once_make_few_calls(count: int) -> None:
    """N at once: one that goes ahead and then hundreds, so N / 100 rounded up and one more."""
    wire = Wire(is_held=True)
    coalescer = Coalescer(wire.ask)
    first = threading.Thread(target=look_up, args=(coalescer, "first"))
    first.start()
    assert wire.began.acquire(timeout=20)
    handles = [f"guest{number}" for number in range(count - 1)]
    threads = [
        threading.Thread(target=look_up, args=(coalescer, *handles[at : at + 50]))
        for at in range(0, len(handles), 50)
    ]
    for thread in threads:
        thread.start()
    while sum(len(call) for call in wire.calls) < count:
        assert wire.began.acquire(timeout=20)
    wire.go.set()
    for thread in [first, *threads]:
        thread.join(20)
    assert len(wire.calls) <= -(-count // 100) + 1
    assert max(len(call) for call in wire.calls) <= 100
    assert sorted(key for call in wire.calls for key in call) == sorted(
        ["first", *handles]
    )


def test_a_handle_on_its_way_is_not_asked_for_again() -> None:
    """Thirty at once with three handles: each is asked for once, and each is answered."""
    wire = Wire(takes_s=0.3)
    told = at_once(Coalescer(wire.ask), ["ana", "bea", "cai"] * 10)
    assert sorted(key for call in wire.calls for key in call) == ["ana", "bea", "cai"]
    assert sorted(key for it in told for key in it) == sorted(
        ["ana", "bea", "cai"] * 10
    )


def test_after_its_answer_a_handle_is_asked_for_anew() -> None:
    """The coalescer keeps nothing: that is the cache's part."""
    wire = Wire()
    coalescer = Coalescer(wire.ask)
    look_up(coalescer, "ana")
    look_up(coalescer, "ana")
    assert wire.calls == [["ana"], ["ana"]]


def test_each_waiter_leaves_when_its_own_time_is_over() -> None:
    """One with little time does not wait for the call, and does not end it for the other."""
    wire = Wire(is_held=True)
    coalescer = Coalescer(wire.ask)
    first = threading.Thread(target=look_up, args=(coalescer, "first"))
    first.start()
    assert wire.began.acquire(timeout=20)
    with ThreadPoolExecutor(2) as threads:
        hasty = threads.submit(look_up, coalescer, "ana", timeout_s=0.2)
        patient = threads.submit(look_up, coalescer, "bea", timeout_s=20)
        assert hasty.result(5) == {"ana": Unavailable(Reason.TIMEOUT)}
        wire.go.set()
        assert patient.result(20) == {"bea": NotFound()}
    first.join(20)
    assert len(wire.calls) == 2


def test_public_is_what_nobody_else_wants() -> None:
    """A handle that a signup wants too is the shop's own to pay for."""
    wire = Wire(is_held=True)
    coalescer = Coalescer(wire.ask)
    with ThreadPoolExecutor(4) as threads:
        told = [threads.submit(look_up, coalescer, "first")]
        assert wire.began.acquire(timeout=20)
        for handle, is_public in (("ana", True), ("bea", True), ("bea", False)):
            told.append(threads.submit(look_up, coalescer, handle, is_public=is_public))
        assert wire.began.acquire(timeout=20)
        wire.go.set()
        assert all(it.result(20) for it in told)
    assert wire.public[1] == {"ana"}


def test_what_goes_wrong_is_told_to_all_who_wait() -> None:
    """An error of our own ends every wait, and the next look-up is asked afresh."""

    def fail(
        seal: Seal, timeout_s: float, now: datetime
    ) -> Iterator[Mapping[str, Answer]]:
        raise OSError("the database is away")
        yield {}

    coalescer = Coalescer(fail)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            look_up(coalescer, "ana")
