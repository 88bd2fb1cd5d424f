"""X accounts in tests: who gives a handle, and a whole sweep of asking again."""

from typing import Any

from tests.shop.by_hand import customer_id_of
from tests.shops import HANDLE, ShopUnderTest

from regulars.app import make_refresh

MONTH_S = 30 * 86_400


def sign_up(shop: ShopUnderTest, handle: str = HANDLE, **more: Any) -> str:
    """The id of the customer who gave *handle* under the statement."""
    answer = shop.sign_up(
        by_key=True, x_handle=handle, contact_channel="x", **shop.consent(), **more
    )
    return customer_id_of(answer)


def sweep(shop: ShopUnderTest, *, everything: bool = False) -> dict[str, int]:
    """What a whole ``regulars x refresh`` comes to."""
    asking = make_refresh(shop.house)
    due, _ = asking.begin_sweep(shop.clock(), everything=everything)
    counts: dict[str, int] = {}
    while (step := asking.sweep(due, shop.clock())).asked and step.stopped is None:
        for change, count in step.changes.items():
            counts[change] = counts.get(change, 0) + count
    if step.stopped is None:
        asking.end_sweep()
    return counts


def account(shop: ShopUnderTest) -> dict[str, Any]:
    """The only X account in the newest event."""
    (point,) = shop.last_customer()["contact_points"]
    found: dict[str, Any] = point
    return found
