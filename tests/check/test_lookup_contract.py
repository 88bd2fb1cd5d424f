"""What every look-up promises, and what the answers are called on record."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from examples.fake_x import FakeX

from regulars.check.lookup import (
    Answer,
    Found,
    HandleLookup,
    NoLookup,
    NotAsked,
    NotFound,
    Reason,
    Suspended,
    Unavailable,
    verdict_of,
)
from regulars.check.x_api import XLookup
from regulars.values.handle import Handle
from regulars.values.verdict import Verdict

NOW = datetime(2026, 11, 21, 20, 15, tzinfo=UTC)


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


@pytest.fixture(params=["asks X", "asks nobody"])
def lookup(request: pytest.FixtureRequest, x: FakeX) -> HandleLookup:
    return XLookup("token", api_url=x.url) if request.param == "asks X" else NoLookup()


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(["AnaLima"], id="one"),
        pytest.param(["AnaLima", "nosuch", "suspended_sam"], id="a batch"),
        pytest.param(["AnaLima", "analima", "ANALIMA"], id="one in three spellings"),
        pytest.param(["AnaLima", "reset_ray"], id="one of them in trouble"),
        pytest.param(["down_dan"], id="X down"),
        pytest.param([f"guest_{n}" for n in range(101)], id="more than a batch"),
    ],
)
def test_each_handle_gets_one_answer(lookup: HandleLookup, asked: list[str]) -> None:
    """One answer per handle asked, under its key, whatever X does."""
    handles = [Handle(text) for text in asked]
    answers = lookup.look_up(handles, timeout_s=5.0, now=NOW)
    assert set(answers) == {text.lower() for text in asked}
    assert all(isinstance(answer, Answer) for answer in answers.values())


def test_a_silent_x_costs_no_more_than_the_timeout(lookup: HandleLookup) -> None:
    """The look-up ends within the time given plus 0.3 s."""
    begun = time.monotonic()
    lookup.look_up([Handle("silent_sid")], timeout_s=0.3, now=NOW)
    assert time.monotonic() - begun < 0.6


def test_nothing_asked_is_nothing_answered(lookup: HandleLookup, x: FakeX) -> None:
    """No handle: an empty mapping and no call."""
    assert lookup.look_up([], timeout_s=1.0, now=NOW) == {}
    assert x.calls == []


def test_without_a_lookup_nobody_is_asked() -> None:
    """The modes without a look-up answer that nobody was asked."""
    answers = NoLookup().look_up([Handle("AnaLima")], timeout_s=1.0, now=NOW)
    assert answers == {"analima": NotAsked()}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Found("1", "AnaLima", None), Verdict.FOUND),
        (NotFound(), Verdict.NOT_FOUND),
        (Suspended(), Verdict.SUSPENDED),
        (Unavailable(Reason.PAYMENT_REQUIRED), Verdict.PENDING),
        (NotAsked(), Verdict.UNCHECKED),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_verdict_of_each_answer(answer: Answer, verdict: Verdict) -> None:
    """X's own trouble is never held against the handle: that is pending."""
    assert verdict_of(answer) is verdict


def test_what_waiting_does_not_heal_needs_the_operator() -> None:
    """Token, credit, access and plan are the operator's; the rest heals by itself."""
    needy = {reason.value for reason in Reason if reason.needs_operator}
    assert needy == {"unauthorized", "payment_required", "forbidden", "usage_capped"}
