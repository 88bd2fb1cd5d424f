"""``regulars customer``: find, show, export and erase."""

import json
from typing import Any

import pytest
from tests.cli.conftest import Commands
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest


@pytest.fixture
def ana(shop_at_hand: ShopUnderTest) -> dict[str, Any]:
    """Ana, known by every address, whose record was sent to an endpoint."""
    shop_at_hand.add_endpoint()
    shop_at_hand.sign_up(
        by_key=True,
        site=shop_at_hand.site.publishable_key,
        external_id="A-1029",
        order_id="1029",
        x_handle=HANDLE,
        contact_email=EMAIL,
        contact_phone=PHONE,
        contact_facebook="facebook.com/ana.lima.9",
        contact_channel=["x", "sms"],
        given_name="Ana",
        topic=["quiet_times"],
        interest=["Fluminense"],
        **shop_at_hand.consent(),
    )
    return shop_at_hand.last_customer()


def test_nobody(cli: Commands) -> None:
    """Without customers the list is an empty array."""
    assert cli.json("customer", "list") == []


def test_list(cli: Commands, ana: dict[str, Any], shop_at_hand: ShopUnderTest) -> None:
    """Customers are listed as events carry them, with the profile beside it."""
    shop_at_hand.sign_up(contact_email="b@example.com")
    listed = cli.json("customer", "list")
    assert len(listed) == 2
    assert {**ana, "profile": None} in listed
    assert ana["id"] in cli.ok("customer", "list")


@pytest.mark.parametrize(
    "text",
    [
        EMAIL,
        "Ana.Lima@EXAMPLE.com",
        PHONE,
        "+12124567890",
        HANDLE,
        "@analima",
        "https://x.com/AnaLima",
        "facebook.com/ana.lima.9",
        "A-1029",
        "the id",
    ],
)
def test_find(cli: Commands, ana: dict[str, Any], text: str) -> None:
    """An address in any spelling, an id of ours or of the shop's finds the customer."""
    found = cli.json("customer", "find", ana["id"] if text == "the id" else text)
    assert [row["id"] for row in found] == [ana["id"]]


@pytest.mark.parametrize("text", ["b@example.com", "@nobody", "cus_none", "", "%"])
def test_find_nobody(cli: Commands, ana: dict[str, Any], text: str) -> None:
    """Nobody is an empty array and a finding."""
    assert cli.json("customer", "find", text, status=1) == []


def test_find_all_who_share_an_address(
    cli: Commands, shop_at_hand: ShopUnderTest
) -> None:
    """Who shares an address is found with the others who have it."""
    shop_at_hand.sign_up(contact_phone=PHONE, contact_email=EMAIL)
    shop_at_hand.sign_up(contact_phone=PHONE, contact_email="b@example.com")
    assert len(cli.json("customer", "find", PHONE)) == 2
    assert len(cli.json("customer", "find", EMAIL)) == 1


def test_show(cli: Commands, ana: dict[str, Any]) -> None:
    """The record is shown as events carry it."""
    assert cli.json("customer", "show", ana["id"]) == {**ana, "profile": None}
    assert json.loads(cli.ok("customer", "show", ana["id"]))["id"] == ana["id"]


def test_export_is_complete(
    cli: Commands, ana: dict[str, Any], shop_at_hand: ShopUnderTest
) -> None:
    """Everything that was sent is in the export, with each consent's very words and who was told."""
    text = cli.ok("customer", "export", ana["id"])
    for sent in (
        HANDLE,
        EMAIL,
        "+12124567890",
        "ana.lima.9",
        "Ana",
        "A-1029",
        "1029",
        "quiet_times",
        "Fluminense",
        "https://shop.example/hook",
        shop_at_hand.site.id,
    ):
        assert sent in text
    data = json.loads(text)
    (told,) = data["told"]
    assert told["event_type"] == "customer.created"
    assert told["recipient"] == "own"
    words = {row["purpose"]: row["text"] for row in data["consent_history"]}
    wordings = shop_at_hand.house.wordings("en")
    assert words["x_link"] == wordings["x_link"].text
    assert words["service_news"] == wordings["contact_channel"].text
    (signup,) = data["signups"]
    assert (signup["handle"], signup["channels"]) == (HANDLE, ["x", "sms"])


def test_export_of_nobody(cli: Commands) -> None:
    """An id that is none is a finding, and nothing is printed."""
    cli.refused("customer", "export", "cus_none", status=1)
    cli.refused("customer", "show", "cus_none", status=1)
    cli.refused("customer", "erase", "cus_none", "--yes", status=1)


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "enter", "no answer"])
def test_erase_asks(cli: Commands, ana: dict[str, Any], answer: str) -> None:
    """Anything but a yes erases nobody."""
    result = cli.run("customer", "erase", ana["id"], "--json", answer=answer)
    assert (result.exit_code, result.stdout) == (1, "")
    assert ana["id"] in result.stderr
    assert len(cli.json("customer", "find", EMAIL)) == 1


def test_erase_with_a_yes(cli: Commands, ana: dict[str, Any]) -> None:
    """A typed yes erases; the question is on standard error, the result alone on output."""
    result = cli.run("customer", "erase", ana["id"], "--json", answer="y\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["id"] == ana["id"]


def test_erase(cli: Commands, ana: dict[str, Any]) -> None:
    """An erased customer is found by nothing, and only consents that name nobody are left."""
    done = cli.json("customer", "erase", ana["id"], "--yes")
    assert done["id"] == ana["id"]
    assert done["version"] == ana["version"] + 1
    assert cli.json("customer", "find", EMAIL, status=1) == []
    assert cli.json("customer", "list") == []
    cli.refused("customer", "erase", ana["id"], "--yes", status=1)
    # What is left is the proof that there was a yes, and to what.
    left = json.loads(cli.ok("customer", "export", ana["id"]))
    assert left["customer"]["status"] == "erased"
    assert left["customer"]["contact_points"] == []
    assert left["customer"]["given_name"] is None
    assert len(left["consent_history"]) == 5


def test_erase_leaves_no_byte(
    cli: Commands, ana: dict[str, Any], shop_at_hand: ShopUnderTest
) -> None:
    """Database, log and journal hold nothing of who was erased."""
    shop_at_hand.house.database.engine.dispose()
    assert cli.json("customer", "erase", ana["id"], "--yes")["scrubbed"] is True
    for file in cli.folder.iterdir():
        kept = file.read_bytes().lower()
        for sent in (HANDLE, EMAIL, "2124567890", "ana.lima.9", "Fluminense", "A-1029"):
            assert sent.lower().encode() not in kept, file.name
