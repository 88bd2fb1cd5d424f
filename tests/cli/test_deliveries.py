"""``regulars delivery``: what was sent, what waits, what failed."""

from typing import Any

import pytest
from tests.cli.conftest import Commands
from tests.shops import EMAIL, HANDLE, ShopUnderTest

COLUMNS = [
    "id",
    "event_id",
    "event_type",
    "endpoint_id",
    "state",
    "attempts",
    "next_at",
    "last_error",
]


@pytest.fixture
def waiting(cli: Commands, shop_at_hand: ShopUnderTest) -> dict[str, Any]:
    """One delivery that waits."""
    shop_at_hand.add_endpoint()
    shop_at_hand.sign_up(contact_email=EMAIL, x_handle=HANDLE)
    (row,) = cli.json("delivery", "list")
    return dict(row)


def test_a_list_is_always_an_array(cli: Commands) -> None:
    """Nothing sent is an empty array, with and without a state."""
    assert cli.json("delivery", "list") == []
    assert cli.json("delivery", "list", "--state", "dead") == []


def test_list(
    waiting: dict[str, Any], shop_at_hand: ShopUnderTest, cli: Commands
) -> None:
    """A delivery is told by ids, state, attempts, when it is next and what went wrong last."""
    (event,) = shop_at_hand.events()
    assert list(waiting) == COLUMNS
    assert waiting["id"].startswith("dlv_")
    assert waiting["event_id"] == event["id"]
    assert waiting["event_type"] == "customer.created"
    assert (waiting["state"], waiting["attempts"]) == ("pending", 0)
    assert waiting["next_at"].endswith("Z")
    assert waiting["last_error"] is None
    assert HANDLE not in cli.ok("delivery", "list")


@pytest.mark.parametrize(("state", "count"), [("pending", 1), ("held", 0), ("dead", 0)])
def test_list_of_one_state(
    waiting: dict[str, Any], cli: Commands, state: str, count: int
) -> None:
    """A state narrows the list."""
    assert len(cli.json("delivery", "list", "--state", state)) == count


def test_a_state_that_is_none(cli: Commands) -> None:
    """Another word is a mistake in the call that names the states."""
    assert "pending" in cli.refused("delivery", "list", "--state", "lost", status=2)


def test_show(waiting: dict[str, Any], cli: Commands) -> None:
    """One delivery is shown with the log of its attempts."""
    assert cli.json("delivery", "show", waiting["id"]) == {**waiting, "log": []}
    assert f"id: {waiting['id']}" in cli.ok("delivery", "show", waiting["id"])


def test_show_what_is_none(cli: Commands) -> None:
    """An id that is none is a finding."""
    assert "delivery list" in cli.refused("delivery", "show", "dlv_none", status=1)


def test_retry_what_is_held(waiting: dict[str, Any], cli: Commands) -> None:
    """A held delivery is due again when the operator says so, and one that waits is due now."""
    cli.ok("delivery", "retry", waiting["id"])
    cli.ok("endpoint", "pause", waiting["endpoint_id"])
    (held,) = cli.json("delivery", "list", "--state", "held")
    assert held["next_at"] is None
    assert waiting["id"] in cli.ok("delivery", "retry", waiting["id"])
    (again,) = cli.json("delivery", "list", "--state", "pending")
    assert again["id"] == waiting["id"]


def test_recover(
    waiting: dict[str, Any], shop_at_hand: ShopUnderTest, cli: Commands
) -> None:
    """What an endpoint missed by being younger goes out; the rest is on its way already."""
    young, _ = shop_at_hand.add_endpoint("https://young.example/hook")
    nothing = {"due": 0, "held": 0, "waiting": 0, "emptied": 0}
    assert cli.json("delivery", "recover", "--until", "2020-01-01") == nothing
    done = cli.json("delivery", "recover", "--endpoint", young)
    assert done == {**nothing, "due": 1}
    assert cli.json("delivery", "recover") == {**nothing, "waiting": 2}
    assert "2 were on their way" in cli.ok("delivery", "recover")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--since", "yesterday"], 2), (["--endpoint", "ep_none"], 1)],
)
def test_recover_what_is_none(cli: Commands, arguments: list[str], status: int) -> None:
    """A time that is none is a mistake in the call, an endpoint that is none a finding."""
    cli.refused("delivery", "recover", *arguments, status=status)


def test_retry_what_is_none(cli: Commands) -> None:
    """An id that is none is a finding."""
    cli.refused("delivery", "retry", "dlv_none", status=1)
