"""The handles that the stand-in for X knows, and the answers it can give.

Shapes as in https://docs.x.com/openapi.json (the schemas `User` and `Problem`, and those
that are made from it), https://docs.x.com/x-api/users/lookup/integrate,
https://docs.x.com/x-api/fundamentals/response-codes-and-errors and
https://docs.x.com/x-api/fundamentals/rate-limits.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import urljoin

PROBLEMS = "https://api.twitter.com/2/problems/"


@dataclass(frozen=True)
class Gone:
    """No account: one entry of `errors`, with HTTP 200 unless `status` says otherwise."""

    title: str = "Not Found Error"
    detail: str = "Could not find user with {parameter}: [{value}]."
    status: int = 200

    def error(self, value: str, parameter: str) -> dict[str, str]:
        """The entry of `errors` about *value*, one of the call's *parameter*."""
        return {
            "value": value,
            "detail": self.detail.format(value=value, parameter=parameter),
            "title": self.title,
            "resource_type": "user",
            "parameter": parameter,
            "resource_id": value,
            "type": PROBLEMS + "resource-not-found",
        }


@dataclass(frozen=True)
class Changing:
    """An account that is *first* when somebody asks for its handle, and another thing later.

    `handle` is what its handle gives from then on, `account` what its id gives.
    """

    first: dict[str, Any]
    handle: Any
    account: Any


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer: a text goes out as HTML, anything else as JSON.

    `reset_in_s` becomes the header x-rate-limit-reset, that many seconds from then;
    `allowance` what the two beside it say: so many calls are left of so many.
    """

    status: int
    body: object
    reset_in_s: int | None = None
    allowance: tuple[int, int] | None = None


class Stunt(Enum):
    """An answer that is late, broken off or endless."""

    SLOW = "answers after ten seconds"
    SILENT = "never answers"
    RESET = "breaks the connection"
    DRIP = "sends one byte at a time, from the first header on"
    DRIP_BODY = "sends the headers at once, then the body one byte at a time"


def user(username: str, name: str, **more: Any) -> dict[str, Any]:
    """A found account; its id and numbers follow from its name alone."""
    number = int(hashlib.sha256(username.lower().encode()).hexdigest()[:12], 16)
    return {
        "id": str(1_000_000 + number),
        "name": name,
        "username": username,
        "created_at": f"20{10 + number % 14}-0{1 + number % 9}-17T09:30:00.000Z",
        "description": "",
        "profile_image_url": f"https://pbs.twimg.com/profile_images/{number}/a_normal.jpg",
        "protected": False,
        "public_metrics": {"followers_count": number % 5000, "post_count": 12},
        "verified_type": "none",
    } | more


def problem(status: int, kind: str, title: str, detail: str, /, **more: Any) -> Reply:
    """X's problem of *kind*, a path below its own or a whole address."""
    about = {"title": title, "detail": detail, "type": urljoin(PROBLEMS, kind)}
    return Reply(status, about | more)


ANA = user(
    "AnaLima",
    "Ana Lima",
    id="2244994945",
    description="Quiet tables, strong coffee.",
    url="https://t.co/ana",
    entities={"url": {"urls": [{"expanded_url": "https://ana.example/"}]}},
    public_metrics={"followers_count": 321, "following_count": 88, "post_count": 1204},
)
NOT_FOUND = Gone()
SUSPENDED = Gone("Forbidden", "User has been suspended: [{value}].")
_TOO_MANY = {"title": "Too Many Requests", "detail": "Too Many Requests"}
LIMITED = Reply(
    429, _TOO_MANY | {"type": "about:blank", "status": 429}, 120, allowance=(0, 300)
)
NO_RESET = Reply(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]})
UNAUTHORIZED = problem(401, "about:blank", "Unauthorized", "Unauthorized", status=401)
# The limit looks healthy, and waiting for its reset does not help.
BROKE = replace(
    problem(
        402,
        "https://api.x.com/2/problems/credits-depleted",
        "Payment Required",
        "credits depleted",
    ),
    reset_in_s=900,
    allowance=(299, 300),
)
FORBIDDEN = problem(
    403,
    "client-forbidden",
    "Client Forbidden",
    "The app must be attached to a project that has access to this.",
    reason="client-not-enrolled",
    required_enrollment="Appropriate Level of API Access",
)
CAPPED = replace(
    problem(
        429,
        "usage-capped",
        "UsageCapExceeded",
        "Usage cap exceeded: Monthly product cap",
        period="Monthly",
        scope="Product",
    ),
    reset_in_s=900,
    allowance=(39_999, 40_000),
)
PAGE = "<!doctype html><title>Over capacity</title><p>Please come back later."

