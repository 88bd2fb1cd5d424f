"""The link of one signup: what it shows, and the one press that takes it back."""

import hashlib
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import (
    change,
    customer_id_of,
    deliver,
    record,
    rows,
    token_of,
)
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars import preferences
from regulars.keep.consents import consent_table
from regulars.keep.customers import customer_table
from regulars.keep.signups import preferences_token, signup_table
from regulars.tell.deliveries import attempt_table
from regulars.tell.events import event_table

FIELDS = {"contact_email": EMAIL, "x_handle": HANDLE, "contact_channel": ["x", "email"]}


@pytest.fixture
def known(shop: ShopUnderTest, lookup: FakeLookup) -> ShopUnderTest:
    """The shop of the tests, asking an X that knows the handle."""
    lookup.found(HANDLE, "42")
    return shop


def sign_up(shop: ShopUnderTest, **more: Any) -> Any:
    """A signup's answer, as the secret key gets it."""
    shop.clock.advance(1)
    fields = {**FIELDS, **shop.consent(), **more}
    answer = shop.sign_up(by_key=True, **fields)
    assert answer.status_code == 201
    return answer


def stop(shop: ShopUnderTest, answer: Any) -> Any:
    return shop.client.post(f"/p/{token_of(answer)}")


def test_the_token(shop: ShopUnderTest) -> None:
    """128 bits that follow from the secret, the signup and the revocations; kept as a hash."""
    answer = sign_up(shop)
    token = token_of(answer)
    secret = shop.house.settings.secret_key
    assert len(token) == 22
    assert token == preferences_token(secret, answer.json["id"], 0)
    assert len({token, preferences_token(secret, answer.json["id"], 1)}) == 2
    assert len({token, preferences_token(secret + "x", answer.json["id"], 0)}) == 2
    (row,) = rows(shop, signup_table)
    assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()


def test_the_page_shows_what_was_sent_masked(known: ShopUnderTest) -> None:
    """The ends of each address and no more, and what was agreed to."""
    page = known.client.get(f"/p/{token_of(sign_up(known))}")
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "same-origin"
    for shown in ("X handle", "a•••••a", "E-mail", "News about my orders (E-mail)"):
        assert shown in page.text, shown
    for hidden in (EMAIL, HANDLE, HANDLE.lower(), "ana.lima"):
        assert hidden not in page.text, hidden


def test_the_page_shows_that_signup_and_nothing_older(known: ShopUnderTest) -> None:
    """Neither the number nor the channel of the signup before."""
    sign_up(known, contact_phone=PHONE, contact_channel=["sms"])
    second = known.sign_up(contact_email=EMAIL)
    shown = preferences.show(known.house.database, token_of(second))
    assert shown is not None
    assert [kind.value for kind, _ in shown.points] == ["email_address"]
    assert (shown.channels, shown.permissions) == ((), ())


