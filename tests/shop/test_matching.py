"""Who is the same customer: three rules, in their order, and nothing else joins."""

from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import count, customer_id_of, prove
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars import erasure
from regulars.keep.contact_points import contact_point_table
from regulars.keep.customers import customer_table

OTHER_EMAIL, OTHER_PHONE = "ana@work.example.com", "(646) 456-7891"


def send(shop: ShopUnderTest, **fields: Any) -> str:
    """The customer that these fields went to; each signup comes a second later."""
    shop.clock.advance(1)
    return customer_id_of(shop.sign_up(by_key=True, **fields))


def duplicates(shop: ShopUnderTest) -> list[str]:
    found: list[str] = shop.last_customer()["possible_duplicates"]
    return found


def test_the_shops_own_id_joins(shop: ShopUnderTest) -> None:
    """(a) The same external id is the same customer, whatever addresses come with it."""
    first = send(shop, external_id="A-1", contact_email=EMAIL)
    assert send(shop, external_id="A-1", contact_phone=PHONE) == first
    assert send(shop, external_id="A-1", contact_email=OTHER_EMAIL) == first


def test_a_proven_address_joins(shop: ShopUnderTest) -> None:
    """(b) One proven address is enough, though the other one is new."""
    first = send(shop, contact_email=EMAIL)
    prove(shop, EMAIL)
    assert send(shop, contact_email=EMAIL, contact_phone=PHONE) == first


def test_a_claimed_address_beside_a_new_one_does_not_join(shop: ShopUnderTest) -> None:
    """Part of the addresses being held makes a new customer, and says who it might be."""
    first = send(shop, contact_email=EMAIL)
    assert send(shop, contact_email=EMAIL, contact_phone=PHONE) != first
    assert duplicates(shop) == [first]
    assert count(shop, customer_table) == 2


@pytest.mark.parametrize(
    "sent",
    [
        {"contact_email": EMAIL},
        {"contact_phone": PHONE},
        {"contact_email": EMAIL, "contact_phone": PHONE},
    ],
    ids=["email", "phone", "both"],
)
def test_every_address_sent_being_held_joins(
    shop: ShopUnderTest, sent: dict[str, str]
) -> None:
    """(c) It is what was sent that must be held, not all that is held that must be sent."""
    first = send(shop, contact_email=EMAIL, contact_phone=PHONE, x_handle=HANDLE)
    assert send(shop, **sent) == first
    assert duplicates(shop) == []


def test_addresses_of_two_customers_do_not_join(shop: ShopUnderTest) -> None:
    """(c) wants one and the same customer; two make a third, and both are named."""
    first = send(shop, contact_email=EMAIL)
    second = send(shop, contact_phone=PHONE)
    third = send(shop, contact_email=EMAIL, contact_phone=PHONE)
    assert third not in {first, second}
    assert duplicates(shop) == [first, second]


def test_the_oldest_of_several_holders(shop: ShopUnderTest) -> None:
    """(c) When several hold every address, the oldest active one is joined."""
    first = send(shop, external_id="A-1", contact_email=EMAIL)
    second = send(shop, external_id="A-2", contact_email=EMAIL)
    assert second != first
    assert send(shop, contact_email=EMAIL) == first
    erasure.erase(
        shop.house.database,
        first,
        secret_key=shop.house.settings.secret_key,
        journal_folder=shop.house.journal_folder,
        now=shop.clock(),
    )
    assert send(shop, contact_email=EMAIL) == second


def test_the_shops_id_comes_before_a_proven_address(shop: ShopUnderTest) -> None:
    """(a) before (b)."""
    by_id = send(shop, external_id="A-1", contact_phone=PHONE)
    by_proof = send(shop, contact_email=EMAIL)
    prove(shop, EMAIL)
    assert by_proof != by_id
    assert send(shop, external_id="A-1", contact_email=EMAIL) == by_id


def test_a_proven_address_comes_before_an_older_claim(shop: ShopUnderTest) -> None:
    """(b) before (c): the older customer only claims the address."""
    older = send(shop, external_id="A-1", contact_email=EMAIL)
    younger = send(shop, external_id="A-2", contact_email=EMAIL)
    columns = contact_point_table.c
    with shop.house.database.transaction() as connection:
        connection.execute(
            contact_point_table.update()
            .where(columns.customer_id == younger)
            .values(ownership="proven")
        )
    assert older != younger
    assert send(shop, contact_email=EMAIL) == younger


@pytest.mark.parametrize("is_proven", [False, True], ids=["claimed", "proven"])
def test_a_different_external_id_never_joins(
    shop: ShopUnderTest, is_proven: bool
) -> None:
    """Not by a held address, and not by a proven one."""
    first = send(shop, external_id="A-1", contact_email=EMAIL)
    if is_proven:
        prove(shop, EMAIL)
    assert send(shop, external_id="A-2", contact_email=EMAIL) != first
    assert shop.last_customer()["external_id"] == "A-2"
    assert duplicates(shop) == [first]


