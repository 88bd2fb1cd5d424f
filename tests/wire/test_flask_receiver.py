"""The Flask blueprint: statuses, repeats, and no 500 on any bytes."""

import json
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from regulars_webhooks import Event, MemorySeenIds, Receiver, generate_secret, sign
from regulars_webhooks.flask import MAX_BODY_BYTES, webhook_blueprint

NOW = datetime(2026, 11, 21, 20, 15, 4, tzinfo=UTC)
SECRET = generate_secret()
BODY = json.dumps(
    {
        "id": "evt_1",
        "type": "test.ping",
        "api_version": "2026-11-01",
        "timestamp": "2026-11-21T20:15:04.318Z",
        "data": {"message": "hello"},
    }
).encode()
HEADERS = sign("evt_1", BODY, secrets=[SECRET], now=NOW)


class Shop:
    """An application that keeps the events it handled, and fails when told to."""

    def __init__(self) -> None:
        self.handled: list[Event] = []
        self.failures = 0

    def handle(self, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database is away")
        self.handled.append(event)

    def client(self, now: datetime | None = NOW) -> FlaskClient:
        app = Flask("shop")
        receiver = Receiver([SECRET], MemorySeenIds())
        if now is None:
            app.register_blueprint(
                webhook_blueprint(receiver, self.handle, path="/hook")
            )
        else:
            app.register_blueprint(
                webhook_blueprint(
                    receiver, self.handle, path="/hook", clock=lambda: now
                )
            )
        return app.test_client()


def test_event_is_handled_once() -> None:
    """The event is handed over and answered 204; so is its repeat, without a second handling."""
    shop = Shop()
    client = shop.client()
    assert [
        client.post("/hook", data=BODY, headers=HEADERS).status_code for _ in range(2)
    ] == [204, 204]
    assert [event.id for event in shop.handled] == ["evt_1"]


def test_failed_handling_is_new_next_time() -> None:
    """What handle raises is a 500, and the sender's next attempt is handled."""
    shop = Shop()
    shop.failures = 1
    client = shop.client()
    assert [
        client.post("/hook", data=BODY, headers=HEADERS).status_code for _ in range(2)
    ] == [500, 204]
    assert [event.id for event in shop.handled] == ["evt_1"]


def test_clock_is_the_systems_by_default() -> None:
    """Without a clock of the caller's, the signature must be of now."""
    client = Shop().client(now=None)
    headers = sign("evt_1", BODY, secrets=[SECRET], now=datetime.now(UTC))
    assert client.post("/hook", data=BODY, headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        pytest.param({}, BODY, 400, "missing_header", id="no headers"),
        pytest.param(
            {**HEADERS, "webhook-signature": "x"},
            BODY,
            400,
            "malformed_header",
            id="malformed",
        ),
        pytest.param(
            {**HEADERS, "webhook-timestamp": "x"},
            BODY,
            400,
            "malformed_timestamp",
            id="time",
        ),
        pytest.param(
            {**HEADERS, "webhook-timestamp": "1"}, BODY, 401, "too_old", id="old"
        ),
        pytest.param(
            {**HEADERS, "webhook-timestamp": "9999999999"},
            BODY,
            401,
            "too_new",
            id="new",
        ),
        pytest.param(HEADERS, BODY + b" ", 401, "no_match", id="other body"),
        pytest.param(HEADERS, b"\xff", 401, "no_match", id="not UTF-8"),
        pytest.param(
            sign("evt_2", BODY, secrets=[SECRET], now=NOW),
            BODY,
            400,
            "id_mismatch",
            id="two ids",
        ),
        pytest.param(
            sign("evt_1", b"[]", secrets=[SECRET], now=NOW),
            b"[]",
            400,
            "malformed_body",
            id="no event",
        ),
    ],
)
def test_refusals(headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    """401 where the signature does not hold, 400 where the request is malformed, with the code."""
    shop = Shop()
    answer = shop.client().post("/hook", data=body, headers=headers)
    assert (answer.status_code, answer.text) == (status, code)
    assert answer.mimetype == "text/plain"
    assert shop.handled == []


@pytest.mark.parametrize(
    ("size", "status"), [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)]
)
def test_body_is_bounded(size: int, status: int) -> None:
    """Up to 256 kB are read, above that nothing is."""
    assert Shop().client().post("/hook", data=b"x" * size).status_code == status


def test_form_encoding_does_not_eat_the_body() -> None:
    """The raw bytes are verified even when a proxy claims that they are a form."""
    answer = (
        Shop()
        .client()
        .post(
            "/hook",
            data=BODY,
            headers=HEADERS,
            content_type="application/x-www-form-urlencoded",
        )
    )
    assert answer.status_code == 204


def test_only_post() -> None:
    """The path takes events and nothing else."""
    assert Shop().client().get("/hook").status_code == 405


text = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"))


@given(
    headers=st.dictionaries(
        st.sampled_from(sorted(HEADERS)),
        text | st.sampled_from(sorted(HEADERS.values())),
    ),
    body=st.binary(),
)
def test_never_500(headers: dict[str, str], body: bytes) -> None:
    """Whatever arrives is refused with a 4xx."""
    assert Shop().client().post("/hook", data=body, headers=headers).status_code in {
        400,
        401,
    }


@given(
    body=st.binary()
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_never_500_even_when_signed(body: bytes) -> None:
    """Not even who knows the secret can break the receiver with a body."""
    headers = sign("evt_1", body, secrets=[SECRET], now=NOW)
    assert Shop().client().post("/hook", data=body, headers=headers).status_code == 400
