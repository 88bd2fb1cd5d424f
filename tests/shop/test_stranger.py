"""Anyone may add, nobody may overwrite or reveal: a stranger types somebody's address."""

from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import customer_id_of, record, token_of
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars.check.lookup import Reason

ADDRESSES = {
    "email": {"contact_email": EMAIL},
    "phone": {"contact_phone": PHONE},
    "handle": {"x_handle": HANDLE},
}


def known(shop: ShopUnderTest, **more: Any) -> str:
    """A regular with everything on record."""
    answer = shop.sign_up(
        by_key=True,
        given_name="Ana",
        family_name="Lima",
        locale="pt-BR",
        contact_email=EMAIL,
        contact_phone=PHONE,
        x_handle=HANDLE,
        contact_channel=["email", "sms"],
        **{**shop.consent(), **more},
    )
    shop.clock.advance(1)
    return customer_id_of(answer)


def form_of(answer: Any) -> tuple[int, list[tuple[str, str]], Any]:
    """What of an answer could differ: status, headers and the shape of the body."""
    varying = {"Content-Length"}
    headers = sorted((k, v) for k, v in answer.headers if k not in varying)
    body = {key: type(value).__name__ for key, value in answer.json.items()}
    handle = answer.json["handle"]
    return answer.status_code, headers, (body, handle, len(answer.data))


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_the_answer_is_the_same_whether_or_not_somebody_is_known(
    shop: ShopUnderTest, lookup: FakeLookup, address: dict[str, str]
) -> None:
    """Same status, same headers, same keys, same verdict, same length."""
    lookup.found(HANDLE, "42")
    before = form_of(shop.sign_up(**address))
    known(shop)
    assert form_of(shop.sign_up(**address)) == before


