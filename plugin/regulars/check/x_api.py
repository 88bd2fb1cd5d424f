"""Asks X itself whether handles are accounts: the one module that knows tweepy."""

import logging
import queue
import re
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import requests
import tweepy
import urllib3

from regulars.check.lookup import (
    BATCH_SIZE,
    Answer,
    NotAsked,
    Reason,
    Unavailable,
)
from regulars.check.x_answers import Heard, Shape, read_answers, shape_of
from regulars.check.x_line import Line
from regulars.values.handle import Handle

log = logging.getLogger(__name__)

# `Handle` promises as much; but tweepy puts a handle into the path as it is, where
# "name?x=y" or "../x" would be another request, so the promise is not taken on trust.
_ASKABLE = re.compile("[A-Za-z0-9_]{1,15}")
# Only names that the specification had before and after the renaming of 2026-08-07.
_USER_FIELDS = [
    "created_at",
    "description",
    "entities",
    "id",
    "name",
    "profile_image_url",
    "protected",
    "public_metrics",
    "url",
    "username",
    "verified",
    "verified_type",
]
_TWEEPYS_HOST = "https://api.twitter.com"  # hard-coded in tweepy.client.BaseClient
_MOST_CALLS = 32  # at once; a web process has fewer threads than that
_MOST_SHAPES = 50  # logged per process

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
    return "/2/users/by" not in record.getMessage()


logging.getLogger("tweepy").setLevel(logging.WARNING)
# The log settings may set a logger's level anew; its filters stay.
for _name in ("tweepy.client", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_is_discreet)


class XLookup:
    """A `HandleLookup` that asks X, safe for any number of threads.

    *api_url* is the base address of X's API or of a stand-in for it.

    Raises:
        ValueError: the token is empty or has characters that no header may carry, or
            *api_url* is no http(s) address.
    """

    # Each call runs in a daemon thread of its own, with a Client and a connection of
    # its own, because nothing else ends on time: a socket's timeout starts anew with
    # each byte, and no timeout reaches the resolver. At the deadline the caller leaves
    # and cuts the connection, so that the thread ends too; one that sits in the resolver
    # ends when that gives up. There are never more than _MOST_CALLS of them.
    # Connections are not kept: look-ups are rare, and one that a firewall dropped
    # meanwhile would cost a customer the whole timeout.

    def __init__(
        self, bearer_token: str, *, api_url: str = "https://api.x.com"
    ) -> None:
        """Keep the credentials; nothing is asked yet."""
        parts = urlsplit(api_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("X's address must begin with https:// or http://.")
        if not re.fullmatch("[!-~]+", bearer_token):
            raise ValueError(
                "The bearer token is empty or has a space or a line break."
            )
        self._bearer_token = bearer_token
        self._api_url = api_url.rstrip("/")
        self._free = threading.BoundedSemaphore(_MOST_CALLS)
        self._shapes: set[Shape] = set()

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """Answer for each of *handles*; one that X would refuse to read is `NotAsked`."""
        deadline = time.monotonic() + timeout_s
        answers: dict[str, Answer] = {handle.key: NotAsked() for handle in handles}
        askable = {h.key: h for h in handles if _ASKABLE.fullmatch(h.text)}
        waiting = list(askable.values())
        while waiting:
            batch, waiting = waiting[:BATCH_SIZE], waiting[BATCH_SIZE:]
            told = self._ask(batch, deadline, now)
            answers |= told
            trouble = told[batch[0].key]
            if isinstance(trouble, Unavailable) and len(set(told.values())) == 1:
                # What has befallen one whole call awaits the next one as well.
                return answers | {handle.key: trouble for handle in waiting}
        return answers

    def _ask(
        self, batch: Sequence[Handle], deadline: float, now: datetime
    ) -> dict[str, Answer]:
        """The answers to one call, by *deadline* on the monotonic clock."""
        heard = self._hear(batch, deadline)
        if isinstance(heard, Reason):
            return {handle.key: Unavailable(heard) for handle in batch}
        answers = read_answers(heard, batch, now)
        if Unavailable(Reason.UNEXPECTED) in answers.values():
            self._note(shape_of(heard))
        return answers

    def _hear(self, batch: Sequence[Handle], deadline: float) -> Heard | Reason:
        """What X answered by *deadline*, or why there is no answer."""
        if time.monotonic() >= deadline:
            return Reason.TIMEOUT
        if not self._free.acquire(blocking=False):
            return Reason.BUSY
        line = Line(self._bearer_token, self._api_url, deadline)
        heard: queue.SimpleQueue[Heard | Reason] = queue.SimpleQueue()
        thread = threading.Thread(
            target=self._work, args=(line, batch, heard), name="x-lookup", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left to give
            self._free.release()
            return Reason.BUSY
        try:
            return heard.get(timeout=line.remaining_s())
        except queue.Empty:
            line.cut()
            return Reason.TIMEOUT

    def _work(
        self,
        line: Line,
        batch: Sequence[Handle],
        heard: "queue.SimpleQueue[Heard | Reason]",
    ) -> None:
        """Make one call, in a thread of its own."""
        try:
            answer = _call(line, [handle.text for handle in batch])
        finally:
            line.close()
            self._free.release()
        heard.put(answer)

    def _note(self, shape: Shape) -> None:
        """Log *shape* the first time that it is seen."""
        if shape not in self._shapes and len(self._shapes) < _MOST_SHAPES:
            self._shapes.add(shape)
            log.warning(
                "X answered in an unknown shape: status %d, %s, keys %s",
                shape.status,
                shape.content_type or "no content type",
                ",".join(shape.keys) or "none",
            )


def _call(line: Line, usernames: list[str]) -> Heard | Reason:
    """X's response to the question for *usernames*, or why there is none."""
    # tweepy logs the token that it knows, so it knows none: the line adds it.
    client = tweepy.Client("", return_type=requests.Response, wait_on_rate_limit=False)
    line.carry(client.session, _TWEEPYS_HOST)
    try:
        with client.session:
            if len(usernames) == 1:
                client.get_user(username=usernames[0], user_fields=_USER_FIELDS)
            else:
                # A list: of a tuple tweepy makes a repeated parameter, of which X
                # reads one.
                client.get_users(usernames=usernames, user_fields=_USER_FIELDS)
    except _BOUNDARY as trouble:
        # With a whole response at hand tweepy's opinion of it does not matter.
        return line.heard or _reason_of(trouble)
    return line.heard or Reason.UNEXPECTED


def _reason_of(trouble: Exception) -> Reason:
    for kind, reason in _REASONS:
        if isinstance(trouble, kind):
            return reason
    return Reason.UNEXPECTED
