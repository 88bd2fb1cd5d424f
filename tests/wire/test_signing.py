"""Signatures: the published vector, what is refused, and the reference implementation as judge."""

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from regulars_webhooks import (
    MalformedSecret,
    VerificationError,
    generate_secret,
    sign,
    verify,
)
from regulars_webhooks.signing import check_secret

# The vector that the libraries of Standard Webhooks share:
# https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
NOW = datetime.fromtimestamp(1614265330, UTC)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {
    "webhook-id": EVENT_ID,
    "webhook-timestamp": "1614265330",
    "webhook-signature": SIGNATURE,
}
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

Code = VerificationError.Code


def with_header(name: str, value: str) -> dict[str, str]:
    return {**HEADERS, name: value}


def test_sign_known_answer() -> None:
    """The published vector comes out bit by bit."""
    assert sign(EVENT_ID, BODY, secrets=[SECRET], now=NOW) == HEADERS


def test_sign_rotation_has_one_signature_per_secret() -> None:
    """During a rotation each live secret signs, separated by a space."""
    headers = sign(EVENT_ID, BODY, secrets=[SECRET, OTHER_SECRET], now=NOW)
    parts = headers["webhook-signature"].split(" ")
    assert [part.startswith("v1,") for part in parts] == [True, True]
    assert parts[0] == SIGNATURE
    for secret in (SECRET, OTHER_SECRET):
        verify(headers, BODY, secrets=[secret], now=NOW)


