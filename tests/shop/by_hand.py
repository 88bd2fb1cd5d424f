"""What tests do by hand: what no page or command does yet, and single turns of a worker."""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Table, func, select
from tests.shops import BEARER, EMAIL, ShopUnderTest

from regulars.app import open_shop
from regulars.check.lookup import HandleLookup, NoLookup
from regulars.keep.contact_points import contact_point_table
from regulars.recheck import Recheck
from regulars.settings import load_settings
from regulars.tell.deliveries import (
    delivery_table,
    hold_endpoint,
    resume_endpoint,
)
from regulars.tell.endpoints import EndpointState, set_limits
from regulars.tell.outbox import Claimed, claim
from regulars.tell.pace import Limits
from regulars.tell.recovery import Retried, retry_delivery
from regulars.tell.settling import Outcome, settle
from regulars_webhooks.retry import Decision, Delivered, DeliveryResult, RetryAt

TAKEN = DeliveryResult(204, None, "204", None, 12, b"")
DOWN = DeliveryResult(500, None, "500 Internal Server Error", None, 12, b"oops")


def rows(shop: ShopUnderTest, table: Table) -> list[Row[tuple[Any, ...]]]:
    """Every row of *table*, in the database's own order."""
    with shop.house.database.reading() as connection:
        return list(connection.execute(select(table)))


def count(shop: ShopUnderTest, *tables: Table) -> int:
    """How many rows *tables* have together."""
    with shop.house.database.reading() as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        )


def change(shop: ShopUnderTest, table: Table, *where: Any, **values: Any) -> int:
    """How many rows of *table* now have *values*."""
    with shop.house.database.transaction() as connection:
        statement = table.update().where(*where).values(**values)
        return connection.execute(statement).rowcount


def prove(shop: ShopUnderTest, normalized: str) -> None:
    """Make the address *normalized* a proven one of whoever holds it."""
    column = contact_point_table.c.normalized
    assert change(shop, contact_point_table, column == normalized, ownership="proven")


def record(shop: ShopUnderTest, customer_id: str) -> dict[str, Any]:
    """``{"customer", "profile"}`` as of now, without an event."""
    with shop.house.database.reading() as connection:
        found = shop.house.recorder.record(connection, customer_id)
    assert found is not None
    return found


def open_again(
    shop: ShopUnderTest, lookup: HandleLookup | None = None, **changed: str
) -> ShopUnderTest:
    """A second process on the database of *shop*, with *changed* settings."""
    given = {
        "DATA_DIR": str(shop.house.settings.data_dir),
        "DATABASE_URL": shop.house.settings.database_url,
        "SECRET_KEY": shop.house.settings.secret_key,
        "SHOP_NAME": "Tony's",
        "PRIVACY_URL": "https://tonys.example/privacy",
        "BASE_URL": "https://connect.tonys.example",
        "X_MODE": "lookup",
        "X_BEARER_TOKEN": BEARER,
        **changed,
    }
    settings = load_settings({f"REGULARS_{k}": v for k, v in given.items()})
    opened = open_shop(settings, lookup=lookup or NoLookup(), clock=shop.clock)
    return ShopUnderTest(opened, shop.clock, shop.site, shop.key)


def customer_id_of(answer: Any) -> str:
    """The customer that a signup under the secret key went to."""
    assert answer.status_code == 201, answer.text
    found: str = answer.json["customer"]["id"]
    return found


def token_of(answer: Any) -> str:
    """The token of the preferences link in a signup's answer."""
    url: str = answer.json["preferences_url"]
    return url.rpartition("/")[2]


def recheck(shop: ShopUnderTest) -> int:
    """One turn of the worker's second loop: how many handles got their verdict."""
    house = shop.house
    turn = Recheck(
        house.database,
        house.gate,
        house.recorder,
        timeout_s=house.settings.x_timeout_s,
        retry_s=house.settings.x_retry_s,
        x_profile=house.settings.x_profile,
    )
    return turn.run_due(shop.clock())