Sent = Reply | Stunt
Answer = dict[str, Any] | Gone | Changing | Sent


def renamed(account: dict[str, Any], username: str) -> dict[str, Any]:
    """*account* under another handle: the id is the same."""
    return account | {"username": username}


_RIA, _REX = user("renamed_ria", "Ria"), user("recycled_rex", "Rex")
_DEE, _SUE = user("deleted_dee", "Dee"), user("suspending_sue", "Sue")
_PIA = user("private_pia", "Pia", description="Only for friends from now on.")
# The handle as people type it, what it does, how it answers.
SAMPLES: tuple[tuple[str, str, Answer], ...] = (
    ("AnaLima", "exists, with a full profile", ANA),
    ("Bento_Diner", "exists; an underscore", user("Bento_Diner", "Bento's Diner")),
    ("Caio1970", "exists; a short profile", user("Caio1970", "Caio")),
    ("protected_pat", "is protected", user("protected_pat", "Pat", protected=True)),
    ("nosuch", "does not exist", NOT_FOUND),
    ("GhostWriter", "does not exist", NOT_FOUND),
    ("gone_gil", "does not exist, told by HTTP 404", Gone(status=404)),
    ("suspended_sam", "is suspended", SUSPENDED),
    ("slow_sue", Stunt.SLOW.value, Stunt.SLOW),
    ("silent_sid", Stunt.SILENT.value, Stunt.SILENT),
    ("drip_dora", Stunt.DRIP.value, Stunt.DRIP),
    ("reset_ray", Stunt.RESET.value, Stunt.RESET),
    ("down_dan", "503 with an HTML page", Reply(503, PAGE)),
    ("html_hal", "200 with an HTML page", Reply(200, PAGE)),
    ("limit_lou", "429 that names its reset", LIMITED),
    ("limit_luc", "429 without a reset", NO_RESET),
    ("unauth_una", "401: the token is wrong", UNAUTHORIZED),
    ("broke_bea", "402: no credit left", BROKE),
    ("forbid_fay", "403: the app is not enrolled", FORBIDDEN),
    ("capped_cy", "429: the monthly cap is reached", CAPPED),
    (
        "old_olga",
        "exists; told with the metrics of before posts were posts",
        user(
            "old_olga",
            "Olga",
            public_metrics={"followers_count": 7, "tweet_count": 5},
            verified_type="something new",
        ),
    ),
    (
        "renamed_ria",
        "exists; once found it is called @Ria_Renamed",
        Changing(_RIA, NOT_FOUND, renamed(_RIA, "Ria_Renamed")),
    ),
    (
        "recycled_rex",
        "exists; once found it is called @Rex_Moved, and another account has the handle",
        Changing(
            _REX,
            user("recycled_rex", "Somebody else", id="77001"),
            renamed(_REX, "Rex_Moved"),
        ),
    ),
    (
        "private_pia",
        "exists; once found it is protected",
        Changing(_PIA, _PIA | {"protected": True}, _PIA | {"protected": True}),
    ),
    (
        "suspending_sue",
        "exists; once found it is suspended",
        Changing(_SUE, SUSPENDED, SUSPENDED),
    ),
    (
        "deleted_dee",
        "exists; once found it is deleted",
        Changing(_DEE, NOT_FOUND, NOT_FOUND),
    ),
)
