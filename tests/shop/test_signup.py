"""One submission and what comes of it: its answer, its rows, its one event."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from tests.fakes import FakeLookup
from tests.shop.by_hand import count, rows
from tests.shops import EMAIL, HANDLE, ORIGIN, PHONE, ShopUnderTest

from regulars.check.lookup import Reason
from regulars.keep.consents import consent_table
from regulars.keep.contact_points import contact_point_table
from regulars.keep.customers import customer_table
from regulars.keep.signups import signup_table
from regulars.tell.deliveries import delivery_table
from regulars.tell.events import event_table

KEPT = (customer_table, contact_point_table, consent_table, signup_table, event_table)


def test_signup_makes_one_enriched_event(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A handle under its statement is looked up, and the event carries profile and id."""
    lookup.found(HANDLE, "2244994945")
    answer = shop.sign_up(
        x_handle="@AnaLima",
        contact_channel=["x", "sms"],
        contact_phone=PHONE,
        **shop.consent(),
    )
    assert answer.status_code == 201
    assert answer.json["handle"] == {"value": "AnaLima", "verdict": "found"}
    (told,) = shop.events()
    assert told["type"] == "customer.created"
    assert told["data"]["profile"]["username"] == "AnaLima"
    points = told["data"]["customer"]["contact_points"]
    (point,) = [point for point in points if point["kind"] == "x_account"]
    assert point["platform_user_id"] == "2244994945"
    assert point["ownership"] == "claimed"
    assert point["checked_at"] == "2026-11-21T20:15:04.318Z"


