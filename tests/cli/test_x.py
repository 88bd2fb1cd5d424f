"""``regulars x``: refresh, purge and forget, against the stand-in for X over a socket."""

from collections.abc import Iterator

import pytest
from examples.fake_x import FakeX
from examples.fake_x_samples import BROKE, SUSPENDED
from tests.cli.conftest import Commands
from tests.fakes import Clock
from tests.shops import BEARER, ShopUnderTest, make_shop

from regulars.check.x_api import XLookup


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX(limit=300) as fake:
        yield fake


@pytest.fixture
def shop_on_x(cli: Commands, x: FakeX, clock: Clock) -> Iterator[ShopUnderTest]:
    """A shop that asks the stand-in, as the commands do; three handles were found."""
    cli.environment |= {
        "REGULARS_X_BEARER_TOKEN": BEARER,
        "REGULARS_X_API_URL": x.url,
        "REGULARS_X_REFRESH_DAYS": "0",
        "REGULARS_X_TIMEOUT_S": "10",
    }
    shop = make_shop(cli.folder, XLookup(BEARER, api_url=x.url), clock)
    for handle in ("Bento_Diner", "Caio1970", "old_olga"):
        answer = shop.sign_up(x_handle=handle, contact_channel="x", **shop.consent())
        assert answer.json["handle"]["verdict"] == "found"
    yield shop
    shop.validate_events()
    shop.house.database.engine.dispose()


def test_refresh(cli: Commands, shop_on_x: ShopUnderTest, x: FakeX) -> None:
    """One call for all that are due; what changed is counted, and each change is an event."""
    x.rename("Caio1970", "Caio_70")
    x.becomes("old_olga", SUSPENDED)
    calls, billed = len(x.calls), x.billed
    told = cli.json("x", "refresh")
    assert told == {
        "due": 3,
        "asked": 3,
        "unchanged": 1,
        "changed": 2,
        "renamed": 1,
        "lost": 1,
        "unanswered": 0,
        "stopped": None,
    }
    assert (len(x.calls) - calls, x.billed - billed) == (1, 2)
    labels = {
        event["data"]["customer"]["contact_points"][0]["normalized"]
        for event in shop_on_x.events()[3:]
    }
    assert labels == {"caio_70", "old_olga"}


def test_refresh_says_how_far_it_is(cli: Commands, shop_on_x: ShopUnderTest) -> None:
    """Progress is on standard error, the result alone on standard output."""
    result = cli.run("x", "refresh")
    assert result.exit_code == 0
    assert "asked for 3/3" in result.stderr
    assert result.stdout == (
        "Asked for 3 of 3 accounts: 0 changed, of these 0 renamed and 0 lost.\n"
    )


def test_refresh_asks_for_what_is_due_alone(
    cli: Commands, shop_on_x: ShopUnderTest, x: FakeX
) -> None:
    """By their age nobody is due; ``--all`` asks whatever the age."""
    cli.environment["REGULARS_X_REFRESH_DAYS"] = "100000"
    assert cli.json("x", "refresh")["asked"] == 0
    assert cli.json("x", "refresh", "--all")["asked"] == 3


def test_refresh_stops_where_x_does_not_answer(
    cli: Commands, shop_on_x: ShopUnderTest, x: FakeX
) -> None:
    """A finding with the reason and the advice; the same command goes on when it is mended."""
    number = x.answers["caio1970"]["id"]
    x.accounts[number] = BROKE
    result = cli.run("x", "refresh", "--json")
    assert result.exit_code == 1
    assert '"stopped": "payment_required"' in result.stdout
    assert "developer.x.com" in result.stderr
    assert "goes on" in result.stderr
    del x.accounts[number]
    assert cli.json("x", "refresh")["asked"] == 3


def test_refresh_needs_x(cli: Commands) -> None:
    """Where X is not asked there is nothing to refresh by."""
    assert "REGULARS_X_MODE" in cli.refused("x", "refresh", status=1)


def test_purge(cli: Commands, shop_on_x: ShopUnderTest) -> None:
    """What X said of everybody goes; a second purge finds nothing."""
    result = cli.run("x", "purge", "--json")
    assert (result.exit_code, result.stdout) == (0, '{"customers": 3}\n')
    assert "purged 3/3" in result.stderr
    assert {event["data"]["profile"] for event in shop_on_x.events()} == {None}
    assert cli.json("x", "purge") == {"customers": 0}


@pytest.mark.parametrize("said", ["Bento's Diner", "pbs.twimg.com"])
def test_purge_leaves_no_byte(
    cli: Commands, shop_on_x: ShopUnderTest, said: str
) -> None:
    """Database and log hold nothing of what X said."""
    shop_on_x.house.database.engine.dispose()
    cli.ok("x", "purge")
    for file in cli.folder.iterdir():
        assert said.encode() not in file.read_bytes(), file.name


def test_forget(cli: Commands, shop_on_x: ShopUnderTest) -> None:
    """One customer's handle is unchecked; the others' are as they were."""
    customer_id = shop_on_x.events()[0]["data"]["customer"]["id"]
    assert cli.json("x", "forget", customer_id) == {"id": customer_id, "changed": True}
    (point,) = cli.json("customer", "show", customer_id)["contact_points"]
    assert (point["value"], point["verdict"]) == ("Bento_Diner", "unchecked")
    assert point["platform_user_id"] is None
    assert cli.json("x", "forget", customer_id)["changed"] is False
    assert cli.json("x", "refresh")["asked"] == 2


def test_forget_nobody(cli: Commands) -> None:
    """An id that is none is a finding."""
    assert "customer list" in cli.refused("x", "forget", "cus_none", status=1)
