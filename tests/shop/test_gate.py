"""The gate before X: who waits for it, when it closes, when it is tried again."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from tests.fakes import FakeLookup
from tests.shops import ShopUnderTest

from regulars.check.cache import Freshness
from regulars.check.gate import Gate, Trouble, find_trouble
from regulars.check.lookup import (
    AccountLookup,
    Answer,
    Found,
    NotFound,
    Reason,
    Suspended,
    Unavailable,
)
from regulars.check.terms import Terms
from regulars.check.usage import Caps
from regulars.values.handle import Handle

ANA = Handle("ana")
NOT_OF_X = {Reason.BUSY, Reason.SPARING, Reason.BUDGET_SPENT}
PROBLEMS = [reason for reason in Reason if reason not in NOT_OF_X]
# Nothing is kept, so that each look-up of the same handle comes to X.
TERMS = Terms(
    caps=Caps(users_a_day=1000, usd_a_month=10.0),
    freshness=Freshness(found=timedelta(), not_found=timedelta()),
    retry=timedelta(seconds=5),
)
NO_TIMEOUTS = [reason for reason in PROBLEMS if reason is not Reason.TIMEOUT]


def gate(shop: ShopUnderTest, lookup: AccountLookup, *, waiting: int = 4) -> Gate:
    """A gate as one process has it; its state is in the shop's database."""
    return Gate(lookup, shop.house.database, TERMS, waiting=waiting)


def trouble(shop: ShopUnderTest) -> Trouble | None:
    with shop.house.database.reading() as connection:
        return find_trouble(connection)


def wait_s(shop: ShopUnderTest) -> float:
    """Seconds from now until X is asked again."""
    known = trouble(shop)
    assert known is not None
    return (known.retry_at - shop.clock()).total_seconds()


def ask(shop: ShopUnderTest, through: Gate, handle: Handle = ANA) -> Answer:
    """What a signup is told of *handle*, within ten seconds."""
    answers = through.look_up([handle], timeout_s=10.0, now=shop.clock())
    return answers[handle.key]


def probe(shop: ShopUnderTest, through: Gate) -> Answer:
    """What the dispatcher is told of @ana."""
    return through.probe([ANA], timeout_s=2.0, now=shop.clock())["ana"]


@pytest.mark.parametrize("answer", [Found("42", "ana", None), NotFound(), Suspended()])
def test_an_answer_is_no_trouble(
    shop: ShopUnderTest, lookup: FakeLookup, answer: Answer
) -> None:
    """Whatever X says of an account, it has answered."""
    match answer:
        case Found():
            lookup.found("ana", "42", protected=True)
        case Suspended():
            lookup.suspended("ana")
        case _:
            lookup.not_found("ana")
    assert ask(shop, gate(shop, lookup)) == answer
    assert trouble(shop) is None


@pytest.mark.parametrize("reason", NO_TIMEOUTS)
def test_any_trouble_but_a_timeout_closes_at_once(
    shop: ShopUnderTest, lookup: FakeLookup, reason: Reason
) -> None:
    """Nobody after that waits for X, and each is told why."""
    through = gate(shop, lookup.unavailable("ana", reason))
    assert ask(shop, through) == Unavailable(reason)
    assert wait_s(shop) == 5.0
    known = trouble(shop)
    assert known is not None
    assert (known.is_closed, known.reason) == (True, reason)
    assert ask(shop, through) == Unavailable(reason, known.retry_at)
    assert len(lookup.asked) == 1


