"""Receivers in every kind of trouble, all at once: nothing is lost and nobody waits for another."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from examples.fake_x import FakeX
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import (
    DRIP,
    GARBAGE,
    OK,
    RESET,
    SILENT,
    Plan,
    Received,
    Receiver,
)
from tests.acceptance.running import Shop, eventually
from tests.shops import BEARER

from regulars.tell.endpoints import Recipient
from regulars_webhooks.events import schema
from regulars_webhooks.retry import JITTER, SCHEDULE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

# An attempt may last this long and a second: see ``regulars_webhooks.transport``.
DEADLINE_S = 15
# What a busy machine adds between the end of an attempt and its settlement.
SLACK_S = 1.0
SLOW = {"silent", "drip"}
TARGET_PATH = "/elsewhere"

# What each receiver does the first time; the second time it takes the event.
TROUBLES: dict[str, Plan] = {
    "error": Plan(500, body=b"<h1>Oops</h1>"),
    "moved": Plan(302),
    "busy": Plan(429, {"retry-after": "7"}),
    "hasty": Plan(503, {"retry-after": "1"}),
    "garbage": GARBAGE,
    "reset": RESET,
    "silent": SILENT,
    "drip": DRIP,
}
# Trouble -> what the operator reads of the first attempt: status and error.
SEEN: dict[str, tuple[int | None, str | None]] = {
    "error": (500, None),
    "moved": (302, "redirect"),
    "busy": (429, None),
    "hasty": (503, None),
    "garbage": (None, "protocol"),
    "reset": (None, "protocol"),
    "silent": (None, "timeout"),
    "drip": (None, "timeout"),
    "down": (None, "connect"),
}


@dataclass
class Part:
    """One endpoint, its receiver, and what was seen of the delivery after each attempt."""

    receiver: Receiver
    endpoint_id: str
    secret: str
    after: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Play:
    """One signup, told to all receivers at once."""

    shop: Shop
    parts: dict[str, Part]
    told: Any
    answered_at: float
    target: Receiver
    gone: Part
    long_away: Part

    def received(self, name: str) -> list[Received]:
        """What arrived of the play's own event."""
        requests = self.parts[name].receiver.received
        return [it for it in requests if it.id == requests[0].id]


@pytest.fixture(scope="module")
def play(new_module_shop: MakeShop) -> Iterator[Play]:
    """Every receiver has failed once and has the event now, or waits as it should."""
    with ExitStack() as stack:
        x = stack.enter_context(FakeX())
        shop = new_module_shop(X_API_URL=x.url, X_BEARER_TOKEN=BEARER)

        def part(receiver: Receiver, recipient: Recipient = Recipient.OWN) -> Part:
            endpoint_id, secret = shop.add_endpoint(receiver.url, recipient)
            return Part(receiver, endpoint_id, secret)

        def up(*plans: Plan, port: int = 0) -> Receiver:
            return stack.enter_context(Receiver(*plans, port=port))

        target = up()
        moved = Plan(302, {"location": target.url.replace("/hook", TARGET_PATH)})
        plans = {**TROUBLES, "moved": moved}
        parts = {name: part(up(plan, OK)) for name, plan in plans.items()}
        parts["good"] = part(up())
        parts["partner"] = part(up(), Recipient.THIRD_PARTY)
        parts["stubborn"] = part(up(Plan(500)))
        with Receiver() as closed:
            port = closed.server_address[1]
        parts["down"] = part(closed)
        gone = part(up(Plan(410), OK))
        long_away = part(up(Plan(503, {"retry-after": "3600"}), OK))

        shop.service.start()
        answer = shop.sign_up(
            x_handle="analima",
            contact_channel=["x", "email"],
            contact_email="ana.lima@example.com",
            topic="quiet_times",
        )
        assert answer.status == 201, answer.body
        play = Play(shop, parts, answer.json, time.monotonic(), target, gone, long_away)
        watch = {**parts, "gone": gone, "long_away": long_away}
        eventually(lambda: _note(shop, {"down": parts["down"]}) or parts["down"].after)
        parts["down"].receiver = up(port=port)
        eventually(lambda: _note(shop, watch), within_s=45, what="all have the event")
        yield play


