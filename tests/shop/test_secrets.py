"""Signing secrets and headers of endpoints: sealed where they are kept, open only to send."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.shop.by_hand import change, claim_due, make_due, pause, rows, sign_up, states
from tests.shops import ShopUnderTest

from regulars.app import belong_to_key
from regulars.keep.sealing import CannotOpen, Seal
from regulars.tell.attempting import attempt
from regulars.tell.changing import (
    cancel_for_removed,
    remove_endpoint,
    remove_header,
    rotate_secret,
    set_header,
)
from regulars.tell.deliveries import delivery_table, resume_endpoint
from regulars.tell.endpoints import endpoint_table, find_endpoint
from regulars.tell.recovery import retry_delivery
from regulars.tell.secrets import (
    MOST_HEADERS,
    MOST_SECRETS,
    HeaderRefused,
    opened,
    parse_header,
)
from regulars_webhooks import verify
from regulars_webhooks.retry import DeliveryResult, Postpone

OTHER_KEY = "another-key-of-at-least-32-characters"


class Answering:
    """Stands where the transport is, keeps what it is sent and answers with *head*."""

    def __init__(self, head: bytes = b"") -> None:
        self.head = head
        self.sent: list[tuple[dict[str, str], bytes]] = []

    def send(self, url: str, headers: dict[str, str], body: bytes) -> DeliveryResult:
        self.sent.append((headers, body))
        return DeliveryResult(200, None, "200", None, 1, self.head)


def live_secrets(shop: ShopUnderTest, endpoint_id: str) -> tuple[str, ...]:
    """The secrets that sign now, as they are sent with."""
    with shop.house.database.reading() as connection:
        known = find_endpoint(connection, endpoint_id, shop.clock())
    assert known is not None
    seal = shop.house.database.seal
    return opened(seal, known.id, known.secrets, known.headers).secrets


def rotate(shop: ShopUnderTest, endpoint_id: str, hours: int = 24) -> str:
    database = shop.house.database
    with database.transaction() as connection:
        new = rotate_secret(
            connection,
            database.seal,
            endpoint_id,
            shop.clock(),
            timedelta(hours=hours),
        )
    assert new is not None
    return new


def give(shop: ShopUnderTest, endpoint_id: str, name: str, value: str) -> None:
    database = shop.house.database
    with database.transaction() as connection:
        assert set_header(connection, database.seal, endpoint_id, name, value)


def send(shop: ShopUnderTest, transport: Any) -> Any:
    """The outcome of the one delivery that is due."""
    (claimed,) = claim_due(shop)
    return attempt(transport, claimed, shop.clock, shop.house.database.seal)


def stored(shop: ShopUnderTest) -> str:
    """Every endpoint's row, as one text."""
    return json.dumps([list(row) for row in rows(shop, endpoint_table)], default=str)


def test_what_is_stored_is_sealed(shop: ShopUnderTest) -> None:
    """Neither a secret nor a header's value is in the row; both are sent."""
    endpoint_id, secret = shop.add_endpoint()
    give(shop, endpoint_id, "Authorization", "Bearer hush-hush")
    assert secret not in stored(shop)
    assert secret.removeprefix("whsec_") not in stored(shop)
    assert "hush" not in stored(shop)
    sign_up(shop)
    transport = Answering()
    send(shop, transport)
    ((headers, body),) = transport.sent
    verify(headers, body, secrets=[secret], now=shop.clock())
    assert headers["Authorization"] == "Bearer hush-hush"


def test_both_secrets_sign_during_a_rotation(shop: ShopUnderTest) -> None:
    """For a day; they are read in the transaction that claims, so it holds at once."""
    endpoint_id, old = shop.add_endpoint()
    new = rotate(shop, endpoint_id)
    sign_up(shop)
    transport = Answering()
    send(shop, transport)
    ((headers, body),) = transport.sent
    for secret in (old, new):
        verify(headers, body, secrets=[secret], now=shop.clock())
    shop.clock.now += timedelta(hours=24)
    make_due(shop)
    (claimed,) = claim_due(shop)
    assert len(claimed.endpoint.secrets) == 1
    assert live_secrets(shop, endpoint_id) == (new,)


