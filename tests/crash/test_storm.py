"""Everything is killed and every line is cut at random: each accepted signup is told."""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from sqlalchemy import select, text
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import Service, Shop, eventually
from tests.conftest import need
from tests.crash.conftest import LEASE_S, NewProcess, has_begun, shop_of
from tests.crash.server import Server
from tests.postgres.proxy import Line
from tests.postgresql import SECRET_KEY

from regulars.tell.events import event_table
from regulars.tell.pace import DEFAULT_MAX_INFLIGHT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# Of each kind; more where somebody has the time.
TIMES = int(os.environ.get("REGULARS_STORM_TIMES", "2"))
GUESTS = 4


class Guests:
    """Sign up one after the other, each until there is an answer, whatever happens to the shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.accepted: set[str] = set()
        self.over = threading.Event()

    def come(self, guest: int) -> None:
        """New guests, until it is over."""
        number = 0
        while not self.over.is_set():
            number += 1
            self._sign_up(f"guest{guest}.{number}@example.org")
            self.over.wait(0.05)

    def _sign_up(self, email: str) -> None:
        while not self.over.is_set():
            with suppress(OSError, HTTPException):
                told = self._shop.sign_up(
                    contact_email=email, headers={"Idempotency-Key": email}
                )
                if told.status == 201:
                    self.accepted.add(told.json["customer"]["id"])
                # 409: the process that began to answer is dead, the key is still held.
                if told.status in {201, 409}:
                    return
            self.over.wait(0.1)


def reconcile(shop: Shop, guests: Guests, receiver: Receiver, secret: str) -> int:
    """How many were sent more than once, after everything is settled; nothing is lost."""
    waiting = text("SELECT count(*) FROM delivery WHERE state <> 'delivered'")

    def is_settled() -> bool:
        with shop.house.database.reading() as connection:
            return connection.execute(waiting).scalar_one() == 0

    eventually(is_settled, within_s=60, what="all is settled")
    with shop.house.database.reading() as connection:
        made = set(connection.execute(select(event_table.c.id)).scalars())
    received = list(receiver.received)
    bodies: dict[str, set[bytes]] = {}
    told = set()
    for one in received:
        bodies.setdefault(one.id, set()).add(one.body)
        told.add(one.verified(secret)["data"]["customer"]["id"])
    assert guests.accepted
    assert guests.accepted - told == set()
    assert made - set(bodies) == set()
    assert [event for event, seen in bodies.items() if len(seen) > 1] == []
    counts = Counter(one.id for one in received)
    return sum(count - 1 for count in counts.values())


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A PostgreSQL that may be killed."""
    need(Server.is_there(), "PostgreSQL's own programs")
    with Server() as server:
        yield server


def test_whatever_is_killed(own_server: Server, tmp_path: Path) -> None:
    """Web, dispatchers and PostgreSQL itself by kill -9, in turn and at random moments."""
    with ExitStack() as stack:

        def process(name: str) -> Service:
            return stack.enter_context(
                Service(
                    tmp_path / name,
                    DATABASE_URL=own_server.url,
                    SECRET_KEY=SECRET_KEY,
                    DELIVERY_LEASE_S=str(LEASE_S),
                )
            )

        web = process("web")
        assert web.command("db", "upgrade").returncode == 0
        dispatchers = [process(f"dispatcher{n}").begin_dispatch() for n in range(2)]
        shop = stack.enter_context(contextmanager(shop_of)(web))
        web.start("--no-dispatch")
        for dispatcher in dispatchers:
            has_begun(dispatcher)
        receiver = stack.enter_context(Receiver())
        receiver.hold_s = 0.02
        _, secret = shop.add_endpoint(receiver.url)
        guests = Guests(shop)
        kills = storm(
            guests,
            [
                lambda: again(web, lambda: web.begin("--no-dispatch")),
                lambda: again(dispatchers[0], dispatchers[0].begin_dispatch),
                lambda: again(dispatchers[1], dispatchers[1].begin_dispatch),
                lambda: restart(own_server),
            ],
        )
        doubled = reconcile(shop, guests, receiver, secret)
        assert doubled <= DEFAULT_MAX_INFLIGHT * kills


def again(service: Service, start: Callable[[], object]) -> None:
    service.kill()
    start()


def restart(server: Server) -> None:
    server.kill()
    server.start()


def storm(guests: Guests, blows: list[Callable[[], None]]) -> int:
    """How many blows fell, each kind in turn, while guests came and went."""
    fallen = 0
    with ThreadPoolExecutor(GUESTS) as crowd:
        coming = [crowd.submit(guests.come, number) for number in range(GUESTS)]
        try:
            for blow in blows * TIMES:
                # Somebody has signed up since the last one: there is something to lose.
                known = len(guests.accepted)
                eventually(
                    lambda known=known: len(guests.accepted) > known,  # type: ignore[misc]
                    within_s=60,
                )
                guests.over.wait(random.uniform(0.0, 0.5))
                blow()
                fallen += 1
        finally:
            guests.over.set()
        for one in coming:
            one.result()
    return fallen


def test_whatever_line_is_cut_or_stalled(
    shop: Shop, new_process: NewProcess, postgres_url: str
) -> None:
    """Between a dispatcher and the database, and between dispatchers and the receiver."""
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        receiver.hold_s = 0.02
        to_database = stack.enter_context(Line(postgres_url))
        to_receiver = stack.enter_context(Line(receiver.url))
        _, secret = shop.add_endpoint(to_receiver.url)
        shop.service.start("--no-dispatch")
        for url in (to_database.url, postgres_url):
            has_begun(new_process(url).begin_dispatch())
        guests = Guests(shop)
        blows = storm(
            guests,
            [
                lambda: cut(to_database),
                lambda: cut(to_receiver),
                lambda: stall(to_database, LEASE_S + 1),
                lambda: stall(to_receiver, 1.0),
            ],
        )
        with shop.house.database.transaction() as connection:
            # What failed at a line that was cut waits for its next step: now.
            connection.execute(
                text("UPDATE endpoint SET closed_until = NULL, slots = NULL")
            )
            connection.execute(
                text("UPDATE delivery SET next_at = 0 WHERE state = 'pending'")
            )
        doubled = reconcile(shop, guests, receiver, secret)
    assert doubled <= DEFAULT_MAX_INFLIGHT * blows


def cut(line: Line) -> None:
    line.cut()
    threading.Event().wait(0.5)
    line.mend()


def stall(line: Line, seconds: float) -> None:
    line.stall()
    threading.Event().wait(seconds)
    line.flow()
