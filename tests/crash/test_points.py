"""kill -9 at named moments: what was accepted arrives, and what is doubled is the very same."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest
from sqlalchemy import select, text
from tests.acceptance.receiver import OK, SILENT, Received, Receiver
from tests.acceptance.running import Service, Shop, eventually
from tests.crash.conftest import LEASE_S, NewProcess, has_begun
from tests.crash.gate import Gate, Moment

from regulars.tell.deliveries import delivery_table
from regulars.tell.endpoints import Recipient, add_endpoint
from regulars.values.instants import now_utc

REGULARS = Path(sys.executable).with_name("regulars")
pytestmark = pytest.mark.slow


SignUp = Callable[[str], None]
GUEST = "guest@example.org"


def states(shop: Shop) -> list[str]:
    with shop.house.database.reading() as connection:
        return list(connection.execute(select(delivery_table.c.state)).scalars())


def assert_arrived(
    shop: Shop, receiver: Receiver, secret: str, *, at_most: int
) -> list[Received]:
    """Once everything is settled: each event arrived, the same each time, freshly signed."""
    eventually(lambda: set(states(shop)) == {"delivered"}, within_s=LEASE_S + 15)
    received = list(receiver.received)
    counts = Counter(it.id for it in received)
    assert max(counts.values()) <= at_most
    for event_id in counts:
        same = [it for it in received if it.id == event_id]
        assert len({it.body for it in same}) == 1
        for one in same:
            one.verified(secret)
    return received


# What the dispatcher says to the database at each moment, and how often the receiver
# may have heard the event in the end.
POINTS = {
    "before the claim's commit": (Moment(b"WITH due AS"), 1),
    "after the claim's commit": (Moment(b"WITH due AS", after=True), 1),
    "after the answer, before settling": (
        Moment(b"delivery.attempts, delivery.step", at_once=True),
        2,
    ),
    "before the settlement's commit": (Moment(b"INSERT INTO attempt"), 2),
    "after the settlement's commit": (Moment(b"INSERT INTO attempt", after=True), 1),
}


@pytest.mark.parametrize(("moment", "at_most"), POINTS.values(), ids=POINTS)
def test_dispatcher_killed(
    shop: Shop,
    sign_up: SignUp,
    new_process: NewProcess,
    postgres_url: str,
    moment: Moment,
    at_most: int,
) -> None:
    """Its successor sends what it did not, within the lease and two seconds of being up."""
    with Gate(postgres_url, moment) as gate, Receiver() as receiver:
        _, secret = shop.add_endpoint(receiver.url)
        sign_up(GUEST)
        first = new_process(gate.url).begin_dispatch()
        assert gate.has_come.wait(30)
        first.kill()
        killed = time.monotonic()
        second = new_process().begin_dispatch()
        has_begun(second)
        up = time.monotonic()
        eventually(lambda: receiver.received, within_s=LEASE_S + 15)
        received = assert_arrived(shop, receiver, secret, at_most=at_most)
        over = time.monotonic()
    assert len({it.id for it in received}) == 1
    assert over <= max(killed + LEASE_S, up) + 2 + 0.5


def test_killed_in_the_middle_of_a_heartbeat(
    shop: Shop, sign_up: SignUp, new_process: NewProcess, postgres_url: str
) -> None:
    """The lease ends as if it had never been renewed; the receiver had the event, and gets it again."""
    moment = Moment(b"UPDATE delivery SET next_at=", at_once=True)
    with Gate(postgres_url, moment) as gate, Receiver(SILENT, OK) as receiver:
        _, secret = shop.add_endpoint(receiver.url)
        sign_up(GUEST)
        first = new_process(gate.url).begin_dispatch()
        assert gate.has_come.wait(30)
        first.kill()
        new_process().begin_dispatch()
        receiver.wait_for(2, within_s=20)
        assert_arrived(shop, receiver, secret, at_most=2)


def test_killed_before_the_receiver_has_read_it(
    shop: Shop, sign_up: SignUp, new_process: NewProcess
) -> None:
    """Half of it may be on the way: the receiver hears the whole of it once."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        _, secret = shop.add_endpoint(f"http://127.0.0.1:{port}/hook")
        sign_up(GUEST)
        first = new_process().begin_dispatch()
        listener.settimeout(30)
        connection, _ = listener.accept()
        first.kill()
        connection.close()
    with Receiver(port=port) as receiver:
        new_process().begin_dispatch()
        receiver.wait_for(1, within_s=20)
        assert_arrived(shop, receiver, secret, at_most=1)


