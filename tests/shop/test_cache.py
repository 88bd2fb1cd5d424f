"""What X said is used again while it is fresh, by every process, and forgotten in time."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from tests.fakes import Clock, FakeLookup
from tests.shop.by_hand import open_again, recheck, token_of
from tests.shops import ShopUnderTest

from regulars.check.cache import (
    Kept,
    Kind,
    cache_table,
    claim,
    drop_stale,
    empty_cache,
    forget_cached,
    read_fresh,
    release,
    store,
)
from regulars.check.lookup import Answer, Found, NotFound, Suspended, Unavailable
from regulars.values.handle import Handle

Open = Callable[..., ShopUnderTest]
A_WEEK_S = 7 * 86_400
LEASE_S = 30.0


def verdict(shop: ShopUnderTest, handle: str, **fields: str) -> str:
    """What a signup with *handle* is told."""
    answer = shop.sign_up(by_key=True, x_handle=handle, **fields, **shop.consent())
    assert answer.status_code == 201
    told: str = answer.json["handle"]["verdict"]
    return told


def kept(shop: ShopUnderTest) -> dict[tuple[str, str], str | None]:
    """Every row of the cache with its outcome."""
    with shop.house.database.reading() as connection:
        rows = connection.execute(select(cache_table)).all()
    return {(row.kind, row.key): row.outcome for row in rows}


def test_a_second_signup_with_the_handle_costs_nothing(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """However it is spelled; the record says when X was asked, which was earlier."""
    lookup.found("ana", "42")
    assert verdict(shop, "ana", external_id="A-1") == "found"
    asked_at = shop.last_customer()["contact_points"][0]["checked_at"]
    shop.clock.advance(86_400)
    assert verdict(shop, "@ANA", external_id="A-2") == "found"
    assert lookup.asked == [["ana"]]
    assert len(shop.events()) == 2
    assert shop.last_customer()["contact_points"][0]["checked_at"] == asked_at
    assert shop.events()[-1]["data"]["profile"]["fetched_at"] == asked_at


@pytest.mark.parametrize(
    ("said", "fresh_s"),
    [("found", A_WEEK_S), ("not_found", 3600), ("suspended", 3600)],
)
def test_an_answer_is_used_while_it_is_fresh(
    shop: ShopUnderTest, lookup: FakeLookup, said: str, fresh_s: int
) -> None:
    """Each kind of answer for its own time, and then X is asked again."""
    if said == "found":
        lookup.found("ana", "42")
    else:
        getattr(lookup, said)("ana")
    assert verdict(shop, "ana") == said
    shop.clock.advance(fresh_s - 1)
    assert verdict(shop, "ana") == said
    assert len(lookup.asked) == 1
    shop.clock.advance(1)
    verdict(shop, "ana")
    assert len(lookup.asked) == 2


def test_nothing_is_kept_where_the_settings_say_so(
    open_under_test: Open, lookup: FakeLookup
) -> None:
    """0 seconds: each signup asks, and no row stays."""
    shop = open_under_test(lookup, X_CACHE_FOUND_S="0", X_CACHE_NOT_FOUND_S="0")
    lookup.found("ana", "42")
    for handle in ("ana", "ana", "nobody", "nobody"):
        verdict(shop, handle)
    assert len(lookup.asked) == 4
    assert kept(shop) == {}


def test_trouble_is_not_kept(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """What X did not say is asked again, and leaves no claim."""
    lookup.unavailable("ana")
    assert verdict(shop, "ana") == "pending"
    assert kept(shop) == {}


def test_a_pending_handle_that_is_known_by_now_costs_nothing(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Two customers gave it while X was away: one look-up settles both."""
    lookup.unavailable("ana").unavailable("bea")
    for number, handle in enumerate(("ana", "ana", "bea")):
        verdict(shop, handle, external_id=f"A-{number}")
    lookup.found("ana", "42").found("bea", "43")
    shop.clock.advance(60)
    settled = [recheck(shop) for _ in range(3)]
    assert sum(settled) == 3
    assert sorted(key for keys in lookup.asked[1:] for key in keys) == ["ana", "bea"]


