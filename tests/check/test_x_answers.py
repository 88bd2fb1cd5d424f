"""What each shape of answer means, by the shapes of
https://docs.x.com/x-api/users/lookup/integrate and
https://docs.x.com/x-api/fundamentals/response-codes-and-errors.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.check.lookup import (
    Answer,
    Found,
    NotFound,
    Profile,
    Reason,
    Suspended,
    Unavailable,
)
from regulars.check.x_answers import Heard, Shape, read_answers, shape_of
from regulars.values.handle import Handle

NOW = datetime(2026, 11, 21, 20, 15, tzinfo=UTC)
ANA, BEN = Handle("AnaLima"), Handle("ben")
UNEXPECTED = Unavailable(Reason.UNEXPECTED)


def heard(status: int, body: Any, reset: str | None = None) -> Heard:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Heard(status, "application/json; charset=utf-8", reset, raw)


def missing(value: str, **changed: Any) -> dict[str, Any]:
    return {
        "value": value,
        "detail": f"Could not find user with username: [{value}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": "username",
        "resource_id": value,
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    } | changed


def suspended(value: str, **changed: Any) -> dict[str, Any]:
    detail = f"User has been suspended: [{value}]."
    return missing(value, title="Forbidden", detail=detail) | changed


def one(answer: Heard) -> Answer:
    return read_answers(answer, [ANA], NOW)["analima"]


USER = {"id": "2244994945", "name": "Ana Lima", "username": "AnaLima"}
BARE = Profile("AnaLima", "Ana Lima", None, None, None, None, None, None)
API_X = "https://api.x.com/2/problems/resource-not-found"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(
            200, {"data": USER}, Found("2244994945", "AnaLima", BARE), id="found"
        ),
        pytest.param(
            200,
            {"data": USER | {"id": 2244994945}},
            Found("2244994945", "AnaLima", BARE),
            id="an id that is a number becomes a text",
        ),
        pytest.param(
            200,
            {"data": USER, "errors": [missing("9", resource_type="tweet")]},
            Found("2244994945", "AnaLima", BARE),
            id="a problem with something else beside the account",
        ),
        pytest.param(
            200,
            {"data": USER | {"protected": True, "description": "secret"}},
            Found("2244994945", "AnaLima", None),
            id="protected",
        ),
        pytest.param(200, {"errors": [missing("AnaLima")]}, NotFound(), id="not found"),
        pytest.param(
            200,
            {"errors": [missing("AnaLima", type=API_X)]},
            NotFound(),
            id="other host",
        ),
        pytest.param(
            200, {"errors": [suspended("AnaLima")]}, Suspended(), id="suspended"
        ),
        pytest.param(
            200,
            {"errors": [suspended("AnaLima", title="Not Found Error")]},
            Suspended(),
            id="suspended by the detail alone",
        ),
        pytest.param(
            200,
            {"errors": [missing("suspended")]},
            NotFound(),
            id="a missing handle that reads suspended",
        ),
        pytest.param(
            404, {"errors": [missing("AnaLima")]}, NotFound(), id="404 with errors"
        ),
        pytest.param(404, missing("AnaLima"), NotFound(), id="404 as a problem"),
        pytest.param(404, suspended("AnaLima"), Suspended(), id="404 suspended"),
        pytest.param(
            404,
            {"title": "Not Found", "type": "about:blank", "status": 404},
            UNEXPECTED,
            id="404 of an unknown endpoint",
        ),
        pytest.param(404, b"<html>not here</html>", UNEXPECTED, id="404 with HTML"),
        pytest.param(
            404, missing("9", resource_type="tweet"), UNEXPECTED, id="404 of a post"
        ),
        pytest.param(200, b"<html>hello</html>", UNEXPECTED, id="HTML"),
        pytest.param(200, b"", UNEXPECTED, id="empty"),
        pytest.param(200, b"\xff\xfe\x00", UNEXPECTED, id="not text"),
        pytest.param(200, b"[" * 100_000, UNEXPECTED, id="bottomless JSON"),
        pytest.param(200, [USER], UNEXPECTED, id="a JSON list"),
        pytest.param(200, {"data": [USER]}, UNEXPECTED, id="a list in the single call"),
        pytest.param(200, {}, UNEXPECTED, id="an empty object"),
        pytest.param(200, {"data": {"username": "AnaLima"}}, UNEXPECTED, id="no id"),
        pytest.param(200, {"data": USER | {"id": "abc"}}, UNEXPECTED, id="an odd id"),
        pytest.param(
            200, {"data": USER | {"username": "<b>"}}, UNEXPECTED, id="odd name"
        ),
        pytest.param(200, {"errors": "none"}, UNEXPECTED, id="errors of another type"),
        pytest.param(
            200, {"errors": [missing("a", type=7)] * 2}, NotFound(), id="odd type"
        ),
        pytest.param(201, {"data": USER}, UNEXPECTED, id="another success"),
        pytest.param(302, b"", UNEXPECTED, id="a redirect"),
        pytest.param(400, {"title": "Invalid Request"}, UNEXPECTED, id="400"),
    ],
)
def test_single_answer(status: int, body: Any, expected: Answer) -> None:
    """A verdict comes only from an answer that is about the account."""
    assert one(heard(status, body)) == expected


CAP = "https://api.twitter.com/2/problems/usage-capped"
CREDITS = "https://api.x.com/2/problems/credits-depleted"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(401, {"title": "Unauthorized"}, Reason.UNAUTHORIZED, id="401"),
        pytest.param(402, {"type": CREDITS}, Reason.PAYMENT_REQUIRED, id="402"),
        pytest.param(402, b"", Reason.PAYMENT_REQUIRED, id="402 without a body"),
        pytest.param(
            403, {"type": CREDITS}, Reason.PAYMENT_REQUIRED, id="403 for credit"
        ),
        pytest.param(403, {"title": "Forbidden"}, Reason.FORBIDDEN, id="403"),
        pytest.param(403, ["no"], Reason.FORBIDDEN, id="403 with a list"),
        pytest.param(403, {"type": CAP}, Reason.USAGE_CAPPED, id="403 for the cap"),
        pytest.param(429, {"type": CAP}, Reason.USAGE_CAPPED, id="429 for the cap"),
        pytest.param(
            429, {"title": "UsageCapExceeded"}, Reason.USAGE_CAPPED, id="cap by title"
        ),
        pytest.param(
            429, {"errors": [{"type": CAP}]}, Reason.USAGE_CAPPED, id="cap in errors"
        ),
        pytest.param(
            429, {"errors": [{"code": 88}]}, Reason.RATE_LIMITED, id="old 429"
        ),
        pytest.param(500, {"title": "Internal"}, Reason.SERVER_ERROR, id="500"),
        pytest.param(
            503, b"<html>busy</html>", Reason.SERVER_ERROR, id="503 with HTML"
        ),
        pytest.param(522, b"", Reason.SERVER_ERROR, id="522 of a proxy"),
        pytest.param(418, {}, Reason.UNEXPECTED, id="418"),
    ],
)
def test_trouble_has_its_reason(status: int, body: Any, reason: Reason) -> None:
    """Status decides, unless type or title say that a cap or the credit is spent."""
    assert one(heard(status, body)) == Unavailable(reason)


def seconds(offset: timedelta) -> str:
    return str(int((NOW + offset).timestamp()))


@pytest.mark.parametrize(
    ("reset", "retry_at"),
    [
        pytest.param(
            seconds(timedelta(minutes=9)), NOW + timedelta(minutes=9), id="soon"
        ),
        pytest.param(
            seconds(timedelta(days=1)), NOW + timedelta(days=1), id="in a day"
        ),
        pytest.param(seconds(timedelta(days=1, seconds=1)), None, id="further"),
        pytest.param(seconds(timedelta(0)), None, id="now"),
        pytest.param(seconds(timedelta(minutes=-1)), None, id="past"),
        pytest.param(None, None, id="absent"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="a word"),
        pytest.param("9" * 30, None, id="huge"),
        pytest.param("-1", None, id="negative"),
    ],
)
def test_reset_of_a_rate_limit(reset: str | None, retry_at: datetime | None) -> None:
    """X's reset is obeyed when it lies ahead, within a day."""
    answer = one(heard(429, {"title": "Too Many Requests"}, reset))
    assert answer == Unavailable(Reason.RATE_LIMITED, retry_at)