@pytest.mark.parametrize("is_stopping", [False, True], ids=["at work", "shutting down"])
def test_killed_while_the_receiver_thinks(
    shop: Shop, sign_up: SignUp, new_process: NewProcess, is_stopping: bool
) -> None:
    """In the middle of an attempt, or of waiting for it to end after a SIGTERM: it is sent again."""
    with Receiver(SILENT, OK) as receiver:
        _, secret = shop.add_endpoint(receiver.url)
        sign_up(GUEST)
        first = new_process().begin_dispatch()
        receiver.wait_for(1, within_s=30)
        if is_stopping:
            os.kill(first.pid, signal.SIGTERM)
        first.kill()
        new_process().begin_dispatch()
        receiver.wait_for(2, within_s=20)
        assert_arrived(shop, receiver, secret, at_most=2)


WEB_POINTS = {
    "before the signup's commit": Moment(b"INSERT INTO delivery"),
    "after the signup's commit": Moment(b"INSERT INTO delivery", after=True),
}


@pytest.mark.parametrize("moment", WEB_POINTS.values(), ids=WEB_POINTS)
def test_web_killed(
    shop: Shop, new_process: NewProcess, postgres_url: str, moment: Moment
) -> None:
    """The guest's page tries again under the same key: one customer, one event, told once."""
    with Gate(postgres_url, moment) as gate, Receiver() as receiver:
        _, secret = shop.add_endpoint(receiver.url)
        web = new_process(gate.url).start("--no-dispatch")
        asked = Shop(web, shop.house, shop.publishable_key, shop.key)
        key = {"Idempotency-Key": "one"}
        kill_when_held(gate, web, asked, key)
        shop.service.start()
        # 409: the key is still held for the process that is dead; the page takes another.
        again = shop.sign_up(contact_email="a@example.org", headers=key).status
        assert again in {201, 409}
        if again == 409:
            key = {"Idempotency-Key": "two"}
            assert (
                shop.sign_up(contact_email="a@example.org", headers=key).status == 201
            )
        received = receiver.wait_for(1, within_s=20)
        assert_arrived(shop, receiver, secret, at_most=1)
    assert len({it.id for it in received}) == 1
    with shop.house.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM customer")).scalar() == 1


def kill_when_held(
    gate: Gate, web: Service, asked: Shop, headers: dict[str, str]
) -> None:
    """One signup that never gets its answer."""

    def ask() -> None:
        with pytest.raises((OSError, HTTPException)):
            asked.sign_up(contact_email="a@example.org", headers=headers)

    guest = threading.Thread(target=ask)
    guest.start()
    assert gate.has_come.wait(30)
    web.kill()
    guest.join(10)
    assert not guest.is_alive()


def test_killed_in_the_middle_of_a_recovery(
    shop: Shop, sign_up: SignUp, new_process: NewProcess, postgres_url: str
) -> None:
    """Begun again, it finds what is left to do, and nothing is sent twice."""
    with Receiver() as receiver:
        for number in range(3):
            sign_up(f"guest{number}@example.org")
        with shop.house.database.transaction() as connection:
            endpoint_id, secret = add_endpoint(
                connection,
                shop.house.database.seal,
                url=receiver.url,
                recipient=Recipient.OWN,
                event_types=None,
                now=now_utc(),
            )
        with Gate(postgres_url, Moment(b"INSERT INTO delivery")) as gate:
            first = subprocess.Popen(
                [REGULARS, "delivery", "recover", "--endpoint", endpoint_id],
                env=new_process(gate.url).environment,
                stderr=subprocess.DEVNULL,
            )
            assert gate.has_come.wait(30)
            first.kill()
            first.wait(10)
        done = new_process().command_json("delivery", "recover")
        assert done["due"] + done["waiting"] == 3
        new_process().begin_dispatch()
        received = receiver.wait_for(3, within_s=20)
        assert_arrived(shop, receiver, secret, at_most=1)
    assert len({it.id for it in received}) == 3
