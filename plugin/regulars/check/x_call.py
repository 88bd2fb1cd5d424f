"""One call to X by tweepy, over a line that can be cut: the one module that knows tweepy."""

import logging
from dataclasses import dataclass

import requests
import tweepy
import urllib3

from regulars.check.lookup import Reason
from regulars.check.x_answers import Heard
from regulars.check.x_line import Line

# What the profile is made of; id, name and username come unasked. Only names that the
# specification had before and after the renaming of 2026-08-07, when posts ceased to be
# tweets: X refuses a call that asks for a name it does not know.
# https://docs.x.com/openapi.json, schema "UserFieldsParameter"
PROFILE_FIELDS = (
    "created_at",
    "description",
    "entities",
    "profile_image_url",
    "protected",
    "public_metrics",
    "url",
    "verified_type",
)
_TWEEPYS_HOST = "https://api.twitter.com"  # hard-coded in tweepy.client.BaseClient

# All that tweepy, requests and urllib3 were seen to raise on odd answers: tweepy reads
# an error's body before it raises, and stumbles over lists and missing keys in it.
_BOUNDARY = (
    tweepy.TweepyException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    RecursionError,
)
# The first row that fits counts: a ConnectTimeout is also a ConnectionError.
_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (requests.Timeout, Reason.TIMEOUT),
    (urllib3.exceptions.TimeoutError, Reason.TIMEOUT),
    (requests.ConnectionError, Reason.UNREACHABLE),
    (requests.exceptions.ChunkedEncodingError, Reason.UNREACHABLE),
    (urllib3.exceptions.ProtocolError, Reason.UNREACHABLE),
)


def _is_discreet(record: logging.LogRecord) -> bool:
    """Whether *record* may be logged.

    At DEBUG tweepy prints the Authorization header and whole answers, urllib3 the path
    with the customer's handle in it.
    """
    if record.name.startswith("tweepy"):
        return record.levelno >= logging.WARNING
    return "/2/users" not in record.getMessage()


logging.getLogger("tweepy").setLevel(logging.WARNING)
# The log settings may set a logger's level anew; its filters stay.
for _name in ("tweepy.client", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_is_discreet)


@dataclass(frozen=True, slots=True)
class Question:
    """One call: for the handles or for the ids *values*."""

    values: tuple[str, ...]
    is_by_id: bool = False

    @property
    def call(self) -> str:
        """Which call it is: X has a limit on each."""
        if self.is_by_id:
            return "users"
        return "users/by/username" if len(self.values) == 1 else "users/by"


def call(line: Line, question: Question, fields: list[str]) -> Heard | Reason:
    """X's response to *question*, or why there is none."""
    # tweepy logs the token that it knows, so it knows none: the line adds it.
    client = tweepy.Client("", return_type=requests.Response, wait_on_rate_limit=False)
    line.carry(client.session, _TWEEPYS_HOST)
    # A list: of a tuple tweepy makes a repeated parameter, of which X reads one.
    values, user_fields = list(question.values), fields or None
    try:
        with client.session:
            if question.is_by_id:
                client.get_users(ids=values, user_fields=user_fields)
            elif len(values) == 1:
                client.get_user(username=values[0], user_fields=user_fields)
            else:
                client.get_users(usernames=values, user_fields=user_fields)
    except _BOUNDARY as trouble:
        # With a whole response at hand tweepy's opinion of it does not matter.
        return line.heard or _reason_of(trouble)
    return line.heard or Reason.UNEXPECTED


def _reason_of(trouble: Exception) -> Reason:
    for kind, reason in _REASONS:
        if isinstance(trouble, kind):
            return reason
    return Reason.UNEXPECTED
