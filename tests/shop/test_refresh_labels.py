"""A handle is a label: recycled, shared, typed again, erased; nobody is merged by it."""

import pytest
from tests.fakes import FakeLookup
from tests.shop.accounts import MONTH_S, sign_up, sweep
from tests.shop.by_hand import rows
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars import erasure
from regulars.keep.contact_points import contact_point_table
from regulars.keep.in_step import former_handle_table
from regulars.keep.suppressions import suppression_table
from regulars.x_accounts.settling import Change


@pytest.fixture
def known(shop: ShopUnderTest, lookup: FakeLookup) -> str:
    """Ana's customer id; her account was found a month ago."""
    shop.add_endpoint()
    lookup.found(HANDLE, "42")
    customer_id = sign_up(shop)
    shop.clock.advance(MONTH_S)
    return customer_id


def test_a_recycled_handle_is_flagged_and_nobody_is_merged(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Another account under a held handle: whose it was is asked for by number at once."""
    shop.clock.advance(-3600)
    lookup.found(HANDLE, "99").renamed("42", "ana_before")
    second = sign_up(shop)
    assert second != known
    doubted = [r for r in rows(shop, contact_point_table) if r.doubted_at is not None]
    assert [(row.customer_id, row.platform_user_id) for row in doubted] == [
        (known, "42")
    ]
    # Long before its age would say so.
    assert sweep(shop) == {Change.CHANGED: 1, Change.RENAMED: 1}
    assert lookup.asked_ids == [["42"]]
    labels = {
        row.customer_id: (row.platform_user_id, row.normalized, row.doubted_at)
        for row in rows(shop, contact_point_table)
    }
    assert labels == {
        known: ("42", "ana_before", None),
        second: ("99", HANDLE.lower(), None),
    }


def test_a_rename_onto_a_held_handle_names_who_held_it(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """The other is a possible duplicate, and is asked for by number next."""
    lookup.found("bea", "7")
    other = sign_up(shop, "bea")
    lookup.renamed("42", "bea").renamed("7", "bea_was_here")
    assert sweep(shop)[Change.RENAMED] == 2
    first, second = shop.events()[-2:]
    assert first["data"]["customer"]["id"] == known
    assert first["data"]["customer"]["possible_duplicates"] == [other]
    assert second["data"]["customer"]["id"] == other
    assert second["data"]["customer"]["contact_points"][0]["normalized"] == (
        "bea_was_here"
    )


def test_a_handle_that_is_gone_at_a_signup_is_asked_for_by_number(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """Somebody types the handle and X does not know it: its account may have been renamed."""
    shop.clock.advance(-3600)
    lookup.not_found(HANDLE).renamed("42", "ana_now")
    shop.sign_up(x_handle=HANDLE, contact_email=EMAIL, **shop.consent())
    assert sweep(shop)[Change.RENAMED] == 1


def test_two_customers_with_one_account_are_one_question(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """X bills each user: the number is asked for once, and both are told."""
    lookup.found(HANDLE, "42")
    ids = {sign_up(shop, external_id=it) for it in ("A-1", "A-2")}
    shop.clock.advance(MONTH_S)
    lookup.renamed("42", "ana_now")
    assert sweep(shop)[Change.RENAMED] == 2
    assert lookup.asked_ids == [["42"]]
    assert {it["data"]["customer"]["id"] for it in shop.events()[-2:]} == ids


def test_an_erasure_takes_the_former_handles(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """No row is left of them, and an old list with one brings nobody back."""
    lookup.renamed("42", "ana_now")
    sweep(shop)
    erasure.erase(
        shop.house.database,
        known,
        secret_key="s" * 40,
        journal_folder=shop.house.journal_folder,
        now=shop.clock(),
    )
    assert rows(shop, former_handle_table) == []
    assert len(rows(shop, suppression_table)) == 2


def test_an_export_has_the_former_handles(
    shop: ShopUnderTest, lookup: FakeLookup, known: str
) -> None:
    """What is held is in it, with the time until which it was so."""
    lookup.renamed("42", "ana_now")
    sweep(shop)
    with shop.house.database.reading() as connection:
        export = shop.house.recorder.export(connection, known)
    assert export is not None
    (former,) = export["former_handles"]
    assert former["handle"] == HANDLE.lower()