def test_the_verdict_is_of_the_strangers_own_look_up(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Whoever did not have X asked is not told what X said to somebody else."""
    lookup.found(HANDLE, "42")
    known(shop)
    told = shop.sign_up(x_handle="@ANALIMA").json["handle"]
    assert told == {"value": "ANALIMA", "verdict": "unchecked"}
    lookup.unavailable(HANDLE)
    shop.clock.advance(7 * 86_400)
    told = shop.sign_up(x_handle=HANDLE, **shop.consent()).json["handle"]
    assert told == {"value": HANDLE, "verdict": "pending"}


@pytest.mark.parametrize("verdict", ["unchecked", "pending"])
def test_a_strangers_unanswered_look_up_takes_no_verdict_away(
    shop: ShopUnderTest, lookup: FakeLookup, verdict: str
) -> None:
    """The record keeps the verdict that X gave."""
    lookup.found(HANDLE, "42")
    customer_id = known(shop)
    before = record(shop, customer_id)
    lookup.unavailable(HANDLE)
    shop.sign_up(x_handle=HANDLE, **(shop.consent() if verdict == "pending" else {}))
    after = record(shop, customer_id)
    assert after["customer"]["version"] == 2
    assert after["customer"]["contact_points"] == before["customer"]["contact_points"]
    assert after["profile"] == before["profile"]


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_a_stranger_overwrites_nothing(
    shop: ShopUnderTest, lookup: FakeLookup, address: dict[str, str]
) -> None:
    """Names, locale, external id, addresses, held ranks and held consents are as before."""
    lookup.found(HANDLE, "42")
    customer_id = known(shop, external_id="A-1")
    before = record(shop, customer_id)["customer"]
    channel = {"x_handle": "x", "contact_email": "email", "contact_phone": "phone"}
    shop.sign_up(
        given_name="Mallory",
        family_name="M",
        locale="en",
        contact_channel=channel[next(iter(address))],
        **address,
    )
    after = record(shop, customer_id)["customer"]
    for name in (
        "external_id",
        "given_name",
        "family_name",
        "locale",
        "contact_points",
        "possible_duplicates",
        "consents",
        "created_at",
    ):
        assert after[name] == before[name], name
    assert after["preferred_channels"][:2] == ["email", "sms"]
    assert after["preferred_channel"] == "email"


def test_a_stranger_adds_channels_behind_consents_topics_and_interests(
    shop: ShopUnderTest,
) -> None:
    """What (c) names, and only that, is in ``changed``."""
    shop.sign_up(contact_email=EMAIL, contact_phone=PHONE, contact_channel="email")
    shop.sign_up(
        given_name="Mallory",
        contact_phone=PHONE,
        contact_channel="phone",
        contact_wording=shop.wording("contact_channel"),
        topic="music",
        interest="Samba",
    )
    changed = shop.events()[-1]["data"]["changed"]
    assert sorted(changed) == [
        "/customer/channels/phone/allowed_for",
        "/customer/channels/phone/blocked/order",
        "/customer/channels/phone/blocked/service_news",
        "/customer/channels/phone/rank",
        "/customer/consents",
        "/customer/interests",
        "/customer/links/preferences",
        "/customer/preferred_channels",
        "/customer/topics",
    ]


def test_a_new_address_beside_a_known_one_is_a_customer_of_its_own(
    shop: ShopUnderTest,
) -> None:
    """A stranger cannot hang an address of theirs on somebody's record."""
    customer_id = known(shop)
    before = record(shop, customer_id)
    shop.sign_up(contact_email=EMAIL, contact_phone="(646) 456-7891")
    assert record(shop, customer_id) == before
    assert shop.last_customer()["id"] != customer_id
    assert shop.last_customer()["given_name"] is None


def test_the_strangers_link_shows_what_the_stranger_typed(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Neither the other addresses nor the other channels are on the page."""
    lookup.found(HANDLE, "42")
    known(shop)
    answer = shop.sign_up(contact_email=EMAIL, contact_channel="email")
    page = shop.client.get(f"/p/{token_of(answer)}").text
    assert "E-mail" in page
    for hidden in ("Ana", "Lima", "Phone number", "X handle", "Text message", EMAIL):
        assert hidden not in page, hidden


def test_the_strangers_link_does_not_show_the_handle_of_before_a_rename(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Joined by X's numeric id, the page masks the handle that was typed, not the held one."""
    lookup.found("old_name_q", "42").found("new_name_w", "42")
    shop.sign_up(x_handle="old_name_q", **shop.consent())
    answer = shop.sign_up(x_handle="new_name_w", **shop.consent())
    assert len(shop.last_customer()["contact_points"]) == 1
    page = shop.client.get(f"/p/{token_of(answer)}").text
    assert "n•••••w" in page
    assert "o•••••q" not in page


def test_a_stranger_withdraws_only_their_own(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """Stopping everything by the stranger's link leaves what the customer agreed to."""
    lookup.found(HANDLE, "42")
    customer_id = known(shop)
    before = record(shop, customer_id)
    fields = {"contact_email": EMAIL, "x_handle": HANDLE, "contact_channel": "email"}
    answer = shop.sign_up(**fields, **shop.consent())
    shop.client.post(f"/p/{token_of(answer)}")
    after = record(shop, customer_id)
    assert after["customer"]["channels"] == before["customer"]["channels"]
    assert after["profile"] == before["profile"]


def test_a_stranger_does_not_bring_back_who_withdrew(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """After a withdrawal the same yes under a typed address is pending, not granted."""
    lookup.found(HANDLE, "42")
    fields = {"x_handle": HANDLE, "contact_channel": "x", **shop.consent()}
    shop.client.post(f"/p/{token_of(shop.sign_up(**fields))}")
    shop.sign_up(**fields)
    again = shop.last_customer()
    states = {(c["purpose"], c["state"]) for c in again["consents"]}
    assert {(purpose, "pending") for purpose in ("x_link", "order")} < states
    assert again["channels"]["x"]["allowed_for"] == []
    assert again["channels"]["x"]["blocked"]["order"] == "withdrawn"


@pytest.mark.parametrize("then", ["found", "pending"])
def test_a_stranger_does_not_bring_back_what_x_says(
    shop: ShopUnderTest, lookup: FakeLookup, then: str
) -> None:
    """The consent to the look-up was withdrawn: no profile comes back by a typed handle."""
    if then == "pending":
        # One time-out alone keeps nobody from asking again.
        lookup.unavailable(HANDLE, Reason.TIMEOUT)
    else:
        lookup.found(HANDLE, "42")
    fields = {"x_handle": HANDLE, **shop.consent()}
    shop.client.post(f"/p/{token_of(shop.sign_up(**fields))}")
    lookup.found(HANDLE, "42")
    told = shop.sign_up(**fields).json["handle"]
    assert told["verdict"] == "found"
    event = shop.events()[-1]
    assert event["data"]["profile"] is None
    held = event["data"]["customer"]["contact_points"][0]["verdict"]
    assert held == then