def _note(shop: Shop, parts: dict[str, Part]) -> bool:
    """Write down what is new; whether each part has come to its end."""
    for part in parts.values():
        row = dict(shop.service.deliveries(part.endpoint_id)[0])
        if row["attempts"] and row["attempts"] not in part.after:
            log = "SELECT * FROM attempt WHERE delivery_id = ? ORDER BY number"
            attempts = [dict(it) for it in shop.service.rows(log, row["id"])]
            row["log"] = attempts[: row["attempts"]]
            part.after[row["attempts"]] = row
    ends = {"gone": 1, "long_away": 1, "good": 1, "partner": 1}
    return all(ends.get(name, 2) in part.after for name, part in parts.items())


def _wait_s(row: dict[str, Any]) -> float:
    """Seconds between the end of the last attempt and the next one."""
    last = row["log"][-1]
    wait: float = (row["next_at"] - last["started_at"] - last["duration_ms"]) / 1000
    return wait


@pytest.mark.parametrize("name", [*TROUBLES, "down"])
def test_failed_delivery_is_tried_again_with_the_same_event(
    play: Play, name: str
) -> None:
    """Whatever befell the first attempt, the second one brings the same id and bytes, signed anew."""
    part = play.parts[name]
    assert part.after[1]["state"] == "pending"
    assert part.after[2]["state"] == "delivered"
    received = play.received(name)
    expected = 1 if name == "down" else 2
    assert len(received) == expected
    assert len({it.body for it in received}) == 1
    assert len({it.headers["webhook-signature"] for it in received}) == expected
    for it in received:
        told = it.verified(part.secret)
        assert told["data"]["customer"]["id"] == play.told["customer"]["id"]


@pytest.mark.parametrize("name", [*TROUBLES, "down"])
def test_operator_sees_why_an_attempt_failed(play: Play, name: str) -> None:
    """Each attempt is kept with its status or the kind of trouble, and the delivery with a sentence."""
    row = play.parts[name].after[1]
    [attempt] = row["log"]
    assert (attempt["status"], attempt["error"]) == SEEN[name]
    assert row["last_error"]
    assert play.parts[name].after[2]["last_error"] is None


@pytest.mark.parametrize("name", sorted(SLOW))
def test_attempt_ends_at_its_deadline(play: Play, name: str) -> None:
    """Neither silence nor one byte a second keeps an attempt alive past its deadline and a second."""
    [attempt] = play.parts[name].after[1]["log"]
    assert DEADLINE_S * 1000 <= attempt["duration_ms"] <= (DEADLINE_S + 1) * 1000


# The waits that receivers name themselves are obeyed where they are longer.
NAMED = {"busy": 7.0, "hasty": 5.0}


@pytest.mark.parametrize("name", [*TROUBLES, "down"])
def test_first_wait_keeps_the_schedule(play: Play, name: str) -> None:
    """The next attempt is due after the schedule's first wait ± 20 %, or when Retry-After says."""
    wait_s = _wait_s(play.parts[name].after[1])
    first = SCHEDULE[0].total_seconds()
    if name in NAMED:
        assert NAMED[name] - 0.01 <= wait_s <= NAMED[name] + SLACK_S
    else:
        low, high = first * (1 - JITTER), first * (1 + JITTER)
        assert low - 0.01 <= wait_s <= high + SLACK_S


def test_wait_of_an_hour_is_obeyed(play: Play) -> None:
    """429 and 503 may ask for an hour: the delivery waits, due then and not lost."""
    row = play.long_away.after[1]
    assert row["state"] == "pending"
    assert 3600 - 0.01 <= _wait_s(row) <= 3600 + SLACK_S


def test_redirect_is_never_followed(play: Play) -> None:
    """The place that a 302 names sees no request, then or later."""
    assert play.target.received == []
    assert [it.path for it in play.received("moved")] == ["/hook", "/hook"]