def test_sign_zone_does_not_change_the_instant() -> None:
    """A time in another zone signs the same second."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert sign(EVENT_ID, BODY, secrets=[SECRET], now=elsewhere) == HEADERS


@pytest.mark.parametrize(
    ("event_id", "secrets", "now", "error"),
    [
        pytest.param("evt_1", [], NOW, ValueError, id="no secret"),
        pytest.param("evt_1", ["whsec_"], NOW, MalformedSecret, id="empty secret"),
        pytest.param(
            "evt_1",
            [SECRET, "whsec_!"],
            NOW,
            MalformedSecret,
            id="second secret not base64",
        ),
        pytest.param(
            "evt_1", [SECRET], NOW.replace(tzinfo=None), ValueError, id="naive time"
        ),
        pytest.param("evt_1.2", [SECRET], NOW, ValueError, id="full stop in the id"),
        pytest.param(
            "evt_1\r\nx: y", [SECRET], NOW, ValueError, id="line break in the id"
        ),
        pytest.param("", [SECRET], NOW, ValueError, id="no id"),
    ],
)
def test_sign_refuses(
    event_id: str, secrets: list[str], now: datetime, error: type[Exception]
) -> None:
    """What cannot be verified is not signed."""
    with pytest.raises(error):
        sign(event_id, BODY, secrets=secrets, now=now)


def test_generate_secret_is_32_random_bytes() -> None:
    """A secret is whsec_ and 32 bytes, and never the same twice."""
    first, second = generate_secret(), generate_secret()
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32
    assert first != second
    check_secret(first)


@pytest.mark.parametrize(
    ("headers", "body", "secrets", "now"),
    [
        pytest.param(HEADERS, BODY, [SECRET], NOW, id="as signed"),
        pytest.param(
            {name.upper(): value for name, value in HEADERS.items()},
            BODY,
            [SECRET],
            NOW,
            id="case",
        ),
        pytest.param(HEADERS, BODY, [OTHER_SECRET, SECRET], NOW, id="second secret"),
        pytest.param(
            HEADERS,
            BODY,
            [SECRET.removeprefix("whsec_")],
            NOW,
            id="secret without prefix",
        ),
        pytest.param(
            HEADERS, BODY, [SECRET], NOW + timedelta(seconds=300), id="300 s old"
        ),
        pytest.param(
            HEADERS, BODY, [SECRET], NOW - timedelta(seconds=300), id="300 s ahead"
        ),
        pytest.param(
            with_header("webhook-signature", f"v1,AAAA {SIGNATURE} v1,BBBB"),
            BODY,
            [SECRET],
            NOW,
            id="between bad ones",
        ),
        pytest.param(
            with_header("webhook-signature", f"v2,AAAA v1a,AAAA garbage  {SIGNATURE}"),
            BODY,
            [SECRET],
            NOW,
            id="unknown versions passed over",
        ),
    ],
)
def test_verify_accepts(
    headers: dict[str, str], body: bytes, secrets: list[str], now: datetime
) -> None:
    """One signature with one known secret within 300 s is enough."""
    verify(headers, body, secrets=secrets, now=now)


def test_verify_accepts_unpadded_secret() -> None:
    """The padding of a secret's base64 may be absent on either side."""
    padded = generate_secret()
    assert padded.endswith("=")
    headers = sign("evt_1", BODY, secrets=[padded], now=NOW)
    verify(headers, BODY, secrets=[padded.rstrip("=")], now=NOW)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, Code.MISSING_HEADER, id="none"),
        pytest.param(with_header("webhook-id", ""), Code.MISSING_HEADER, id="id empty"),
        *(
            pytest.param(
                {key: value for key, value in HEADERS.items() if key != name},
                Code.MISSING_HEADER,
                id=f"no {name}",
            )
            for name in HEADERS
        ),
        pytest.param(
            with_header("Webhook-Id", "evt_2"), Code.MALFORMED_HEADER, id="id twice"
        ),
        pytest.param(
            with_header("webhook-id", "é"), Code.MALFORMED_HEADER, id="id not ASCII"
        ),
        pytest.param(
            with_header("webhook-id", "\udc80"), Code.MALFORMED_HEADER, id="half a pair"
        ),
        pytest.param(
            with_header("webhook-id", "a b"), Code.MALFORMED_HEADER, id="id with space"
        ),
        pytest.param(
            with_header("webhook-id", "a\n"), Code.MALFORMED_HEADER, id="id line break"
        ),
        pytest.param(
            with_header("webhook-id", "evt_2"), Code.NO_MATCH, id="another id"
        ),
        pytest.param(
            with_header("webhook-timestamp", "1614265331"),
            Code.NO_MATCH,
            id="other time",
        ),
        *(
            pytest.param(
                with_header("webhook-timestamp", value),
                Code.MALFORMED_TIMESTAMP,
                id=f"time {value!r}",
            )
            for value in (
                "hello",
                "nan",
                "inf",
                "-1",
                "+1",
                "1e9",
                "16142653.30",
                " 1614265330",
                "١",
                "9" * 5000,
            )
        ),
        pytest.param(
            with_header("webhook-timestamp", "9" * 12), Code.TOO_NEW, id="far ahead"
        ),
        pytest.param(with_header("webhook-timestamp", "0"), Code.TOO_OLD, id="1970"),
        *(
            pytest.param(
                with_header("webhook-signature", value),
                Code.MALFORMED_HEADER,
                id=f"signature {value!r}",
            )
            for value in ("garbage", " ", "  ", ",AAAA", "v1,é", "é,AAAA", "\udc80")
        ),
        *(
            pytest.param(
                with_header("webhook-signature", value),
                Code.NO_MATCH,
                id=f"signature {value!r}",
            )
            for value in (
                "v1,",
                "v1,not base64",
                SIGNATURE[:-2] + "A=",
                SIGNATURE[:-1],
                SIGNATURE + "A",
                SIGNATURE.replace("v1,", "v2,"),
                SIGNATURE.replace("v1,", "v1a,"),
                SIGNATURE.replace("v1,", "V1,"),
                f"{SIGNATURE},",
                SIGNATURE.lower(),
            )
        ),
    ],
)
def test_verify_refuses_headers(
    headers: dict[str, str], code: VerificationError.Code
) -> None:
    """Each mutation of the headers is refused with its own code."""
    with pytest.raises(VerificationError) as caught:
        verify(headers, BODY, secrets=[SECRET], now=NOW)
    assert code == caught.value.code
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "secrets", "now", "code"),
    [
        pytest.param(BODY + b" ", [SECRET], NOW, Code.NO_MATCH, id="body longer"),
        pytest.param(b"", [SECRET], NOW, Code.NO_MATCH, id="body empty"),
        pytest.param(b"\xff\xfe", [SECRET], NOW, Code.NO_MATCH, id="body not UTF-8"),
        pytest.param(BODY, [OTHER_SECRET], NOW, Code.NO_MATCH, id="another secret"),
        pytest.param(BODY, [], NOW, Code.NO_SECRET, id="no secret"),
        pytest.param(BODY, [""], NOW, Code.NO_SECRET, id="empty secret"),
        pytest.param(BODY, ["whsec_"], NOW, Code.NO_SECRET, id="prefix alone"),
        pytest.param(BODY, ["whsec_===="], NOW, Code.NO_SECRET, id="padding alone"),
        pytest.param(BODY, ["whsec_é"], NOW, Code.NO_SECRET, id="secret not ASCII"),
        pytest.param(
            BODY, [SECRET, ""], NOW, Code.NO_SECRET, id="one empty beside a good one"
        ),
        pytest.param(
            BODY, [SECRET], NOW + timedelta(seconds=301), Code.TOO_OLD, id="301 s old"
        ),
        pytest.param(
            BODY, [SECRET], NOW - timedelta(seconds=301), Code.TOO_NEW, id="301 s ahead"
        ),
    ],
)
def test_verify_refuses(
    body: bytes, secrets: list[str], now: datetime, code: VerificationError.Code
) -> None:
    """A body, secret or time that differs is refused with its own code."""
    with pytest.raises(VerificationError) as caught:
        verify(HEADERS, body, secrets=secrets, now=now)
    assert code == caught.value.code