def test_two_timeouts_in_a_row_close(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The first may be chance: the second signup still waits, the third does not."""
    through = gate(shop, lookup.unavailable("ana", Reason.TIMEOUT))
    for _ in range(3):
        assert isinstance(ask(shop, through), Unavailable)
    assert len(lookup.asked) == 2


def test_an_answer_between_two_timeouts(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """They are not in a row, and the gate stays open."""
    through = gate(shop, lookup.unavailable("ana", Reason.TIMEOUT))
    ask(shop, through)
    lookup.found("ana", "42")
    ask(shop, through)
    lookup.unavailable("ana", Reason.TIMEOUT)
    ask(shop, through)
    known = trouble(shop)
    assert known is not None
    assert not known.is_closed
    assert known.timeouts == 1


def test_signups_do_not_make_the_wait_longer(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """It doubles per failed probe, never per signup."""
    through = gate(shop, lookup.unavailable("ana"))
    for _ in range(5):
        ask(shop, through)
    assert wait_s(shop) == 5.0


def test_a_signup_that_met_the_same_trouble_late_does_not_make_the_wait_longer(
    shop: ShopUnderTest,
) -> None:
    """Four waited at once and all fail: that is one trouble."""
    started = threading.Barrier(4)

    class Slow:
        def look_up(
            self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
        ) -> Mapping[str, Answer]:
            started.wait(10)
            return {h.key: Unavailable(Reason.SERVER_ERROR) for h in handles}

    slow = Slow()
    threads = [
        # In processes of their own: in one of them they would go together.
        threading.Thread(target=ask, args=(shop, gate(shop, slow), Handle(f"guest{n}")))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert wait_s(shop) == 5.0


def test_each_failed_probe_doubles_the_wait_to_15_minutes(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """5, 10, 20 … 640, then 900 s and no more."""
    through = gate(shop, lookup.unavailable("ana"))
    ask(shop, through)
    waits = [wait_s(shop)]
    for _ in range(10):
        shop.clock.advance(waits[-1])
        probe(shop, through)
        waits.append(wait_s(shop))
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]


def test_trouble_that_a_probe_meets_first_waits_the_first_wait(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """``X_RETRY_S`` is the first wait after any trouble, whoever met it."""
    probe(shop, gate(shop, lookup.unavailable("ana")))
    assert wait_s(shop) == 5.0


@pytest.mark.parametrize("reason", PROBLEMS)
def test_a_failed_probe_leaves_it_closed(
    shop: ShopUnderTest, lookup: FakeLookup, reason: Reason
) -> None:
    """Also when the probe fails otherwise than what closed it: only a success opens."""
    through = gate(shop, lookup.unavailable("ana", Reason.SERVER_ERROR))
    ask(shop, through)
    lookup.unavailable("ana", reason)
    probe(shop, through)
    known = trouble(shop)
    assert known is not None
    assert (known.is_closed, known.reason) == (True, reason)
    assert known.since == shop.clock()
    asked = len(lookup.asked)
    ask(shop, through)
    assert len(lookup.asked) == asked


@pytest.mark.parametrize("is_probe", [False, True], ids=["signup", "probe"])
def test_the_reset_of_a_429_is_obeyed(
    shop: ShopUnderTest, lookup: FakeLookup, is_probe: bool
) -> None:
    """Shorter or longer than our own wait, X's word counts."""
    at = shop.clock() + timedelta(minutes=14)
    through = gate(shop, lookup.unavailable("ana", Reason.RATE_LIMITED, at))
    (probe if is_probe else ask)(shop, through)
    assert wait_s(shop) == 14 * 60
    assert ask(shop, through) == Unavailable(Reason.RATE_LIMITED, at)


def test_a_429_without_reset_waits_as_any_trouble(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """``X_RETRY_S``, as for the others."""
    ask(shop, gate(shop, lookup.unavailable("ana", Reason.RATE_LIMITED)))
    assert wait_s(shop) == 5.0


def test_one_success_opens_for_everybody(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """After it signups wait for X again, and the next trouble starts from the first wait."""
    through = gate(shop, lookup.unavailable("ana"))
    ask(shop, through)
    probe(shop, through)
    lookup.found("ana", "42", protected=True)
    probe(shop, through)
    assert trouble(shop) is None
    assert ask(shop, through) == Found("42", "ana", None)
    lookup.unavailable("ana")
    ask(shop, through)
    assert wait_s(shop) == 5.0


def test_a_batch_of_which_one_was_answered_is_a_success(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """X answers again, though not for each handle."""
    through = gate(shop, lookup.unavailable("ana"))
    ask(shop, through)
    through.probe([ANA, Handle("bea")], timeout_s=2.0, now=shop.clock())
    assert trouble(shop) is None


def test_two_processes_share_the_state(shop: ShopUnderTest) -> None:
    """What the web meets the dispatcher knows, and the other way round."""
    at_web, at_dispatcher = FakeLookup(), FakeLookup()
    web, dispatcher = gate(shop, at_web), gate(shop, at_dispatcher)
    at_web.unavailable("ana", Reason.TIMEOUT)
    at_dispatcher.unavailable("ana", Reason.TIMEOUT)
    ask(shop, web)
    probe(shop, dispatcher)
    known = trouble(shop)
    assert known is not None
    assert known.is_closed
    ask(shop, web)
    assert len(at_web.asked) == 1
    at_dispatcher.found("ana", "42", protected=True)
    probe(shop, dispatcher)
    at_web.found("ana", "42", protected=True)
    assert ask(shop, web) == Found("42", "ana", None)


class Silent:
    """X that says nothing until it is released."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        self.entered.release()
        self.release.wait(10)
        return {handle.key: NotFound() for handle in handles}


def test_at_most_half_of_the_threads_wait(shop: ShopUnderTest) -> None:
    """With the places taken the next is told at once that X was not asked, and that is no trouble."""
    silent = Silent()
    through = gate(shop, silent, waiting=2)
    waiting = [
        threading.Thread(target=ask, args=(shop, through, Handle(f"guest{n}")))
        for n in range(2)
    ]
    for thread in waiting:
        thread.start()
    for _ in waiting:
        assert silent.entered.acquire(timeout=10)
    assert ask(shop, through) == Unavailable(Reason.BUSY)
    assert trouble(shop) is None
    silent.release.set()
    for thread in waiting:
        thread.join(10)
    assert ask(shop, through) == NotFound()


def test_24_signups_at_once_while_x_is_silent(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """Four wait, which is half of the web's threads; twenty are answered while they do."""
    silent = Silent()
    shop = open_under_test(silent, X_TIMEOUT_S="20")
    verdicts: queue.SimpleQueue[str] = queue.SimpleQueue()

    def sign_up(handle: str) -> None:
        client = ShopUnderTest(shop.shop, shop.clock, shop.site, shop.key)
        told = client.sign_up(by_key=True, x_handle=handle, **shop.consent())
        verdicts.put(told.json["handle"]["verdict"])

    threads = [threading.Thread(target=sign_up, args=(f"guest{n}",)) for n in range(24)]
    for thread in threads:
        thread.start()
    assert [verdicts.get(timeout=20) for _ in range(20)] == ["pending"] * 20
    silent.release.set()
    assert [verdicts.get(timeout=20) for _ in range(4)] == ["not_found"] * 4
    for thread in threads:
        thread.join(10)
