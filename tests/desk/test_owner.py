"""The owner's page: who gets in, for how long, and what is shown there."""

import hmac
import time
from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import text
from tests.desk.conftest import (
    PASSWORD,
    OpenShop,
    give_password,
    log_in,
    see,
    welcome_guests,
)
from tests.fakes import Clock, FakeLookup
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars.check.lookup import Reason
from regulars.desk.owner import PER_PAGE
from regulars.erasure import erase
from regulars.tell.deliveries import hold_endpoint
from regulars.tell.endpoints import EndpointState, store_pace
from regulars.tell.pace import Pace
from regulars.web.passwords import is_password

COMMAND = "regulars owner password"
PAGES = ["/desk", "/desk/customers/cus_x", "/desk?before=sgn_x"]
FOREIGN = [
    pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
    pytest.param({"Sec-Fetch-Site": "same-site"}, id="a sister of ours"),
    pytest.param({"Origin": "https://evil.example"}, id="by its origin"),
]


def is_in(shop: ShopUnderTest) -> bool:
    status = see(shop).status_code
    assert status in {200, 303}
    return bool(status == 200)


def cookie_of(answer: Any) -> Any:
    [header] = answer.headers.getlist("Set-Cookie")
    [morsel] = SimpleCookie(header).values()
    return morsel


def carry(shop: ShopUnderTest, cookie: Any) -> None:
    """Put *cookie*, a copy, into the client's browser."""
    shop.client.set_cookie(
        cookie.key, cookie.value, domain="connect.tonys.example", path="/desk"
    )


def leave(shop: ShopUnderTest, **headers: str) -> Any:
    return shop.client.post(
        "/desk/logout",
        headers={"Sec-Fetch-Site": "same-origin", **headers},
        base_url=shop.house.settings.base_url,
    )


def body(shop: ShopUnderTest, path: str = "/desk") -> str:
    answer = see(shop, path)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


# --- who gets in --------------------------------------------------------------------------


def test_without_a_password_the_page_names_the_command(shop: ShopUnderTest) -> None:
    """Nobody gets in before a password is set, and the page says how to set one."""
    assert see(shop).location == "/desk/login"
    page = see(shop, "/desk/login")
    assert COMMAND in page.get_data(as_text=True)
    assert "<form" not in page.get_data(as_text=True)
    for guess in ("", PASSWORD, "nobody's password"):
        assert log_in(shop, guess).status_code == 403
    assert not is_in(shop)


@pytest.mark.sqlite_only("about who asks, not what is kept")
@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_led_to_the_login(owned: ShopUnderTest, path: str) -> None:
    """Without a session every page leads to the login and tells nothing."""
    answer = see(owned, path)
    assert (answer.status_code, answer.location) == (303, "/desk/login")
    assert "Set-Cookie" not in answer.headers


def test_the_password_opens(owned: ShopUnderTest) -> None:
    """The right password leads to the page, and the login is not asked for again."""
    answer = log_in(owned)
    assert (answer.status_code, answer.location) == (303, "/desk")
    assert is_in(owned)
    assert see(owned, "/desk/login").location == "/desk"


@pytest.mark.sqlite_only("about who asks, not what is kept")
@pytest.mark.parametrize(
    "guess",
    ["", "x", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "\0", "p" * 5000],
    ids=["none", "short", "case", "longer", "shorter", "NUL", "endless"],
)
def test_another_password_does_not(owned: ShopUnderTest, guess: str) -> None:
    """Whatever is not the password is refused, and no session begins."""
    answer = log_in(owned, guess)
    assert answer.status_code == 403
    assert "not the password" in answer.get_data(as_text=True)
    assert not is_in(owned)


def test_a_refused_login_ends_the_session_before(signed_in: ShopUnderTest) -> None:
    """Whoever tries and fails is not signed in by what was there before."""
    log_in(signed_in, "another one")
    assert not is_in(signed_in)


@pytest.mark.sqlite_only("about who asks, not what is kept")
@pytest.mark.parametrize("headers", FOREIGN)
def test_forms_of_other_sites_are_refused(
    signed_in: ShopUnderTest, headers: dict[str, str]
) -> None:
    """Another site can neither sign anybody in nor out."""
    for path in ("/desk/login", "/desk/logout"):
        answer = signed_in.client.post(
            path,
            data={"password": PASSWORD},
            headers=headers,
            base_url=signed_in.house.settings.base_url,
        )
        assert answer.status_code == 403
    assert is_in(signed_in)