def test_a_cap_names_no_time_to_return() -> None:
    """A cap comes with a reset that does not help: it is not passed on."""
    answer = one(heard(429, {"type": CAP}, seconds(timedelta(minutes=9))))
    assert answer == Unavailable(Reason.USAGE_CAPPED, None)


def test_a_renamed_account_is_found_under_its_new_name() -> None:
    """The single call's answer is about the handle asked, whatever its name is now."""
    answer = one(heard(200, {"data": USER | {"username": "AnaSouza"}}))
    assert isinstance(answer, Found)
    assert answer.username == "AnaSouza"


def test_batch_is_matched_by_name_and_value_in_any_case() -> None:
    """Neither order nor case of the answer need be those of the question."""
    handles = [Handle("GONE"), BEN, ANA, Handle("lost"), Handle("bad")]
    body = {
        "data": [USER | {"username": "ANALIMA"}, USER | {"id": "7", "username": "Ben"}],
        "errors": [missing("gone"), suspended("Bad"), missing("stranger")],
    }
    answers = read_answers(heard(200, body), handles, NOW)
    assert [type(answers[key]) for key in ("gone", "bad", "ben", "analima")] == [
        NotFound,
        Suspended,
        Found,
        Found,
    ]
    assert answers["lost"] == UNEXPECTED
    assert set(answers) == {"gone", "ben", "analima", "lost", "bad"}