def sign_up(shop: ShopUnderTest, times: int = 1) -> None:
    """The same person signs up by e-mail, *times* times: more often than a page may send."""
    for _ in range(times):
        assert shop.sign_up(by_key=True, contact_email=EMAIL).status_code == 201


def claim_due(shop: ShopUnderTest, limit: int = 100) -> list[Claimed]:
    """What a dispatcher would now take up."""
    with shop.house.database.transaction() as connection:
        return claim(connection, limit, shop.clock())


def settle_as(
    shop: ShopUnderTest,
    claimed: list[Claimed],
    decision: Decision,
    result: DeliveryResult = DOWN,
) -> list[str]:
    """The ids of those whose lease was lost; the others end by *decision*."""
    now = shop.clock()
    outcomes = [Outcome(item, now, result, decision) for item in claimed]
    with shop.house.database.transaction() as connection:
        return list(settle(connection, outcomes, now).lost)


def deliver(shop: ShopUnderTest, head: bytes = b"") -> list[Claimed]:
    """Everything due goes out and is taken; the receiver answers *head*."""
    claimed = claim_due(shop)
    took = DeliveryResult(200, None, "200", None, 12, head)
    assert settle_as(shop, claimed, Delivered(), took) == []
    return claimed


def deliver_all(shop: ShopUnderTest) -> list[Claimed]:
    """As ``deliver``, until nothing is due: an endpoint that was away is sent one at first."""
    sent: list[Claimed] = []
    while some := deliver(shop):
        sent += some
    return sent


def limit(
    shop: ShopUnderTest,
    endpoint_id: str,
    max_inflight: int = 8,
    rate_per_s: float | None = None,
    *,
    ordered: bool = False,
) -> None:
    """As the operator limits an endpoint."""
    limits = Limits(max_inflight, rate_per_s)
    with shop.house.database.transaction() as connection:
        assert set_limits(connection, endpoint_id, limits, ordered=ordered)


def make_due(shop: ShopUnderTest, state: str = "leased") -> None:
    """Let the time of every delivery in *state* be over, by the database's clock."""
    long_ago = datetime.fromisoformat("2020-01-01T00:00:00Z")
    columns = delivery_table.c
    change(shop, delivery_table, columns.state == state, next_at=long_ago)


def in_5_minutes(shop: ShopUnderTest) -> RetryAt:
    """The decision to try again in five minutes."""
    return RetryAt(shop.clock() + timedelta(minutes=5))


def body_of(claimed: Claimed) -> dict[str, Any]:
    """The event that would be sent."""
    body: dict[str, Any] = json.loads(claimed.body)
    return body


def only_delivery(shop: ShopUnderTest) -> Row[tuple[Any, ...]]:
    """The one delivery there is."""
    (row,) = rows(shop, delivery_table)
    return row


def states(shop: ShopUnderTest) -> list[str]:
    """The state of each delivery, in the order they were made."""
    # PostgreSQL has no order of its own once rows have changed.
    return [row.state for row in sorted(rows(shop, delivery_table), key=_by_id)]


def _by_id(row: Row[tuple[Any, ...]]) -> str:
    found: str = row.id
    return found


def pause(shop: ShopUnderTest, endpoint_id: str) -> None:
    """As ``regulars endpoint pause`` does."""
    with shop.house.database.transaction() as connection:
        assert hold_endpoint(connection, endpoint_id, EndpointState.PAUSED, None)


def resume(shop: ShopUnderTest, endpoint_id: str) -> int | None:
    """As ``regulars endpoint resume`` does: how many deliveries go out again."""
    with shop.house.database.transaction() as connection:
        return resume_endpoint(connection, endpoint_id)


def retry(shop: ShopUnderTest, delivery_id: str) -> bool:
    """As ``regulars delivery retry`` does: whether it goes out again."""
    with shop.house.database.transaction() as connection:
        return retry_delivery(connection, delivery_id) is Retried.DUE
