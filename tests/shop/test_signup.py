from tests.fakes import FakeLookup
from tests.shops import HANDLE, PHONE, ShopUnderTest


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
    (event,) = shop.events()
    assert event["data"]["profile"]["username"] == "AnaLima"
