"""The receipt of a handle check: what is signed is read offline, and nothing else is believed."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import START

from regulars_webhooks import WebhookError
from regulars_webhooks.errors import ReceiptRefused
from regulars_webhooks.order_link import sign_order
from regulars_webhooks.receipt import SKEW, VALID_FOR, VERDICTS, Receipt, issue, verify

SECRET = "rs_sample"
SAID: dict[str, Any] = {
    "handle": "AnaLima",
    "id": "2244994945",
    "verdict": "found",
    "site": "site_1",
    "issued": 1795292104,
    "expires": 1795295704,
    "nonce": "Zm9vYmFyYmF6",
}
# Made without Python:
#   P=$(printf '%s' '{"handle":"AnaLima","id":"2244994945","verdict":"found","site":"site_1",
#     "issued":1795292104,"expires":1795295704,"nonce":"Zm9vYmFyYmF6"}'  (on one line)
#     | openssl base64 -A | tr '+/' '-_' | tr -d =)
#   printf 'receipt:r1.%s' "$P" | openssl dgst -sha256 -hmac rs_sample -binary
#     | openssl base64 -A | tr '+/' '-_' | tr -d =
PAYLOAD = (
    "eyJoYW5kbGUiOiJBbmFMaW1hIiwiaWQiOiIyMjQ0OTk0OTQ1IiwidmVyZGljdCI6ImZvdW5kIiwic2l0"
    "ZSI6InNpdGVfMSIsImlzc3VlZCI6MTc5NTI5MjEwNCwiZXhwaXJlcyI6MTc5NTI5NTcwNCwibm9uY2Ui"
    "OiJabTl2WW1GeVltRjYifQ"
)
SIGNATURE = "CZ2davqLNdcRWBxh6nsm7WuomuCL8rrGt54-n7Wc9Lc"
KNOWN = f"r1.{PAYLOAD}.{SIGNATURE}"

Code = ReceiptRefused.Code


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().replace("=", "")


def by_hand(payload: object, secret: str = SECRET, *, prefix: str = "receipt:") -> str:
    """A token with *payload* (bytes as they are, all else as JSON), signed as we sign."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    mac = hmac.new(
        secret.encode(), f"{prefix}r1.{encoded(raw)}".encode(), hashlib.sha256
    )
    return f"r1.{encoded(raw)}.{encoded(mac.digest())}"


def refused(token: str, secret: str = SECRET, now: datetime = START) -> Code:
    with pytest.raises(ReceiptRefused) as caught:
        verify(token, secret, now=now)
    return caught.value.code


def issued(
    verdict: str = "found", id: str | None = "42", now: datetime = START, **other: str
) -> str:
    given = {"handle": "AnaLima", "site": "site_1", "secret": SECRET, **other}
    handle = given.pop("handle")
    return issue(handle, verdict, id=id, now=now, **given)


def test_a_known_receipt() -> None:
    """The format is fixed: what another language makes of it is read here."""
    assert verify(KNOWN, SECRET, now=START) == Receipt(
        handle="AnaLima",
        id="2244994945",
        verdict="found",
        site="site_1",
        issued=datetime.fromtimestamp(1795292104, UTC),
        expires=datetime.fromtimestamp(1795295704, UTC),
        nonce="Zm9vYmFyYmF6",
        # It has no "asked": X was asked when it was issued.
        asked=datetime.fromtimestamp(1795292104, UTC),
    )


def test_an_answer_is_as_old_as_it_is() -> None:
    """What X said a week ago is no younger on a receipt of today."""
    week_ago = START - timedelta(days=7)
    token = issue(
        "AnaLima",
        "found",
        id="42",
        site="site_1",
        secret=SECRET,
        now=START,
        asked=week_ago,
    )
    receipt = verify(token, SECRET, now=START)
    assert receipt.asked == week_ago.replace(microsecond=0)
    assert receipt.issued == START.replace(microsecond=0)