def test_several_overlaps_at_once(shop: ShopUnderTest) -> None:
    """Each secret ends when its own overlap does, newest first; the oldest of too many goes."""
    endpoint_id, first = shop.add_endpoint()
    second = rotate(shop, endpoint_id, hours=2)
    third = rotate(shop, endpoint_id, hours=24)
    assert live_secrets(shop, endpoint_id) == (third, second, first)
    shop.clock.now += timedelta(hours=2)
    assert live_secrets(shop, endpoint_id) == (third, second)
    for _ in range(MOST_SECRETS + 2):
        newest = rotate(shop, endpoint_id)
    assert len(live_secrets(shop, endpoint_id)) == MOST_SECRETS
    assert live_secrets(shop, endpoint_id)[0] == newest


def test_no_overlap_ends_them_all(shop: ShopUnderTest) -> None:
    """Of a secret that has leaked nothing is signed any more, of those before it neither."""
    endpoint_id, _ = shop.add_endpoint()
    rotate(shop, endpoint_id)
    new = rotate(shop, endpoint_id, hours=0)
    assert live_secrets(shop, endpoint_id) == (new,)


def as_the_release_before(shop: ShopUnderTest, endpoint_id: str, secret: str) -> None:
    entries = [{"secret": secret, "ends_at": None}]
    is_it = endpoint_table.c.id == endpoint_id
    change(shop, endpoint_table, is_it, secrets=entries, sealed_secrets=None)


def test_secrets_of_the_release_before(shop: ShopUnderTest) -> None:
    """They sign as they are, until the next start or upgrade seals them."""
    endpoint_id, secret = shop.add_endpoint()
    as_the_release_before(shop, endpoint_id, secret)
    assert live_secrets(shop, endpoint_id) == (secret,)
    belong_to_key(shop.house)
    assert secret not in stored(shop)
    assert live_secrets(shop, endpoint_id) == (secret,)


def test_a_rotation_seals_what_was_not(shop: ShopUnderTest) -> None:
    """Both secrets live on, and neither can be read."""
    endpoint_id, secret = shop.add_endpoint()
    as_the_release_before(shop, endpoint_id, secret)
    new = rotate(shop, endpoint_id)
    assert live_secrets(shop, endpoint_id) == (new, secret)
    assert secret not in stored(shop)


def test_under_another_key_nothing_is_sent(
    shop: ShopUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    """No attempt is burnt, and what stands as its error names the setting."""
    endpoint_id, _ = shop.add_endpoint()
    sign_up(shop)
    shop.house.database.seal = Seal(OTHER_KEY)
    transport = Answering()
    outcome = send(shop, transport)
    assert transport.sent == []
    assert isinstance(outcome.decision, Postpone)
    assert "REGULARS_SECRET_KEY" in outcome.result.detail
    assert endpoint_id in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    "change_text",
    [
        lambda text: text[:-6] + "AAAAAA",
        lambda text: text[:20],
        lambda text: "",
        lambda text: text.replace("sealed1.", "sealed9."),
    ],
    ids=["changed", "cut", "empty", "of another version"],
)
def test_a_seal_that_was_tampered_with(change_text: Any) -> None:
    """It does not open, and neither does one that stood in another endpoint's row."""
    seal = Seal(OTHER_KEY)
    text = seal.close("whsec_x", owner="ep_1")
    assert seal.open(text, owner="ep_1") == "whsec_x"
    for owner, sealed in (("ep_1", change_text(text)), ("ep_2", text)):
        with pytest.raises(CannotOpen):
            seal.open(sealed, owner=owner)


