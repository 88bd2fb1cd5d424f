"""What the stand-in for X knows: whose handle is whose, what was asked, what it cost.

`fake_x.py` serves it. Limits as in https://docs.x.com/x-api/fundamentals/rate-limits, the
bill as in https://docs.x.com/x-api/getting-started/pricing: each user that is returned.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from examples.fake_x_samples import (
    LIMITED,
    NOT_FOUND,
    SAMPLES,
    Answer,
    Changing,
    Gone,
    Reply,
    Sent,
    Stunt,
    renamed,
    user,
)

WINDOW_S = 900.0
# `user.fields` of the specification: those of 2.159 and 2.167, and what each has alone.
_FIELDS = {
    *("confirmed_email", "connection_status", "created_at", "description", "entities"),
    *("id", "is_identity_verified", "location", "name", "parody", "profile_banner_url"),
    *("profile_image_url", "protected", "public_metrics", "receives_your_dm"),
    *("subscribes_to_you", "subscription", "subscription_type", "url", "username"),
    *("verified", "verified_followers_count", "verified_type", "withheld"),
}
FIELDS_OF = {
    "2.159": _FIELDS | {"affiliation", "most_recent_tweet_id", "pinned_tweet_id"},
    "2.167": _FIELDS,
}


class World:
    """The accounts of the stand-in, and its books.

    `answers` says what becomes of each handle (in lower case), `accounts` of each id that
    had something happen to it. `calls` has what each well-formed call asked, `billed`
    the users returned. Handles without an entry do not exist, unless *everyone* does.
    With *recover_after_s* a handle that means trouble is found that long after it was
    first asked. With *limit* X's limit of so many calls in 15 minutes, of each kind, is
    told and held to. *clock* is read for these two alone, in seconds.
    """

    def __init__(
        self,
        *,
        everyone: bool = False,
        recover_after_s: float | None = None,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A world in which nothing was asked yet."""
        self.answers: dict[str, Answer] = {name.lower(): it for name, _, it in SAMPLES}
        self.accounts: dict[str, Answer] = {}
        self.calls: list[tuple[str, ...]] = []
        self.calls_by_kind: Counter[str] = Counter()
        self.billed = 0
        self.everyone = everyone
        self.recover_after_s = recover_after_s
        self.limit = limit
        self.clock = clock
        self.first_asked: dict[str, float] = {}
        self.books = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}
        self._windows: dict[str, tuple[float, int]] = {}

    def rename(self, handle: str, username: str) -> None:
        """The account of *handle* is called *username* from now on; the handle is free."""
        account = renamed(self._account_of(handle), username)
        self.accounts[account["id"]] = account
        self.answers[handle.lower()] = NOT_FOUND
        self.answers[username.lower()] = account

    def recycle(self, handle: str, username: str) -> None:
        """As `rename`, and somebody else has taken *handle* since."""
        before = self._account_of(handle)
        self.rename(handle, username)
        number = str(int(before["id"]) + 1)
        self.answers[handle.lower()] = user(handle, "Somebody else", id=number)

    def becomes(self, handle: str, answer: Gone) -> None:
        """The account of *handle* is suspended or deleted, whichever *answer* is."""
        self.accounts[self._account_of(handle)["id"]] = answer
        self.answers[handle.lower()] = answer

    def protect(self, handle: str) -> None:
        """The account of *handle* is protected from now on."""
        account = self._account_of(handle) | {"protected": True}
        self.accounts[account["id"]] = self.answers[handle.lower()] = account

    def _account_of(self, handle: str) -> dict[str, Any]:
        answer = self.answer_to(handle)
        if isinstance(answer, dict):
            return answer
        raise LookupError(handle)

    def answer_to(self, handle: str) -> Answer:
        """What becomes of *handle* now; trouble passes when it is to pass."""
        stranger = user(handle, handle) if self.everyone else NOT_FOUND
        answer = self.answers.get(handle.lower(), stranger)
        if isinstance(answer, Changing):
            is_told = answer.first["id"] in self._told
            later: Answer = answer.handle
            return later if is_told else answer.first
        if self.recover_after_s is None or not isinstance(answer, Reply | Stunt):
            return answer
        now = self.clock()
        left_s = (
            self.first_asked.setdefault(handle.lower(), now)
            + self.recover_after_s
            - now
        )
        if left_s <= 0:
            return user(handle, handle.replace("_", " ").title())
        if isinstance(answer, Reply) and answer.reset_in_s is not None:
            # Whoever obeys the header comes back when the trouble is over.
            return replace(answer, reset_in_s=math.ceil(left_s) + 1)
        return answer

    def answer_to_id(self, user_id: str) -> Answer:
        """What has become of the account *user_id*."""
        if user_id in self.accounts:
            return self.accounts[user_id]
        for answer in self.answers.values():
            if isinstance(answer, Changing) and answer.first["id"] == user_id:
                later: Answer = answer.account
                return later if user_id in self._told else answer.first
            if isinstance(answer, dict) and answer["id"] == user_id:
                return answer
        return self._told.get(user_id, NOT_FOUND)

    def reply(self, asked: Sequence[str], parameter: str, only: set[str]) -> Sent:
        """The answer to one well-formed call, and its entry in the books."""
        find = self.answer_to_id if parameter == "ids" else self.answer_to
        with self.books:
            self.calls.append(tuple(asked))
            self.calls_by_kind[parameter] += 1
            allowance, reset_in_s = self._allowance(parameter)
            if allowance is not None and allowance[0] < 0:
                over = replace(LIMITED, allowance=(0, allowance[1]))
                return replace(over, reset_in_s=reset_in_s)
            told = {it: find(it) for it in asked}
            trouble = [it for it in told.values() if isinstance(it, Reply | Stunt)]
            if trouble:
                return trouble[0]
            users = [it for it in told.values() if isinstance(it, dict)]
            self.billed += len(users)
            self._told |= {it["id"]: it for it in users}
        gone = {value: it for value, it in told.items() if isinstance(it, Gone)}
        data = [{k: v for k, v in it.items() if k in only} for it in users]
        errors = [it.error(value, parameter) for value, it in gone.items()]
        body: dict[str, Any] = {"errors": errors} if errors else {}
        if data:
            # The order of the question is not promised, so it is not kept.
            body["data"] = data[0] if parameter == "username" else data[::-1]
        status = 200 if data else max(it.status for it in gone.values())
        return Reply(status, body, reset_in_s, allowance)

    def _allowance(self, kind: str) -> tuple[tuple[int, int] | None, int | None]:
        """Calls of this *kind* left, of how many, and in how many seconds that begins anew."""
        if self.limit is None:
            return None, None
        now = self.clock()
        began, used = self._windows.get(kind, (now, 0))
        if now - began >= WINDOW_S:
            began, used = now, 0
        self._windows[kind] = began, used + 1
        reset_in_s = math.ceil(began + WINDOW_S - now)
        return (self.limit - used - 1, self.limit), reset_in_s

    def summary(self) -> dict[str, Any]:
        """The books, as the page and `GET /books` tell them."""
        with self.books:
            return {
                "calls": len(self.calls),
                "calls_by_kind": dict(self.calls_by_kind),
                "users_billed": self.billed,
            }