def test_an_unset_password_takes_as_long(password_hash: str) -> None:
    """How long a refusal takes does not say whether a password is set."""

    def cost_s(kept: str | None) -> float:
        times = []
        for _ in range(3):
            began = time.thread_time()
            assert not is_password("another one", kept)
            times.append(time.thread_time() - began)
        return min(times)

    assert 0.5 < cost_s(None) / cost_s(password_hash) < 2


@pytest.mark.sqlite_only("about who asks, not what is kept")
def test_guesses_of_one_address_are_few(owned: ShopUnderTest) -> None:
    """The sixth guess in a minute is not even looked at; other addresses go on."""

    def guess(address: str, password: str) -> Any:
        return owned.client.post(
            "/desk/login",
            data={"password": password},
            environ_overrides={"REMOTE_ADDR": address},
            base_url=owned.house.settings.base_url,
        )

    for _ in range(5):
        assert guess("203.0.113.9", "no").status_code == 403
    refused = guess("203.0.113.9", PASSWORD)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert refused.mimetype == "text/html"
    assert guess("203.0.113.10", PASSWORD).status_code == 303


@pytest.mark.sqlite_only("about who asks, not what is kept")
def test_guesses_of_all_addresses_are_few(shop: ShopUnderTest) -> None:
    """Many addresses together cannot guess without end either."""
    statuses = [
        shop.client.post(
            "/desk/login",
            data={"password": ""},
            environ_overrides={"REMOTE_ADDR": f"203.0.113.{number}"},
        ).status_code
        for number in range(31)
    ]
    assert statuses == [403] * 30 + [429]


# --- for how long -------------------------------------------------------------------------


def test_the_cookie_is_guarded(owned: ShopUnderTest) -> None:
    """No script reads it, no other site causes it to be sent, it goes to /desk over TLS alone."""
    cookie = cookie_of(log_in(owned))
    assert cookie.key == "__Secure-regulars"
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/desk"
    assert cookie["domain"] == ""
    assert PASSWORD not in cookie.value


def test_on_plain_http_the_cookie_still_arrives(
    open_under_test: OpenShop, password_hash: str
) -> None:
    """A trial on one's own machine has no TLS: the cookie does without."""
    shop = open_under_test(BASE_URL="http://127.0.0.1:8000")
    give_password(shop, password_hash)
    assert not cookie_of(log_in(shop))["secure"]
    assert is_in(shop)


def test_customers_get_no_cookie(signed_in: ShopUnderTest) -> None:
    """The customers' pages know nothing of the owner's session."""
    site = signed_in.site.publishable_key
    answer = see(signed_in, f"/signup?site={site}")
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.vary


def test_twelve_hours_and_no_more(signed_in: ShopUnderTest) -> None:
    """A session ends after twelve hours, however busy it was."""
    for _ in range(11):
        signed_in.clock.advance(3600)
        assert is_in(signed_in)
    signed_in.clock.advance(3600 - 1)
    assert is_in(signed_in)
    signed_in.clock.advance(1)
    assert not is_in(signed_in)


def test_a_new_password_ends_every_session(
    signed_in: ShopUnderTest, password_hash: str
) -> None:
    """Whoever was signed in under the password before must sign in again."""
    give_password(signed_in, password_hash)
    assert not is_in(signed_in)
    log_in(signed_in)
    assert is_in(signed_in)


def test_signing_out_ends_copies_too(owned: ShopUnderTest) -> None:
    """A copy of the cookie opens nothing after its owner signed out."""
    copy = cookie_of(log_in(owned))
    assert is_in(owned)
    answer = leave(owned)
    assert (answer.status_code, answer.location) == (303, "/desk/login")
    assert cookie_of(answer).value == ""
    carry(owned, copy)
    assert not is_in(owned)


def test_signing_out_takes_a_press(signed_in: ShopUnderTest) -> None:
    """A link that somebody or something opens signs nobody out."""
    assert see(signed_in, "/desk/logout").status_code == 405
    assert is_in(signed_in)


def test_strangers_sign_nobody_out(signed_in: ShopUnderTest) -> None:
    """Without a session there is nothing to end."""
    stranger = signed_in.shop.app.test_client()
    assert stranger.post("/desk/logout").status_code == 303
    assert is_in(signed_in)


def test_each_login_begins_afresh(owned: ShopUnderTest) -> None:
    """A cookie that was planted before the login is not the one after it."""
    first = cookie_of(log_in(owned))
    second = cookie_of(log_in(owned))
    assert first.value != second.value


