"""The sale never waits: X in every kind of trouble, asked by a running shop."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from examples.fake_x import FakeX
from examples.fake_x_samples import (
    BROKE,
    CAPPED,
    FORBIDDEN,
    NO_RESET,
    NOT_FOUND,
    PAGE,
    SUSPENDED,
    UNAUTHORIZED,
    Reply,
    Stunt,
    user,
)
from examples.fake_x_samples import (
    Answer as XAnswer,
)
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import Received, Receiver
from tests.acceptance.running import Answer, Shop, eventually
from tests.shops import BEARER

pytestmark = pytest.mark.slow

X_TIMEOUT_S = 1.0
ANSWERED_WITHIN_S = X_TIMEOUT_S + 0.5
AT_ONCE = 24
# Half of the web's threads: as many may wait for X at once.
MAY_WAIT = 4
RESET_IN_S = 600

# name -> what X does, and what the operator reads of it
TROUBLES: dict[str, tuple[XAnswer, str]] = {
    "200 with a page": (Reply(200, PAGE), "unexpected"),
    "200 with an odd error": (
        Reply(200, {"errors": [{"title": "Oops"}]}),
        "unexpected",
    ),
    "401": (UNAUTHORIZED, "unauthorized"),
    "402": (BROKE, "payment_required"),
    "403": (FORBIDDEN, "forbidden"),
    "429 with a reset": (Reply(429, {}, reset_in_s=RESET_IN_S), "rate_limited"),
    "429 without": (NO_RESET, "rate_limited"),
    "429 of the cap": (CAPPED, "usage_capped"),
    "500 with a page": (Reply(500, PAGE), "server_error"),
    "silence": (Stunt.SILENT, "timeout"),
    "a byte now and then": (Stunt.DRIP, "timeout"),
    "a broken connection": (Stunt.RESET, "unreachable"),
}
FOR_THE_OPERATOR = {"unauthorized", "payment_required", "forbidden", "usage_capped"}


@dataclass
class Scene:
    """A running shop, its X and its receiver; X answers whatever a test says."""

    shop: Shop
    x: FakeX
    receiver: Receiver
    numbers: Iterator[int]

    def handle(self, answer: XAnswer) -> str:
        """A handle that nobody asked for yet, and X's answer to it."""
        name = f"guest_{next(self.numbers)}"
        self.x.answers[name] = answer
        return name

    def sign_up(self, handle: str) -> Answer:
        return self.shop.sign_up(x_handle=handle, contact_channel="x")

    def recovers(self, *handles: str) -> None:
        """X knows *handles*, and the wait that its trouble imposed is over."""
        for handle in handles:
            self.x.answers[handle] = user(handle, "Guest")
        self.shop.service.let_x_be_asked_again()

    def told_of(self, customer_id: str) -> list[Received]:
        """The events about one customer by version: on the way one may overtake another."""
        told = [
            it
            for it in list(self.receiver.received)
            if it.event["data"]["customer"]["id"] == customer_id
        ]
        return sorted(told, key=lambda it: int(it.event["data"]["customer"]["version"]))

    def trouble(self) -> Any:
        return self.shop.ready()["x"]["trouble"]


@pytest.fixture(scope="module")
def _running(new_module_shop: MakeShop) -> Iterator[Scene]:
    with FakeX() as x, Receiver() as receiver:
        shop = new_module_shop(
            X_API_URL=x.url,
            X_BEARER_TOKEN=BEARER,
            X_TIMEOUT_S=str(X_TIMEOUT_S),
            X_RETRY_S="30",
        )
        shop.add_endpoint(receiver.url)
        shop.service.start()
        yield Scene(shop, x, receiver, count(1))


@pytest.fixture
def scene(_running: Scene) -> Iterator[Scene]:
    """The shop while X is well; what a test left pending is settled after it."""
    yield _running
    pending = "SELECT value FROM contact_point WHERE verdict = 'pending'"

    def is_well() -> bool:
        left = [row["value"] for row in _running.shop.service.rows(pending)]
        _running.recovers(*left)
        return not left and _running.trouble() is None

    eventually(is_well, what="X is well again")


def verdict(received: Received) -> Any:
    """The verdict of the handle in an event."""
    return received.event["data"]["customer"]["contact_points"][0]["verdict"]


