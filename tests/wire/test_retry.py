"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars_webhooks.retry import (
    Decision,
    Delivered,
    DeliveryResult,
    Disable,
    Failure,
    GiveUp,
    Postpone,
    RetryAt,
    decide,
    parse_retry_after,
)

NOW = datetime(2026, 11, 21, 20, 15, tzinfo=UTC)
DAY = timedelta(hours=24)


def answered(
    status: int, *, retry_after: timedelta | None = None, error: Failure | None = None
) -> DeliveryResult:
    return DeliveryResult(status, error, "", retry_after, 12, b"")


def failed(error: Failure) -> DeliveryResult:
    return DeliveryResult(None, error, "", None, 12, b"")


def retry_in(**wait: float) -> RetryAt:
    return RetryAt(NOW + timedelta(**wait))


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (1, retry_in(seconds=5)),
        (2, retry_in(minutes=5)),
        (3, retry_in(minutes=30)),
        (4, retry_in(hours=2)),
        (5, retry_in(hours=5)),
        (6, retry_in(hours=10)),
        (7, retry_in(hours=14)),
        (8, retry_in(hours=20)),
        (9, retry_in(hours=24)),
        (10, GiveUp()),
        (11, GiveUp()),
    ],
)
def test_schedule(attempt: int, expected: Decision) -> None:
    """After each attempt the wait is the one that Standard Webhooks recommends; the tenth is the last."""
    assert expected == decide(attempt, answered(500), now=NOW, jitter=lambda: 0.5)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (0.0, retry_in(seconds=4)),
        (0.5, retry_in(seconds=5)),
        (1.0, retry_in(seconds=6)),
    ],
)
def test_jitter_is_a_fifth_both_ways(drawn: float, expected: Decision) -> None:
    """The wait varies by 20 % around the schedule."""
    assert expected == decide(1, answered(500), now=NOW, jitter=lambda: drawn)


def test_jitter_is_drawn_by_default() -> None:
    """Without a jitter of the caller's, waits differ and stay within a fifth."""
    waits = {decide(2, answered(500), now=NOW) for _ in range(20)}
    assert len(waits) > 1
    for wait in waits:
        assert isinstance(wait, RetryAt)
        assert timedelta(minutes=4) <= wait.at - NOW <= timedelta(minutes=6)


@pytest.mark.parametrize("attempt", [1, 10])
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (answered(200), Delivered()),
        (answered(204), Delivered()),
        (answered(299), Delivered()),
        (answered(410), Disable()),
    ],
)
def test_final_answers(
    attempt: int, result: DeliveryResult, expected: Decision
) -> None:
    """A 2xx delivers and 410 disables, on the first attempt as on the last."""
    assert expected == decide(attempt, result, now=NOW)


@pytest.mark.parametrize(
    "result",
    [
        *(
            answered(status)
            for status in (
                100,
                199,
                300,
                400,
                401,
                404,
                408,
                409,
                422,
                429,
                500,
                503,
                599,
            )
        ),
        answered(302, error=Failure.REDIRECT),
        *map(failed, [it for it in Failure if not it.is_ours]),
    ],
    ids=lambda result: str(result.error or result.status),
)
def test_everything_else_is_retried(result: DeliveryResult) -> None:
    """No other answer and no failure ends a delivery before its schedule does."""
    assert isinstance(decide(1, result, now=NOW), RetryAt)
    assert isinstance(decide(9, result, now=NOW), RetryAt)
    assert GiveUp() == decide(10, result, now=NOW)


OURS = [Failure.OUR_RESOLVER, Failure.OUR_NETWORK, Failure.OUR_RESOURCES]


@pytest.mark.parametrize("error", OURS)
@pytest.mark.parametrize("attempt", [1, 10, 11])
def test_own_trouble_moves_no_schedule(error: Failure, attempt: int) -> None:
    """Whatever the attempt, it is made again in half a minute as if it had not been."""
    expected = Postpone(NOW + timedelta(seconds=30))
    assert expected == decide(attempt, failed(error), now=NOW, jitter=lambda: 0.5)


def test_whose_trouble_it_is() -> None:
    """What looks like the sender's own has a name for where others get through."""
    assert [it for it in Failure if it.is_ours] == OURS
    assert Failure.OUR_RESOLVER.theirs is Failure.DNS
    assert Failure.OUR_NETWORK.theirs is Failure.CONNECT
    assert Failure.TIMEOUT.theirs is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("attempt", "asked", "expected"),
    [
        pytest.param(
            1, timedelta(0), retry_in(seconds=5), id="never below the schedule"
        ),
        pytest.param(1, timedelta(seconds=60), retry_in(seconds=60), id="obeyed"),
        pytest.param(
            3,
            timedelta(seconds=60),
            retry_in(minutes=30),
            id="schedule of a later step",
        ),
        pytest.param(1, timedelta(days=30), RetryAt(NOW + DAY), id="at most a day"),
        pytest.param(9, timedelta(days=30), RetryAt(NOW + DAY), id="last wait"),
        pytest.param(10, timedelta(seconds=60), GiveUp(), id="adds no attempt"),
    ],
)
def test_retry_after_is_bounded(
    attempt: int, asked: timedelta, expected: Decision
) -> None:
    """Retry-After is obeyed between the schedule's own wait and 24 hours."""
    result = answered(503, retry_after=asked)
    assert expected == decide(attempt, result, now=NOW, jitter=lambda: 0.0)


def test_attempts_count_from_one() -> None:
    """Attempt 0 is a mistake of the caller."""
    with pytest.raises(ValueError, match="first attempt is 1"):
        decide(0, answered(500), now=NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("Sat, 21 Nov 2026 20:17:00 GMT", timedelta(minutes=2)),
        ("Sat, 21 Nov 2026 20:17:00 -0000", timedelta(minutes=2)),
        ("Sat, 21 Nov 2026 21:17:00 +0100", timedelta(minutes=2)),
        ("Saturday, 21-Nov-26 20:17:00 GMT", timedelta(minutes=2)),
        ("Sat, 21 Nov 2026 20:14:00 GMT", timedelta(0)),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("١٢", None),
        ("9" * 400, None),
        ("Sat, 99 Nov 2026 20:17:00 GMT", None),
    ],
    ids=lambda value: value[:32] if isinstance(value, str) else None,
)
def test_parse_retry_after(value: str | None, expected: timedelta | None) -> None:
    """Seconds and dates are read, garbage is no wish at all."""
    assert expected == parse_retry_after(value, NOW)


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\w+"),
    )
)
def test_parse_retry_after_raises_nothing(value: str) -> None:
    """A header of a stranger never breaks the sender."""
    wait = parse_retry_after(value, NOW)
    assert wait is None or wait >= timedelta(0)