def test_a_made_up_session_opens_nothing(owned: ShopUnderTest) -> None:
    """A cookie must be signed by a key that is derived from the secret key, not be it."""
    with owned.house.database.reading() as connection:
        version = connection.execute(
            text("SELECT session_version FROM owner")
        ).scalar_one()
    secret = owned.house.settings.secret_key
    app = owned.shop.app
    forger = app.__class__("forger")
    session = {
        "id": "x",
        "version": version,
        "since": owned.clock().timestamp(),
        "_permanent": True,
    }
    is_open = []
    keys = (secret, secret.encode(), b"", hmac.digest(secret.encode(), b"", "sha256"))
    for key in (*keys, app.secret_key):
        forger.secret_key = key or b"?"
        signer = SecureCookieSessionInterface().get_signing_serializer(forger)
        assert signer is not None
        owned.client.set_cookie(
            "__Secure-regulars",
            str(signer.dumps(session)),
            domain="connect.tonys.example",
            path="/desk",
        )
        is_open.append(is_in(owned))
    assert is_open == [False] * 4 + [True]


def test_what_is_kept_is_no_password(owned: ShopUnderTest) -> None:
    """The database holds a slow hash with a salt of its own."""
    with owned.house.database.reading() as connection:
        kept = connection.execute(text("SELECT password_hash FROM owner")).scalar_one()
    assert kept.startswith("scrypt:")
    assert PASSWORD not in kept


# --- what is shown ------------------------------------------------------------------------


@pytest.fixture
def visited(signed_in: ShopUnderTest, clock: Clock, lookup: FakeLookup) -> ShopUnderTest:  # fmt: skip
    """The shop after three days of guests."""
    welcome_guests(signed_in, clock, lookup)
    give = log_in(signed_in)
    assert give.status_code == 303
    return signed_in


def test_the_list_names_who_came(visited: ShopUnderTest) -> None:
    """Names, the way they prefer, verdicts in words and days, the newest first."""
    page = body(visited)
    assert "5 people signed up today" in page
    assert "8 in the last 7 days" in page
    assert "UTC" in page
    words = ["Today", "Ana Lima", "exists on X", "Samir Haddad", "E-mail", "Facebook", "Wei",
             "does not exist on X", "Yesterday", "No name given", "Text message",
             "Thursday 19 November", "we could not use that account", "Phone call"]  # fmt: skip
    places = [page.index(word) for word in words]
    assert places == sorted(places)


def test_the_list_shows_no_address(visited: ShopUnderTest) -> None:
    """On the list addresses are masked: the screen may stand on a counter."""
    page = body(visited).lower()
    for address in (EMAIL, HANDLE, "samir@example.org", "5550100", "0123", "joan.of.deli", "pedroribs", "nobody_atall"):  # fmt: skip
        assert address.lower() not in page
    assert "@a•••••a exists on x" in page


def test_no_page_says_more_than_is_known(visited: ShopUnderTest) -> None:
    """An account that exists is never called the customer's, and no photo of X is shown."""
    card = body(visited, card_path(visited, "Ana"))
    for page in (body(visited), card):
        assert "yours" not in page
        assert "pbs.example" not in page
        assert "<img" not in page
        assert "<script" not in page
        assert "style=" not in page
    assert "Rio. Football. Coffee." not in card


def card_path(shop: ShopUnderTest, given_name: str) -> str:
    with shop.house.database.reading() as connection:
        found = connection.execute(
            text("SELECT id FROM customer WHERE given_name = :name"),
            {"name": given_name},
        ).scalar_one()
    return f"/desk/customers/{found}"


def test_the_card_shows_one_person(visited: ShopUnderTest) -> None:
    """The ways in their order with what each may be used for, and where they signed up."""
    page = body(visited, card_path(visited, "Ana"))
    for words in (
        "Ana Lima",
        f"@{HANDLE} exists on X",
        EMAIL,
        "Following and talking <strong>yes</strong>",
        "Offers <strong>no, not confirmed yet</strong>",
        "a public post that all can read, never a message",
        "Fluminense",
        "quiet times",
        "1029",
        "checkout",
        "https://x.com/intent/user?user_id=2244994945",
    ):
        assert words in page
    assert page.index("a public post") < page.index("straight to them")


def test_without_an_id_the_link_names_the_handle(visited: ShopUnderTest) -> None:
    """An account that X did not confirm is linked by the name that was typed."""
    page = body(visited, card_path(visited, "Wei"))
    assert "https://x.com/intent/user?screen_name=nobody_atall" in page


