"""The log: one event a line, ids and never personal data, and the talkative libraries quiet."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from tests.shops import BEARER, EMAIL, HANDLE, ORIGIN, ShopUnderTest

from regulars.cli.logs import configure_logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the log says on standard error, set up as by a command; afterwards all is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [
        logger
        for logger in root.manager.loggerDict.values()
        if isinstance(logger, logging.Logger)
    ]
    levels = [(logger, logger.level) for logger in loggers]
    with redirect_stderr(io.StringIO()) as written:
        configure_logs()
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, was in levels:
        logger.setLevel(was)


def test_a_line(log: io.StringIO) -> None:
    """A line has the time in UTC, level, place, message, and the fields that are not None."""
    logging.getLogger("regulars.tell").info(
        "delivery attempted",
        extra={"delivery_id": "dlv_1", "status": 202, "error": None},
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 INFO regulars\.tell:"
        r" delivery attempted delivery_id=dlv_1 status=202\n",
        log.getvalue(),
    )


def test_a_line_is_one_line(log: io.StringIO) -> None:
    """What was sent to us cannot begin a line of its own, and a traceback is none of ours to print."""
    try:
        int("not a number")
    except ValueError:
        logging.getLogger("regulars").exception(
            "round\nfailed", extra={"error": "ValueError\r\n2026 INFO forged"}
        )
    err = log.getvalue()
    assert err.count("\n") == 1
    assert "\r" not in err
    assert "not a number" not in err


def test_set_up_twice_is_set_up_once(log: io.StringIO) -> None:
    """A process that sets up logging again does not say everything twice."""
    with redirect_stderr(log):
        configure_logs()
    logging.getLogger("regulars").info("once")
    assert log.getvalue().count("once") == 1


@pytest.mark.parametrize(
    "name",
    [
        "tweepy.client",
        "urllib3.connectionpool",
        "sqlalchemy.engine.Engine",
        "alembic.runtime.migration",
        "requests_oauthlib",
        "oauthlib",
        "flask-limiter",
    ],
)
def test_libraries_are_quiet(log: io.StringIO, name: str) -> None:
    """What libraries say below a warning (headers, statements, addresses) is not written."""
    logger = logging.getLogger(name)
    logger.info("Authorization: Bearer %s", BEARER)
    logger.debug(EMAIL)
    assert log.getvalue() == ""


def test_debug_is_off(log: io.StringIO) -> None:
    """Our own log begins at INFO."""
    logging.getLogger("regulars.check").debug("detail")
    assert log.getvalue() == ""


def test_the_limiter_names_no_visitor(shop: ShopUnderTest, log: io.StringIO) -> None:
    """A visitor over the limit leaves no address in the log."""
    for _ in range(61):
        answer = shop.client.post(
            "/v1/signups",
            json={"site": shop.site.publishable_key},
            headers={"Origin": ORIGIN},
            environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
        )
    assert answer.status_code == 429
    assert "203.0.113.9" not in log.getvalue()


def test_a_database_error_carries_no_parameters(shop: ShopUnderTest) -> None:
    """The text of a failed statement has no value of the row in it."""
    with (
        pytest.raises(SQLAlchemyError) as caught,
        shop.house.database.transaction() as connection,
    ):
        connection.execute(
            text("INSERT INTO nowhere (email) VALUES (:email)"), {"email": EMAIL}
        )
    assert EMAIL not in str(caught.value)
    assert "parameters hidden" in str(caught.value)


@pytest.mark.sqlite_only("a table that is away is another class of error there")
def test_a_failed_request_is_logged_by_type(
    shop: ShopUnderTest, log: io.StringIO
) -> None:
    """A signup that the database refused is one line without the person, and no traceback."""
    with shop.house.database.transaction() as connection:
        connection.execute(text("ALTER TABLE signup RENAME TO away"))
    answer: Any = shop.sign_up(x_handle=HANDLE, contact_email=EMAIL)
    assert answer.status_code == 503
    err = log.getvalue()
    assert "database unavailable" in err
    assert err.count("\n") == 1
    for personal in (HANDLE, EMAIL, "INSERT"):
        assert personal not in err