@given(
    st.from_regex(r"[A-Za-z0-9_]{1,15}", fullmatch=True),
    st.sampled_from(sorted(VERDICTS)),
    st.none() | st.from_regex(r"[1-9][0-9]{0,19}", fullmatch=True),
)
def test_what_was_issued_is_read(
    handle: str, verdict: str, user_id: str | None
) -> None:
    """Every settled verdict comes back as it was, in a token that needs no escaping."""
    token = issued(verdict, user_id, handle=handle)
    assert re.fullmatch(r"[\w.-]{100,400}", token, re.ASCII)
    read = verify(token, SECRET, now=START)
    assert (read.handle, read.verdict, read.id) == (handle, verdict, user_id)
    assert read.issued == START.replace(microsecond=0)
    assert read.expires - read.issued == VALID_FOR


def test_two_of_one_second_differ() -> None:
    """Whoever takes a receipt only once can tell two of them apart."""
    assert issued() != issued()


def test_without_a_time_it_is_now() -> None:
    """A shop need not say what time it is."""
    assert verify(issued(now=datetime.now(UTC)), SECRET).handle == "AnaLima"
    with pytest.raises(ReceiptRefused):
        verify(issued(now=datetime.now(UTC) - timedelta(days=1)), SECRET)


def test_names_to_come_are_ignored() -> None:
    """A later release may say more under the same version."""
    assert verify(by_hand({**SAID, "plan": [1]}), SECRET, now=START).id == "2244994945"


@given(st.text(max_size=400) | st.text(alphabet="r1.eyJAQ-_=").map("r1.".__add__))
def test_any_text_is_refused_in_one_way(token: str) -> None:
    """Whatever a form brings, nothing but ReceiptRefused is raised."""
    assert refused(token) in {Code.MALFORMED, Code.FORGED}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.binary(max_size=60) | JSON | st.dictionaries(st.sampled_from([*SAID]), JSON))
def test_anything_signed_is_refused_in_one_way(payload: object) -> None:
    """Not even who holds the secret can make it raise something else."""
    refused(by_hand(payload))


@given(st.sampled_from([*SAID]), JSON)
def test_one_wrong_value_is_refused_in_one_way(name: str, value: object) -> None:
    """A receipt is read whole or refused, whatever one of its values is."""
    try:
        read = verify(by_hand({**SAID, name: value}), SECRET, now=START)
    except ReceiptRefused:
        return
    assert getattr(read, name) is not None or name == "id"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("", Code.MALFORMED, id="empty"),
        pytest.param("r1", Code.MALFORMED, id="version alone"),
        pytest.param(f"r1.{PAYLOAD}", Code.MALFORMED, id="unsigned"),
        pytest.param(f"{PAYLOAD}.{SIGNATURE}", Code.MALFORMED, id="no version"),
        pytest.param(f"r2.{PAYLOAD}.{SIGNATURE}", Code.MALFORMED, id="other version"),
        pytest.param(f"R1.{PAYLOAD}.{SIGNATURE}", Code.MALFORMED, id="version's case"),
        pytest.param(f"{KNOWN}\n", Code.MALFORMED, id="line feed"),
        pytest.param(f" {KNOWN}", Code.MALFORMED, id="space"),
        pytest.param(f"{KNOWN}=", Code.MALFORMED, id="padded"),
        pytest.param(f"{KNOWN}A", Code.MALFORMED, id="too long"),
        pytest.param(KNOWN[:-1], Code.MALFORMED, id="truncated"),
        pytest.param(f"{KNOWN}.{KNOWN}", Code.MALFORMED, id="doubled"),
        pytest.param(f"r1.{PAYLOAD}A.{SIGNATURE}", Code.FORGED, id="payload longer"),
        pytest.param(f"r1.{PAYLOAD[:-2]}.{SIGNATURE}", Code.FORGED, id="payload cut"),
        pytest.param(f"r1.{PAYLOAD}.{'A' * 43}", Code.FORGED, id="guessed"),
        # The last letter of 43 carries two bits that say nothing: they may not be changed either.
        pytest.param(f"{KNOWN[:-1]}d", Code.FORGED, id="unused bits"),
        pytest.param(f"r1.{PAYLOAD}.{SIGNATURE.lower()}", Code.FORGED, id="case"),
        pytest.param(by_hand(SAID, "rs_other"), Code.FORGED, id="other site"),
        pytest.param(by_hand(SAID, prefix=""), Code.FORGED, id="no context"),
        pytest.param(by_hand(SAID, prefix="order:"), Code.FORGED, id="other context"),
        pytest.param(sign_order("1029", SECRET, now=START), Code.MALFORMED, id="order"),
        pytest.param(by_hand(b"{"), Code.MALFORMED, id="not JSON"),
        pytest.param(by_hand(b"\xff{}"), Code.MALFORMED, id="not UTF-8"),
        pytest.param(by_hand(b"[" * 1400), Code.MALFORMED, id="deep"),
        pytest.param(by_hand([SAID]), Code.MALFORMED, id="a list"),
        pytest.param(by_hand({**SAID, "issued": True}), Code.MALFORMED, id="true"),
        pytest.param(by_hand({**SAID, "expires": 1e12}), Code.MALFORMED, id="float"),
        pytest.param(by_hand({**SAID, "expires": 10**12}), Code.MALFORMED, id="far"),
        pytest.param(by_hand({**SAID, "issued": -1}), Code.MALFORMED, id="before 1970"),
        pytest.param(by_hand({**SAID, "verdict": "pending"}), Code.MALFORMED, id="pending"),
        pytest.param(by_hand({**SAID, "verdict": "found\n"}), Code.MALFORMED, id="verdict"),
        pytest.param(by_hand({**SAID, "handle": "a/../b"}), Code.MALFORMED, id="path"),
        pytest.param(by_hand({**SAID, "handle": "a" * 16}), Code.MALFORMED, id="long"),
        pytest.param(by_hand({**SAID, "id": 42}), Code.MALFORMED, id="id a number"),
        pytest.param(by_hand({**SAID, "id": "\u0664\u0662"}), Code.MALFORMED, id="digits"),
        pytest.param(by_hand({**SAID, "expires": 1}), Code.EXPIRED, id="expired"),
    ],
)  # fmt: skip
def test_what_is_not_believed(token: str, code: Code) -> None:
    """Forged, foreign, altered and stale receipts are each refused under a stable code."""
    assert refused(token) is code


