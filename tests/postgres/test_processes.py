"""Several web processes and dispatchers on one PostgreSQL: one queue, one truth."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import Service, Shop, eventually

from regulars.tell.deliveries import delivery_table
from regulars.tell.events import event_table

pytestmark = pytest.mark.slow

SIGNUPS = 300
AT_ONCE = 8


def test_two_webs_and_two_dispatchers_deliver_each_event_once(
    shops: list[Shop], new_process: Callable[[], Service]
) -> None:
    """300 signups at two webs: every event arrives, and none is sent twice, whoever sends it."""
    dispatchers = [new_process().begin_dispatch() for _ in range(2)]
    for shop in shops:
        shop.service.start("--no-dispatch")
    for dispatcher in dispatchers:
        eventually(lambda it=dispatcher: "dispatcher started" in it.log(), within_s=20)  # type: ignore[misc]
    with Receiver() as receiver:
        shops[0].add_endpoint(receiver.url)
        receiver.hold_s = 0.05

        def sign_up(number: int) -> int:
            shop = shops[number % len(shops)]
            return shop.sign_up(contact_email=f"guest{number}@example.org").status

        with ThreadPoolExecutor(AT_ONCE) as guests:
            assert set(guests.map(sign_up, range(SIGNUPS))) == {201}
        receiver.wait_for(SIGNUPS, within_s=30)
        eventually(lambda: states(shops[0]) == {"delivered": SIGNUPS}, within_s=20)
        # Idle by now: what comes next wakes them even so.
        assert shops[1].sign_up(contact_email="late@example.org").status == 201
        received = receiver.wait_for(SIGNUPS + 1, within_s=5)
        eventually(lambda: states(shops[0]) == {"delivered": SIGNUPS + 1})
    with shops[0].house.database.reading() as connection:
        made = set(connection.execute(select(event_table.c.id)).scalars())
        columns = delivery_table.c
        counts = connection.execute(select(columns.claims, columns.attempts)).all()
    assert Counter(it.id for it in received) == dict.fromkeys(made, 1)
    assert set(map(tuple, counts)) == {(1, 1)}
    logs = [dispatcher.log() for dispatcher in dispatchers]
    # One endpoint has room for eight at once: either dispatcher alone may fill it.
    assert sum(log.count("delivery attempted") for log in logs) == SIGNUPS + 1
    assert not any("round failed" in log for log in logs)


def states(shop: Shop) -> dict[str, int]:
    with shop.house.database.reading() as connection:
        return Counter(connection.execute(select(delivery_table.c.state)).scalars())


SAME = [
    {"external_id": "A-1029", "contact_email": "guest1@example.org"},
    {"contact_email": "guest2@example.org"},
    {"contact_phone": "(212) 555-0173", "contact_email": "guest3@example.org"},
]


def test_first_signups_of_one_person_at_once_make_one_customer(
    shops: list[Shop],
) -> None:
    """Eight at once at two webs, of somebody known to nobody yet: one customer, versions 1 to 8."""
    for shop in shops:
        shop.service.begin("--no-dispatch")
    for shop in shops:
        shop.service.wait_until_it_answers()
    for fields in SAME:
        told = at_once(shops, fields)
        assert len({customer for customer, _ in told}) == 1, fields
        versions = sorted(version for _, version in told)
        assert versions == list(range(1, AT_ONCE + 1))


def at_once(shops: list[Shop], fields: dict[str, str]) -> list[tuple[str, int]]:
    """Customer and version of signups with *fields* that are sent in the same moment."""
    together = Barrier(AT_ONCE)

    def sign_up(number: int) -> tuple[str, int]:
        together.wait()
        told = shops[number % len(shops)].sign_up(**fields)
        assert told.status == 201, told.body
        return told.json["customer"]["id"], told.json["customer"]["version"]

    with ThreadPoolExecutor(AT_ONCE) as guests:
        return list(guests.map(sign_up, range(AT_ONCE)))
