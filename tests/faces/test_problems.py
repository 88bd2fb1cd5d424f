"""Problems that no field causes: unknown paths, wrong methods, a database that is away, our own faults."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests.fakes import FakeLookup
from tests.shops import EMAIL, HANDLE, ORIGIN, ShopUnderTest

from regulars.check.lookup import Answer
from regulars.values.handle import Handle


class BrokenLookup(FakeLookup):
    """A look-up that breaks its port's promise and raises, quoting what it was asked."""

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        raise RuntimeError(f"cannot look up {handles}")


def code_of(answer: Any) -> str:
    assert answer.mimetype == "application/problem+json"
    (error,) = answer.get_json()["errors"]
    return str(error["code"])


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/v1",
        "/v1/",
        "/v1/signups/",
        "/v1//signups",
        "/schemas/",
        "/admin",
        "/.env",
        "/%00",
        "/%ff",
        "/%ed%a0%80",
        "/" + "a" * 5000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_unknown_paths(shop: ShopUnderTest, path: str, method: str) -> None:
    """A path that we do not have is a 404 problem, never a redirect or a fault."""
    answer = shop.client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/signups"),
        ("PUT", "/v1/signups"),
        ("PATCH", "/v1/signups"),
        ("DELETE", "/v1/signups"),
        ("TRACE", "/v1/signups"),
        ("PROPFIND", "/v1/signups"),
        ("get", "/v1/signups"),
        ("POST", "/healthz"),
        ("POST", "/schemas/test.ping.json"),
    ],
)
def test_other_methods(shop: ShopUnderTest, method: str, path: str) -> None:
    """A method that a path does not take is a 405 problem that names those it takes."""
    answer = shop.client.open(path, method=method)
    assert answer.status_code == 405
    assert code_of(answer) == "method.not_allowed"
    assert answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/signup", "/p/x"])
def test_other_methods_on_pages(shop: ShopUnderTest, path: str) -> None:
    """Where people read, a wrong method is answered with a page."""
    answer = shop.client.put(path)
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert "<h1>" in answer.get_data(as_text=True)


# There a missing table is a mistake of ours; tests/postgres takes the whole server away.
AWAY = "on SQLite a missing table looks like a database that is away"


@pytest.mark.sqlite_only(AWAY)
def test_a_database_that_is_away(shop: ShopUnderTest) -> None:
    """Without the tables nobody is told "accepted": 503, to be tried again."""
    with shop.house.database.transaction() as connection:
        connection.execute(text("ALTER TABLE signup RENAME TO away"))
    answer = shop.sign_up(contact_email=EMAIL)
    assert answer.status_code == 503
    assert code_of(answer) == "server.unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    with shop.house.database.transaction() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO signup"))
    assert shop.sign_up(contact_email=EMAIL).status_code == 201
    assert len(shop.events()) == 1


@pytest.mark.sqlite_only(AWAY)
def test_a_database_that_cannot_even_say_whose_origin_it_is(
    shop: ShopUnderTest,
) -> None:
    """The refusal leaves as a problem also when the headers cannot be looked up."""
    with shop.house.database.transaction() as connection:
        connection.execute(text("DROP TABLE site"))
    answer = shop.client.post(
        "/v1/signups", json={"site": "pk_x"}, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 503
    assert code_of(answer) == "server.unavailable"


@pytest.mark.sqlite_only(AWAY)
def test_readiness_of_a_database_that_is_away(shop: ShopUnderTest) -> None:
    """Alive is not ready: the process answers, the balancer sends nobody."""
    with shop.house.database.transaction() as connection:
        connection.execute(text("DROP TABLE lookup_gate"))
    assert shop.client.get("/healthz").status_code == 200
    assert shop.client.get("/readyz").status_code == 503


def test_a_fault_of_our_own(
    open_under_test: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault is a 500 problem; neither answer nor log quotes what was sent; nothing is stored."""
    shop = open_under_test(BrokenLookup())
    before = shop.rows()
    answer = shop.sign_up(x_handle=HANDLE, **shop.consent())
    assert answer.status_code == 500
    assert code_of(answer) == "server.fault"
    assert HANDLE not in answer.get_data(as_text=True)
    (record,) = [row for row in caplog.records if row.msg == "request failed"]
    assert (record.error, record.exc_info) == ("RuntimeError", None)  # type: ignore[attr-defined]
    # The day's account is open by then, with nothing on it.
    assert shop.rows() == {**before, "lookup_usage": 1}
    with shop.house.database.reading() as connection:
        usage = shop.house.gate.usage(connection, shop.clock())
    assert (usage.users_today, usage.reserved) == (0, 0)


def test_after_a_fault_the_same_key_works(open_under_test: Any) -> None:
    """A request that failed leaves no claim on its idempotency key."""
    shop = open_under_test(BrokenLookup())
    headers = {"Idempotency-Key": "order-1029"}
    sent = {"contact_email": EMAIL, **shop.consent()}
    assert shop.sign_up(x_handle="bob", headers=headers, **sent).status_code == 500
    assert shop.sign_up(headers=headers, **sent).status_code == 201


def test_a_sentence_is_in_utf8(shop: ShopUnderTest) -> None:
    """Problems are UTF-8 JSON, whatever the language of their sentences."""
    answer = shop.client.post(
        "/v1/signups", json={}, headers={"Origin": ORIGIN, "Accept-Language": "zz-€, *"}
    )
    assert answer.status_code == 401
    assert answer.data.decode("utf-8")
