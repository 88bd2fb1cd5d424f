"""What X's answers mean: from one HTTP response to one answer per handle or id asked.

Pure: no network, no clock, no tweepy. `x_api` calls it. The shapes:
https://docs.x.com/x-api/users/lookup/integrate
https://docs.x.com/x-api/fundamentals/response-codes-and-errors
https://docs.x.com/x-api/fundamentals/rate-limits
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from regulars.check.lookup import (
    Answer,
    Found,
    NotFound,
    Profile,
    Reason,
    Suspended,
    Unavailable,
    Window,
)
from regulars.values.handle import Handle


@dataclass(frozen=True, slots=True)
class Heard:
    """One HTTP response of X, read to its end.

    ``rate_limit_reset`` is the header of that name, Unix seconds, as it came; the two
    last ones are of the same family, a number of calls each.
    """

    status: int
    content_type: str
    rate_limit_reset: str | None
    body: bytes
    rate_limit: str | None = None
    rate_limit_remaining: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What may be logged of an answer: nothing in it is about a person."""

    status: int
    content_type: str
    keys: tuple[str, ...]


# The host of a problem's `type` varies (api.twitter.com in answers, api.x.com in the
# specification), so only its last segment counts; a suspended account has the very
# type of an unknown one. Rows: segment, title in lower case or None for any, meaning.
_OF_AN_ACCOUNT: tuple[tuple[str, str | None, Answer], ...] = (
    ("resource-not-found", "forbidden", Suspended()),
    ("resource-not-found", None, NotFound()),
    ("", "not found error", NotFound()),
)
# "suspended" alone would also match the handle that the sentence quotes.
_SUSPENDED_DETAIL = "has been suspended"

# Rows: status, segment, title; None stands for any; the first row that fits counts.
# A cap and a spent credit come with a healthy-looking 403 or 429 and do not heal.
_OF_THE_CALL: tuple[tuple[int | None, str | None, str | None, Reason], ...] = (
    (None, "usage-capped", None, Reason.USAGE_CAPPED),
    (None, None, "usagecapexceeded", Reason.USAGE_CAPPED),
    (None, "credits-depleted", None, Reason.PAYMENT_REQUIRED),
    (401, None, None, Reason.UNAUTHORIZED),
    (402, None, None, Reason.PAYMENT_REQUIRED),
    (403, None, None, Reason.FORBIDDEN),
    (429, None, None, Reason.RATE_LIMITED),
    (500, None, None, Reason.SERVER_ERROR),  # stands for 500 to 599
)

# A reset further off than this is a broken header; the documented window is 15 minutes.
_FURTHEST_RESET = timedelta(days=1)


def read_answers(
    heard: Heard, handles: Sequence[Handle], now: datetime
) -> dict[str, Answer]:
    """One answer per handle of *handles*, keyed by ``handle.key``.

    One handle means that the single call was made, more that the batch call was.
    What *heard* does not settle is `Unavailable`, with X's reset if it named one.
    """
    # The answer to the single call is about the handle asked, however X spells it now.
    only = handles[0].key if len(handles) == 1 else None
    return _read(heard, [handle.key for handle in handles], _key_of_name, only, now)


def read_answers_of_ids(
    heard: Heard, user_ids: Sequence[str], now: datetime
) -> dict[str, Answer]:
    """One answer per id of *user_ids*, keyed by the id, to the batch call by id."""
    return _read(heard, user_ids, _id_of, None, now)


def window_of(heard: Heard, now: datetime) -> Window | None:
    """X's limit on this kind of call as *heard* tells it; None where it does not."""
    numbers = (heard.rate_limit, heard.rate_limit_remaining)
    at = _reset_at(heard, now)
    if at is None or not all(re.fullmatch("[0-9]{1,9}", it or "") for it in numbers):
        return None
    return Window(int(numbers[0] or 0), int(numbers[1] or 0), at)


def _read(
    heard: Heard,
    keys: Sequence[str],
    key_of: Callable[[Found], str],
    only: str | None,
    now: datetime,
) -> dict[str, Answer]:
    body = _json_object(heard.body)
    told = _told(body, key_of, only) if heard.status in (200, 404) else {}
    trouble = _trouble(heard, body, now)
    return {key: told.get(key, trouble) for key in keys}


def _key_of_name(found: Found) -> str:
    return found.username.lower()


def _id_of(found: Found) -> str:
    return found.user_id


def shape_of(heard: Heard) -> Shape:
    """The shape of *heard* for the log: status, content type, names of top-level keys."""
    names = sorted(
        name
        for name in _json_object(heard.body)
        if re.fullmatch("[A-Za-z_]{1,32}", name)
    )
    content_type = heard.content_type.partition(";")[0].strip().lower()[:60]
    return Shape(heard.status, content_type, tuple(names[:10]))


