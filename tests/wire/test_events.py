"""The envelope: what is read, and what is refused with nothing but malformed_body."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars_webhooks import EVENT_TYPES, Event, VerificationError, parse_event, schema

ENVELOPE: dict[str, Any] = {
    "id": "evt_01",
    "type": "customer.created",
    "api_version": "2026-11-01",
    "timestamp": "2026-11-21T20:15:04.318Z",
    "data": {"customer": {"id": "cus_01"}},
}


def body(**changes: Any) -> bytes:
    return json.dumps({**ENVELOPE, **changes}).encode()


def test_parse_event() -> None:
    """An event is read with its time aware and in UTC."""
    expected = Event(
        id="evt_01",
        type="customer.created",
        api_version="2026-11-01",
        timestamp=datetime(2026, 11, 21, 20, 15, 4, 318_000, tzinfo=UTC),
        data={"customer": {"id": "cus_01"}},
    )
    assert expected == parse_event(body())


def test_parse_event_outlives_newer_senders() -> None:
    """A type, a version and members that are not known yet are no errors."""
    event = parse_event(
        body(type="customer.greeted", api_version="2031-01-01", trace="x")
    )
    assert (event.type, event.api_version) == ("customer.greeted", "2031-01-01")


def test_parse_event_keeps_all_of_unicode() -> None:
    """Escaped pairs and plain characters come out as the same text."""
    assert parse_event(body(data={"name": "Ana 🍣 Łódź"})).data == {
        "name": "Ana 🍣 Łódź"
    }


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf" + body(), id="byte order mark"),
        pytest.param(body().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"hello", id="not JSON"),
        pytest.param(body() + b"x", id="something behind"),
        pytest.param(b"[" * 200_000, id="deep list"),
        pytest.param(b'{"a":' * 200_000, id="deep object"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b'{"id": ' + b"9" * 5000 + b"}", id="endless number"),
        pytest.param(body().replace(b'"cus_01"', b"NaN"), id="NaN"),
        pytest.param(body().replace(b'"cus_01"', b"-Infinity"), id="infinity"),
        pytest.param(body().replace(b'"cus_01"', b"1e999"), id="out of range"),
        pytest.param(body().replace(b'"cus_01"', b'"\\ud83c"'), id="half a pair"),
        *(pytest.param(body(**{name: None}), id=f"{name} null") for name in ENVELOPE),
        *(pytest.param(body(**{name: 1}), id=f"{name} number") for name in ENVELOPE),
        *(pytest.param(body(**{name: ""}), id=f"{name} empty") for name in ENVELOPE),
        *(
            pytest.param(body(timestamp=text), id=f"timestamp {text}")
            for text in (
                "2026-11-21",
                "2026-W47-6T20:15:04Z",
                "2026-11-21T20:15:04",
                "2026-11-21T20:15:04+00:00",
                "2026-02-30T20:15:04Z",
                "2026-11-21T25:15:04Z",
                "0000-00-00T00:00:00Z",
                "٢٠٢٦-11-21T20:15:04Z",
            )
        ),
    ],
)
def test_parse_event_refuses(raw: bytes) -> None:
    """What is not an event is malformed_body, whatever else it is."""
    with pytest.raises(VerificationError) as caught:
        parse_event(raw)
    assert caught.value.code is VerificationError.Code.MALFORMED_BODY


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
)


@given(
    st.one_of(
        st.binary(),
        json_values.map(lambda value: json.dumps(value).encode()),
        st.dictionaries(st.sampled_from(sorted(ENVELOPE)), json_values).map(
            lambda some: body(**some)
        ),
    )
)
def test_parse_event_raises_nothing_else(raw: bytes) -> None:
    """Whatever the body is, there is an event or a VerificationError."""
    with suppress(VerificationError):
        assert parse_event(raw).timestamp.tzinfo is UTC


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_schema_is_a_new_dict(event_type: str) -> None:
    """Each type has a schema, and changing what was returned changes nothing."""
    schema(event_type).clear()
    assert schema(event_type)["properties"]["type"] == {"const": event_type}


@pytest.mark.parametrize("event_type", ["", "customer.eaten", "../schemas/test.ping"])
def test_schema_of_an_unknown_type(event_type: str) -> None:
    """What is no type is a KeyError, and never a path."""
    with pytest.raises(KeyError):
        schema(event_type)
