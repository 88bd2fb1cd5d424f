"""Consent rows: what each act agrees to, in which words, and what the rows come to."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import open_again, prove, rows, token_of
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars.keep.consents import (
    consent_table,
    consents_of,
    rows_to_tell,
    sum_of_consents,
)
from regulars.keep.wordings import wording_table
from regulars.values.wording import render_wording

ALL_CHANNELS = "x,email,sms,phone,whatsapp,facebook"
ADDRESSES = {
    "x_handle": HANDLE,
    "contact_email": EMAIL,
    "contact_phone": PHONE,
    "contact_facebook": "ana.lima.9",
}
NEED_PROOF = {"email", "sms", "whatsapp"}


def consents(shop: ShopUnderTest) -> set[tuple[str, str, str, str]]:
    """(purpose, channel, state, method) of each consent in the newest event."""
    return {
        (c["purpose"], c["channel"], c["state"], c["method"])
        for c in shop.last_customer()["consents"]
    }


@pytest.fixture
def everything(open_under_test: Callable[..., ShopUnderTest]) -> ShopUnderTest:
    """A shop that offers every channel."""
    return open_under_test(FakeLookup(), CHANNELS=ALL_CHANNELS)


def test_a_handle_under_its_statement(shop: ShopUnderTest) -> None:
    """Giving the handle under the statement is the consent to link it, and only that."""
    shop.sign_up(x_handle=HANDLE, consent_x_link=shop.wording("x_link"))
    assert consents(shop) == {("x_link", "x", "granted", "handle_field")}


@pytest.mark.parametrize("channel", ALL_CHANNELS.split(","))
def test_a_channel_under_its_question(everything: ShopUnderTest, channel: str) -> None:
    """Choosing a channel grants order and service news by it, and no more."""
    wording = everything.wording("contact_channel")
    everything.sign_up(**ADDRESSES, contact_channel=channel, contact_wording=wording)
    assert consents(everything) == {
        ("order", channel, "granted", "channel_choice"),
        ("service_news", channel, "granted", "channel_choice"),
    }
    told = everything.last_customer()["channels"]
    assert told[channel]["blocked"] == {
        "conversation": "no_consent",
        "offers": "no_consent",
    }
    assert told[channel]["allowed_for"] == ["order", "service_news"]


def test_a_channel_without_its_question(shop: ShopUnderTest) -> None:
    """Without ``contact_wording`` the channel is stored and its purposes are ``no_consent``."""
    shop.sign_up(contact_email=EMAIL, contact_channel="email")
    told = shop.last_customer()
    assert told["preferred_channel"] == "email"
    assert told["channels"]["email"]["rank"] == 1
    assert told["channels"]["email"]["allowed_for"] == []
    assert set(told["channels"]["email"]["blocked"].values()) == {"no_consent"}
    assert told["consents"] == []


def test_conversation_on_x(shop: ShopUnderTest) -> None:
    """The box beside the handle grants conversation on X alone."""
    key = shop.wording("conversation_x")
    shop.sign_up(x_handle=HANDLE, consent_conversation_x=key)
    assert consents(shop) == {("conversation", "x", "granted", "checkbox")}
    assert shop.last_customer()["channels"]["x"]["allowed_for"] == ["conversation"]


@pytest.mark.parametrize("channel", ALL_CHANNELS.split(","))
def test_offers_box(everything: ShopUnderTest, channel: str) -> None:
    """Ticked for e-mail, SMS or WhatsApp it waits for proof; elsewhere it is granted."""
    key = everything.wording(f"offers_{channel}")
    everything.sign_up(**ADDRESSES, **{f"consent_offers_{channel}": key})
    state = "pending" if channel in NEED_PROOF else "granted"
    assert consents(everything) == {("offers", channel, state, "checkbox")}
    told = everything.last_customer()["channels"][channel]
    if channel in NEED_PROOF:
        assert told["blocked"]["offers"] == "pending_consent"
    else:
        assert told["allowed_for"] == ["offers"]


def test_sms_and_calls_share_a_number_not_a_consent(shop: ShopUnderTest) -> None:
    """A yes to texts is none to calls."""
    wording = shop.wording("contact_channel")
    shop.sign_up(contact_phone=PHONE, contact_channel="sms", contact_wording=wording)
    channels = shop.last_customer()["channels"]
    assert channels["sms"]["contact_point_id"] == channels["phone"]["contact_point_id"]
    assert channels["phone"]["allowed_for"] == []


def test_a_consent_row_as_in_the_event(shop: ShopUnderTest) -> None:
    """Every column of the record, and the signup that brought it."""
    answer = shop.sign_up(x_handle=HANDLE, consent_x_link=shop.wording("x_link"))
    (row,) = rows(shop, consent_table)
    assert row.signup_id == answer.json["id"]
    text = render_wording(
        "x_link",
        "en",
        shop_name="Tony's",
        privacy_url="https://tonys.example/privacy",
    )
    assert shop.last_customer()["consents"] == [
        {
            "id": row.id,
            "purpose": "x_link",
            "channel": "x",
            "state": "granted",
            "legal_basis": "consent",
            "method": "handle_field",
            "rendered_by": "shop",
            "occurred_at": "2026-11-21T20:15:04.318Z",
            "recorded_at": "2026-11-21T20:15:04.318Z",
            "wording": {
                "id": "x_link",
                "key": "1.en",
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            },
        }
    ]


@pytest.mark.parametrize("by_key", [False, True], ids=["page", "key"])
def test_rendered_by_the_shop(shop: ShopUnderTest, by_key: bool) -> None:
    """Every ``/v1/signups`` call says ``shop``."""
    wording = shop.wording("x_link")
    shop.sign_up(by_key=by_key, x_handle=HANDLE, consent_x_link=wording)
    assert [c["rendered_by"] for c in shop.last_customer()["consents"]] == ["shop"]


def test_rendered_by_us(shop: ShopUnderTest) -> None:
    """Our own page says ``regulars``."""
    form = {
        "site": shop.site.publishable_key,
        "x_handle": HANDLE,
        "consent_x_link": shop.wording("x_link"),
    }
    assert shop.client.post("/signup", data=form).status_code == 303
    told = shop.last_customer()
    assert [c["rendered_by"] for c in told["consents"]] == ["regulars"]
    assert told["source"]["surface"] == "signup_page"


def test_a_changed_setting_makes_a_new_wording(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """The text as rendered is the wording: another shop name is another key, the old one stays good."""
    shop = open_under_test(FakeLookup())
    old = shop.wording("x_link")
    renamed = open_again(shop, SHOP_NAME="Antônio’s")
    new = renamed.wording("x_link")
    assert (old, new) == ("1.en", "2.en")
    for key in (old, new, old):
        answer = renamed.sign_up(x_handle=HANDLE, consent_x_link=key)
        assert answer.status_code == 201
    stored = {row.key: row for row in rows(shop, wording_table) if row.id == "x_link"}
    assert "Antônio’s" in stored["2.en"].text
    assert "Tony's" in stored["1.en"].text
    for row in stored.values():
        assert row.sha256 == hashlib.sha256(row.text.encode("utf-8")).hexdigest()
    told = [row.wording_sha256 for row in rows(shop, consent_table)]
    assert told == [stored[key].sha256 for key in (old, new, old)]
    renamed.house.database.engine.dispose()


def test_a_wording_is_stored_once(shop: ShopUnderTest) -> None:
    """Rendering the same text again makes no row."""
    shop.wording("x_link")
    before = rows(shop, wording_table)
    shop.wording("x_link")
    assert rows(shop, wording_table) == before


def test_locale_selects_no_wording(shop: ShopUnderTest) -> None:
    """The key alone says what was on the screen."""
    shop.sign_up(x_handle=HANDLE, locale="pt-BR", consent_x_link=shop.wording("x_link"))
    assert shop.last_customer()["consents"][0]["wording"]["key"] == "1.en"


def test_rows_are_only_ever_added(shop: ShopUnderTest) -> None:
    """A second yes and a withdrawal are rows of their own; the event has each state once."""
    fields = {"x_handle": HANDLE, "consent_x_link": shop.wording("x_link")}
    first = shop.sign_up(**fields)
    before = rows(shop, consent_table)
    shop.sign_up(**fields)
    shop.client.post(f"/p/{token_of(first)}")
    after = rows(shop, consent_table)
    assert after[:1] == before
    assert [row.state for row in after] == ["granted", "granted", "withdrawn"]
    assert [row.signup_id for row in after][0::2] == [first.json["id"]] * 2
    states = [c["state"] for c in shop.last_customer()["consents"]]
    assert states == ["granted", "withdrawn"]


def _withdrawn_and_again(shop: ShopUnderTest, by: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "contact_email": EMAIL,
        "contact_channel": "email",
        "contact_wording": shop.wording("contact_channel"),
    }
    first = shop.sign_up(by_key=True, external_id="A-1", **fields)
    shop.client.post(f"/p/{token_of(first)}")
    if by == "proven":
        prove(shop, EMAIL)
    if by == "external_id":
        fields["external_id"] = "A-1"
    shop.sign_up(by_key=True, **fields)
    channel: dict[str, Any] = shop.last_customer()["channels"]["email"]
    return channel


@pytest.mark.parametrize("by", ["external_id", "proven"])
def test_a_new_yes_after_a_withdrawal(shop: ShopUnderTest, by: str) -> None:
    """Under the shop's id or a proven address it counts at once."""
    channel = _withdrawn_and_again(shop, by)
    assert channel["allowed_for"] == ["order", "service_news"]


