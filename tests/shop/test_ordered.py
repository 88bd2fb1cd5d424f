"""Endpoints that ask for order: one delivery of each customer at a time, the oldest first."""

import pytest
from tests.shop.by_hand import (
    TAKEN,
    claim_due,
    deliver,
    in_5_minutes,
    limit,
    make_due,
    rows,
    settle_as,
)
from tests.shops import EMAIL, ShopUnderTest

from regulars.tell.deliveries import delivery_table
from regulars.tell.outbox import Claimed
from regulars_webhooks.retry import Delivered, GiveUp


@pytest.fixture
def ordered(shop: ShopUnderTest, endpoint: str) -> str:
    """An endpoint that wants order."""
    limit(shop, endpoint, ordered=True)
    return endpoint


def sign_up(shop: ShopUnderTest, *emails: str) -> None:
    for email in emails:
        shop.clock.advance(1)
        assert shop.sign_up(contact_email=email).status_code == 201


def versions(shop: ShopUnderTest, claimed: list[Claimed]) -> list[int]:
    events = {event["id"]: event for event in shop.events()}
    return [events[it.event_id]["data"]["customer"]["version"] for it in claimed]


def test_one_of_each_customer_at_a_time(shop: ShopUnderTest, ordered: str) -> None:
    """The next version goes out when the one before has arrived; others do not wait."""
    sign_up(shop, EMAIL, EMAIL, EMAIL, "b@example.org")
    first = claim_due(shop)
    assert versions(shop, first) == [1, 1]
    assert claim_due(shop) == []
    settle_as(shop, first, Delivered(), TAKEN)
    assert versions(shop, deliver(shop)) == [2]
    assert versions(shop, deliver(shop)) == [3]


def test_what_follows_waits_behind_one_that_failed(
    shop: ShopUnderTest, ordered: str
) -> None:
    """It is due no earlier, so that no claim looks at it in vain."""
    sign_up(shop, EMAIL, EMAIL, "b@example.org")
    (head, other) = claim_due(shop)
    settle_as(shop, [other], Delivered(), TAKEN)
    settle_as(shop, [head], in_5_minutes(shop))
    waits = {row.next_at for row in rows(shop, delivery_table) if row.next_at}
    assert len(waits) == 1
    assert claim_due(shop) == []
    make_due(shop, "pending")
    assert versions(shop, deliver(shop)) == [1]
    assert versions(shop, deliver(shop)) == [2]


def test_one_that_was_given_up_holds_nobody_up(
    shop: ShopUnderTest, ordered: str
) -> None:
    """Each event has the whole record: what follows says all that it said."""
    sign_up(shop, EMAIL, EMAIL)
    settle_as(shop, claim_due(shop), GiveUp())
    assert versions(shop, deliver(shop)) == [2]


def test_without_the_wish_nothing_waits(shop: ShopUnderTest, endpoint: str) -> None:
    """The version lets receivers ignore the past."""
    sign_up(shop, EMAIL, EMAIL)
    assert sorted(versions(shop, claim_due(shop))) == [1, 2]