def test_markup_in_names_is_text(signed_in: ShopUnderTest) -> None:
    """What customers type is never part of the page's code."""
    name = "<b onload=x>Eve</b>"
    signed_in.sign_up(
        given_name=name, contact_email=EMAIL, interest="<i>x", **signed_in.consent()
    )
    for page in (body(signed_in), body(signed_in, card_path(signed_in, name))):
        assert "<b onload" not in page
        assert "<i>x" not in page
        assert "&lt;b onload" in page


def test_who_comes_twice_is_shown_once(signed_in: ShopUnderTest) -> None:
    """A regular is one person, at the time of the latest signup."""
    signed_in.sign_up(contact_email=EMAIL, given_name="Ana")
    signed_in.clock.advance(600)
    signed_in.sign_up(contact_email=EMAIL)
    page = body(signed_in)
    assert "1 person signed up today" in page
    assert page.count("Ana") == 1
    assert "20:25" in page
    assert "20:15</span>" not in page


def test_the_erased_are_gone(visited: ShopUnderTest) -> None:
    """After an erasure neither list nor card knows the person."""
    path = card_path(visited, "Samir")
    house = visited.house
    erased = erase(
        house.database,
        path.rpartition("/")[2],
        secret_key=house.settings.secret_key,
        journal_folder=house.journal_folder,
        now=visited.clock(),
    )
    assert erased is not None
    page = body(visited)
    assert "Samir" not in page
    assert "4 people signed up today" in page
    assert see(visited, path).status_code == 404


def test_a_week_is_shown(signed_in: ShopUnderTest) -> None:
    """Today begins at midnight UTC, and six days before it are shown with it."""
    clock = signed_in.clock
    today = clock.now.replace(hour=0, minute=0, second=0, microsecond=0)
    times = {
        "TooOld": today - timedelta(days=6, milliseconds=1),
        "Oldest": today - timedelta(days=6),
        "LastNight": today - timedelta(milliseconds=1),
        "Midnight": today,
    }
    for number, (name, moment) in enumerate(times.items()):
        clock.now = moment
        signed_in.sign_up(given_name=name, contact_email=f"guest{number}@example.com")
    clock.now = today + timedelta(hours=1)
    log_in(signed_in)
    page = body(signed_in)
    assert "1 person signed up today" in page
    assert "3 in the last 7 days" in page
    shown = [name for name in times if name in page]
    assert shown == ["Oldest", "LastNight", "Midnight"]


def test_the_list_goes_on(signed_in: ShopUnderTest) -> None:
    """Fifty stand on a page, the rest on the next, each once, whoever comes meanwhile."""
    signed_in.house.limiter.enabled = False
    for number in range(PER_PAGE + 3):
        signed_in.clock.advance(1)
        signed_in.sign_up(
            given_name=f"Guest{number:02}", contact_email=f"g{number}@example.com"
        )
    first = body(signed_in)
    assert first.count("Guest") == PER_PAGE
    assert "Guest03" in first
    assert "Guest02" not in first
    signed_in.clock.advance(1)
    signed_in.sign_up(given_name="Newcomer", contact_email="new@example.com")
    older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = body(signed_in, older)
    assert [f"Guest{number:02}" in second for number in range(4)] == [True] * 3 + [False]  # fmt: skip
    assert "Newcomer" not in second
    assert 'rel="next"' not in second
    assert "Newest" in second


