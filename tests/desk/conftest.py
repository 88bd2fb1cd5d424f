"""A shop with an owner, and guests of the last days."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.fakes import Clock, FakeLookup
from tests.shops import EMAIL, HANDLE, ShopUnderTest
from werkzeug.serving import WSGIRequestHandler, make_server

from regulars.keep.owner import set_password
from regulars.web.passwords import hash_password

PASSWORD = "four words of no sense"
OpenShop = Callable[..., ShopUnderTest]


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Made once: hashing is slow on purpose."""
    return hash_password(PASSWORD)


def give_password(shop: ShopUnderTest, password_hash: str) -> None:
    with shop.house.database.transaction() as connection:
        set_password(connection, password_hash, shop.clock())


def log_in(shop: ShopUnderTest, password: str = PASSWORD, **headers: str) -> Any:
    """The answer to the login form, as our own page sends it."""
    return shop.client.post(
        "/desk/login",
        data={"password": password},
        headers={"Sec-Fetch-Site": "same-origin", **headers},
        base_url=shop.house.settings.base_url,
    )


def see(shop: ShopUnderTest, path: str = "/desk") -> Any:
    return shop.client.get(path, base_url=shop.house.settings.base_url)


@pytest.fixture
def owned(shop: ShopUnderTest, password_hash: str) -> ShopUnderTest:
    """A shop whose owner has a password."""
    give_password(shop, password_hash)
    return shop


@pytest.fixture
def signed_in(owned: ShopUnderTest) -> ShopUnderTest:
    """A shop whose owner is signed in with the shop's client."""
    assert log_in(owned).status_code == 303
    return owned


class _Silent(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        """Nothing: what a test asked is no news."""


@contextmanager
def served(app: Any, ssl_context: Any = None) -> Iterator[int]:
    """The port on which *app* answers, on 127.0.0.1, as long as this is open."""
    server = make_server(
        "127.0.0.1",
        0,
        app,
        threaded=True,
        request_handler=_Silent,
        ssl_context=ssl_context,
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Serves applications until the test ends."""
    with ExitStack() as servers:
        yield lambda app, ssl_context=None: servers.enter_context(
            served(app, ssl_context)
        )


def welcome_guests(shop: ShopUnderTest, clock: Clock, lookup: FakeLookup) -> None:
    """Nine guests over three days, of every kind that the page must show."""
    lookup.found(HANDLE, "2244994945").found("PedroRibs", "77").suspended("oldspam")
    lookup.not_found("nobody_atall")
    guests: list[dict[str, Any]] = [
        {"given_name": "Grace", "contact_channel": "phone", "contact_phone": "2125550100"},
        {"given_name": "Tomás", "family_name": "O’Neill-Castellanos", "x_handle": "@oldspam"},
        {"contact_channel": "sms", "contact_phone": "212 555 0123"},
        {"given_name": "Pedro", "contact_channel": "x", "x_handle": "@PedroRibs"},
        {"given_name": "Wei", "contact_channel": "x", "x_handle": "nobody_atall"},
        {"given_name": "Joan", "contact_channel": "facebook", "contact_facebook": "joan.of.deli"},
        {"given_name": "Samir", "family_name": "Haddad", "contact_channel": "email",
         "contact_email": "samir@example.org", "order_id": "1031"},
        {"given_name": "Ana", "family_name": "Lima", "contact_channel": ["x", "email"],
         "x_handle": HANDLE, "contact_email": EMAIL, "order_id": "1029",
         "interest": ["Fluminense", "thin crust"], "topic": "quiet_times",
         "consent_offers_email": shop.wording("offers_email"),
         "consent_conversation_x": shop.wording("conversation_x")},
    ]  # fmt: skip
    clock.advance(-2 * 86_400)
    for guest, wait in zip(guests, (1300, 85_000, 70_000, 9000, 1500, 700, 3100, 600), strict=True):  # fmt: skip
        answer = shop.sign_up(**guest, **shop.consent())
        assert answer.status_code == 201, answer.get_json()
        clock.advance(wait)
