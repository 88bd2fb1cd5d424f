"""Sending again: what an endpoint has missed since a day, once, and nothing of the erased."""

from datetime import timedelta

from tests.shop.by_hand import (
    DOWN,
    change,
    claim_due,
    customer_id_of,
    deliver,
    deliver_all,
    pause,
    retry,
    rows,
    settle_as,
    sign_up,
    states,
)
from tests.shops import EMAIL, ShopUnderTest

from regulars import erasure
from regulars.tell.deliveries import attempt_table, delivery_table
from regulars.tell.endpoints import Recipient, endpoint_table
from regulars.tell.events import event_table
from regulars.tell.recovery import Recovered, Retried, Span, recover, retry_delivery
from regulars.tell.upkeep import release_held
from regulars_webhooks.retry import GiveUp


def recovered(
    shop: ShopUnderTest, endpoint_id: str | None = None, *, delivered: bool = False
) -> Recovered:
    span = Span(
        shop.clock() - timedelta(days=30),
        shop.clock() + timedelta(seconds=1),
        endpoint_id,
        delivered,
    )
    return recover(shop.house.database, span, shop.clock())


def give_up(shop: ShopUnderTest) -> None:
    settle_as(shop, claim_due(shop), GiveUp(), DOWN)


def test_what_was_given_up_goes_out_again(shop: ShopUnderTest, endpoint: str) -> None:
    """Held and dead alike; asked for once more, it is on its way already."""
    sign_up(shop, 3)
    give_up(shop)
    assert recovered(shop) == Recovered(due=3)
    assert recovered(shop) == Recovered(waiting=3)
    assert len(deliver_all(shop)) == 3
    assert recovered(shop) == Recovered()


def test_an_endpoint_gets_what_is_older_than_itself(shop: ShopUnderTest) -> None:
    """What it would have been told; no test, and nothing that its filter leaves out."""
    sign_up(shop, 3)
    young, _ = shop.add_endpoint("https://young.example/")
    created, _ = shop.add_endpoint(
        "https://created.example/", event_types=["customer.created"]
    )
    assert recovered(shop, young) == Recovered(due=3)
    assert recovered(shop) == Recovered(due=1, waiting=3)
    assert {(it.endpoint.id, it.event_type) for it in deliver_all(shop)} == {
        (young, "customer.created"),
        (young, "customer.updated"),
        (created, "customer.created"),
    }


def test_what_was_delivered_goes_out_again_where_it_is_asked_for(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """For a receiver that lost its own database: the same ids and bytes."""
    sign_up(shop, 2)
    first = {item.event_id: item.body for item in deliver_all(shop)}
    assert recovered(shop) == Recovered()
    assert recovered(shop, delivered=True) == Recovered(due=2)
    assert {item.event_id: item.body for item in deliver_all(shop)} == first


def test_for_an_endpoint_that_is_paused_it_is_held(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Nothing goes out before the resume."""
    sign_up(shop, 2)
    deliver(shop)
    pause(shop, endpoint)
    assert recovered(shop, delivered=True) == Recovered(held=2)
    assert recovered(shop, delivered=True) == Recovered(waiting=2)
    assert states(shop) == ["held", "held"]


def test_what_retention_has_emptied_is_refused_and_counted(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """An empty body is no event: neither a recovery nor a retry by hand sends one."""
    sign_up(shop)
    deliver(shop)
    change(shop, event_table, body_own=b"", body_third_party=b"")
    shop.add_endpoint("https://young.example/")
    assert recovered(shop, delivered=True) == Recovered(emptied=2)
    with shop.house.database.transaction() as connection:
        delivery_id = rows(shop, delivery_table)[0].id
        assert retry_delivery(connection, delivery_id) is Retried.EMPTIED
    assert claim_due(shop) == []
    with shop.house.database.transaction() as connection:
        connection.execute(attempt_table.delete())
        connection.execute(delivery_table.delete())
        connection.execute(event_table.delete())


def test_nobody_hears_of_an_erased_customer(shop: ShopUnderTest, endpoint: str) -> None:
    """Who was never told of them is not told now, and what was cancelled stays so."""
    customer_id = customer_id_of(shop.sign_up(by_key=True, contact_email=EMAIL))
    assert erasure.erase(
        shop.house.database,
        customer_id,
        secret_key=shop.house.settings.secret_key,
        journal_folder=shop.house.journal_folder,
        now=shop.clock.advance(60),
    )
    shop.add_endpoint("https://young.example/")
    assert recovered(shop) == Recovered()
    assert states(shop) == ["dead"]
    assert not retry(shop, rows(shop, delivery_table)[0].id)


def test_a_third_party_gets_no_news_that_are_of_x_alone(shop: ShopUnderTest) -> None:
    """As when the event was made."""
    sign_up(shop)
    shop.add_endpoint("https://m.example/", recipient=Recipient.THIRD_PARTY)
    changed = shop.events()[0]
    assert changed["data"]["changed"] == []
    assert recovered(shop) == Recovered(due=1)


def test_held_goes_out_once_the_endpoint_is_back(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """One a day finds out whether it is; when it takes something, all follow."""
    sign_up(shop, 3)
    give_up(shop)
    assert states(shop) == ["held"] * 3
    assert released(shop) == 0
    long_ago = rows(shop, delivery_table)[0].created_at - timedelta(days=9999)
    change(shop, endpoint_table, claimed_at=long_ago)
    assert released(shop) == 1
    assert len(deliver(shop)) == 1
    assert released(shop) == 2


def released(shop: ShopUnderTest) -> int:
    with shop.house.database.transaction() as connection:
        return release_held(connection)
