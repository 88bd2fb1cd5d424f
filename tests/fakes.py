"""The fakes of this suite: a clock that is told the time, and an X that says what it is told."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from regulars.check.lookup import (
    Answer,
    Found,
    NotFound,
    Profile,
    Reason,
    Suspended,
    Unavailable,
)
from regulars.values.handle import Handle

START = datetime(2026, 11, 21, 20, 15, 4, 318000, UTC)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def profile(username: str) -> Profile:
    return Profile(
        username=username,
        display_name="Ana Lima",
        description="Rio. Football. Coffee.",
        url="https://ana.example",
        image_url="https://pbs.example/ana_normal.jpg",
        followers_count=321,
        created_at=datetime(2012, 3, 4, 5, 6, 7, tzinfo=UTC),
        verified_type="none",
    )


class FakeLookup:
    """An ``AccountLookup``: ``FakeLookup().found("AnaLima", "42").unavailable("bob")``.

    Whoever was not mentioned is not found. ``asked`` has the keys of each call, and
    ``asked_ids`` those of each call by id: ``FakeLookup().now("42", Suspended())``.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._by_id: dict[str, Answer] = {}
        self.asked: list[list[str]] = []
        self.asked_ids: list[list[str]] = []

    def found(
        self, handle: str, user_id: str, *, protected: bool = False
    ) -> "FakeLookup":
        told = None if protected else profile(handle)
        self._by_id[user_id] = Found(user_id, handle, told)
        return self._says(handle, self._by_id[user_id])

    def not_found(self, handle: str) -> "FakeLookup":
        return self._says(handle, NotFound())

    def suspended(self, handle: str) -> "FakeLookup":
        return self._says(handle, Suspended())

    def unavailable(
        self,
        handle: str,
        reason: Reason = Reason.SERVER_ERROR,
        retry_at: datetime | None = None,
    ) -> "FakeLookup":
        return self._says(handle, Unavailable(reason, retry_at))

    def _says(self, handle: str, answer: Answer) -> "FakeLookup":
        self._answers[handle.lower()] = answer
        return self

    def look_up(
        self, handles: Sequence[Handle], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        self.asked.append([handle.key for handle in handles])
        return {
            handle.key: self._answers.get(handle.key, NotFound()) for handle in handles
        }

    def now(self, user_id: str, answer: Answer) -> "FakeLookup":
        """What X says of the account *user_id* from now on, whatever it says of handles."""
        self._by_id[user_id] = answer
        return self

    def renamed(self, user_id: str, handle: str) -> "FakeLookup":
        return self.now(user_id, Found(user_id, handle, profile(handle)))

    def look_up_ids(
        self, user_ids: Sequence[str], *, timeout_s: float, now: datetime
    ) -> Mapping[str, Answer]:
        self.asked_ids.append(list(user_ids))
        return {it: self._by_id.get(it, NotFound()) for it in user_ids}
