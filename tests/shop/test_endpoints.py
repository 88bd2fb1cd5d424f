"""Endpoints that are paused, gone or tried by hand: what waits is held, never dropped."""

from collections.abc import Callable

import pytest
from tests.shop.by_hand import (
    TAKEN,
    claim_due,
    deliver,
    deliver_all,
    in_5_minutes,
    make_due,
    only_delivery,
    pause,
    resume,
    retry,
    rows,
    settle_as,
    sign_up,
    states,
)
from tests.shops import ShopUnderTest

from regulars.tell.changing import rotate_secret
from regulars.tell.deliveries import attempt_table
from regulars.tell.endpoints import (
    Endpoint,
    EndpointState,
    find_endpoint,
)
from regulars.tell.outbox import claim_event
from regulars.tell.publishing import publish_test
from regulars_webhooks.retry import (
    Decision,
    Delivered,
    DeliveryResult,
    Disable,
    GiveUp,
)


def find(shop: ShopUnderTest, endpoint_id: str) -> Endpoint:
    with shop.house.database.reading() as connection:
        found = find_endpoint(connection, endpoint_id, shop.clock())
    assert found is not None
    return found


def test_paused(shop: ShopUnderTest, endpoint: str) -> None:
    """What waits and what comes is held; resumed, all of it goes out with its ids and bytes."""
    sign_up(shop)
    events = shop.events()
    pause(shop, endpoint)
    sign_up(shop)
    assert states(shop) == ["held", "held"]
    assert claim_due(shop) == []
    assert resume(shop, endpoint) == 2
    sent = deliver_all(shop)
    assert {item.event_id for item in sent} == {e["id"] for e in shop.events()}
    assert shop.events()[:1] == events


@pytest.mark.parametrize(
    "decision", [in_5_minutes, lambda _: GiveUp()], ids=["retry", "over"]
)
def test_paused_while_under_way(
    shop: ShopUnderTest, endpoint: str, decision: Callable[[ShopUnderTest], Decision]
) -> None:
    """An attempt that fails then is held; nothing is tried again before the resume."""
    sign_up(shop)
    claimed = claim_due(shop)
    pause(shop, endpoint)
    settle_as(shop, claimed, decision(shop))
    assert states(shop) == ["held"]


def test_paused_while_under_way_and_taken(shop: ShopUnderTest, endpoint: str) -> None:
    """What arrived has arrived."""
    sign_up(shop)
    claimed = claim_due(shop)
    pause(shop, endpoint)
    settle_as(shop, claimed, Delivered(), TAKEN)
    assert states(shop) == ["delivered"]


def test_paused_while_leased_by_a_worker_that_died(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """The lease runs out: the next claim holds it instead of sending it."""
    sign_up(shop)
    claim_due(shop)
    pause(shop, endpoint)
    make_due(shop)
    assert claim_due(shop) == []
    assert (only_delivery(shop).state, only_delivery(shop).next_at) == ("held", None)
    assert resume(shop, endpoint) == 1


def test_410_disables_the_endpoint(shop: ShopUnderTest, endpoint: str) -> None:
    """That delivery and all that wait are held, and the reason stands for the operator."""
    sign_up(shop, 2)
    (first,) = claim_due(shop, 1)
    gone = DeliveryResult(410, None, "410 Gone", None, 5, b"")
    settle_as(shop, [first], Disable(), gone)
    assert states(shop) == ["held", "held"]
    known = find(shop, endpoint)
    assert known.state is EndpointState.DISABLED
    assert "410" in str(known.reason)
    sign_up(shop)
    assert states(shop) == ["held"] * 3
    assert resume(shop, endpoint) == 3
    assert len(deliver_all(shop)) == 3


def test_a_resume_starts_the_schedule_anew(shop: ShopUnderTest, endpoint: str) -> None:
    """The attempts stay on record, the steps begin again."""
    sign_up(shop)
    settle_as(shop, claim_due(shop), GiveUp())
    resume(shop, endpoint)
    assert (only_delivery(shop).attempts, only_delivery(shop).step) == (1, 0)
    (again,) = claim_due(shop)
    settle_as(shop, [again], Delivered(), TAKEN)
    assert [a.number for a in rows(shop, attempt_table)] == [1, 2]


FINISHED = {
    "delivered": (Delivered(), True),
    "held": (GiveUp(), True),
}


@pytest.mark.parametrize(("decision", "may"), FINISHED.values(), ids=FINISHED)
def test_retry_by_hand(
    shop: ShopUnderTest, endpoint: str, decision: Decision, may: bool
) -> None:
    """Whatever became of it, it goes out again with the same id and bytes."""
    sign_up(shop)
    first = claim_due(shop)
    settle_as(shop, first, decision)
    assert retry(shop, first[0].id) is may
    (again,) = claim_due(shop)
    assert (again.event_id, again.body) == (first[0].event_id, first[0].body)


def test_no_retry_of_what_is_under_way(shop: ShopUnderTest, endpoint: str) -> None:
    """Nor of what does not exist: the lease of another worker stays whole."""
    sign_up(shop)
    delivery_id = only_delivery(shop).id
    (claimed,) = claim_due(shop)
    assert not retry(shop, delivery_id)
    assert not retry(shop, "dlv_unknown")
    assert settle_as(shop, [claimed], Delivered(), TAKEN) == []


def test_a_retry_of_what_waits_lets_it_go_out_now(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Its schedule begins anew, and nothing is sent twice."""
    sign_up(shop)
    settle_as(shop, claim_due(shop), in_5_minutes(shop))
    assert claim_due(shop) == []
    assert retry(shop, only_delivery(shop).id)
    (again,) = claim_due(shop)
    assert (again.step, claim_due(shop)) == (0, [])


def test_a_retry_for_a_paused_endpoint_is_held(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """It waits for the resume like all the others."""
    sign_up(shop)
    deliver(shop)
    pause(shop, endpoint)
    assert retry(shop, only_delivery(shop).id)
    assert claim_due(shop) == []
    assert states(shop) == ["held"]


@pytest.mark.parametrize("is_paused", [False, True], ids=["active", "paused"])
@pytest.mark.parametrize(
    ("decision", "state"), [(Delivered(), "delivered"), (GiveUp(), "dead")]
)
def test_a_test_ping_is_sent_once(
    shop: ShopUnderTest, endpoint: str, is_paused: bool, decision: Decision, state: str
) -> None:
    """By whoever asks, paused or not, to this endpoint alone, and never retried."""
    shop.add_endpoint("https://other.example/hook")
    if is_paused:
        pause(shop, endpoint)
    known = find(shop, endpoint)
    with shop.house.database.transaction() as connection:
        event_id = publish_test(connection, known, shop.clock())
        claimed = claim_event(connection, event_id, known)
    assert claim_due(shop) == []
    settle_as(shop, [claimed], decision)
    assert states(shop) == [state]
    assert [event["type"] for event in shop.events()] == ["test.ping"]


def test_an_unknown_endpoint_is_neither_paused_nor_resumed(
    shop: ShopUnderTest, endpoint: str
) -> None:
    """Nothing else is touched by a wrong id."""
    sign_up(shop)
    assert resume(shop, "ep_unknown") is None
    with shop.house.database.transaction() as connection:
        seal = shop.house.database.seal
        assert rotate_secret(connection, seal, "ep_unknown", shop.clock()) is None
    assert states(shop) == ["pending"]