@pytest.mark.parametrize("token", ["x", "A" * 22, "%00", "%F0%9F%8D%95", "a" * 3000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_with_nothing_behind_it(
    shop: ShopUnderTest, token: str, method: str
) -> None:
    """404 and a page that says so, whatever was put in its place."""
    answer = shop.client.open(f"/p/{token}", method=method)
    assert answer.status_code == 404


def test_opening_the_link_changes_nothing(known: ShopUnderTest) -> None:
    """Mail scanners open links: GET and HEAD leave every row as it was."""
    token = token_of(sign_up(known))
    before = known.rows(), known.events()
    for method in ("GET", "HEAD", "GET"):
        known.client.open(f"/p/{token}", method=method)
    assert (known.rows(), known.events()) == before


def test_stop_everything(known: ShopUnderTest) -> None:
    """One POST withdraws all that the signup agreed to, granted or pending, in one event."""
    boxes = {"consent_offers_email": known.wording("offers_email")}
    answer = sign_up(known, **boxes)
    assert stop(known, answer).status_code == 303
    latest = {(r.purpose, r.channel): r.state for r in rows(known, consent_table)}
    assert len(latest) == 6
    assert set(latest.values()) == {"withdrawn"}
    assert [event["type"] for event in known.events()] == [
        "customer.created",
        "customer.updated",
    ]
    channels = known.last_customer()["channels"]
    assert channels["email"]["allowed_for"] == channels["x"]["allowed_for"] == []
    assert channels["email"]["blocked"] == {
        "conversation": "no_consent",
        "order": "withdrawn",
        "service_news": "withdrawn",
        "offers": "withdrawn",
    }


def test_the_withdrawal_on_record(known: ShopUnderTest) -> None:
    """Rows of the same signup, by the preference page, rendered by us, without a wording."""
    answer = sign_up(known)
    known.clock.advance(60)
    stop(known, answer)
    withdrawn = [r for r in rows(known, consent_table) if r.state == "withdrawn"]
    assert {r.signup_id for r in withdrawn} == {answer.json["id"]}
    told = [c for c in known.last_customer()["consents"] if c["state"] == "withdrawn"]
    assert len(told) == len(withdrawn) == 5
    assert {c["method"] for c in told} == {"preference_page"}
    assert {c["rendered_by"] for c in told} == {"regulars"}
    assert {c["occurred_at"] for c in told} == {"2026-11-21T20:16:05.318Z"}
    assert [c["wording"] for c in told] == [None] * 5


def test_twice_is_no_second_event(known: ShopUnderTest) -> None:
    """The second press finds nothing that stands, and the page says stopped."""
    answer = sign_up(known)
    stop(known, answer)
    before = known.rows()
    assert stop(known, answer).status_code == 303
    assert known.rows() == before
    shown = preferences.show(known.house.database, token_of(answer))
    assert shown is not None
    assert shown.is_stopped


def test_a_signup_that_agreed_to_nothing(shop: ShopUnderTest) -> None:
    """Its page works and stops nothing, as there is nothing to stop: nor does it claim to have."""
    answer = shop.sign_up(contact_email=EMAIL)
    page = shop.client.get(f"/p/{token_of(answer)}").text
    assert "Everything is stopped" not in page
    assert stop(shop, answer).status_code == 303
    assert len(shop.events()) == 1


def test_other_signups_grants_stand(known: ShopUnderTest) -> None:
    """The link may be in a stranger's hands: it ends what its own signup granted, only."""
    first, second = sign_up(known), sign_up(known)
    before = known.last_customer()["channels"]
    stop(known, first)
    after = known.last_customer()["channels"]
    assert after == before
    assert known.events()[-1]["data"]["profile"] is not None
    stop(known, second)
    assert known.last_customer()["channels"]["x"]["allowed_for"] == []


def test_addresses_ranks_and_names_stay(known: ShopUnderTest) -> None:
    """A withdrawal is no erasure."""
    answer = sign_up(known, given_name="Ana")
    before = known.last_customer()
    stop(known, answer)
    after = known.last_customer()
    for name in ("given_name", "contact_points", "preferred_channels", "status"):
        assert after[name] == before[name], name


def test_without_the_link_consent_the_profile_goes_everywhere(
    known: ShopUnderTest,
) -> None:
    """Out of the record and out of each stored body; the numeric id and the verdict stay."""
    known.add_endpoint()
    first = sign_up(known, external_id="A-1")
    customer_id = customer_id_of(first)
    sign_up(known, external_id="A-1", **{"consent_x_link": None})
    deliver(known, head=b'{"seen": "Rio. Football. Coffee."}')
    ids = [event["id"] for event in known.events()]
    assert all(event["data"]["profile"] for event in known.events())
    stop(known, first)
    assert record(known, customer_id)["profile"] is None
    events = known.events()
    assert [event["id"] for event in events[:2]] == ids
    assert [event["data"]["profile"] for event in events] == [None] * 3
    assert "/profile" in events[-1]["data"]["changed"]
    (point,) = [
        p for p in events[-1]["data"]["customer"]["contact_points"] if p["verdict"]
    ]
    assert (point["verdict"], point["platform_user_id"]) == ("found", "42")
    kept = [row.body_own + row.body_third_party for row in rows(known, event_table)]
    kept += [row.response_head for row in rows(known, attempt_table)]
    assert [text for text in kept if b"Football" in text] == []


def test_a_stored_body_without_profile_differs_in_nothing_else(
    known: ShopUnderTest,
) -> None:
    """Id, type, time, version and every other member are those of the first form."""
    answer = sign_up(known)
    (before,) = known.events()
    stop(known, answer)
    before["data"]["profile"] = None
    assert known.events()[0] == before


def test_a_new_consent_under_the_shops_id_brings_the_profile_back(
    known: ShopUnderTest,
) -> None:
    """X was asked again with consent: what it said is on record again."""
    first = sign_up(known, external_id="A-1")
    stop(known, first)
    sign_up(known, external_id="A-1")
    assert known.events()[-1]["data"]["profile"]["username"] == HANDLE


def test_after_an_erasure_the_link_is_gone(known: ShopUnderTest) -> None:
    """Neither shows nor withdraws anything."""
    answer = sign_up(known)
    change(known, customer_table, status="erased")
    events = len(known.events())
    assert known.client.get(f"/p/{token_of(answer)}").status_code == 404
    assert stop(known, answer).status_code == 404
    assert len(known.events()) == events


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_sites_form_stops_nothing(
    known: ShopUnderTest, headers: dict[str, str]
) -> None:
    """403, and every grant stands."""
    token = token_of(sign_up(known))
    answer = known.client.post(f"/p/{token}", headers=headers)
    assert answer.status_code == 403
    assert len(known.events()) == 1
