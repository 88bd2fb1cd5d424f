"""What a sender may say of itself: a page less than the shop's own server."""

from typing import Any

import pytest
from tests.shops import EMAIL, ShopUnderTest


@pytest.mark.parametrize("surface", ["kiosk", "platform", "import"])
def test_a_page_is_no_kiosk(shop: ShopUnderTest, surface: str) -> None:
    """What no page can be is refused to a page, with a hint for its developer; a key may say it."""
    before = shop.rows()
    answer = shop.sign_up(contact_email=EMAIL, surface=surface)
    assert answer.status_code == 422
    (error,) = answer.get_json()["errors"]
    assert (error["field"], error["code"]) == ("surface", "surface.needs_key")
    assert shop.rows() == before
    shop.sign_up(by_key=True, contact_email=EMAIL, surface=surface)
    assert shop.last_customer()["source"]["surface"] == surface


@pytest.mark.parametrize("surface", ["checkout", "signup_page", "newsletter_popup"])
def test_a_page_may_say_which_page_it_is(shop: ShopUnderTest, surface: str) -> None:
    """Any other word is the page's own affair."""
    shop.sign_up(contact_email=EMAIL, surface=surface)
    assert shop.last_customer()["source"]["surface"] == surface


def test_the_hosted_page_is_no_kiosk(shop: ShopUnderTest) -> None:
    """Nor can whoever posts our own page's form claim it."""
    sent = {"site": shop.site.publishable_key, "contact_email": EMAIL}
    answer = shop.client.post("/signup", data={**sent, "surface": "kiosk"})
    assert answer.status_code == 422
    assert shop.events() == []


IGNORED = "Regulars-Ignored"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"contact_emial": EMAIL}, "contact_emial"),
        ({"b": "1", "a": 2, "c": None}, "a, b"),
        ({"consent_offers_whatsapp": "1.en"}, "consent_offers_whatsapp"),
        ({"né\r\nX: 1, 2": "1"}, "n%C3%A9%0D%0AX%3A%201%2C%202"),
        ({"a" * 100: "1"}, "a" * 60),
    ],
    ids=["misspelt", "several", "not offered", "odd", "long"],
)
def test_a_misspelt_name_is_told_to_the_shops_server(
    shop: ShopUnderTest, fields: dict[str, Any], named: str
) -> None:
    """What means nothing here is named in a header, whatever the answer is otherwise."""
    told = shop.sign_up(by_key=True, **fields)
    assert (told.status_code, told.headers[IGNORED]) == (204, named)
    told = shop.sign_up(by_key=True, contact_email=EMAIL, **fields)
    assert (told.status_code, told.headers[IGNORED]) == (201, named)
    told = shop.sign_up(by_key=True, contact_email="ana", **fields)
    assert (told.status_code, told.headers[IGNORED]) == (422, named)


def test_many_unknown_names(shop: ShopUnderTest) -> None:
    """A header stays short, however much is sent."""
    fields = {f"field_{number:03}": "1" for number in range(300)}
    named = shop.sign_up(by_key=True, **fields).headers[IGNORED].split(", ")
    assert named == [f"field_{number:03}" for number in range(20)]


def test_the_fields_of_the_form_are_known(shop: ShopUnderTest) -> None:
    """Nothing that we take is named, not even where it is empty or null."""
    answer = shop.sign_up(
        by_key=True,
        site=shop.site.publishable_key,
        contact_email=EMAIL,
        contact_channel=["email"],
        idempotency_key="order-1029",
        x_handle_receipt=None,
        leave_empty="",
        **shop.consent(),
    )
    assert answer.status_code == 201
    assert IGNORED not in answer.headers


def test_a_page_is_not_told(shop: ShopUnderTest) -> None:
    """A public answer is the same whatever else a form has in it."""
    answer = shop.sign_up(contact_email=EMAIL, coupon="SPRING")
    assert answer.status_code == 201
    assert IGNORED not in answer.headers
