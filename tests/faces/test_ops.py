"""What machines ask of the service: alive, ready, and of what form its events are."""

from typing import Any

import jsonschema
import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import claim_due, make_due
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars.check.lookup import Reason
from regulars.tell.deliveries import hold_endpoint
from regulars.tell.endpoints import EndpointState
from regulars_webhooks.events import EVENT_TYPES, schema

NOTHING_BILLED = {"share_of_caps": 0.0}


def ready(shop: ShopUnderTest) -> dict[str, Any]:
    answer = shop.client.get("/readyz")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    state: dict[str, Any] = answer.get_json()
    return state


def ask_x(shop: ShopUnderTest) -> Any:
    return shop.sign_up(x_handle=HANDLE, **shop.consent())


def test_health_asks_nothing(shop: ShopUnderTest) -> None:
    """A living process says so in one word."""
    answer = shop.client.get("/healthz")
    assert (answer.status_code, answer.data) == (200, b"ok\n")


def test_a_quiet_shop_is_ready(shop: ShopUnderTest) -> None:
    """Without work and trouble the queue is empty and X is fine."""
    assert ready(shop) == {
        "status": "ready",
        "queue": {"due": 0, "oldest_due_s": 0.0},
        "x": {"mode": "lookup", **NOTHING_BILLED, "trouble": None},
    }


def test_the_queue_is_counted(shop: ShopUnderTest) -> None:
    """What is due and not sent is counted, with the age of the oldest in seconds."""
    shop.add_endpoint()
    shop.add_endpoint("https://other.example/hook")
    shop.sign_up(contact_email=EMAIL)
    # Due times are of the database's own clock, which is not the test's: no age is told.
    assert ready(shop)["queue"]["due"] == 2


def test_what_is_held_is_not_due(shop: ShopUnderTest) -> None:
    """Deliveries of a paused endpoint wait without being late."""
    endpoint_id, _ = shop.add_endpoint()
    with shop.house.database.transaction() as connection:
        hold_endpoint(connection, endpoint_id, EndpointState.PAUSED, "holiday")
    shop.sign_up(contact_email=EMAIL)
    assert ready(shop)["queue"]["due"] == 0


def test_a_stalled_queue_is_not_ready(shop: ShopUnderTest) -> None:
    """Where nobody takes up what could go out for five minutes, whoever watches must hear of it."""
    shop.add_endpoint()
    shop.sign_up(contact_email=EMAIL)
    make_due(shop, "pending")
    answer = shop.client.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "stalled")
    assert len(claim_due(shop)) == 1
    assert shop.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("reason", "needs_operator"),
    [
        (Reason.UNAUTHORIZED, True),
        (Reason.PAYMENT_REQUIRED, True),
        (Reason.FORBIDDEN, True),
        (Reason.USAGE_CAPPED, True),
        (Reason.RATE_LIMITED, False),
        (Reason.SERVER_ERROR, False),
        (Reason.UNREACHABLE, False),
    ],
)
def test_trouble_with_x_is_shown(
    shop: ShopUnderTest, lookup: FakeLookup, reason: Reason, needs_operator: bool
) -> None:
    """The operator sees why X does not answer, since when, until when, and whether to act; we stay ready."""
    lookup.unavailable(HANDLE, reason)
    assert ask_x(shop).status_code == 201
    state = ready(shop)
    assert state["status"] == "ready"
    assert state["x"]["trouble"] == {
        "reason": reason.value,
        "needs_operator": needs_operator,
        "since": "2026-11-21T20:15:04.318Z",
        "retry_at": "2026-11-21T20:15:09.318Z",
    }


def test_one_slow_answer_is_shown_too(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """A first time-out is chance, and visible all the same."""
    lookup.unavailable(HANDLE, Reason.TIMEOUT)
    ask_x(shop)
    assert ready(shop)["x"]["trouble"]["reason"] == "timeout"


def test_trouble_that_is_over_is_gone(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """Once X answers again nothing of the trouble is left."""
    lookup.unavailable(HANDLE, Reason.TIMEOUT)
    ask_x(shop)
    lookup.found(HANDLE, "42")
    ask_x(shop)
    assert ready(shop)["x"]["trouble"] is None


@pytest.mark.parametrize("mode", ["format", "off"])
def test_the_mode_is_named(open_under_test: Any, mode: str) -> None:
    """Where X is not asked, that is what readiness says."""
    shop = open_under_test(X_MODE=mode)
    assert ready(shop)["x"] == {
        "mode": mode,
        **NOTHING_BILLED,
        "trouble": None,
    }


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_schemas_are_served(shop: ShopUnderTest, event_type: str) -> None:
    """Each event type has its JSON Schema 2020-12, the same as the package's."""
    answer = shop.client.get(f"/schemas/{event_type}.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/schema+json")
    served = answer.get_json()
    assert served == schema(event_type)
    assert served["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(served)


@pytest.mark.parametrize(
    "name", ["customer.deleted", "..", "customer.created%00", "", "é"]
)
def test_other_schemas_are_not(shop: ShopUnderTest, name: str) -> None:
    """A type that we do not send has no schema."""
    answer = shop.client.get(f"/schemas/{name}.json")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