@pytest.mark.parametrize("setting", ["proven", "never"])
def test_without_leave_no_profile_is_kept(
    open_under_test: Open, lookup: FakeLookup, setting: str
) -> None:
    """The verdict is used again; nothing that X told of the person is in the row."""
    shop = open_under_test(lookup, X_PROFILE=setting)
    lookup.found("ana", "42")
    verdict(shop, "ana")
    with shop.house.database.reading() as connection:
        rows = connection.execute(select(cache_table.c.profile)).scalars().all()
    assert rows == [None, None]
    verdict(shop, "ana")
    assert len(lookup.asked) == 1


class Gated:
    """X that answers when it is let; counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.entered = threading.Event()
        self.release = threading.Event()

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        self.asked += [handle.key for handle in handles]
        self.entered.set()
        assert self.release.wait(20)
        return {handle.key: Found("42", handle.text, None) for handle in handles}


def test_two_processes_that_meet_a_new_handle_pay_once(open_under_test: Open) -> None:
    """The second waits for what the first is told."""
    x = Gated()
    first = open_under_test(x, X_TIMEOUT_S="20")
    second = open_again(first, x, X_TIMEOUT_S="20")
    told: list[str] = []
    threads = [
        threading.Thread(target=lambda it=it: told.append(verdict(it, "ana")))
        for it in (first, second)
    ]
    threads[0].start()
    assert x.entered.wait(20)
    threads[1].start()
    threads[1].join(0.2)
    x.release.set()
    for thread in threads:
        thread.join(20)
    second.house.database.engine.dispose()
    assert told == ["found", "found"]
    assert x.asked == ["ana"]


def test_a_claim_that_its_process_left_ends_by_itself(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Whoever died in the middle keeps nobody from asking for long."""
    with shop.house.database.transaction() as connection:
        assert claim(connection, Kind.HANDLE, ["ana"], "dead", -1.0) == {"ana"}
    lookup.found("ana", "42")
    assert verdict(shop, "ana") == "found"


def test_a_claim_is_one_processs_alone(shop: ShopUnderTest) -> None:
    """Until it is released or has run out; a release leaves other claims alone."""
    with shop.house.database.transaction() as connection:
        assert claim(connection, Kind.HANDLE, ["ana", "bea"], "one", LEASE_S) == {
            "ana",
            "bea",
        }
        assert claim(connection, Kind.HANDLE, ["bea", "cai"], "two", LEASE_S) == {"cai"}
        release(connection, "one", ["bea"])
        assert claim(connection, Kind.HANDLE, ["ana", "bea"], "two", LEASE_S) == {"bea"}
        # The same text as an id is another key.
        assert claim(connection, Kind.ID, ["ana"], "two", LEASE_S) == {"ana"}


def test_who_lost_the_claim_writes_nothing(shop: ShopUnderTest) -> None:
    """A call that took too long does not replace what the next one was told."""
    now = shop.clock()
    until = now + timedelta(hours=1)
    with shop.house.database.transaction() as connection:
        claim(connection, Kind.HANDLE, ["ana"], "slow", -1.0)
        assert claim(connection, Kind.HANDLE, ["ana"], "next", LEASE_S) == {"ana"}
        late = {"ana": Kept(Found("42", "Ana", None), until)}
        store(connection, Kind.HANDLE, "slow", late, now)
        assert read_fresh(connection, Kind.HANDLE, ["ana"], now) == {}
        store(connection, Kind.HANDLE, "next", {"ana": Kept(NotFound(), until)}, now)
    assert kept(shop) == {("handle", "ana"): "not_found"}


def put(shop: ShopUnderTest, **answers: Answer) -> None:
    """Keep *answers* for an hour, as asked now."""
    now = shop.clock()
    rows = {key: Kept(it, now + timedelta(hours=1)) for key, it in answers.items()}
    with shop.house.database.transaction() as connection:
        claim(connection, Kind.HANDLE, list(rows), "me", LEASE_S)
        store(connection, Kind.HANDLE, "me", rows, now)


def test_an_account_is_kept_by_handle_and_by_id(shop: ShopUnderTest) -> None:
    """Found by its handle it is known by its number as well."""
    put(shop, ana=Found("42", "Ana", None), bea=NotFound())
    with shop.house.database.reading() as connection:
        now = shop.clock()
        by_id = read_fresh(connection, Kind.ID, ["42", "43"], now)
        by_handle = read_fresh(connection, Kind.HANDLE, ["ana", "bea", "cai"], now)
    assert by_id == {"42": Found("42", "Ana", None)}
    assert by_handle == {"ana": Found("42", "Ana", None), "bea": NotFound()}