def test_customer_event_and_deliveries_are_one_transaction(
    shop: ShopUnderTest,
) -> None:
    """When the deliveries cannot be written, neither customer nor event is there."""
    shop.add_endpoint()

    @event.listens_for(shop.house.database.engine, "before_cursor_execute")
    def _break(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT INTO delivery"):
            raise RuntimeError("no deliveries today")

    assert shop.sign_up(contact_email=EMAIL).status_code == 500
    assert count(shop, *KEPT, delivery_table) == 0


def test_answer_to_a_page(shop: ShopUnderTest) -> None:
    """A page is told the signup, the handle's verdict and the link, and nothing else."""
    told = shop.sign_up(x_handle=HANDLE, contact_channel="x").json
    assert told == {
        "id": rows(shop, signup_table)[0].id,
        "handle": {"value": HANDLE, "verdict": "unchecked"},
        "preferences_url": shop.last_customer()["links"]["preferences"],
    }


def test_answer_under_the_secret_key(shop: ShopUnderTest) -> None:
    """The shop's own server is told the customer besides."""
    told = shop.sign_up(by_key=True, contact_channel="email", contact_email=EMAIL).json
    assert told["handle"] is None
    assert told["customer"] == {
        "id": shop.last_customer()["id"],
        "version": 1,
        "preferred_channel": "email",
    }


EMPTY_FORMS = {
    "nothing": {},
    "names": {"given_name": "Ana", "family_name": "Lima", "locale": "pt-BR"},
    "blank address": {"contact_email": "  ", "x_handle": ""},
    "no contact wished": {"contact_channel": ""},
    "labels": {"topic": ["quiet_times"], "interest": ["Fluminense"]},
    "order": {"order_id": "1029", "surface": "signup_page"},
}


@pytest.mark.parametrize("form", EMPTY_FORMS.values(), ids=EMPTY_FORMS)
@pytest.mark.parametrize("by_key", [False, True], ids=["page", "key"])
def test_empty_form_leaves_no_trace(
    shop: ShopUnderTest, form: dict[str, Any], by_key: bool
) -> None:
    """No address and no channel: 204 without a body, no row, no event; consents alone are nothing."""
    answer = shop.sign_up(by_key=by_key, **form, **shop.consent())
    assert (answer.status_code, answer.data) == (204, b"")
    assert count(shop, *KEPT) == 0


def test_external_id_that_nobody_holds_is_empty(shop: ShopUnderTest) -> None:
    """An unknown external id alone makes nobody."""
    assert shop.sign_up(by_key=True, external_id="A-1029").status_code == 204
    assert count(shop, *KEPT) == 0


def test_external_id_that_is_held_is_not_empty(shop: ShopUnderTest) -> None:
    """A known external id alone is a signup with an event."""
    shop.sign_up(by_key=True, external_id="A-1029", contact_email=EMAIL)
    answer = shop.sign_up(by_key=True, external_id="A-1029", given_name="Ana")
    assert answer.status_code == 201
    assert shop.last_customer()["given_name"] == "Ana"
    assert len(shop.events()) == 2


def test_every_signup_makes_one_event_even_when_nothing_changed(
    shop: ShopUnderTest,
) -> None:
    """Three equal signups are three events, versions 1, 2 and 3."""
    for _ in range(3):
        shop.sign_up(contact_email=EMAIL)
    events = shop.events()
    assert [event["type"] for event in events] == [
        "customer.created",
        "customer.updated",
        "customer.updated",
    ]
    assert [event["data"]["customer"]["version"] for event in events] == [1, 2, 3]
    assert events[2]["data"]["changed"] == ["/customer/links/preferences"]


REFUSED = {
    "x without handle": ({"contact_channel": "x"}, "x_handle.required"),
    "email without address": ({"contact_channel": "email"}, "contact_email.required"),
    "sms without number": (
        {"contact_channel": ["email", "sms"], "contact_email": EMAIL},
        "contact_phone.required",
    ),
    "channel not offered": (
        {"contact_channel": "whatsapp", "contact_phone": PHONE},
        "contact_channel.unknown",
    ),
    "id link": ({"x_handle": "x.com/i/user/2244994945"}, "handle.user_id_link"),
    "public external id": (
        {"contact_email": EMAIL, "external_id": "A-1"},
        "external_id.needs_key",
    ),
    "unknown wording": (
        {"x_handle": HANDLE, "consent_x_link": "99.en"},
        "wording.unknown",
    ),
}


@pytest.mark.parametrize(("form", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_form_keeps_nothing(
    shop: ShopUnderTest, form: dict[str, Any], code: str
) -> None:
    """What the form refuses is a 422 with its code, and no row."""
    answer = shop.sign_up(**form)
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json["errors"]] == [code]
    assert count(shop, *KEPT) == 0


def test_address_without_its_channel(shop: ShopUnderTest) -> None:
    """It is stored, its channel has no rank, and its purposes are ``no_consent``."""
    shop.sign_up(
        x_handle=HANDLE,
        contact_email=EMAIL,
        contact_wording=shop.wording("contact_channel"),
    )
    channels = shop.last_customer()["channels"]
    for name in ("x", "email"):
        assert channels[name]["rank"] is None
        assert channels[name]["contact_point_id"] is not None
        assert set(channels[name]["blocked"].values()) == {"no_consent"}


def test_consent_without_its_address_and_unknown_fields_are_ignored(
    shop: ShopUnderTest,
) -> None:
    """They neither refuse the form nor leave a row."""
    answer = shop.sign_up(
        contact_email=EMAIL,
        consent_x_link="99.en",
        consent_offers_sms="99.en",
        consent_offers_carrier_pigeon="1.en",
        favourite_colour="blue",
    )
    assert answer.status_code == 201
    assert count(shop, consent_table) == 0


SURFACES = [({}, "checkout"), ({"surface": "signup_page"}, "signup_page")]


@pytest.mark.parametrize(("form", "surface"), SURFACES, ids=["default", "said"])
def test_source_of_a_page(
    shop: ShopUnderTest, form: dict[str, str], surface: str
) -> None:
    """The source has surface, site, order and the referring page without its query."""
    shop.sign_up(
        contact_email=EMAIL,
        order_id="1029",
        headers={"Referer": f"{ORIGIN}/checkout?name=ana#pay"},
        **form,
    )
    assert shop.last_customer()["source"] == {
        "surface": surface,
        "site_id": shop.site.id,
        "order_id": "1029",
        "order_verified": False,
        "device_id": None,
        "page_url": f"{ORIGIN}/checkout",
    }


def test_source_of_a_secret_key(shop: ShopUnderTest) -> None:
    """Under a secret key the site is null unless it is named."""
    shop.sign_up(by_key=True, contact_email=EMAIL)
    assert shop.last_customer()["source"]["site_id"] is None
    shop.sign_up(by_key=True, contact_email=EMAIL, site=shop.site.publishable_key)
    assert shop.last_customer()["source"]["site_id"] == shop.site.id


def test_no_look_up_without_consent(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """Without the statement's wording the handle is kept, unchecked, and X not asked."""
    lookup.found(HANDLE, "42")
    answer = shop.sign_up(x_handle=HANDLE, contact_channel="x")
    assert answer.json["handle"]["verdict"] == "unchecked"
    assert lookup.asked == []
    (event,) = shop.events()
    assert event["data"]["profile"] is None
    assert event["data"]["customer"]["contact_points"][0]["platform_user_id"] is None


def test_channel_choice_is_no_consent_to_look_up(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Choosing X as the channel is not the consent to check the handle."""
    consent = {"contact_wording": shop.wording("contact_channel")}
    shop.sign_up(x_handle=HANDLE, contact_channel="x", **consent)
    assert lookup.asked == []


@pytest.mark.parametrize("reason", list(Reason))
def test_nothing_x_says_refuses_anybody(
    shop: ShopUnderTest, lookup: FakeLookup, reason: Reason
) -> None:
    """Whatever keeps X from answering, the signup is accepted and the handle pending."""
    lookup.unavailable(HANDLE, reason)
    answer = shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert answer.status_code == 201
    assert answer.json["handle"] == {"value": HANDLE, "verdict": "pending"}
    point = shop.last_customer()["contact_points"][0]
    assert (point["verdict"], point["checked_at"]) == ("pending", None)


@pytest.mark.parametrize("mode", ["format", "off"])
def test_modes_that_do_not_ask(
    open_under_test: Callable[..., ShopUnderTest], mode: str
) -> None:
    """In the modes ``format`` and ``off`` the handle is kept, unchecked."""
    shop = open_under_test(None, X_MODE=mode)
    answer = shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert answer.json["handle"]["verdict"] == "unchecked"
    assert shop.events()[0]["data"]["profile"] is None


PROFILES = [("claimed", "AnaLima"), ("proven", None), ("never", None)]


@pytest.mark.parametrize(("setting", "username"), PROFILES)
def test_x_profile_says_when_the_profile_is_taken(
    open_under_test: Callable[..., ShopUnderTest],
    lookup: FakeLookup,
    setting: str,
    username: str | None,
) -> None:
    """Verdict and id are kept in any case, the profile of a claimed handle by ``claimed`` alone."""
    shop = open_under_test(lookup.found(HANDLE, "42"), X_PROFILE=setting)
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    (event,) = shop.events()
    point = event["data"]["customer"]["contact_points"][0]
    assert (point["verdict"], point["platform_user_id"]) == ("found", "42")
    assert (event["data"]["profile"] or {}).get("username") == username


def test_protected_account_is_found_without_profile(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A protected account exists; what it shows its followers is not ours."""
    lookup.found(HANDLE, "42", protected=True)
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    (event,) = shop.events()
    assert event["data"]["customer"]["contact_points"][0]["verdict"] == "found"
    assert event["data"]["profile"] is None
