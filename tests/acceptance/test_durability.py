"""An accepted signup is told to the shop's system, whatever is killed when."""

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPException

import pytest
from tests.acceptance.conftest import MakeShop
from tests.acceptance.receiver import OK, SILENT, Receiver
from tests.acceptance.running import Shop, eventually, is_running

pytestmark = pytest.mark.slow

SIGNUPS = 50
KILLS = 3


@pytest.fixture
def shop(new_shop: MakeShop) -> Shop:
    return new_shop()


def assert_same_event_anew(receiver: Receiver, secret: str) -> None:
    """The last two requests carry one event, byte by byte, each signed at its own time."""
    first, second = receiver.received[-2:]
    assert second.id == first.id == second.event["id"]
    assert second.body == first.body
    stamps = [int(it.headers["webhook-timestamp"]) for it in (first, second)]
    signatures = {it.headers["webhook-signature"] for it in (first, second)}
    assert stamps[0] < stamps[1]
    assert abs(stamps[1] - datetime.now(UTC).timestamp()) < 10
    assert len(signatures) == 2
    first.verified(secret)
    second.verified(secret)


def test_killed_between_commit_and_send_is_delivered_by_the_next_start(
    shop: Shop,
) -> None:
    """kill -9 of everything after the 201 and before any attempt: the event goes out after it."""
    service = shop.service.start("--no-dispatch")
    with Receiver() as receiver:
        endpoint_id, secret = shop.add_endpoint(receiver.url)
        answer = shop.sign_up(contact_email="ana.lima@example.com")
        service.kill()
        assert answer.status == 201
        row = service.deliveries(endpoint_id)[0]
        [kept] = service.rows("SELECT id, body_own FROM event")
        assert (row["state"], row["claims"]) == ("pending", 0)
        service.start()
        [received] = receiver.wait_for(1)
    assert (received.id, received.body) == (kept["id"], bytes(kept["body_own"]))
    told = received.verified(secret)
    assert told["data"]["customer"]["id"] == answer.json["customer"]["id"]


def test_killed_in_the_middle_of_an_attempt_is_sent_again_the_same(shop: Shop) -> None:
    """kill -9 of everything while the receiver thinks: once the lease is over it gets the same again."""
    service = shop.service.start()
    with Receiver(SILENT, OK) as receiver:
        endpoint_id, secret = shop.add_endpoint(receiver.url)
        assert shop.sign_up(contact_email="ana.lima@example.com").status == 201
        receiver.wait_for(1)
        service.kill()
        row = service.deliveries(endpoint_id)[0]
        assert (row["state"], row["attempts"]) == ("leased", 0)
        # The lease is still held: a start alone sends nothing.
        service.start()
        assert len(receiver.received) == 1
        assert 30_000 < row["next_at"] - time.time() * 1000 < 60_000
        assert service.let_leases_run_out() == 1
        receiver.wait_for(2)
        eventually(lambda: service.deliveries(endpoint_id)[0]["state"] == "delivered")
        assert_same_event_anew(receiver, secret)
    assert service.deliveries(endpoint_id)[0]["attempts"] == 1


def test_killed_dispatcher_is_followed_by_one_that_sends_the_same(shop: Shop) -> None:
    """kill -9 of the dispatcher in the middle of an attempt: its successor sends the same again."""
    service = shop.service.start()
    with Receiver(SILENT, OK) as receiver:
        endpoint_id, secret = shop.add_endpoint(receiver.url)
        assert shop.sign_up(contact_email="ana.lima@example.com").status == 201
        receiver.wait_for(1)
        dispatcher = service.dispatcher()
        os.kill(dispatcher, signal.SIGKILL)
        eventually(lambda: not is_running(dispatcher))
        assert service.let_leases_run_out() == 1
        receiver.wait_for(2)
        eventually(lambda: service.deliveries(endpoint_id)[0]["state"] == "delivered")
        assert_same_event_anew(receiver, secret)


def test_receiver_that_was_down_gets_it_when_both_are_back(shop: Shop) -> None:
    """Receiver down and everything killed after the failed attempt: delivered when both are up again."""
    service = shop.service.start()
    with Receiver() as receiver:
        port = receiver.server_address[1]
    endpoint_id, secret = shop.add_endpoint(receiver.url)
    assert shop.sign_up(contact_email="ana.lima@example.com").status == 201
    eventually(lambda: service.deliveries(endpoint_id)[0]["attempts"] == 1)
    service.kill()
    with Receiver(port=port) as receiver:
        service.start()
        [received] = receiver.wait_for(1)
        received.verified(secret)
        eventually(lambda: service.deliveries(endpoint_id)[0]["state"] == "delivered")


class Customers:
    """Sign up one after the other, undeterred by a shop that dies under them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.accepted: dict[str, str] = {}
        self.tries = 0

    def sign_up(self, number: int) -> None:
        """Try until there is an answer, under one idempotency key."""
        email = f"guest{number}@example.com"

        def answer() -> bool:
            self.tries += 1
            try:
                told = self._shop.sign_up(
                    contact_email=email, headers={"Idempotency-Key": email}
                )
            except (OSError, HTTPException):
                return False
            if told.status == 201:
                self.accepted[email] = told.json["customer"]["id"]
            # 409: the process that began to answer is dead, the key is still held.
            return told.status in {201, 409}

        eventually(answer, within_s=40, what=email)


def test_nothing_accepted_is_lost_when_everything_is_killed_at_random(
    shop: Shop,
) -> None:
    """50 signups, the whole group killed three times: lost = 0, doubled events are the same bytes."""
    service = shop.service.start()
    customers = Customers(shop)
    with Receiver() as receiver, ThreadPoolExecutor(4) as guests:
        receiver.hold_s = 0.05
        _, secret = shop.add_endpoint(receiver.url)
        everybody = [guests.submit(customers.sign_up, n) for n in range(SIGNUPS)]
        for kill in range(1, KILLS + 1):
            mark = kill * SIGNUPS // (KILLS + 1)
            eventually(lambda m=mark: len(customers.accepted) >= m, within_s=30)
            threading.Event().wait(random.uniform(0, 0.1))
            service.kill()
            service.let_leases_run_out()
            service.start()
        for guest in everybody:
            guest.result()
        service.kill()
        service.let_leases_run_out()
        service.start()
        all_settled = "SELECT count(*) AS n FROM delivery WHERE next_at IS NOT NULL"
        eventually(lambda: service.rows(all_settled)[0]["n"] == 0, within_s=30)

        bodies: dict[str, set[bytes]] = {}
        for received in receiver.received:
            bodies.setdefault(received.id, set()).add(received.body)
        told = [
            received.verified(secret)["data"]["customer"]["id"]
            for received in receiver.received
        ]
    assert len(customers.accepted) >= SIGNUPS - 4 * KILLS
    assert set(customers.accepted.values()) - set(told) == set()
    assert [event for event, seen in bodies.items() if len(seen) > 1] == []
    # Each guest is one customer with one event, however often the form was sent.
    assert len(set(customers.accepted.values())) == len(customers.accepted)
    assert len(bodies) == len(set(told)) == len(service.rows("SELECT id FROM customer"))
    # At most what was under way was sent twice.
    assert len(receiver.received) - len(bodies) <= 16 * (KILLS + 1)
