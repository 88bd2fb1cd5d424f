"""A full disk: said clearly, nothing half-written, and work goes on when there is room."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from tests.shops import EMAIL, HANDLE, ShopUnderTest

pytestmark = pytest.mark.sqlite_only("PostgreSQL's disk is PostgreSQL's to watch")


@contextmanager
def no_room(shop: ShopUnderTest) -> Iterator[None]:
    """SQLite may not make the file larger than it is, as on a disk that is full."""
    engine = shop.house.database.engine

    def limit(connection: Any, record: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    engine.dispose()
    event.listen(engine, "connect", limit)
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


def fill(shop: ShopUnderTest) -> int:
    """How many signups fit until the first that does not."""
    for number in range(200):
        answer = shop.sign_up(
            by_key=True,
            x_handle=HANDLE,
            external_id=f"A-{number}",
            contact_email=f"{number}{EMAIL}",
            interest=["x" * 60] * 20,
            consent_x_link=shop.wording("x_link"),
            contact_wording=shop.wording("contact_channel"),
        )
        if answer.status_code != 201:
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
            assert answer.json["errors"][0]["code"] == "server.unavailable"
            assert "nothing was lost" in answer.json["detail"]
            return number
    raise AssertionError("the disk never got full")


def test_a_full_disk_refuses_and_recovers(shop: ShopUnderTest) -> None:
    """503 with a code, no row of the refused signup, and the same signup is taken later."""
    shop.add_endpoint()
    shop.consent()
    with no_room(shop):
        accepted = fill(shop)
        rows = shop.rows()
        assert rows["customer"] == rows["event"] == rows["signup"] == accepted
        assert rows["delivery"] == accepted
        assert shop.client.get("/healthz").status_code == 200
    answer = shop.sign_up(by_key=True, external_id=f"A-{accepted}", contact_email=EMAIL)
    assert answer.status_code == 201
    assert shop.rows()["customer"] == accepted + 1


def test_a_key_used_on_a_full_disk_can_be_used_again(shop: ShopUnderTest) -> None:
    """An Idempotency-Key whose request found no room is not taken by it."""
    shop.consent()
    headers = {"Idempotency-Key": "order-1"}
    fields = {"contact_email": EMAIL, "external_id": "B-1"}
    with no_room(shop):
        fill(shop)
        refused = shop.sign_up(by_key=True, headers=headers, **fields)
        assert refused.status_code == 503
    assert shop.sign_up(by_key=True, headers=headers, **fields).status_code == 201