def test_batch_trouble_befalls_each_handle() -> None:
    """A call that fails as a whole gives every handle the same reason."""
    answers = read_answers(heard(503, b"<html>"), [ANA, BEN], NOW)
    assert answers == dict.fromkeys(
        ["analima", "ben"], Unavailable(Reason.SERVER_ERROR)
    )


FULL = USER | {
    "created_at": "2013-12-14T04:35:55.000Z",
    "description": "Coffee.",
    "url": "https://t.co/short",
    "entities": {"url": {"urls": [{"expanded_url": "https://ana.example/"}]}},
    "profile_image_url": "https://pbs.twimg.com/a_normal.jpg",
    "public_metrics": {"followers_count": 321},
    "protected": False,
    "verified_type": "blue",
}


def test_full_profile() -> None:
    """Each field of the profile comes from its place, the link un-shortened."""
    answer = one(heard(200, {"data": FULL}))
    assert answer == Found(
        "2244994945",
        "AnaLima",
        Profile(
            username="AnaLima",
            display_name="Ana Lima",
            description="Coffee.",
            url="https://ana.example/",
            image_url="https://pbs.twimg.com/a_normal.jpg",
            followers_count=321,
            created_at=datetime(2013, 12, 14, 4, 35, 55, tzinfo=UTC),
            verified_type="blue",
        ),
    )


@pytest.mark.parametrize(
    ("changed", "field", "value"),
    [
        ({"entities": {}}, "url", "https://t.co/short"),
        ({"entities": {"url": {"urls": []}}}, "url", "https://t.co/short"),
        ({"entities": ["url"], "url": ""}, "url", None),
        ({"entities": None, "url": "javascript:alert(1)"}, "url", None),
        ({"entities": None, "url": "https://[broken"}, "url", None),
        ({"profile_image_url": "data:image/png;base64,"}, "image_url", None),
        ({"public_metrics": None}, "followers_count", None),
        ({"public_metrics": {"followers_count": "321"}}, "followers_count", None),
        ({"public_metrics": {"followers_count": True}}, "followers_count", None),
        ({"created_at": "yesterday"}, "created_at", None),
        ({"created_at": "2013-12-14T04:35:55"}, "created_at", None),
        ({"created_at": 7}, "created_at", None),
        ({"name": None}, "display_name", None),
        ({"description": ""}, "description", None),
        ({"verified_type": "something new"}, "verified_type", "something new"),
    ],
    ids=str,
)
def test_odd_profile_fields(changed: dict[str, Any], field: str, value: object) -> None:
    """A field of another type or with an unsafe address is left out, never fatal."""
    answer = one(heard(200, {"data": FULL | changed}))
    assert isinstance(answer, Found)
    assert getattr(answer.profile, field) == value


def test_shape_holds_nothing_personal() -> None:
    """The log gets status, content type and key names; a key that is a text is not one."""
    body = {"data": USER, "meta": {}, "@AnaLima said": 1}
    assert shape_of(heard(200, body)) == Shape(
        200, "application/json", ("data", "meta")
    )
