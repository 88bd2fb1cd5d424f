"""PostgreSQL goes away, comes back, or has no connection to spare: nothing is lost or stuck."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from tests.acceptance.receiver import Receiver
from tests.acceptance.running import eventually
from tests.fakes import FakeLookup
from tests.postgres.conftest import OpenAt
from tests.postgres.proxy import Line
from tests.shops import EMAIL, HANDLE, ORIGIN, ShopUnderTest

from regulars.app import WEB_THREADS, make_transport
from regulars.keep.contact_points import contact_point_table
from regulars.recheck import Recheck
from regulars.tell.deliveries import delivery_table
from regulars.tell.dispatcher import Dispatcher
from regulars.values.instants import now_utc
from regulars.worker import Worker


@pytest.fixture
def line(postgres_url: str) -> Iterator[Line]:
    with Line(postgres_url) as line:
        yield line


def assert_told_to_come_again(shop: ShopUnderTest) -> None:
    answer = shop.sign_up(contact_email=EMAIL)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.json["errors"][0]["code"] == "server.unavailable"
    assert int(answer.headers["Retry-After"]) > 0


def test_signups_while_the_database_is_away_and_after(
    line: Line, open_at: OpenAt
) -> None:
    """503 while it is away; the very next one after it is back is accepted, and nothing is doubled."""
    shop = open_at(line.url)
    assert shop.sign_up(contact_email="a@example.org").status_code == 201
    line.cut()
    assert_told_to_come_again(shop)
    assert shop.client.get("/healthz").status_code == 200
    assert shop.client.get("/readyz").status_code == 503
    line.mend()
    assert shop.sign_up(contact_email=EMAIL).status_code == 201
    assert len(shop.events()) == 2


def test_a_restart_between_two_requests_is_not_noticed(
    line: Line, open_at: OpenAt
) -> None:
    """Connections that died in the pool are replaced before a signup meets them."""
    shop = open_at(line.url)
    assert shop.sign_up(contact_email="a@example.org").status_code == 201
    line.cut()
    line.mend()
    assert shop.sign_up(contact_email=EMAIL).status_code == 201


def test_no_connection_to_spare_is_503(here: ShopUnderTest) -> None:
    """With every connection of the process in use a request waits its while and is told to come again."""
    engine = here.house.database.engine
    with ExitStack() as taken:
        for _ in range(2 * WEB_THREADS):
            taken.enter_context(engine.connect())
        assert_told_to_come_again(here)
    assert here.sign_up(contact_email=EMAIL).status_code == 201


@contextmanager
def at_work(shop: ShopUnderTest, *, rechecks: bool = False) -> Iterator[None]:
    """The loops of a dispatcher that sends one delivery at a time: one that is stuck stops all."""
    house = shop.house
    recheck = Recheck(
        house.database,
        house.gate,
        house.recorder,
        timeout_s=1.0,
        retry_s=0.1,
        x_profile="claimed",
    )
    transport = make_transport(house.settings)
    dispatcher = Dispatcher(house.database, transport, now_utc, threads=1)
    worker = Worker(dispatcher, recheck if rechecks else None, shop.clock)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield
    worker.stop()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def trouble(caplog: pytest.LogCaptureFixture) -> Callable[[], bool]:
    """Whether a round of the loops has failed by now."""
    return lambda: "round failed" in caplog.text


def test_what_was_sent_is_settled_when_the_database_is_back(
    line: Line, open_at: OpenAt, trouble: Callable[[], bool]
) -> None:
    """Cut during an attempt: sent once, written down once the line is mended, and the next goes out."""
    shop = open_at(line.url, ALLOW_PRIVATE_ENDPOINTS="1")
    with Receiver() as receiver:
        shop.add_endpoint(receiver.url)
        shop.sign_up(contact_email="a@example.org")
        receiver.hold_s = 0.3
        with at_work(shop):
            receiver.wait_for(1)
            line.cut()
            eventually(trouble, what="a round failed")
            receiver.hold_s = 0.0
            line.mend()
            eventually(lambda: states(shop) == ["delivered"])
            assert shop.sign_up(contact_email=EMAIL).status_code == 201
            received = receiver.wait_for(2)
            eventually(lambda: states(shop) == ["delivered", "delivered"])
    assert len({it.id for it in received}) == 2


def test_an_idle_dispatcher_goes_on_by_itself(
    line: Line, open_at: OpenAt, trouble: Callable[[], bool]
) -> None:
    """Cut while there is nothing to do: what is accepted afterwards is delivered."""
    shop = open_at(line.url, ALLOW_PRIVATE_ENDPOINTS="1")
    with Receiver() as receiver, at_work(shop):
        shop.add_endpoint(receiver.url)
        line.cut()
        eventually(trouble, what="a round failed")
        line.mend()
        assert shop.sign_up(contact_email=EMAIL).status_code == 201
        receiver.wait_for(1)
        eventually(lambda: states(shop) == ["delivered"])


def test_rechecks_go_on_by_themselves(
    line: Line, open_at: OpenAt, lookup: FakeLookup, trouble: Callable[[], bool]
) -> None:
    """Cut while a handle is pending: it gets its verdict after the line is mended."""
    lookup.unavailable(HANDLE)
    shop = open_at(line.url, lookup)
    told = shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert told.json["handle"]["verdict"] == "pending"
    line.cut()
    with at_work(shop, rechecks=True):
        eventually(trouble, what="a round failed")
        lookup.found(HANDLE, "2244994945")
        shop.clock.advance(60)
        line.mend()
        eventually(lambda: verdicts(shop) == ["found"])


def states(shop: ShopUnderTest) -> list[str]:
    with shop.house.database.reading() as connection:
        return sorted(connection.execute(select(delivery_table.c.state)).scalars())


def verdicts(shop: ShopUnderTest) -> list[str | None]:
    with shop.house.database.reading() as connection:
        return list(connection.execute(select(contact_point_table.c.verdict)).scalars())


LIMITS = {"idle_in_transaction_session_timeout": "30s", "lock_timeout": "10s"}


@pytest.mark.parametrize(("name", "value"), LIMITS.items())
def test_each_session_has_its_limits(
    here: ShopUnderTest, name: str, value: str
) -> None:
    """On every connection of the pool, and still there after a transaction that failed."""
    engine = here.house.database.engine
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            with pytest.raises(DBAPIError), connection.begin():
                connection.execute(text("SELECT 1 / 0"))
            assert connection.execute(text(f"SHOW {name}")).scalar_one() == value


def test_a_reader_changes_nothing(here: ShopUnderTest) -> None:
    """What is opened for reading is refused a change by the database itself."""
    with (
        pytest.raises(DBAPIError, match="read-only"),
        here.house.database.reading() as connection,
    ):
        connection.execute(delivery_table.delete())
    with here.house.database.transaction() as connection:
        connection.execute(delivery_table.delete())


def test_an_open_transaction_that_idles_is_ended(here: ShopUnderTest) -> None:
    """The server ends it, and whoever forgot it is told that the database went away."""
    with pytest.raises(DBAPIError) as caught:
        _idle_too_long(here)
    assert caught.value.connection_invalidated
    assert here.sign_up(contact_email=EMAIL).status_code == 201


def _idle_too_long(shop: ShopUnderTest) -> None:
    with shop.house.database.transaction() as connection:
        connection.execute(text("SET idle_in_transaction_session_timeout = 20"))
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        eventually(lambda: not _is_there(shop, pid), what="the session is ended")
        connection.execute(text("SELECT 1"))


def _is_there(shop: ShopUnderTest, pid: int) -> bool:
    with shop.house.database.reading() as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        return bool(connection.execute(query, {"pid": pid}).scalar_one())


def test_503_even_where_the_origin_is_to_be_looked_up(
    line: Line, open_at: OpenAt
) -> None:
    """A page's request gets its answer at once: nobody waits for the database twice."""
    shop = open_at(line.url)
    line.cut()
    answer = shop.client.post(
        "/v1/signups", json={"site": "pk_x"}, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 503


def test_a_server_that_is_not_there(line: Line, open_at: OpenAt) -> None:
    """The error's text is one line, and names no password."""
    shop = open_at(line.url)
    line.cut()
    with pytest.raises(OperationalError) as caught, shop.house.database.reading():
        pass
    assert "\n" not in str(caught.value.orig)
