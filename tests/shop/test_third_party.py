"""What a third party is told: the handle as typed, the id and the verdict, nothing of X's content."""

from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import (
    body_of,
    change,
    claim_due,
    deliver,
    record,
    rows,
    token_of,
)
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars.keep.contact_points import contact_point_table
from regulars.keep.customers import customer_table
from regulars.tell.deliveries import delivery_table
from regulars.tell.endpoints import Recipient
from regulars.tell.events import concerns
from regulars.tell.publishing import publish


def endpoints(shop: ShopUnderTest) -> tuple[str, str]:
    """The ids of an endpoint of the shop's own and of a third party's."""
    own, _ = shop.add_endpoint()
    third, _ = shop.add_endpoint(
        "https://mailer.example/hook", recipient=Recipient.THIRD_PARTY
    )
    return own, third


def told(shop: ShopUnderTest) -> dict[str, int]:
    """How many deliveries each endpoint has."""
    found: dict[str, int] = {}
    for row in rows(shop, delivery_table):
        found[row.endpoint_id] = found.get(row.endpoint_id, 0) + 1
    return found


def test_two_bodies_of_one_event(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The third party's has no profile and no links; all else is the same."""
    lookup.found("analima", "42")
    shop.sign_up(x_handle="analima", contact_channel="x", **shop.consent())
    (own,) = shop.events()
    (third,) = shop.events(third_party=True)
    assert third["data"]["profile"] is None
    assert "links" not in third["data"]["customer"]
    (point,) = third["data"]["customer"]["contact_points"]
    assert (point["value"], point["platform_user_id"]) == ("analima", "42")
    assert point["verdict"] == "found"
    own["data"]["profile"] = None
    del own["data"]["customer"]["links"]
    assert third == own


def test_nothing_of_the_profile_is_in_the_body(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """No word that only X knows, wherever it might hide."""
    lookup.found(HANDLE, "42")
    shop.sign_up(x_handle="@ANALIMA", **shop.consent())
    text = str(shop.events(third_party=True))
    for word in ("Ana Lima", "Football", "ana.example", "pbs.example", "321", HANDLE):
        assert word not in text, word


def test_each_endpoint_gets_the_body_of_its_kind(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Both bodies are stored, each endpoint is sent its own, under one event id."""
    lookup.found(HANDLE, "42")
    own, third = endpoints(shop)
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    bodies = {item.endpoint.id: body_of(item) for item in claim_due(shop)}
    assert bodies[own]["data"]["profile"] is not None
    assert bodies[third]["data"]["profile"] is None
    assert bodies[own]["id"] == bodies[third]["id"]


def test_after_a_rename_the_third_party_gets_what_was_typed(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """``normalized`` and ``url`` follow X in the ``own`` body only."""
    lookup.found("old_name", "42")
    shop.sign_up(x_handle="Old_Name", **shop.consent())
    change(
        shop,
        contact_point_table,
        normalized="new_name",
        url="https://x.com/New_Name",
    )
    shop.sign_up(x_handle="Old_Name", **shop.consent())
    own, third = (
        events[-1]["data"]["customer"]["contact_points"][0]
        for events in (shop.events(), shop.events(third_party=True))
    )
    assert (own["normalized"], own["url"]) == ("new_name", "https://x.com/New_Name")
    assert (third["value"], third["normalized"]) == ("Old_Name", "old_name")
    assert third["url"] == "https://x.com/Old_Name"


X_CONTENT = {
    "profile": lambda r: r["profile"].update(followers_count=322),
    "profile gone": lambda r: r.update(profile=None),
    "renamed": lambda r: r["customer"]["contact_points"][0].update(
        normalized="other", url="https://x.com/other"
    ),
}
OTHER_NEWS = {
    "verdict": lambda r: r["customer"]["contact_points"][0].update(verdict="suspended"),
    "verdict and profile": lambda r: (
        r["customer"]["contact_points"][0].update(verdict="suspended"),
        r.update(profile=None),
    ),
    "name": lambda r: r["customer"].update(given_name="Ana"),
    "nothing at all": lambda r: None,
}


def _publish_after(shop: ShopUnderTest, lookup: FakeLookup, turn: Any) -> list[int]:
    """How many more deliveries own and third party have when *turn* changed the record."""
    lookup.found(HANDLE, "42")
    own, third = endpoints(shop)
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    (customer,) = rows(shop, customer_table)
    before, after = record(shop, customer.id), record(shop, customer.id)
    turn(after)
    was = told(shop)
    with shop.house.database.transaction() as connection:
        publish(connection, before, after, shop.clock())
    now = told(shop)
    return [now[own] - was[own], now[third] - was[third]]


@pytest.mark.parametrize("turn", X_CONTENT.values(), ids=X_CONTENT)
def test_no_event_when_only_x_content_changed(
    shop: ShopUnderTest, lookup: FakeLookup, turn: Any
) -> None:
    """The shop's own system is told, the third party is not."""
    assert _publish_after(shop, lookup, turn) == [1, 0]


@pytest.mark.parametrize("turn", OTHER_NEWS.values(), ids=OTHER_NEWS)
def test_an_event_when_anything_else_changed(
    shop: ShopUnderTest, lookup: FakeLookup, turn: Any
) -> None:
    """Both are told, whatever of X's content changed besides."""
    assert _publish_after(shop, lookup, turn) == [1, 1]


def test_a_repeat_that_changed_nothing_but_the_link_goes_to_everybody(
    shop: ShopUnderTest,
) -> None:
    """The link is none of X's content: each accepted signup reaches each endpoint."""
    own, third = endpoints(shop)
    shop.sign_up(contact_email=EMAIL)
    shop.sign_up(contact_email=EMAIL)
    assert told(shop) == {own: 2, third: 2}
    assert shop.events()[-1]["data"]["changed"] == ["/customer/links/preferences"]
    assert shop.events(third_party=True)[-1]["data"]["changed"] == []


def test_changed_names_nothing_that_the_body_has_not(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The third party's ``changed`` speaks neither of the profile nor of links."""
    lookup.found(HANDLE, "42")
    endpoints(shop)
    first = shop.sign_up(x_handle=HANDLE, contact_channel="x", **shop.consent())
    shop.client.post(f"/p/{token_of(first)}")
    assert "/profile" in shop.events()[-1]["data"]["changed"]
    changed = shop.events(third_party=True)[-1]["data"]["changed"]
    assert changed
    assert [p for p in changed if p.startswith(("/profile", "/customer/links"))] == []


POINTERS = [
    ([], True),
    (["/profile"], False),
    (["/profile/description", "/profile/url"], False),
    (
        ["/customer/contact_points/0/normalized", "/customer/contact_points/0/url"],
        False,
    ),
    (["/customer/contact_points/0/value"], True),
    (["/customer/contact_points"], True),
    (["/customer/links/preferences"], True),
    (["/profile", "/customer/topics"], True),
]


@pytest.mark.parametrize(("changed", "is_news"), POINTERS, ids=str)
def test_what_concerns_a_third_party(changed: list[str], is_news: bool) -> None:
    """Everything but X's content; the shop's own system everything."""
    assert concerns(Recipient.THIRD_PARTY, changed) is is_news
    assert concerns(Recipient.OWN, changed) is True


def test_an_endpoint_gets_the_types_it_asked_for(shop: ShopUnderTest) -> None:
    """An event filter holds for both kinds of recipient."""
    shop.add_endpoint(event_types=["customer.updated"])
    shop.sign_up(contact_email=EMAIL)
    assert deliver(shop) == []
    shop.sign_up(contact_email=EMAIL)
    assert [item.event_type for item in deliver(shop)] == ["customer.updated"]