def test_good_receiver_is_served_while_others_hang(play: Play) -> None:
    """Two endpoints that hang and eight that fail delay the good ones not at all."""
    for name in ("good", "partner"):
        [received] = play.received(name)
        assert received.at - play.answered_at < 2


def test_third_party_gets_a_body_of_its_own(play: Play) -> None:
    """A third party: handle as typed, id and verdict; no profile, no link. The own system: all of it."""
    [own], [theirs] = (play.received(name) for name in ("good", "partner"))
    own_event = own.verified(play.parts["good"].secret)
    their_event = theirs.verified(play.parts["partner"].secret)
    for event in (own_event, their_event):
        jsonschema.validate(event, schema("customer.created"))
    assert own.id == theirs.id
    assert own_event["data"]["profile"]["username"] == "AnaLima"
    assert "links" in own_event["data"]["customer"]
    assert their_event["data"]["profile"] is None
    assert "links" not in their_event["data"]["customer"]
    points = their_event["data"]["customer"]["contact_points"]
    [point] = [it for it in points if it["kind"] == "x_account"]
    assert point["value"] == point["normalized"] == "analima"
    assert point["platform_user_id"] == "2244994945"
    assert point["verdict"] == "found"
    assert b"Ana Lima" not in theirs.body
    assert b"Quiet tables" not in theirs.body


def test_stubborn_receiver_waits_ever_longer_and_gets_it_in_the_end(
    play: Play,
) -> None:
    """Attempt after attempt fails: each wait is that of the schedule ± 20 %, and then it is delivered."""
    shop, part = play.shop, play.parts["stubborn"]

    def first() -> Any:
        # What other tests sent fails there too, and an endpoint that fails is left alone.
        shop.service.let_endpoints_be_tried()
        return shop.service.deliveries(part.endpoint_id)[0]

    for attempts in (3, 4):
        shop.service.let_waits_run_out()
        eventually(lambda n=attempts: first()["attempts"] == n)
        _note(shop, {"stubborn": part})
    for attempts, base in enumerate(SCHEDULE[:4], start=1):
        wait_s = _wait_s(part.after[attempts])
        low, high = (base.total_seconds() * (1 + by) for by in (-JITTER, JITTER))
        assert low - 0.01 <= wait_s <= high + SLACK_S
    part.receiver.answer_by(OK)
    shop.service.let_waits_run_out()
    eventually(lambda: first()["state"] == "delivered")
    received = play.received("stubborn")
    assert len({it.body for it in received}) == 1
    stamps = [int(it.headers["webhook-timestamp"]) for it in received]
    assert all(a <= b for a, b in pairwise(stamps))
    shown = shop.service.command_json("delivery", "show", part.after[1]["id"])
    assert [it["status"] for it in shown["log"]] == [500, 500, 500, 500, 200]


def test_gone_receiver_is_disabled_and_gets_everything_when_it_is_resumed(
    play: Play,
) -> None:
    """410: the endpoint is disabled and the operator sees why; what waits and what comes is held."""
    shop, gone = play.shop, play.gone
    assert gone.after[1]["state"] == "held"
    assert gone.after[1]["next_at"] is None
    listed = shop.service.command_json("endpoint", "list")
    [endpoint] = [it for it in listed if it["id"] == gone.endpoint_id]
    assert endpoint["state"] == "disabled"
    assert "410" in endpoint["reason"]

    later = shop.sign_up(contact_email="bea@example.com").json
    assert shop.service.deliveries(gone.endpoint_id)[-1]["state"] == "held"
    assert len(gone.receiver.received) == 1

    resumed = shop.service.command("endpoint", "resume", gone.endpoint_id)
    assert resumed.returncode == 0
    assert "2 held" in resumed.stdout
    first, *released = gone.receiver.wait_for(3)
    told = [it.verified(gone.secret)["data"]["customer"]["id"] for it in released]
    assert sorted(told) == sorted(
        [play.told["customer"]["id"], later["customer"]["id"]]
    )
    assert first.body in [it.body for it in released]