@pytest.mark.parametrize("is_proven", [False, True], ids=["claimed", "proven"])
def test_an_external_id_is_attached_where_there_is_none(
    shop: ShopUnderTest, is_proven: bool
) -> None:
    """A customer who came without one gets the shop's id by the address."""
    first = send(shop, contact_email=EMAIL)
    if is_proven:
        prove(shop, EMAIL)
    assert send(shop, external_id="A-1", contact_email=EMAIL) == first
    assert shop.last_customer()["external_id"] == "A-1"
    assert "/customer/external_id" in shop.events()[-1]["data"]["changed"]


def test_a_signup_without_external_id_joins_one_that_has_it(
    shop: ShopUnderTest,
) -> None:
    """No external id is no different external id."""
    first = send(shop, external_id="A-1", contact_email=EMAIL)
    assert send(shop, contact_email=EMAIL) == first
    assert shop.last_customer()["external_id"] == "A-1"


SPELLINGS = {
    "phone": ({"contact_phone": PHONE}, {"contact_phone": "+1 212 456 7890"}),
    "email": (
        {"contact_email": EMAIL},
        {"contact_email": "ana.lima@EXAMPLE.com"},
    ),
    "handle": ({"x_handle": HANDLE}, {"x_handle": "https://x.com/analima?s=20"}),
    "facebook": (
        {"contact_facebook": "ana.lima.9"},
        {"contact_facebook": "https://www.facebook.com/ana.lima.9"},
    ),
}


@pytest.mark.parametrize(("held", "sent"), SPELLINGS.values(), ids=SPELLINGS)
def test_two_spellings_of_one_address(
    shop: ShopUnderTest, held: dict[str, str], sent: dict[str, str]
) -> None:
    """Addresses are compared in their normalized form."""
    first = send(shop, **held)
    assert send(shop, **sent) == first
    assert count(shop, contact_point_table) == 1


def test_kinds_are_not_mixed(shop: ShopUnderTest) -> None:
    """The same text as a handle and as a Facebook name is two addresses."""
    first = send(shop, x_handle="analima")
    assert send(shop, contact_facebook="analima") != first
    assert duplicates(shop) == []


# After that X is asked again for a handle that it knew.
A_WEEK_S = 7 * 86_400

# held handle and id, sent handle and id, the same account?
ACCOUNTS = {
    "same id": (("ana", "42"), ("ana", "42"), True),
    "renamed": (("ana", "42"), ("bea", "42"), True),
    "recycled": (("ana", "42"), ("ana", "7"), False),
    "two people": (("ana", "42"), ("bea", "7"), False),
    "held id unknown": (("ana", None), ("ana", "42"), True),
    "sent id unknown": (("ana", "42"), ("ana", None), True),
    "both unknown": (("ana", None), ("ana", None), True),
    "held unknown, other handle": (("ana", None), ("bea", "42"), False),
    "sent unknown, other handle": (("ana", "42"), ("bea", None), False),
    "both unknown, other handle": (("ana", None), ("bea", None), False),
}


@pytest.mark.parametrize(("held", "sent", "is_same"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_when_two_x_accounts_are_the_same(
    shop: ShopUnderTest,
    lookup: FakeLookup,
    held: tuple[str, str | None],
    sent: tuple[str, str | None],
    is_same: bool,
) -> None:
    """Both ids known: they decide. One unknown: the handles do."""

    def send_account(handle: str, user_id: str | None) -> str:
        if user_id is None:
            return send(shop, x_handle=handle)
        lookup.found(handle, user_id)
        shop.clock.advance(A_WEEK_S)
        return send(shop, x_handle=handle, **shop.consent())

    first = send_account(*held)
    assert (send_account(*sent) == first) is is_same
    if is_same:
        assert len(shop.last_customer()["contact_points"]) == 1


def test_a_recycled_handle_is_a_second_address_of_the_shops_customer(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """(a) Under the shop's id the handle of another account is added and becomes primary."""
    lookup.found("ana", "42")
    send(shop, external_id="A-1", x_handle="ana", **shop.consent())
    lookup.found("ana", "7")
    shop.clock.advance(A_WEEK_S)
    send(shop, external_id="A-1", x_handle="ana", **shop.consent())
    points = shop.last_customer()["contact_points"]
    assert [(p["platform_user_id"], p["is_primary"]) for p in points] == [
        ("42", False),
        ("7", True),
    ]
    channels = shop.last_customer()["channels"]
    assert channels["x"]["contact_point_id"] == points[1]["id"]


def test_a_flood_of_records_under_one_address_does_not_grow_each_of_them(
    shop: ShopUnderTest,
) -> None:
    """Whoever sends one address with ever new ones makes small records, not ever larger ones."""
    made = [
        send(shop, contact_email=EMAIL, x_handle=f"stranger{number}")
        for number in range(24)
    ]
    assert duplicates(shop) == made[:20]
