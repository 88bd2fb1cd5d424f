"""A shop that has seen something of everything, and the means to compare two of them."""

from typing import Any

from sqlalchemy import select
from tests.shop.by_hand import (
    DOWN,
    claim_due,
    customer_id_of,
    deliver,
    in_5_minutes,
    pause,
    settle_as,
    states,
)
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars import erasure
from regulars.app import Shop
from regulars.keep.db import metadata
from regulars.keep.suppressions import suppression_table
from regulars.tell.endpoints import Recipient
from regulars_webhooks.retry import GiveUp

Rows = dict[str, list[dict[str, Any]]]


def live(shop: ShopUnderTest) -> None:
    """Customers, an erased one, deliveries in every state."""

    def sign_up(**fields: Any) -> Any:
        shop.clock.advance(1)
        return shop.sign_up(by_key=True, **fields, **shop.consent())

    own, _ = shop.add_endpoint()
    shop.add_endpoint("https://m.example/hook", recipient=Recipient.THIRD_PARTY)
    ana = {"x_handle": HANDLE, "contact_channel": ["x", "sms"], "contact_phone": PHONE}
    sign_up(external_id="A-1", given_name="Zoë 🌻", interest="Fluminense", **ana)
    deliver(shop, head=b"\x00\xff thanks")
    settle_as(shop, _claim(shop, sign_up(x_handle="bob")), GiveUp(), DOWN)
    again = {"Idempotency-Key": "order-1029"}
    sign_up(contact_email=EMAIL, contact_channel="email", headers=again)
    settle_as(shop, claim_due(shop), in_5_minutes(shop), DOWN)
    gone = customer_id_of(sign_up(contact_email="gone@example.org"))
    deliver(shop)
    house = shop.house
    erasure.erase(
        house.database,
        gone,
        secret_key=house.settings.secret_key,
        journal_folder=house.settings.data_dir,
        now=shop.clock(),
    )
    sign_up(contact_email="c@example.org")
    claim_due(shop, 1)
    pause(shop, own)
    sign_up(contact_email="d@example.org")
    assert set(states(shop)) == {"pending", "leased", "delivered", "dead", "held"}


def _claim(shop: ShopUnderTest, answer: Any) -> list[Any]:
    assert answer.status_code == 201
    # Somebody else's event went through meanwhile: what is given up is dead.
    refused = claim_due(shop)
    shop.clock.advance(1)
    shop.sign_up(by_key=True, contact_email="b@example.org")
    deliver(shop)
    return refused


def contents(shop: Shop) -> Rows:
    """Every row of every table, in an order that does not depend on the database."""
    with shop.house.database.reading() as connection:
        return {
            table.name: sorted(
                (dict(row._mapping) for row in connection.execute(select(table))),
                key=lambda row, table=table: str(
                    [row[c.name] for c in table.primary_key]
                ),  # type: ignore[misc]
            )
            for table in metadata.sorted_tables
        }


def fill(shop: ShopUnderTest, count: int) -> None:
    now = shop.clock()
    with shop.house.database.transaction() as connection:
        connection.execute(
            suppression_table.insert(),
            [{"kind": "k", "hmac": f"{n:05}", "created_at": now} for n in range(count)],
        )
