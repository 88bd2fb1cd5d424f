"""The receiving side: genuine, readable, the right id, and new."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from regulars_webhooks import (
    MemorySeenIds,
    Receiver,
    VerificationError,
    generate_secret,
    sign,
)

NOW = datetime(2026, 11, 21, 20, 15, 4, tzinfo=UTC)
SECRET = generate_secret()
Code = VerificationError.Code


def ping(event_id: str = "evt_1") -> bytes:
    return json.dumps(
        {
            "id": event_id,
            "type": "test.ping",
            "api_version": "2026-11-01",
            "timestamp": "2026-11-21T20:15:04.318Z",
            "data": {"message": "hello"},
        }
    ).encode()


def receiver() -> Receiver:
    return Receiver([SECRET], MemorySeenIds())


def test_receive_returns_the_event() -> None:
    """A genuine event comes out as a value, and as new."""
    received = receiver().receive(
        sign("evt_1", ping(), secrets=[SECRET], now=NOW), ping(), NOW
    )
    assert not received.is_repeat
    assert received.event.id == "evt_1"
    assert received.event.data == {"message": "hello"}


def test_receive_knows_a_repeat_by_its_id() -> None:
    """The same id under a fresh signature is a repeat; another id is not."""
    shop = receiver()
    assert [
        shop.receive(
            sign(event_id, ping(event_id), secrets=[SECRET], now=NOW),
            ping(event_id),
            NOW,
        ).is_repeat
        for event_id in ("evt_1", "evt_1", "evt_2")
    ] == [False, True, False]


def test_forget_makes_the_next_attempt_new() -> None:
    """When the work has failed, the sender's next attempt is worked on."""
    shop = receiver()
    headers = sign("evt_1", ping(), secrets=[SECRET], now=NOW)
    shop.forget(shop.receive(headers, ping(), NOW).event)
    assert not shop.receive(headers, ping(), NOW).is_repeat


@pytest.mark.parametrize(
    ("signed_id", "body", "code"),
    [
        pytest.param("evt_2", ping("evt_1"), Code.ID_MISMATCH, id="two ids"),
        pytest.param("evt_1", b"[]", Code.MALFORMED_BODY, id="genuine but no event"),
    ],
)
def test_receive_refuses_what_is_signed_but_wrong(
    signed_id: str, body: bytes, code: VerificationError.Code
) -> None:
    """A good signature alone does not make an event."""
    headers = sign(signed_id, body, secrets=[SECRET], now=NOW)
    with pytest.raises(VerificationError) as caught:
        receiver().receive(headers, body, NOW)
    assert code == caught.value.code


def test_receive_verifies_before_it_remembers() -> None:
    """A forged request neither gets in nor makes the genuine one a repeat."""
    shop = receiver()
    forged = sign("evt_1", ping(), secrets=[generate_secret()], now=NOW)
    with pytest.raises(VerificationError) as caught:
        shop.receive(forged, ping(), NOW)
    assert caught.value.code is Code.NO_MATCH
    genuine = {
        name.title(): value
        for name, value in sign("evt_1", ping(), secrets=[SECRET], now=NOW).items()
    }
    assert not shop.receive(genuine, ping(), NOW).is_repeat


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_"], [SECRET, "whsec_?"]])
def test_receiver_refuses_bad_secrets_at_the_start(secrets: list[str]) -> None:
    """A shop that set no secret hears it at once, not at the first event."""
    with pytest.raises(VerificationError) as caught:
        Receiver(secrets, MemorySeenIds())
    assert caught.value.code is Code.NO_SECRET


def test_memory_seen_ids_forgets_the_oldest() -> None:
    """The memory is bounded: above the limit the oldest id goes."""
    seen = MemorySeenIds(limit=2)
    assert [seen.add(event_id) for event_id in ("a", "b", "c")] == [True, True, True]
    assert not seen.add("c")
    assert seen.add("a")


def test_memory_seen_ids_discard() -> None:
    """What is discarded is new again; what is not held may be discarded."""
    seen = MemorySeenIds()
    seen.add("a")
    seen.discard("a")
    seen.discard("b")
    assert seen.add("a")


def test_memory_seen_ids_needs_room() -> None:
    """A memory without room would call everything new."""
    with pytest.raises(ValueError, match="at least 1"):
        MemorySeenIds(limit=0)


def test_memory_seen_ids_tells_one_of_many_threads() -> None:
    """Of several threads with one id, exactly one is told that it is new."""
    seen, start = MemorySeenIds(), Barrier(8)

    def add_all(_: int) -> list[bool]:
        start.wait()
        return [seen.add(str(number)) for number in range(200)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(add_all, range(8)))
    assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 200
