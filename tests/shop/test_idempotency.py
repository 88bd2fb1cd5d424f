"""Idempotency-Key: the same request again is answered again and done once."""

from datetime import timedelta
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import count, customer_id_of, recheck, rows
from tests.shops import EMAIL, HANDLE, ORIGIN, ShopUnderTest

from regulars import erasure
from regulars.check.lookup import Reason
from regulars.keep import idempotency
from regulars.keep.customers import customer_table
from regulars.keep.idempotency import idempotency_table
from regulars.keep.signups import signup_table
from regulars.keep.sites import add_key, add_site
from regulars.tell.events import event_table

KEY = {"Idempotency-Key": "order-1029"}


def test_the_same_key_and_body_get_the_first_answer_again(shop: ShopUnderTest) -> None:
    """Status and body are the first ones, and nothing is made twice."""
    first = shop.sign_up(headers=KEY, contact_email=EMAIL)
    again = shop.sign_up(headers=KEY, contact_email=EMAIL)
    assert (again.status_code, again.data) == (201, first.data)
    assert count(shop, signup_table) == count(shop, event_table) == 1


def test_the_answer_does_not_follow_the_verdict(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A repeat says ``pending`` though the record says ``found`` by now."""
    lookup.unavailable(HANDLE, Reason.TIMEOUT)
    fields = {"x_handle": HANDLE, **shop.consent()}
    first = shop.sign_up(headers=KEY, **fields)
    lookup.found(HANDLE, "42")
    shop.clock.advance(10)
    assert recheck(shop) == 1
    again = shop.sign_up(headers=KEY, **fields)
    assert again.json == first.json
    assert again.json["handle"]["verdict"] == "pending"
    assert len(lookup.asked) == 2


def test_another_body_is_refused(shop: ShopUnderTest) -> None:
    """422 with its code, and the first signup stands alone."""
    shop.sign_up(headers=KEY, contact_email=EMAIL)
    answer = shop.sign_up(headers=KEY, contact_email="other@example.com")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["code"] == "idempotency_key.other_body"
    assert count(shop, signup_table) == 1


QUOTED = [('"order-1029"', "order-1029"), ("order-1029", '"order-1029"')]


@pytest.mark.parametrize(("first", "second"), QUOTED, ids=["quoted first", "bare"])
def test_quoted_and_bare_are_one_key(
    shop: ShopUnderTest, first: str, second: str
) -> None:
    """The quotes of a structured header are not part of the key."""
    for key in (first, second):
        shop.sign_up(headers={"Idempotency-Key": key}, contact_email=EMAIL)
    assert count(shop, signup_table) == 1


BAD_KEYS = ["", " ", "two words", "caf\u00e9", "k" * 256]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_is_1_to_255_visible_ascii(shop: ShopUnderTest, key: str) -> None:
    """Anything else is a 400 with its code, and nothing is kept."""
    answer = shop.sign_up(headers={"Idempotency-Key": key}, contact_email=EMAIL)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["code"] == "idempotency_key.invalid"
    assert count(shop, signup_table, idempotency_table) == 0


def test_the_longest_key(shop: ShopUnderTest) -> None:
    """255 characters are taken."""
    key = {"Idempotency-Key": "k" * 255}
    assert shop.sign_up(headers=key, contact_email=EMAIL).status_code == 201


def test_the_form_field(shop: ShopUnderTest) -> None:
    """Form-encoded browsers send ``idempotency_key`` as a field."""
    form = {
        "site": shop.site.publishable_key,
        "contact_email": EMAIL,
        "idempotency_key": "page-1",
    }
    answers = [
        shop.client.post("/v1/signups", data=form, headers={"Origin": ORIGIN})
        for _ in range(2)
    ]
    assert answers[0].data == answers[1].data
    assert count(shop, signup_table) == 1


def test_the_hosted_page_pressed_twice(shop: ShopUnderTest) -> None:
    """One page sent twice is one signup, and both presses end on the same thanks."""
    form = {
        "site": shop.site.publishable_key,
        "contact_email": EMAIL,
        "idempotency_key": "page-1",
    }
    answers = [shop.client.post("/signup", data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    assert count(shop, signup_table) == 1


def test_the_scope_is_the_credential(shop: ShopUnderTest) -> None:
    """The same key under another secret key, another site or a site is another request."""
    with shop.house.database.transaction() as connection:
        _, other_key = add_key(connection, "another server", shop.clock())
        other_site = add_site(connection, "Stall", [ORIGIN], shop.clock())
    by_key: dict[str, Any] = {"contact_email": EMAIL}
    shop.sign_up(by_key=True, headers=KEY, **by_key)
    shop.sign_up(headers=KEY, **by_key)
    shop.sign_up(headers=KEY, **{**by_key, "site": other_site.publishable_key})
    answer = shop.client.post(
        "/v1/signups",
        json=by_key,
        headers={**KEY, "Authorization": f"Bearer {other_key}"},
    )
    assert answer.status_code == 201
    assert count(shop, signup_table) == 4
    assert len({row.scope for row in rows(shop, idempotency_table)}) == 4


def test_the_answer_under_the_secret_key_is_kept_whole(shop: ShopUnderTest) -> None:
    """The version in it is that of the first answer."""
    fields = {"contact_email": EMAIL}
    first = shop.sign_up(by_key=True, headers=KEY, **fields)
    shop.sign_up(by_key=True, **fields)
    again = shop.sign_up(by_key=True, headers=KEY, **fields)
    assert again.json == first.json
    assert again.json["customer"]["version"] == 1


def test_an_empty_form_does_not_use_the_key_up(shop: ShopUnderTest) -> None:
    """204 keeps nothing, so the key is free for a form that holds something."""
    assert shop.sign_up(headers=KEY).status_code == 204
    assert count(shop, idempotency_table) == 0
    assert shop.sign_up(headers=KEY, contact_email=EMAIL).status_code == 201


def test_a_refused_form_does_not_use_the_key_up(shop: ShopUnderTest) -> None:
    """422 keeps nothing either: the corrected form goes through."""
    assert shop.sign_up(headers=KEY, contact_email="no").status_code == 422
    assert shop.sign_up(headers=KEY, contact_email=EMAIL).status_code == 201


def _claim(shop: ShopUnderTest) -> None:
    """Leave the key as a process does that is still answering."""
    shop.sign_up(headers=KEY, contact_email=EMAIL)
    with shop.house.database.transaction() as connection:
        connection.execute(
            idempotency_table.update().values(signup_id=None, answer=None)
        )


def test_in_flight(shop: ShopUnderTest) -> None:
    """While the first request is being answered the second gets 409 and when to come back."""
    _claim(shop)
    answer = shop.sign_up(headers=KEY, contact_email=EMAIL)
    assert answer.status_code == 409
    assert int(answer.headers["Retry-After"]) >= 1
    assert count(shop, signup_table) == 1


@pytest.mark.parametrize(("seconds", "status"), [(60, 409), (60.001, 201)])
def test_an_abandoned_claim_is_taken_over_after_a_minute(
    shop: ShopUnderTest, seconds: float, status: int
) -> None:
    """A process that died while answering holds its key for 60 s and no longer."""
    _claim(shop)
    shop.clock.advance(seconds)
    assert shop.sign_up(headers=KEY, contact_email=EMAIL).status_code == status


def test_who_lost_the_claim_keeps_nothing(shop: ShopUnderTest) -> None:
    """An answer that comes after the takeover finds its claim gone."""
    database, now = shop.house.database, shop.clock()
    first = idempotency.claim(database, "site:s", "k", "f", now)
    later = now + timedelta(seconds=61)
    second = idempotency.claim(database, "site:s", "k", "f", later)
    assert isinstance(first, idempotency.Claim)
    assert isinstance(second, idempotency.Claim)
    with database.transaction() as connection:
        assert not idempotency.answer_under(connection, first, "sgn_1", {"id": "1"})
        idempotency.release(connection, first)
        assert idempotency.answer_under(connection, second, "sgn_2", {"id": "2"})
    assert idempotency.claim(database, "site:s", "k", "f", later) == {"id": "2"}


@pytest.mark.parametrize(("days", "signups"), [(30, 1), (30.001, 2)])
def test_keys_are_kept_30_days(shop: ShopUnderTest, days: float, signups: int) -> None:
    """After that the key is a fresh one."""
    shop.sign_up(headers=KEY, contact_email=EMAIL)
    shop.clock.advance(days * 86400)
    shop.sign_up(headers=KEY, contact_email=EMAIL)
    assert count(shop, signup_table) == signups


@pytest.mark.parametrize("by_key", [False, True], ids=["page", "key"])
def test_a_repeat_after_an_erasure_makes_nobody_anew(
    shop: ShopUnderTest, by_key: bool
) -> None:
    """The kept answer says the signup's id and nothing of the person."""
    first = shop.sign_up(by_key=by_key, headers=KEY, contact_email=EMAIL)
    (customer,) = rows(shop, customer_table)
    erasure.erase(
        shop.house.database,
        customer.id,
        secret_key=shop.house.settings.secret_key,
        journal_folder=shop.house.journal_folder,
        now=shop.clock(),
    )
    again = shop.sign_up(by_key=by_key, headers=KEY, contact_email=EMAIL)
    assert again.json == {
        "id": first.json["id"],
        "handle": None,
        "preferences_url": None,
    }
    assert [row.status for row in rows(shop, customer_table)] == ["erased"]


def test_without_a_key_each_request_is_a_signup(shop: ShopUnderTest) -> None:
    """Nobody guesses that two equal requests are one."""
    first = shop.sign_up(by_key=True, contact_email=EMAIL)
    second = shop.sign_up(by_key=True, contact_email=EMAIL)
    assert customer_id_of(first) == customer_id_of(second)
    assert count(shop, signup_table) == 2


def test_the_stored_fingerprint_is_keyed(shop: ShopUnderTest) -> None:
    """Equal bodies have another fingerprint under another secret: none is guessed from it."""
    assert idempotency.fingerprint_of("a", b"x") == idempotency.fingerprint_of(
        "a", b"x"
    )
    assert idempotency.fingerprint_of("a", b"x") != idempotency.fingerprint_of(
        "b", b"x"
    )
