"""A receipt spares the second look-up; what is no receipt of this site and handle changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.forms import Form
from tests.shops import EMAIL, HANDLE, ORIGIN, ShopUnderTest

from regulars.check.cache import empty_cache
from regulars.keep.sites import Site, add_site
from regulars_webhooks.order_link import sign_order
from regulars_webhooks.receipt import VALID_FOR, issue

Open = Callable[..., ShopUnderTest]
USER_ID = "2244994945"


@pytest.fixture
def other_site(shop: ShopUnderTest) -> Site:
    with shop.house.database.transaction() as connection:
        return add_site(connection, "Other", [ORIGIN], shop.clock())


def receipt(
    shop: ShopUnderTest,
    verdict: str = "found",
    *,
    handle: str = HANDLE,
    age: timedelta = timedelta(),
    site: Site | None = None,
    secret: str | None = None,
) -> str:
    site = site or shop.site
    return issue(
        handle,
        verdict,
        id=USER_ID if verdict == "found" else None,
        site=site.id,
        secret=secret or site.receipt_secret,
        now=shop.clock() - age,
    )


def sign_up(shop: ShopUnderTest, token: object, **more: Any) -> Any:
    sent = {"x_handle": HANDLE, "x_handle_receipt": token, **shop.consent(), **more}
    answer = shop.sign_up(**sent)
    assert answer.status_code == 201
    return answer.get_json()["handle"]["verdict"]


def account(shop: ShopUnderTest) -> dict[str, Any]:
    (point,) = shop.last_customer()["contact_points"]
    return {name: point[name] for name in ("verdict", "platform_user_id")}


def checked(shop: ShopUnderTest, handle: str = HANDLE) -> str:
    """The receipt that a page gets for *handle*."""
    sent = {"site": shop.site.publishable_key, "handle": handle}
    sent["consent_x_link"] = shop.wording("x_link")
    answer = shop.client.post("/v1/check", data=sent, headers={"Origin": ORIGIN})
    token = answer.get_json()["receipt"]
    assert isinstance(token, str)
    return token


def test_a_checked_handle_is_not_asked_again(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """One call to X for check and signup; the record has verdict, id and the profile."""
    lookup.found(HANDLE, USER_ID)
    assert sign_up(shop, checked(shop)) == "found"
    assert len(lookup.asked) == 1
    assert account(shop) == {"verdict": "found", "platform_user_id": USER_ID}
    assert shop.events()[-1]["data"]["profile"]["display_name"] == "Ana Lima"


@pytest.mark.parametrize("verdict", ["found", "not_found", "suspended"])
def test_the_receipt_alone(
    shop: ShopUnderTest, lookup: FakeLookup, verdict: str
) -> None:
    """With nothing else at hand its verdict and id are taken, without a profile, and no call made."""
    assert sign_up(shop, receipt(shop, verdict)) == verdict
    assert lookup.asked == []
    user_id = USER_ID if verdict == "found" else None
    assert account(shop) == {"verdict": verdict, "platform_user_id": user_id}
    assert shop.events()[-1]["data"]["profile"] is None


def test_what_was_forgotten_meanwhile_is_not_asked_for(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A profile that is no longer at hand is not paid for a second time."""
    lookup.found(HANDLE, USER_ID)
    token = checked(shop)
    with shop.house.database.transaction() as connection:
        empty_cache(connection)
    assert sign_up(shop, token) == "found"
    assert len(lookup.asked) == 1
    assert shop.events()[-1]["data"]["profile"] is None


def test_checked_when_the_receipt_was_issued(shop: ShopUnderTest) -> None:
    """The record says when X was asked, not when the form came."""
    sign_up(shop, receipt(shop, age=timedelta(minutes=20)))
    (point,) = shop.last_customer()["contact_points"]
    assert point["checked_at"] == "2026-11-21T19:55:04.000Z"