def _told(
    body: Mapping[str, Any], key_of: Callable[[Found], str], only: str | None
) -> dict[str, Answer]:
    """What *body* says of single accounts. An account beats a problem of the same key."""
    told: dict[str, Answer] = {}
    for problem in _problems(body):
        meaning = _of_an_account(problem)
        key = only or _lower(problem.get("value") or problem.get("resource_id"))
        if meaning is not None and key:
            told[key] = meaning
    data = body.get("data")
    users = [data] if only else data if isinstance(data, list) else []
    for user in users:
        found = _found(user)
        if found is not None:
            told[only or key_of(found)] = found
    return told


def _of_an_account(problem: Mapping[str, Any]) -> Answer | None:
    """What *problem* says of an account, None when it is about something else."""
    if problem.get("resource_type", "user") != "user":
        return None
    segment, title = _segment(problem), _lower(problem.get("title"))
    for row_segment, row_title, meaning in _OF_AN_ACCOUNT:
        if segment == row_segment and row_title in (None, title):
            if _SUSPENDED_DETAIL in _lower(problem.get("detail")):
                return Suspended()
            return meaning
    return None


def _trouble(heard: Heard, body: Mapping[str, Any], now: datetime) -> Unavailable:
    """Why the call as a whole gave no verdict."""
    reason = _reason(heard.status, list(_problems(body)))
    at = _reset_at(heard, now) if reason is Reason.RATE_LIMITED else None
    return Unavailable(reason, at)


def _reason(status: int, problems: Sequence[Mapping[str, Any]]) -> Reason:
    status = 500 if status // 100 == 5 else status
    segments = {_segment(problem) for problem in problems}
    titles = {_lower(problem.get("title")) for problem in problems}
    for row_status, segment, title, reason in _OF_THE_CALL:
        if (
            row_status in (None, status)
            and (segment is None or segment in segments)
            and (title is None or title in titles)
        ):
            return reason
    return Reason.UNEXPECTED


def _reset_at(heard: Heard, now: datetime) -> datetime | None:
    """X's reset as aware UTC; None when absent, past or more than a day away."""
    if not re.fullmatch("[0-9]{1,10}", heard.rate_limit_reset or ""):
        return None
    at = datetime.fromtimestamp(int(heard.rate_limit_reset or 0), UTC)
    return at if now < at <= now + _FURTHEST_RESET else None


def _found(user: object) -> Found | None:
    """The account in *user*; None without a numeric id and a username."""
    if not isinstance(user, Mapping):
        return None
    user_id, username = user.get("id"), user.get("username")
    if isinstance(user_id, int):
        user_id = str(user_id)
    if not (isinstance(user_id, str) and re.fullmatch("[0-9]{1,20}", user_id)):
        return None
    # Some historic handles are longer than the 15 characters of today.
    if not (isinstance(username, str) and re.fullmatch("[A-Za-z0-9_]{1,20}", username)):
        return None
    protected = user.get("protected") is True
    return Found(user_id, username, None if protected else _profile(user, username))


def _profile(user: Mapping[str, Any], username: str) -> Profile:
    metrics = user.get("public_metrics")
    followers = metrics.get("followers_count") if isinstance(metrics, Mapping) else None
    return Profile(
        username=username,
        display_name=_text(user.get("name")),
        description=_text(user.get("description")),
        url=_expanded_url(user) or _web_address(user.get("url")),
        image_url=_web_address(user.get("profile_image_url")),
        followers_count=followers if type(followers) is int else None,
        created_at=_instant(user.get("created_at")),
        verified_type=_text(user.get("verified_type")),
    )


def _expanded_url(user: Mapping[str, Any]) -> str | None:
    """The profile's link as its owner typed it: the field ``url`` is a t.co link."""
    try:
        return _web_address(user["entities"]["url"]["urls"][0]["expanded_url"])
    except (KeyError, IndexError, TypeError):
        return None


def _web_address(value: object) -> str | None:
    """*value* if it may stand in a link: a `javascript:` address must not get through."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return str(value)


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _problems(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The problems in *body*: those of its ``errors``, and *body* when it is one itself."""
    if "data" not in body:
        yield body
    errors = body.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, Mapping):
            yield error


def _segment(problem: Mapping[str, Any]) -> str:
    """The last path segment of the problem's ``type``, empty for ``about:blank``."""
    kind = _lower(problem.get("type"))
    return "" if kind == "about:blank" else kind.rstrip("/").rpartition("/")[2]


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in *body*, empty when it is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