def test_a_new_yes_under_a_typed_address_waits(shop: ShopUnderTest) -> None:
    """Under a typed address it stays pending, and the withdrawal stands."""
    channel = _withdrawn_and_again(shop, "typed")
    assert channel["allowed_for"] == []
    assert channel["blocked"]["order"] == "withdrawn"
    assert {c["state"] for c in shop.last_customer()["consents"]} == {
        "granted",
        "withdrawn",
        "pending",
    }


def _by_hand(history: list[Any]) -> dict[tuple[str, str], set[str]]:
    """The states in which each question's signups end, read off the whole history."""
    last = {(row.signup_id, row.purpose, row.channel): row.state for row in history}
    ends: dict[tuple[str, str], set[str]] = {}
    for (_, purpose, channel), state in last.items():
        ends.setdefault((purpose, channel), set()).add(state)
    return ends


def test_the_sum_says_what_the_whole_history_says(shop: ShopUnderTest) -> None:
    """However signups and withdrawals follow on each other, nothing that counts is left out."""
    words = {"contact_wording": shop.wording("contact_channel")}
    boxes = {"consent_offers_sms": shop.wording("offers_sms")}
    for turn in range(12):
        answer = shop.sign_up(
            by_key=True,
            external_id="A-1" if turn % 3 else None,
            contact_email=EMAIL,
            contact_phone=PHONE,
            contact_channel=["email", "sms"][turn % 2],
            **words,
            **(boxes if turn % 4 == 1 else {}),
        )
        shop.clock.advance(1)
        if turn % 5 in {0, 3}:
            shop.client.post(f"/p/{token_of(answer)}")
        customer_id = shop.last_customer()["id"]
        with shop.house.database.reading() as connection:
            history = consents_of(connection, customer_id)
            found = sum_of_consents(connection, customer_id)
        standing = [row for row in found if row.stands]
        ends: dict[tuple[str, str], set[str]] = {}
        for row in standing:
            ends.setdefault((row.purpose, row.channel), set()).add(row.state)
        assert ends == _by_hand(history)
        assert [row.id for row in rows_to_tell(found)] == [
            row.id for row in rows_to_tell(history)
        ]


def test_repeats_do_not_make_the_sum_longer(shop: ShopUnderTest) -> None:
    """Anybody may add signups to an address they know: reading it stays as short."""
    fields = {
        "contact_email": EMAIL,
        "contact_channel": "email",
        "contact_wording": shop.wording("contact_channel"),
    }
    lengths = set()
    for _ in range(5):
        shop.sign_up(**fields)
        shop.clock.advance(1)
        with shop.house.database.reading() as connection:
            found = sum_of_consents(connection, shop.last_customer()["id"])
        lengths.add(len(found))
    assert lengths == {2}
    assert len(rows(shop, consent_table)) == 10