def test_verify_naive_time_is_an_error_of_the_caller() -> None:
    """A naive now would be read as local time, so it is not taken."""
    with pytest.raises(ValueError, match="time zone"):
        verify(HEADERS, BODY, secrets=[SECRET], now=NOW.replace(tzinfo=None))


header_texts = st.one_of(
    st.text(st.characters()),  # surrogates included
    st.from_regex(r"(v1a?,[A-Za-z0-9+/=]{0,8}[ ,]{0,2}){0,4}", fullmatch=True),
    st.integers(-(10**14), 10**14).map(str),
    st.sampled_from(sorted(HEADERS.values())),
)


@given(
    headers=st.dictionaries(
        st.one_of(st.sampled_from(sorted(HEADERS)), st.text()), header_texts
    ),
    body=st.binary(),
    secrets=st.lists(
        st.one_of(st.just(SECRET), st.text(), st.text("AZaz09+/=")), max_size=3
    ),
)
def test_verify_raises_nothing_else(
    headers: Mapping[str, str], body: bytes, secrets: list[str]
) -> None:
    """Whatever arrives, there is a VerificationError or nothing."""
    with suppress(VerificationError):
        verify(headers, body, secrets=secrets, now=NOW)


ids = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."),
    min_size=1,
    max_size=60,
)
keys = st.binary(min_size=1, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)


@given(event_id=ids, text=st.text(), secret=keys, other=keys)
def test_reference_verifies_what_we_sign(
    event_id: str, text: str, secret: str, other: str
) -> None:
    """The reference implementation accepts our signatures, of one secret and of two."""
    body = text.encode()
    now = datetime.now(UTC)  # the reference reads its own clock
    headers = sign(event_id, body, secrets=[other, secret], now=now)
    Webhook(secret).verify(body, headers, json_parse=False)


@given(event_id=ids, text=st.text(), secret=keys)
def test_we_verify_what_the_reference_signs(
    event_id: str, text: str, secret: str
) -> None:
    """We accept what the reference implementation signs."""
    headers = {
        "Webhook-Id": event_id,
        "Webhook-Timestamp": str(int(NOW.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(event_id, NOW, text),
    }
    verify(headers, text.encode(), secrets=[secret], now=NOW)


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_byte_decides(position: int, flip: int) -> None:
    """A signature holds for exactly these bytes."""
    body = bytearray(BODY)
    body[position % len(BODY)] ^= flip
    with pytest.raises(VerificationError) as caught:
        verify(HEADERS, bytes(body), secrets=[SECRET], now=NOW)
    assert caught.value.code is Code.NO_MATCH


@pytest.mark.parametrize(
    "check", [check_secret, lambda text: sign("e", b"", secrets=[text], now=NOW)]
)
def test_an_error_never_quotes_the_secret(check: Callable[[str], object]) -> None:
    """What may end up in a log does not hold the secret."""
    with pytest.raises(MalformedSecret) as caught:
        check("whsec_hunter2!")
    assert "hunter2" not in str(caught.value)
