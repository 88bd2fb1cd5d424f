"""Claims and settlements of dispatchers that share a PostgreSQL."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select, text
from tests.acceptance.running import eventually
from tests.fakes import FakeLookup
from tests.postgres.conftest import OpenAt
from tests.shop.by_hand import TAKEN, limit, open_again, recheck
from tests.shops import HANDLE, ShopUnderTest

from regulars.check.lookup import Answer
from regulars.tell.deliveries import delivery_table, enqueue
from regulars.tell.endpoints import list_endpoints
from regulars.tell.events import add_event
from regulars.tell.outbox import Claimed, claim
from regulars.tell.settling import Outcome, settle
from regulars.values.handle import Handle
from regulars_webhooks.retry import Delivered

FINISHED = 20_000


def sign_up(shop: ShopUnderTest, count: int) -> None:
    for number in range(count):
        answer = shop.sign_up(contact_email=f"guest{number}@example.org")
        assert answer.status_code == 201


@contextmanager
def claiming(shop: ShopUnderTest, limit: int) -> Iterator[list[Claimed]]:
    """What is claimed in a transaction that is open until the end of the block."""
    with shop.house.database.transaction() as connection:
        yield claim(connection, limit, shop.clock())


def claim_now(shop: ShopUnderTest, limit: int) -> list[Claimed]:
    with claiming(shop, limit) as claimed:
        return claimed


def settle_now(shop: ShopUnderTest, claimed: list[Claimed]) -> list[str]:
    outcomes = [Outcome(it, shop.clock(), TAKEN, Delivered()) for it in claimed]
    with shop.house.database.transaction() as connection:
        return list(settle(connection, outcomes, shop.clock()).lost)


def let_leases_run_out(shop: ShopUnderTest) -> None:
    with shop.house.database.transaction() as connection:
        connection.execute(
            text("UPDATE delivery SET next_at = 0 WHERE state = 'leased'")
        )


def is_somebody_waiting(shop: ShopUnderTest) -> bool:
    """Whether a session of this database waits for another's lock."""
    with shop.house.database.reading() as connection:
        return bool(
            connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE"
                    " datname = current_database() AND wait_event_type = 'Lock'"
                )
            ).scalar_one()
        )


def test_claims_at_once_are_of_different_endpoints(here: ShopUnderTest) -> None:
    """While one dispatcher's claim is not committed yet, another goes past its endpoints without waiting."""
    first, _ = here.add_endpoint()
    sign_up(here, 2)
    with claiming(here, 4) as mine:
        second, _ = here.add_endpoint("https://other.example/hook")
        sign_up(here, 2)
        with claiming(here, 4) as theirs:
            assert claim_now(here, 4) == []
    assert [it.endpoint.id for it in mine] == [first] * 2
    assert [it.endpoint.id for it in theirs] == [second] * 2
    assert [it.endpoint.id for it in claim_now(here, 4)] == [first] * 2


def test_a_claim_keeps_no_signup_waiting(here: ShopUnderTest) -> None:
    """Nor does a signup that is not committed yet keep an endpoint from being claimed for."""
    here.add_endpoint()
    sign_up(here, 1)
    with claiming(here, 1) as claimed:
        assert len(claimed) == 1
        sign_up(here, 2)
    with here.house.database.transaction() as connection:
        now = here.clock()
        event_id = add_event(
            connection, "test.ping", {}, customer_id=None, version=0, now=now
        )
        enqueue(connection, event_id, list_endpoints(connection, now), now)
        assert len(claim_now(here, 2)) == 2


def test_no_number_of_dispatchers_exceeds_a_limit(here: ShopUnderTest) -> None:
    """Eight that claim in a race have together no more under way than the endpoint takes."""
    endpoint_id, _ = here.add_endpoint()
    limit(here, endpoint_id, max_inflight=5)
    sign_up(here, 20)
    taken: list[Claimed] = []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait(10)
        for _ in range(5):
            taken.extend(claim_now(here, 3))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(taken), len({it.id for it in taken})) == (5, 5)


