"""Two ``serve`` on one SQLite file: more than one shop needs, and still nothing is lost or doubled."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import Service, Shop, eventually

SIGNUPS = 60

pytestmark = pytest.mark.slow


@pytest.mark.timeout(120)
def test_both_take_signups_and_each_event_arrives_once(new_shop: MakeShop) -> None:
    """Sixty signups through two processes, delivered by two dispatchers: each exactly once."""
    shop: Shop = new_shop()
    with Receiver() as receiver, Service(shop.service.folder) as twin:
        shop.add_endpoint(receiver.url)
        twin.log_file = shop.service.folder / "twin.log"
        shop.service.start()
        twin.start()
        doors = (shop, replace(shop, service=twin))

        def sign_up(number: int) -> str:
            answer = doors[number % 2].sign_up(
                external_id=f"A-{number}", x_handle=f"user{number}"
            )
            assert answer.status == 201
            customer: str = answer.json["customer"]["id"]
            return customer

        with ThreadPoolExecutor(8) as pool:
            accepted = set(pool.map(sign_up, range(SIGNUPS)))
        assert len(accepted) == SIGNUPS
        arrived = eventually(
            lambda: (
                found if len(found := receiver.wait_for(SIGNUPS)) >= SIGNUPS else None
            ),
            within_s=60,
            what="all events at the receiver",
        )
        told = Counter(request.event["data"]["customer"]["id"] for request in arrived)
        assert set(told) == accepted
        assert set(told.values()) == {1}
