"""Asks X itself whether handles are accounts, and what has become of those behind ids."""

import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from regulars.check.lookup import (
    BATCH_SIZE,
    Answer,
    Found,
    NotAsked,
    Reason,
    Unavailable,
    Window,
)
from regulars.check.x_answers import (
    Heard,
    Shape,
    read_answers,
    read_answers_of_ids,
    shape_of,
    window_of,
)
from regulars.check.x_call import PROFILE_FIELDS, Question, call
from regulars.check.x_line import Line
from regulars.values.handle import Handle

log = logging.getLogger(__name__)

# `Handle` promises as much; but tweepy puts a handle into the path as it is, where
# "name?x=y" or "../x" would be another request, so the promise is not taken on trust.
_ASKABLE = re.compile("[A-Za-z0-9_]{1,15}")
_ASKABLE_ID = re.compile("[0-9]{1,19}")
_MOST_CALLS = 32  # at once; a web process has fewer threads than that
_MOST_SHAPES = 50  # logged per process


class XLookup:
    """An `AccountLookup` that asks X, safe for any number of threads.

    *api_url* is the base address of X's API or of a stand-in for it. Without
    *wants_profile* no field of a profile is asked for.

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
        self,
        bearer_token: str,
        *,
        api_url: str = "https://api.x.com",
        wants_profile: bool = True,
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
        self._fields = list(PROFILE_FIELDS) if wants_profile else []
        self._windows: dict[str, Window] = {}
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(_MOST_CALLS)
        self._shapes: set[Shape] = set()

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """Answer for each of *handles*; one that X would refuse to read is `NotAsked`."""
        askable = {h.key: h for h in handles if _ASKABLE.fullmatch(h.text)}

        def read(heard: Heard, keys: Sequence[str]) -> dict[str, Answer]:
            return read_answers(heard, [askable[key] for key in keys], now)

        unasked: dict[str, Answer] = {handle.key: NotAsked() for handle in handles}
        texts = {key: handle.text for key, handle in askable.items()}
        return unasked | self._ask(texts, read, time.monotonic() + timeout_s, now)

    def look_up_ids(
        self, user_ids: Sequence[str], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        """Answer for each of *user_ids*; one that is no number of X's is `NotAsked`."""

        def read(heard: Heard, ids: Sequence[str]) -> dict[str, Answer]:
            return read_answers_of_ids(heard, ids, now)

        unasked: dict[str, Answer] = dict.fromkeys(user_ids, NotAsked())
        texts = {it: it for it in unasked if _ASKABLE_ID.fullmatch(it)}
        deadline = time.monotonic() + timeout_s
        return unasked | self._ask(texts, read, deadline, now, is_by_id=True)

    def _ask(
        self,
        texts: Mapping[str, str],
        read: Callable[[Heard, Sequence[str]], dict[str, Answer]],
        deadline: float,
        now: datetime,
        *,
        is_by_id: bool = False,
    ) -> dict[str, Answer]:
        """The answers for the keys of *texts*, which are asked for a hundred at a time."""
        answers: dict[str, Answer] = {}
        waiting = list(texts)
        while waiting:
            keys, waiting = waiting[:BATCH_SIZE], waiting[BATCH_SIZE:]
            question = Question(tuple(texts[key] for key in keys), is_by_id)
            heard = self._hear(question, deadline)
            if isinstance(heard, Reason):
                return answers | dict.fromkeys([*keys, *waiting], Unavailable(heard))
            told = self._noted(question, heard, read(heard, keys), now)
            answers |= told
            trouble = told[keys[0]]
            if isinstance(trouble, Unavailable) and len(set(told.values())) == 1:
                # What has befallen one whole call awaits the next one as well.
                return answers | dict.fromkeys(waiting, trouble)
        return answers

    def take_windows(self) -> dict[str, Window]:
        """What X said of its limit on each kind of call, since this was last asked for."""
        with self._lock:
            windows, self._windows = self._windows, {}
        return windows

    def _noted(
        self,
        question: Question,
        heard: Heard,
        answers: dict[str, Answer],
        now: datetime,
    ) -> dict[str, Answer]:
        """*answers*, read from *heard*, of which the limit is kept and what was odd is logged."""
        window = window_of(heard, now)
        if window is not None:
            with self._lock:
                self._windows[question.call] = window
        if Unavailable(Reason.UNEXPECTED) in answers.values():
            self._note(shape_of(heard))
        return answers if self._fields else _without_profiles(answers)

    def _hear(self, question: Question, deadline: float) -> Heard | Reason:
        """What X answered by *deadline*, or why there is no answer."""
        if time.monotonic() >= deadline:
            return Reason.TIMEOUT
        if not self._free.acquire(blocking=False):
            return Reason.BUSY
        line = Line(self._bearer_token, self._api_url, deadline)
        heard: queue.SimpleQueue[Heard | Reason] = queue.SimpleQueue()
        thread = threading.Thread(
            target=self._work,
            args=(line, question, heard),
            name="x-lookup",
            daemon=True,
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
        question: Question,
        heard: "queue.SimpleQueue[Heard | Reason]",
    ) -> None:
        """Make one call, in a thread of its own."""
        try:
            answer = call(line, question, self._fields)
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


def _without_profiles(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """*answers* without what X tells unasked, such as the name."""
    return {
        key: replace(answer, profile=None) if isinstance(answer, Found) else answer
        for key, answer in answers.items()
    }