@pytest.mark.parametrize(
    "path",
    [
        "/desk/customers/cus_nobody",
        "/desk/customers/%00",
        "/desk/customers/%F0%9F%8D%95",
        "/desk/customers/'--",
    ],
)
def test_unknown_people_have_no_card(signed_in: ShopUnderTest, path: str) -> None:
    """What names nobody is a page that says so."""
    answer = see(signed_in, path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


@pytest.mark.parametrize("before", ["", "%00", "sgn_0", "zzz", "%F0%9F%8D%95"])
def test_any_page_of_the_list_can_be_asked_for(
    visited: ShopUnderTest, before: str
) -> None:
    """Whatever stands in the address, the page comes."""
    assert see(visited, f"/desk?before={before}").status_code == 200


def test_looking_changes_nothing(visited: ShopUnderTest) -> None:
    """The page only shows."""

    def state() -> list[Any]:
        tables = ("customer", "signup", "contact_point", "delivery", "endpoint", "owner")  # fmt: skip
        with visited.house.database.reading() as connection:
            return [
                connection.execute(text(f"SELECT * FROM {name}")).all()
                for name in tables
            ]

    before = state()
    for path in ("/desk", "/desk?before=z", card_path(visited, "Ana"), "/desk/login"):
        see(visited, path)
    assert state() == before


def test_nothing_of_the_page_is_stored(signed_in: ShopUnderTest) -> None:
    """The browser keeps no copy, and the guards of every answer hold here too."""
    headers = see(signed_in).headers
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


# --- what waits ---------------------------------------------------------------------------


def test_without_a_system_the_page_says_so(visited: ShopUnderTest) -> None:
    """An owner reads that nobody is told, and which command changes that."""
    page = body(visited)
    assert "None of your systems is told" in page
    assert "regulars endpoint add" in page


def test_what_waits_is_counted(signed_in: ShopUnderTest) -> None:
    """By system: what is due, and since when; of its address the host alone."""
    signed_in.add_endpoint("https://hooks.tonys.example/in/secret-path?token=1")
    signed_in.sign_up(contact_email=EMAIL)
    signed_in.clock.advance(2 * 3600)
    page = body(signed_in)
    assert "hooks.tonys.example" in page
    assert "secret-path" not in page
    assert "1 update is still to be delivered" in page or "Nothing goes out" in page
    assert "The oldest has waited 2 hours." in page
    assert "Has not taken anything yet." in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (EndpointState.PAUSED, "One of your systems is paused"),
        (EndpointState.DISABLED, "One of your systems takes no updates any more"),
    ],
)
def test_what_is_held_is_explained(
    signed_in: ShopUnderTest, state: EndpointState, words: str
) -> None:
    """A system that is not told stands there with the reason and the way back."""
    endpoint_id, _ = signed_in.add_endpoint()
    with signed_in.house.database.transaction() as connection:
        hold_endpoint(connection, endpoint_id, state, "It answered 410 Gone.")
    signed_in.sign_up(contact_email=EMAIL)
    page = body(signed_in)
    assert words in page
    assert "It answered 410 Gone." in page
    assert f"regulars endpoint resume {endpoint_id}" in page
    assert "<dt>Held</dt><dd>1</dd>" in page


def test_when_all_is_told_the_page_says_so(signed_in: ShopUnderTest) -> None:
    """A calm morning is one line."""
    endpoint_id, _ = signed_in.add_endpoint()
    with signed_in.house.database.transaction() as connection:
        took_it = Pace(last_success_at=signed_in.clock())
        store_pace(connection, {endpoint_id: took_it})
    signed_in.clock.advance(180)
    page = body(signed_in)
    assert "Your systems have been told everything" in page
    assert "Last took something 3 minutes ago." in page


def test_what_was_cancelled_is_no_failure(visited: ShopUnderTest) -> None:
    """Deliveries that an erasure ended are not counted as given up."""
    visited.add_endpoint()
    visited.sign_up(given_name="Gone", contact_phone=PHONE)
    house = visited.house
    erase(
        house.database,
        card_path(visited, "Gone").rpartition("/")[2],
        secret_key=house.settings.secret_key,
        journal_folder=house.journal_folder,
        now=visited.clock(),
    )
    page = body(visited)
    assert "Your systems have been told everything" in page
    assert "Given up" not in page


@pytest.mark.sqlite_only("about words")
@pytest.mark.parametrize(
    # Too many of us at once is no trouble of X's.
    "reason",
    [reason for reason in Reason if reason is not Reason.BUSY],
)
def test_trouble_with_x_is_told_in_words(
    signed_in: ShopUnderTest, lookup: FakeLookup, reason: Reason
) -> None:
    """What is the matter and what to do, never a code; and how many handles wait."""
    for handle in ("someone", "other"):
        lookup.unavailable(handle, reason)
        signed_in.sign_up(x_handle=handle, **signed_in.consent())
    signed_in.clock.advance(3 * 3600)
    page = body(signed_in)
    assert "2 handles wait." in page
    assert "For 3 hours now." in page
    assert "_" not in reason.value or reason.value not in page
    assert "Handles are checked with X" not in page


def test_without_a_token_the_page_does_not_pretend(
    open_under_test: Callable[..., ShopUnderTest], password_hash: str
) -> None:
    """Where X is not asked, nothing is said to be checked."""
    shop = open_under_test()
    give_password(shop, password_hash)
    log_in(shop)
    shop.sign_up(x_handle=HANDLE, **shop.consent())
    page = body(shop)
    assert "Handles are not checked with X" in page
    assert "@a•••••a: not checked" in page