REFUSED = [
    "Host: a.example",
    "content-length: 3",
    "Content-Type: text/plain",
    "User-Agent: me",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Webhook-Signature: v1,x",
    "webhook-anything: x",
    "Proxy-Authorization: x",
    "X-Forwarded-For: 1.2.3.4",
    "no colon",
    ": x",
    "X Y: x",
    "X-Y : x",
    "X-Y:",
    "X-Y: a\r\nHost: evil.example",
    "X-Y: caf\u00e9",
    "X-Y: " + "a" * 2001,
]


@pytest.mark.parametrize("text", REFUSED)
def test_headers_that_are_refused(text: str) -> None:
    """What is ours, belongs to the connection, or would be two headers; its value is not repeated."""
    with pytest.raises(HeaderRefused) as refusal:
        parse_header(text)
    value = text.partition(":")[2].strip()
    assert len(value) < 5 or value not in str(refusal.value)


def test_a_header_is_replaced_in_any_case(shop: ShopUnderTest) -> None:
    """One name has one value; what is removed is sent no more; there is an upper bound."""
    endpoint_id, _ = shop.add_endpoint()
    give(shop, endpoint_id, "X-Key", "one")
    give(shop, endpoint_id, "x-key", "two")
    sign_up(shop)
    transport = Answering()
    send(shop, transport)
    sent = transport.sent[0][0]
    assert [sent[name] for name in sent if name.lower() == "x-key"] == ["two"]
    with shop.house.database.transaction() as connection:
        assert remove_header(connection, endpoint_id, "X-KEY")
        assert not remove_header(connection, endpoint_id, "X-KEY")
    for number in range(MOST_HEADERS):
        give(shop, endpoint_id, f"X-{number}", "a")
    with pytest.raises(HeaderRefused):
        give(shop, endpoint_id, "X-Last", "a")


def test_what_a_receiver_repeats_is_not_kept(shop: ShopUnderTest) -> None:
    """Some answer with the request that they got: its secrets do not enter the attempt log."""
    endpoint_id, _ = shop.add_endpoint()
    give(shop, endpoint_id, "X-Key", "hush-hush")
    sign_up(shop)
    outcome = send(shop, Answering(b"you sent X-Key: hush-hush."))
    assert outcome.result.response_head == b"you sent X-Key: ***."


def remove(shop: ShopUnderTest, endpoint_id: str) -> int | None:
    with shop.house.database.transaction() as connection:
        return remove_endpoint(connection, endpoint_id, shop.clock())


def test_a_removed_endpoint_gets_nothing_more(shop: ShopUnderTest) -> None:
    """What waited is cancelled, what comes is not for it, its secrets are gone, and it stays so."""
    endpoint_id, _ = shop.add_endpoint()
    give(shop, endpoint_id, "X-Key", "hush-hush")
    sign_up(shop)
    pause(shop, endpoint_id)
    sign_up(shop)
    assert remove(shop, endpoint_id) == 2
    assert states(shop) == ["dead", "dead"]
    sign_up(shop)
    assert states(shop) == ["dead", "dead"]
    assert "sealed1." not in stored(shop)
    with shop.house.database.transaction() as connection:
        assert resume_endpoint(connection, endpoint_id) is None
        delivery = connection.execute(select(delivery_table.c.id)).scalars().first()
        assert retry_delivery(connection, str(delivery)) == "cancelled"
        assert find_endpoint(connection, endpoint_id, shop.clock()) is None
    assert remove(shop, endpoint_id) is None


def test_what_was_under_way_is_cancelled_later(shop: ShopUnderTest) -> None:
    """The attempt ends as it ends; what it leaves behind does not wait for ever."""
    endpoint_id, _ = shop.add_endpoint()
    sign_up(shop)
    assert len(claim_due(shop)) == 1
    assert remove(shop, endpoint_id) == 0
    make_due(shop)
    assert claim_due(shop) == []
    assert states(shop) == ["held"]
    with shop.house.database.transaction() as connection:
        assert cancel_for_removed(connection) == 1
    assert states(shop) == ["dead"]
