"""Forms that only a program can have filled in: answered like all others, and kept nowhere."""

import logging
import re
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.forms import Form
from tests.shops import EMAIL, HANDLE, ORIGIN, ShopUnderTest

TRAP = "https://spam.example"


def headers_of(answer: Any) -> list[str]:
    return sorted(name for name, _ in answer.headers)


def shape_of(answer: Any) -> Any:
    """Of what form an answer is, without its random parts."""
    text = answer.get_data(as_text=True)
    text = re.sub(r"sgn_[0-9A-HJKMNP-TV-Z]{26}", "sgn", text)
    text = re.sub(r"/p/[\w-]{22}\b", "/p/token", text)
    return answer.status_code, headers_of(answer), text


@pytest.mark.parametrize(
    "fields",
    [{"contact_email": EMAIL}, {"x_handle": HANDLE, "contact_channel": "x"}, {}],
    ids=["address", "handle", "empty"],
)
def test_the_answer_is_of_one_form(
    shop: ShopUnderTest, lookup: FakeLookup, fields: dict[str, str]
) -> None:
    """Status, headers and body of the API are those of a signup that was accepted."""
    expected = shape_of(shop.sign_up(**fields))
    assert shape_of(shop.sign_up(**fields, leave_empty=TRAP)) == expected


def test_nothing_is_kept(shop: ShopUnderTest, lookup: FakeLookup) -> None:
    """No row, no event, no call to X; a key that was sent is as free as before."""
    shop.add_endpoint()
    before = shop.rows()
    key = {"Idempotency-Key": "order-1029"}
    told = shop.sign_up(
        x_handle=HANDLE,
        contact_email=EMAIL,
        leave_empty=TRAP,
        headers=key,
        **shop.consent(),
    ).get_json()
    assert told["handle"] == {"value": HANDLE, "verdict": "pending"}
    assert shop.rows() == before
    assert lookup.asked == []


def test_mistakes_are_named_all_the_same(shop: ShopUnderTest) -> None:
    """What is refused is refused in the same words: the trap is nobody's to find by trying."""
    for more in ({}, {"leave_empty": TRAP}):
        answer = shop.sign_up(contact_email="not an address", **more)
        assert answer.status_code == 422
        fields = [error["field"] for error in answer.get_json()["errors"]]
        assert fields == ["contact_email"]


def test_each_has_an_id_and_link_of_its_own(shop: ShopUnderTest) -> None:
    """No two answers are alike, so that none of them can be told by what repeats."""
    told = [
        shop.sign_up(contact_email=EMAIL, leave_empty=TRAP).get_json() for _ in range(3)
    ]
    assert len({answer["id"] for answer in told}) == 3
    assert len({answer["preferences_url"] for answer in told}) == 3


def test_the_link_opens(shop: ShopUnderTest) -> None:
    """The page behind it is there, shows nothing, and can be pressed; one letter off it is gone."""
    told = shop.sign_up(contact_email=EMAIL, leave_empty=TRAP).get_json()
    path = told["preferences_url"].removeprefix(shop.house.settings.base_url)
    answer = shop.client.get(path)
    assert answer.status_code == 200
    assert "ana" not in answer.get_data(as_text=True).lower()
    assert shop.client.post(path).status_code == 303
    other = path[:-2] + ("A" if path[-2] != "A" else "B") + path[-1]
    assert shop.client.get(other).status_code == 404
    assert shop.client.get(f"/p/{'é' * 22}").status_code == 404


def test_under_a_secret_key_it_says_nothing(shop: ShopUnderTest) -> None:
    """The shop's server vouches for what it sends on."""
    answer = shop.sign_up(by_key=True, contact_email=EMAIL, leave_empty=TRAP)
    assert answer.status_code == 201
    assert shop.last_customer()["id"] == answer.get_json()["customer"]["id"]
    assert "Regulars-Ignored" not in answer.headers


@pytest.mark.parametrize("left", ["", "  ", None])
def test_who_leaves_it_empty_is_kept(shop: ShopUnderTest, left: str | None) -> None:
    """The field as every browser sends it changes nothing."""
    shop.sign_up(contact_email=EMAIL, leave_empty=left)
    assert len(shop.events()) == 1


def test_the_hosted_page(shop: ShopUnderTest) -> None:
    """It goes on to the thanks, which are there, and nothing is kept."""
    page = shop.client.get("/signup", query_string={"site": shop.site.publishable_key})
    fields = Form(page.get_data(as_text=True)).fields
    assert fields["leave_empty"] == ""
    before = shop.rows()
    sent = {**fields, "contact_email": EMAIL, "leave_empty": TRAP}
    answer = shop.client.post("/signup", data=sent)
    assert answer.status_code == 303
    assert "/signup/thanks/" in answer.location
    thanks = shop.client.get(answer.location)
    assert thanks.status_code == 200
    assert "/p/" in thanks.get_data(as_text=True)
    assert shop.rows() == before


def test_they_are_counted(
    shop: ShopUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator sees how many there were, and nothing of what was in them."""
    with caplog.at_level(logging.INFO, "regulars"):
        for _ in range(2):
            shop.sign_up(contact_email=EMAIL, leave_empty=TRAP)
    page = shop.client.get("/metrics").get_data(as_text=True)
    assert "regulars_signups_left_aside_total 2.0" in page
    lines = [row for row in caplog.records if row.msg == "signup left aside"]
    assert len(lines) == 2
    assert TRAP not in caplog.text


def test_they_use_up_room_like_all_others(shop: ShopUnderTest) -> None:
    """The limits hold for them too, in the same words."""
    sent = {"site": shop.site.publishable_key, "leave_empty": TRAP}
    for _ in range(60):
        answer = shop.client.post("/v1/signups", json=sent, headers={"Origin": ORIGIN})
        assert answer.status_code == 204
    answer = shop.client.post("/v1/signups", json=sent, headers={"Origin": ORIGIN})
    assert answer.status_code == 429