def test_threads_that_claim_at_once_share_out_the_rows(here: ShopUnderTest) -> None:
    """Four in a race until nothing is due: each row is claimed once."""
    endpoint_id, _ = here.add_endpoint()
    limit(here, endpoint_id, max_inflight=40)
    sign_up(here, 40)
    taken: list[str] = []

    def take() -> None:
        # Nothing, where another is at this endpoint in that moment.
        while len(taken) < 40:
            taken.extend(delivery.id for delivery in claim_now(here, 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(taken), len(set(taken))) == (40, 40)


def test_a_stale_lease_changes_no_row(here: ShopUnderTest) -> None:
    """Who lost the lease to a claim that is just being made waits for it and then changes nothing."""
    here.add_endpoint()
    sign_up(here, 1)
    stale = claim_now(here, 1)
    let_leases_run_out(here)
    lost: list[str] = []
    late = threading.Thread(target=lambda: lost.extend(settle_now(here, stale)))
    with claiming(here, 1) as fresh:
        late.start()
        eventually(lambda: is_somebody_waiting(here), what="the stale one waits")
    late.join(10)
    assert lost == [stale[0].id]
    with here.house.database.reading() as connection:
        row = connection.execute(select(delivery_table)).one()
    assert (row.state, row.attempts, row.claims) == ("leased", 0, 2)
    assert row.lease_token == fresh[0].lease_token
    assert settle_now(here, fresh) == []


def test_settlements_in_any_order_do_not_lock_each_other_out(
    here: ShopUnderTest,
) -> None:
    """Two dispatchers that settle for the same endpoints in opposite orders both get through."""
    other = open_again(here)
    for number in range(4):
        here.add_endpoint(f"https://shop{number}.example/hook")
    sign_up(here, 30)
    failures: list[BaseException] = []
    together = threading.Barrier(2)

    def work(shop: ShopUnderTest, *, backwards: bool) -> None:
        try:
            for _ in range(6):
                claimed = claim_now(shop, 8)
                claimed.sort(key=lambda it: it.endpoint.id, reverse=backwards)
                together.wait(20)
                settle_now(shop, claimed)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)
            together.abort()

    threads = [
        threading.Thread(target=work, args=(shop,), kwargs={"backwards": backwards})
        for shop, backwards in ((here, False), (other, True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    other.house.database.engine.dispose()
    assert failures == []


class MeanwhileAnother(FakeLookup):
    """An X that, while it is being asked, is asked by another dispatcher too."""

    other: ShopUnderTest | None = None

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        answers = super().look_up(handles, timeout_s=timeout_s, now=now)
        if self.other is not None:
            other, self.other = self.other, None
            assert recheck(other) == 0
        return answers


def test_two_dispatchers_ask_for_a_handle_once(
    postgres_url: str, open_at: OpenAt
) -> None:
    """X bills each answer: what one asks for, another leaves alone meanwhile."""
    lookup = MeanwhileAnother()
    lookup.unavailable(HANDLE)
    shop = open_at(postgres_url, lookup)
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    lookup.found(HANDLE, "2244994945")
    lookup.asked.clear()
    shop.clock.advance(60)
    lookup.other = open_again(shop, lookup)
    other = lookup.other
    assert recheck(shop) == 1
    other.house.database.engine.dispose()
    assert lookup.asked == [[HANDLE.lower()]]


@pytest.fixture
def claim_statements(here: ShopUnderTest) -> list[tuple[str, dict[str, Any]]]:
    """The claim as it is sent to the database, with its parameters, on a long history."""
    here.add_endpoint()
    sign_up(here, 20)
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "LIMIT" in statement:
            seen.append((statement, parameters))

    engine = here.house.database.engine
    event.listen(engine, "before_cursor_execute", note)
    claim_now(here, 10)
    event.remove(engine, "before_cursor_execute", note)
    with here.house.database.transaction() as connection:
        connection.execute(_HISTORY)
        connection.execute(text("ANALYZE"))
    return seen


_HISTORY = text(
    f"""
    WITH made AS (
      INSERT INTO event (id, type, version, body_own, body_third_party, created_at)
      SELECT 'evt_' || n, 'test.ping', 0, '', '', 0 FROM generate_series(1, {FINISHED}) n
      RETURNING id)
    INSERT INTO delivery (id, event_id, endpoint_id, state, claims, attempts, step, created_at)
    SELECT 'dlv_' || made.id, made.id, endpoint.id, 'delivered', 1, 1, 1, 0
    FROM made, endpoint
    """
)


def bound(connection: Any, statement: str, parameters: dict[str, Any]) -> list[str]:
    """The plan for these very parameters."""
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return list(rows.scalars())


def generic(connection: Any, statement: str, parameters: dict[str, Any]) -> list[str]:
    """The plan for any parameters, which PostgreSQL comes to use for a prepared statement."""
    names = list(parameters)
    prepared = statement
    for number, name in enumerate(names, start=1):
        # The driver's form of a parameter, its type after it.
        prepared = prepared.replace(f"%({name})s", f"${number}")
    prepared = prepared.replace("%%", "%")
    values = ", ".join(f"'{value}'" for value in parameters.values())
    raw = connection.connection.cursor()
    raw.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    raw.execute(f"PREPARE a_claim AS {prepared}")
    raw.execute(f"EXPLAIN EXECUTE a_claim({values})")
    plan = [row[0] for row in raw.fetchall()]
    raw.execute("DEALLOCATE a_claim")
    return plan


def test_the_claim_uses_the_partial_index(
    here: ShopUnderTest, claim_statements: list[tuple[str, dict[str, Any]]]
) -> None:
    """With 20,000 finished deliveries no plan reads more than what is due, in the index's order."""
    with here.house.database.engine.begin() as connection:
        plans = [
            "\n".join(plan_of(connection, *one))
            for one in claim_statements
            for plan_of in (bound, generic)
        ]
    # Who has something due, twice; the oldest of it and the newest of it.
    assert len(plans) == 8
    for plan in plans:
        assert "Seq Scan on delivery" not in plan, plan
        assert "ix_delivery_due on delivery" in plan, plan
    for plan in plans[-4:]:
        assert "(next_at <=" in plan, plan
        assert not re.search("Sort Key:.*next_at", plan), plan