def test_no_consent_no_verdict(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """A receipt is no consent: without the sentence's key the handle stays unchecked."""
    assert sign_up(shop, receipt(shop), consent_x_link=None) == "unchecked"
    assert account(shop) == {"verdict": "unchecked", "platform_user_id": None}
    assert lookup.asked == []


def test_the_handles_case_says_nothing(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """What was checked as @analima holds for @AnaLima."""
    assert sign_up(shop, receipt(shop, handle=HANDLE.upper())) == "found"
    assert lookup.asked == []


def bad_receipts(shop: ShopUnderTest, other: Site) -> dict[str, object]:
    return {
        "no token": "r.r.r",
        "empty": "",
        "forged": receipt(shop, secret="rs_guessed"),
        "altered": receipt(shop)[:-1] + "_",
        "of another site": receipt(shop, site=other),
        "of another site, by our secret": receipt(
            shop, site=other, secret=shop.site.receipt_secret
        ),
        "of another handle": receipt(shop, handle="bob"),
        "stale": receipt(shop, age=VALID_FOR + timedelta(seconds=2)),
        "of tomorrow": receipt(shop, age=timedelta(days=-1)),
        "an order": sign_order("1029", shop.site.receipt_secret, now=shop.clock()),
        "of a later version": "r2." + receipt(shop).partition(".")[2],
        "too long": "r1." + "A" * 5000,
        "controls": "r1.\x00",
        "two lines": receipt(shop) + "\n" + receipt(shop),
        "not ASCII": "r1.é.é",
    }


NAMES = [
    "no token", "empty", "forged", "altered", "of another site", "of another site, by our secret",
    "of another handle", "stale", "of tomorrow", "an order", "of a later version", "too long",
    "controls", "two lines", "not ASCII",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_believed_is_ignored(
    shop: ShopUnderTest, lookup: FakeLookup, other_site: Site, name: str
) -> None:
    """The signup is taken as if there were no receipt: X is asked, and nobody is refused."""
    lookup.not_found(HANDLE)
    bad = bad_receipts(shop, other_site)
    assert list(bad) == NAMES
    assert sign_up(shop, bad[name]) == "not_found"
    assert lookup.asked == [[HANDLE.lower()]]


def test_under_a_secret_key(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """The shop's server sends on what its page was given: believed with its site, else left aside."""
    token = receipt(shop)
    sent = {"x_handle": HANDLE, "x_handle_receipt": token, **shop.consent()}
    shop.sign_up(by_key=True, **sent)
    assert lookup.asked == [[HANDLE.lower()]]
    lookup.asked.clear()
    sent = {**sent, "x_handle": "bob", "x_handle_receipt": receipt(shop, handle="bob")}
    site = {"site": shop.site.publishable_key}
    answer = shop.sign_up(by_key=True, **sent, **site)
    assert answer.get_json()["handle"] == {"value": "bob", "verdict": "found"}
    assert lookup.asked == []


def test_on_the_hosted_page(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """Our own page's form is believed in the same way."""
    page = shop.client.get("/signup", query_string={"site": shop.site.publishable_key})
    fields = Form(page.get_data(as_text=True)).fields
    sent = {**fields, "x_handle": HANDLE, "x_handle_receipt": receipt(shop)}
    answer = shop.client.post("/signup", data=sent)
    assert answer.status_code == 303
    assert account(shop) == {"verdict": "found", "platform_user_id": USER_ID}
    assert lookup.asked == []


@pytest.mark.parametrize("setting", ["never", "proven"])
def test_no_profile_where_the_shop_wants_none(
    open_under_test: Open, lookup: FakeLookup, setting: str
) -> None:
    """A receipt brings no more than the shop's setting allows."""
    shop = open_under_test(lookup.found(HANDLE, USER_ID), X_PROFILE=setting)
    sign_up(shop, checked(shop))
    assert shop.events()[-1]["data"]["profile"] is None


def test_a_receipt_does_not_undo_what_is_held(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A profile that is on record stays when the same handle comes with a receipt alone."""
    lookup.found(HANDLE, USER_ID)
    sign_up(shop, None)
    shop.clock.advance(60)
    with shop.house.database.transaction() as connection:
        empty_cache(connection)
    sign_up(shop, receipt(shop))
    assert shop.events()[-1]["data"]["profile"]["display_name"] == "Ana Lima"


def test_an_old_receipt_does_not_undo_what_x_said_since(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Suspended since the check: whoever posts the old receipt does not bring it back."""
    old = receipt(shop)
    shop.clock.advance(600)
    lookup.suspended(HANDLE)
    assert sign_up(shop, None) == "suspended"
    shop.clock.advance(60)
    with shop.house.database.transaction() as connection:
        empty_cache(connection)
    sign_up(shop, old)
    (point,) = shop.last_customer()["contact_points"]
    assert point["verdict"] == "suspended"
    assert point["checked_at"] == "2026-11-21T20:25:04.318Z"


def test_a_receipt_of_a_kept_answer_says_when_x_was_asked(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Six days later the check is answered from what is kept; the record says from when."""
    lookup.found(HANDLE, USER_ID)
    sign_up(shop, None, contact_email="bob@example.com")
    shop.clock.advance(6 * 86_400)
    token = checked(shop)
    with shop.house.database.transaction() as connection:
        empty_cache(connection)
    assert sign_up(shop, token, contact_email=EMAIL) == "found"
    assert len(lookup.asked) == 1
    points = shop.last_customer()["contact_points"]
    assert {p["checked_at"] for p in points if p["checked_at"]} == {
        "2026-11-21T20:15:04.000Z"
    }


def test_an_address_with_a_receipt_joins_by_its_number(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The number on a receipt counts as X's own: renamed accounts are known again."""
    lookup.found(HANDLE, USER_ID)
    sign_up(shop, None)
    first = shop.last_customer()["id"]
    shop.clock.advance(60)
    token = receipt(shop, handle="renamed_ana")
    sign_up(shop, token, x_handle="renamed_ana")
    assert shop.last_customer()["id"] == first
    sign_up(shop, None, x_handle="bob", contact_email=EMAIL)
    assert shop.last_customer()["id"] != first
