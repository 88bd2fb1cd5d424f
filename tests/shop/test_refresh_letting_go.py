"""What X said is let go: of everybody when the access ends, of one who asks."""

import pytest
from tests.fakes import FakeLookup
from tests.shop.accounts import MONTH_S, sign_up
from tests.shop.by_hand import count, customer_id_of, deliver, record, rows
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars.app import make_refresh
from regulars.check.cache import cache_table
from regulars.keep.consents import consent_table
from regulars.keep.contact_points import contact_point_table
from regulars.keep.in_step import former_handle_table
from regulars.keep.signups import signup_table
from regulars.tell.deliveries import attempt_table
from regulars.tell.endpoints import Recipient
from regulars.x_accounts.letting_go import Forgotten, begin_purge, forget, purge_some


@pytest.fixture
def known(shop: ShopUnderTest, lookup: FakeLookup) -> str:
    """Ana's id: found, told to two endpoints, renamed since."""
    shop.add_endpoint()
    shop.add_endpoint("https://mailer.example/hook", recipient=Recipient.THIRD_PARTY)
    lookup.found(HANDLE, "2244994945")
    customer_id = sign_up(shop, contact_email=EMAIL)
    shop.clock.advance(MONTH_S)
    lookup.renamed("2244994945", "Ana_Souza")
    make_refresh(shop.house).run_due(shop.clock())
    deliver(shop, head=b"Ana_Souza")
    shop.clock.advance(60)
    return customer_id


def purge(shop: ShopUnderTest, limit: int = 100) -> int:
    house = shop.house
    return purge_some(house.database, house.recorder, shop.clock(), limit=limit)


def do_forget(shop: ShopUnderTest, customer_id: str) -> Forgotten | None:
    house = shop.house
    return forget(house.database, house.recorder, customer_id, shop.clock())


def test_a_purge_drops_what_x_said_everywhere(shop: ShopUnderTest, known: str) -> None:
    """Record, stored bodies, answers of receivers, cache; number and verdict stay."""
    assert begin_purge(shop.house.database) == 1
    assert purge(shop) == 1
    (point,) = [p for p in rows(shop, contact_point_table) if p.kind == "x_account"]
    assert (point.value, point.normalized) == (HANDLE, HANDLE.lower())
    assert (point.platform_user_id, point.verdict) == ("2244994945", "found")
    assert point.profile is None
    assert count(shop, former_handle_table, cache_table) == 0
    everything = f"{shop.events()} {rows(shop, attempt_table)}".lower()
    for said in ("ana_souza", "pbs.example", "football"):
        assert said not in everything
    event = shop.events()[-1]
    assert event["type"] == "customer.updated"
    assert "/profile" in event["data"]["changed"]


def test_a_purge_is_no_news_for_a_third_party(shop: ShopUnderTest, known: str) -> None:
    """It was never told what X said."""
    purge(shop)
    assert len(deliver(shop)) == 1


def test_a_purge_that_was_broken_off_goes_on(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """One by one; who is done is done, and a second purge has nothing to do."""
    for number in range(3):
        lookup.found(f"guest_{number}", str(number))
        sign_up(shop, f"guest_{number}")
    assert begin_purge(shop.house.database) == 3
    assert purge(shop, limit=1) == 1
    assert begin_purge(shop.house.database) == 2
    assert [purge(shop, limit=2), purge(shop)] == [2, 0]
    assert len(shop.events()) == 6


def test_to_forget_is_as_if_x_had_not_been_asked(
    shop: ShopUnderTest, known: str
) -> None:
    """No profile, number or verdict anywhere, in either body; the typed handle stays."""
    assert do_forget(shop, known) == Forgotten(known, has_changed=True)
    (point,) = [p for p in rows(shop, contact_point_table) if p.kind == "x_account"]
    assert (point.value, point.verdict) == (HANDLE, "unchecked")
    assert (point.platform_user_id, point.profile, point.checked_at) == (None,) * 3
    everything = f"{shop.events()} {shop.events(third_party=True)}".lower()
    everything += str(rows(shop, attempt_table)).lower()
    for said in ("ana_souza", "2244994945", "pbs.example"):
        assert said not in everything
    for body in [*shop.events(), *shop.events(third_party=True)]:
        (told,) = [
            it
            for it in body["data"]["customer"]["contact_points"]
            if it["kind"] == "x_account"
        ]
        assert (told["value"], told["verdict"]) == (HANDLE, "unchecked")
    assert {row.verdict for row in rows(shop, signup_table)} == {"unchecked"}
    assert count(shop, cache_table) == 0


def test_both_kinds_of_recipient_are_told_to_forget(
    shop: ShopUnderTest, known: str
) -> None:
    """The number was told to a third party too."""
    do_forget(shop, known)
    assert len(deliver(shop)) == 2


def test_to_forget_withdraws_the_consent_to_ask(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """A row is added for each signup, and whoever types the handle again brings nothing back."""
    do_forget(shop, known)
    links = [row for row in rows(shop, consent_table) if row.purpose == "x_link"]
    assert [row.state for row in links] == ["granted", "withdrawn"]
    lookup.found(HANDLE, "2244994945")
    shop.sign_up(x_handle=HANDLE, contact_email=EMAIL, **shop.consent())
    assert record(shop, known)["profile"] is None
    points = record(shop, known)["customer"]["contact_points"]
    assert {it["verdict"] for it in points if it["kind"] == "x_account"} == {
        "unchecked"
    }


def test_to_forget_twice(shop: ShopUnderTest, known: str) -> None:
    """The second time there is nothing to forget, and nobody is told."""
    do_forget(shop, known)
    told = len(shop.events())
    assert do_forget(shop, known) == Forgotten(known, has_changed=False)
    assert len(shop.events()) == told


def test_nobody_is_forgotten_who_is_not_there(shop: ShopUnderTest) -> None:
    """An id that is none, and a customer without a handle."""
    assert do_forget(shop, "cus_none") is None
    customer_id = customer_id_of(shop.sign_up(by_key=True, contact_email=EMAIL))
    assert do_forget(shop, customer_id) == Forgotten(customer_id, has_changed=False)


def test_others_keep_what_is_theirs(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Only the one who asked is forgotten."""
    lookup.found("bea", "7")
    other = sign_up(shop, "bea")
    before = record(shop, other)
    do_forget(shop, known)
    assert record(shop, other) == before