@pytest.mark.parametrize("name", [name for name in SAID if name != "id"])
def test_what_lacks_a_name(name: str) -> None:
    """Every name but the id has to be there."""
    said = {key: value for key, value in SAID.items() if key != name}
    assert refused(by_hand(said)) is Code.MALFORMED


def test_the_last_second_and_the_first() -> None:
    """A receipt holds up to its expiry, and from five minutes before its issue: clocks differ."""
    read = verify(KNOWN, SECRET, now=START)
    second = timedelta(seconds=1)
    assert verify(KNOWN, SECRET, now=read.expires) == read
    assert refused(KNOWN, now=read.expires + second) is Code.EXPIRED
    assert verify(KNOWN, SECRET, now=read.issued - SKEW) == read
    assert refused(KNOWN, now=read.issued - SKEW - second) is Code.NOT_YET_VALID


def test_one_family_of_errors() -> None:
    """A shop that catches the package's one error catches this."""
    with pytest.raises(WebhookError, match="malformed"):
        verify("", SECRET)


@pytest.mark.parametrize("verdict", ["pending", "unchecked", "", "FOUND"])
def test_what_x_did_not_say_is_not_issued(verdict: str) -> None:
    """Nobody waits for the end of a receipt that says nothing."""
    with pytest.raises(ValueError, match="receipt"):
        issued(verdict)


def test_what_cannot_be_issued() -> None:
    """A handle that is none, an empty secret and a naive time are mistakes."""
    naive = START.replace(tzinfo=None)
    for call in (
        lambda: issued(handle="a?user.fields=location"),
        lambda: issued(handle=""),
        lambda: issued(site=""),
        lambda: issued(id="x"),
        lambda: issued(secret=""),
        lambda: issued(now=naive),
        lambda: verify(KNOWN, "", now=START),
        lambda: verify(KNOWN, SECRET, now=naive),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - four sentences
            call()
