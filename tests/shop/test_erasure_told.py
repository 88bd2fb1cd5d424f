"""Who is told of an erasure, and what becomes of the events and deliveries of before."""

from datetime import datetime
from typing import Any

import jsonschema
from tests.shop.by_hand import (
    DOWN,
    body_of,
    claim_due,
    customer_id_of,
    deliver,
    in_5_minutes,
    make_due,
    rows,
    settle_as,
)
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars import erasure
from regulars.tell.deliveries import (
    delivery_table,
    hold_endpoint,
    resume_endpoint,
)
from regulars.tell.endpoints import EndpointState, Recipient
from regulars.tell.recovery import Retried, retry_delivery
from regulars_webhooks.events import schema
from regulars_webhooks.retry import Delivered, GiveUp


def sign_up(shop: ShopUnderTest) -> Any:
    return shop.sign_up(
        by_key=True, x_handle=HANDLE, contact_email=EMAIL, given_name="Ana"
    )


def erase(shop: ShopUnderTest, customer_id: str) -> None:
    assert erasure.erase(
        shop.house.database,
        customer_id,
        secret_key=shop.house.settings.secret_key,
        journal_folder=shop.house.journal_folder,
        now=shop.clock.advance(60),
    )


def test_every_stored_body_in_its_erased_form(shop: ShopUnderTest) -> None:
    """Same id, type, time and version, nothing personal, valid under the type's schema."""
    customer_id = customer_id_of(sign_up(shop))
    sign_up(shop)
    shop.sign_up(contact_email=EMAIL)
    before = shop.events()
    erase(shop, customer_id)
    for bodies in (shop.events(), shop.events(third_party=True)):
        assert len(bodies) == 4
        for was, body in zip(before, bodies, strict=False):
            assert body == {
                **{name: was[name] for name in ("id", "type", "api_version")},
                "timestamp": was["timestamp"],
                "data": {
                    "customer": {
                        "id": customer_id,
                        "version": was["data"]["customer"]["version"],
                        "status": "erased",
                    },
                    "changed": [],
                    "profile": None,
                },
            }
            jsonschema.validate(body, schema(body["type"]))
    assert [b["type"] for b in shop.events()][-1] == "customer.erased"
    assert shop.events()[-1]["data"]["customer"]["version"] == 4


def test_unattempted_deliveries_are_cancelled(shop: ShopUnderTest) -> None:
    """Due or held: what nobody took up goes nowhere, and who was told nothing hears nothing."""
    shop.add_endpoint()
    paused, _ = shop.add_endpoint("https://paused.example/hook")
    with shop.house.database.transaction() as connection:
        hold_endpoint(connection, paused, EndpointState.PAUSED, None)
    erase(shop, customer_id_of(sign_up(shop)))
    deliveries = rows(shop, delivery_table)
    assert [row.state for row in deliveries] == ["dead", "dead"]
    assert {row.next_at for row in deliveries} == {None}
    assert claim_due(shop) == []
    with shop.house.database.transaction() as connection:
        resume_endpoint(connection, paused)
    assert claim_due(shop) == []


def test_what_was_attempted_in_vain_goes_out_in_its_erased_form(
    shop: ShopUnderTest,
) -> None:
    """The receiver may have taken the first attempt: it is told the same id, without the person."""
    shop.add_endpoint()
    customer_id = customer_id_of(sign_up(shop))
    settle_as(shop, claim_due(shop), in_5_minutes(shop), DOWN)
    erase(shop, customer_id)
    make_due(shop, "pending")
    sent = [body_of(item) for item in claim_due(shop)]
    assert {body["type"] for body in sent} == {"customer.created", "customer.erased"}
    assert {body["data"]["customer"]["status"] for body in sent} == {"erased"}


def test_the_erasure_goes_where_an_attempt_was_begun(shop: ShopUnderTest) -> None:
    """Whatever the endpoint's filter, whatever came of the attempt, active or not."""
    took, _ = shop.add_endpoint("https://a.example/", event_types=["customer.created"])
    failed, _ = shop.add_endpoint("https://b.example/")
    third, _ = shop.add_endpoint(
        "https://c.example/",
        recipient=Recipient.THIRD_PARTY,
        event_types=["customer.created"],
    )
    uninterested, _ = shop.add_endpoint(
        "https://d.example/", event_types=["customer.erased"]
    )
    customer_id = customer_id_of(sign_up(shop))
    for item in claim_due(shop):
        decision = GiveUp() if item.endpoint.id == failed else Delivered()
        settle_as(shop, [item], decision, DOWN)
    with shop.house.database.transaction() as connection:
        hold_endpoint(connection, third, EndpointState.PAUSED, None)
    erase(shop, customer_id)
    erased = shop.events()[-1]
    told = {
        row.endpoint_id: row.state
        for row in rows(shop, delivery_table)
        if row.event_id == erased["id"]
    }
    assert told == {took: "pending", failed: "pending", third: "held"}
    assert uninterested not in told


def test_an_erasure_is_repeated_until_it_arrives(shop: ShopUnderTest) -> None:
    """When its schedule is over it is tried daily, while the endpoint is active."""
    shop.add_endpoint()
    customer_id = customer_id_of(sign_up(shop))
    deliver(shop)
    erase(shop, customer_id)
    (claimed,) = claim_due(shop)
    assert claimed.event_type == "customer.erased"
    settle_as(shop, [claimed], GiveUp())
    row = next(r for r in rows(shop, delivery_table) if r.event_id == claimed.event_id)
    assert row.state == "pending"
    wait = row.next_at - datetime.now(row.next_at.tzinfo)
    assert 86_000 < wait.total_seconds() <= 86_400


def test_a_retry_by_hand_sends_nothing_of_the_person(shop: ShopUnderTest) -> None:
    """A delivery of before the erasure, sent again, is its erased form."""
    shop.add_endpoint()
    customer_id = customer_id_of(sign_up(shop))
    deliver(shop)
    (delivery,) = rows(shop, delivery_table)
    erase(shop, customer_id)
    deliver(shop)
    with shop.house.database.transaction() as connection:
        assert retry_delivery(connection, delivery.id) is Retried.DUE
    (again,) = claim_due(shop)
    assert body_of(again)["data"]["customer"]["status"] == "erased"
