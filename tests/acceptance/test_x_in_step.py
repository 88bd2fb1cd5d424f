"""A running shop keeps its X accounts true: the stand-in renames one, the endpoint hears of it."""

import pytest
from examples.fake_x import FakeX
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import eventually
from tests.shops import BEARER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def test_a_rename_is_told_by_a_running_shop(new_shop: MakeShop) -> None:
    """``serve`` asks again in the background, by number, and ``customer.updated`` follows."""
    with FakeX(limit=300) as x, Receiver() as receiver:
        shop = new_shop(
            X_API_URL=x.url,
            X_BEARER_TOKEN=BEARER,
            X_TIMEOUT_S="10",
            X_REFRESH_DAYS="0",
        )
        shop.add_endpoint(receiver.url)
        shop.service.start()
        told = shop.sign_up(x_handle="Caio1970", contact_channel="x")
        assert told.json["handle"]["verdict"] == "found"
        x.rename("Caio1970", "Caio_70")
        updated = eventually(
            lambda: next(
                (
                    it.event["data"]
                    for it in list(receiver.received)
                    if it.event["type"] == "customer.updated"
                ),
                None,
            ),
            # Asked for before it was renamed, it is asked for again in a minute.
            within_s=100,
            what="the rename is told",
        )
    (point,) = updated["customer"]["contact_points"]
    assert (point["value"], point["normalized"]) == ("Caio1970", "caio_70")
    assert updated["profile"]["username"] == "Caio_70"