def test_an_account_that_is_no_more_takes_its_other_rows_along(
    shop: ShopUnderTest,
) -> None:
    """Suspended under its handle: what was known of it by id goes."""
    put(shop, ana=Found("42", "Ana", None))
    put(shop, ana=Suspended())
    assert kept(shop) == {("handle", "ana"): "suspended"}


@pytest.mark.parametrize("by", [{"handles": ["ANA"]}, {"user_ids": ["42"]}])
def test_forgetting_reaches_every_row_of_the_account(
    shop: ShopUnderTest, by: dict[str, list[str]]
) -> None:
    """By its handle or its number: the other handle that led to it goes too, others stay."""
    put(shop, ana=Found("42", "Ana", None), old_ana=Found("42", "Ana", None))
    put(shop, bea=Found("43", "Bea", None))
    with shop.house.database.transaction() as connection:
        assert forget_cached(connection, **by) == 3
    assert kept(shop) == {("handle", "bea"): "found", ("id", "43"): "found"}


def test_an_answer_on_its_way_is_not_kept_once_it_is_forgotten(
    shop: ShopUnderTest,
) -> None:
    """The person is erased between question and answer: nothing of it is written."""
    now = shop.clock()
    late = {"ana": Kept(Found("42", "Ana", None), now + timedelta(hours=1))}
    with shop.house.database.transaction() as connection:
        claim(connection, Kind.HANDLE, ["ana"], "me", LEASE_S)
        forget_cached(connection, handles=["ana"])
        store(connection, Kind.HANDLE, "me", late, now)
    assert kept(shop) == {}


def test_who_withdraws_is_forgotten(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """With the consent to ask for the handle what X said of it goes from the cache."""
    lookup.found("ana", "42")
    answer = shop.sign_up(x_handle="ana", **shop.consent())
    assert len(kept(shop)) == 2
    shop.client.post(f"/p/{token_of(answer)}")
    assert kept(shop) == {}


def test_stale_rows_are_deleted_in_parts(shop: ShopUnderTest) -> None:
    """What is fresh stays, and so does what somebody asks for just now."""
    put(shop, **{f"guest{n}": NotFound() for n in range(5)})
    shop.clock.advance(3600)
    put(shop, ana=NotFound())
    with shop.house.database.transaction() as connection:
        claim(connection, Kind.HANDLE, ["guest0", "new"], "me", LEASE_S)
        deleted = [drop_stale(connection, shop.clock(), 3) for _ in range(3)]
    assert deleted == [3, 1, 0]
    assert set(kept(shop)) == {
        ("handle", "ana"),
        ("handle", "guest0"),
        ("handle", "new"),
    }


def test_the_dispatcher_deletes_what_is_stale(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Without anybody's doing, a week after the last answer nothing is left."""
    lookup.found("ana", "42")
    verdict(shop, "ana")
    shop.clock.advance(A_WEEK_S)
    recheck(shop)
    assert kept(shop) == {}


def test_a_clock_that_was_ahead_keeps_nothing_alive(
    shop: ShopUnderTest, lookup: FakeLookup, clock: Clock
) -> None:
    """What was asked for in the future is not used, and a day of it is deleted."""
    clock.advance(400 * 86_400)
    lookup.found("ana", "42")
    verdict(shop, "ana")
    clock.advance(-400 * 86_400)
    verdict(shop, "ana")
    assert len(lookup.asked) == 2
    clock.advance(-2 * 86_400)
    recheck(shop)
    assert kept(shop) == {}


def test_emptying_leaves_nothing(shop: ShopUnderTest) -> None:
    """For a shop whose access to X has ended."""
    put(shop, ana=Found("42", "Ana", None), bea=NotFound())
    with shop.house.database.transaction() as connection:
        assert empty_cache(connection) == 3
    assert kept(shop) == {}


def test_a_late_answer_after_the_lease_is_still_an_answer(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Unavailable is told to whoever waits for a claim that ends without an answer."""
    with shop.house.database.transaction() as connection:
        claim(connection, Kind.HANDLE, ["ana"], "other", LEASE_S)
    answer = shop.house.gate.look_up([Handle("ana")], timeout_s=0.1, now=shop.clock())[
        "ana"
    ]
    assert isinstance(answer, Unavailable)
    assert lookup.asked == []