@pytest.mark.parametrize("name", TROUBLES)
def test_signup_is_accepted_and_the_verdict_follows(scene: Scene, name: str) -> None:
    """X in trouble: accepted in time, pending, the operator told; X well again: told as found."""
    answer, reason = TROUBLES[name]
    handle = scene.handle(answer)
    told = scene.sign_up(handle)
    assert told.status == 201
    assert told.took_s < ANSWERED_WITHIN_S
    assert told.json["handle"] == {"value": handle, "verdict": "pending"}

    trouble = scene.trouble()
    assert trouble["reason"] == reason
    assert trouble["needs_operator"] is (reason in FOR_THE_OPERATOR)
    retry_in = datetime.fromisoformat(trouble["retry_at"]) - datetime.now(UTC)
    expected_s = RESET_IN_S if name == "429 with a reset" else 30
    assert timedelta(seconds=expected_s - 5) < retry_in
    # One more when the dispatcher's own try made the wait grow.
    assert retry_in < timedelta(seconds=2 * expected_s + 1)

    scene.recovers(handle)
    customer = told.json["customer"]["id"]
    created, updated = eventually(
        lambda: events if len(events := scene.told_of(customer)) > 1 else None
    )
    assert (created.event["type"], verdict(created)) == ("customer.created", "pending")
    assert (updated.event["type"], verdict(updated)) == ("customer.updated", "found")
    assert updated.event["data"]["profile"]["username"] == handle
    assert updated.event["data"]["customer"]["version"] == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(NOT_FOUND, "not_found"), (SUSPENDED, "suspended")],
    ids=["not found", "suspended"],
)
def test_verdict_in_an_answer_of_errors_alone_is_taken(
    scene: Scene, answer: XAnswer, expected: str
) -> None:
    """200 with ``errors`` only that speaks of the account is a verdict, and no trouble."""
    told = scene.sign_up(scene.handle(answer))
    assert told.status == 201
    assert told.json["handle"]["verdict"] == expected
    assert scene.trouble() is None
    [created] = eventually(lambda: scene.told_of(told.json["customer"]["id"]))
    assert verdict(created) == expected


@pytest.mark.parametrize("name", ["401", "429 without", "silence", "200 with a page"])
def test_handle_check_names_the_reason(scene: Scene, name: str) -> None:
    """``regulars handle check``: the verdict is pending, and the reason stands beside it."""
    answer, reason = TROUBLES[name]
    handle = scene.handle(answer)
    done = scene.shop.service.command("handle", "check", handle)
    assert done.returncode == 0
    assert done.stdout == f"@{handle}: pending\n"
    assert f"X gave no verdict: {reason}" in done.stderr
    assert BEARER not in done.stdout + done.stderr
    assert scene.trouble()["reason"] == reason
    # The command asks even so; one success opens the gate for everybody.
    scene.recovers(handle)
    told = scene.shop.service.command_json("handle", "check", handle)
    assert told["verdict"] == "found"
    assert scene.trouble() is None


def test_two_timeouts_in_a_row_end_the_waiting(scene: Scene) -> None:
    """X silent: two signups wait for it in vain, the next is answered at once without asking."""
    handles = [scene.handle(Stunt.SILENT) for _ in range(3)]
    waited = [scene.sign_up(handle).took_s for handle in handles[:2]]
    asked = len(scene.x.calls)
    last = scene.sign_up(handles[2])
    assert max(waited) < ANSWERED_WITHIN_S
    assert last.json["handle"]["verdict"] == "pending"
    assert last.took_s < 0.5
    assert (handles[2],) not in scene.x.calls[asked:]


def test_many_signups_at_once_never_wait_for_a_silent_x(scene: Scene) -> None:
    """24 at once, X silent: each answered in time, X asked a handful of times; then all are told."""
    handles = [scene.handle(Stunt.SILENT) for _ in range(AT_ONCE)]
    asked = len(scene.x.calls)
    together = threading.Barrier(AT_ONCE)

    def sign_up(handle: str) -> Answer:
        together.wait()
        return scene.sign_up(handle)

    with ThreadPoolExecutor(AT_ONCE) as guests:
        answers = list(guests.map(sign_up, handles))
    assert {it.status for it in answers} == {201}
    assert {it.json["handle"]["verdict"] for it in answers} == {"pending"}
    assert max(it.took_s for it in answers) < ANSWERED_WITHIN_S
    # Those that may wait, and one try of the dispatcher.
    assert len(scene.x.calls) - asked <= MAY_WAIT + 1
    assert scene.trouble()["reason"] == "timeout"

    asked = len(scene.x.calls)
    customers = {it.json["customer"]["id"] for it in answers}

    def found() -> set[str]:
        scene.recovers(*handles)
        return {
            it.event["data"]["customer"]["id"]
            for it in list(scene.receiver.received)
            if it.event["type"] == "customer.updated" and verdict(it) == "found"
        }

    eventually(lambda: customers <= found(), what="all 24 are told as found")
    # One that was under way, one to see that X is back, one for the rest.
    assert len(scene.x.calls) - asked <= 3
