"""The receiving side without a framework: bytes in, an event or an error out.

A web framework (``flask.py``, or yours) hands over headers and body and turns the
answer into a status. Nothing here reads a socket or a clock.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Protocol

from .errors import MalformedSecret, VerificationError
from .events import Event, parse_event
from .signing import check_secret, verify


class SeenIds(Protocol):
    """Where the ids of events that were already worked on are kept.

    An event may come twice: an answer that was lost on its way back is tried again
    under the same id. Write the id in the same transaction as the work it stands
    for (an INSERT under a unique key): then a crash loses both or neither.
    """

    def add(self, event_id: str) -> bool:
        """Remember *event_id*. True when it is new, False when it was there.

        Of several callers at once with one id, exactly one is told True.
        """

    def discard(self, event_id: str) -> None:
        """Forget *event_id*: its work failed, and the next attempt must be new.

        Does nothing where a transaction that was rolled back has forgotten it.
        """


class MemorySeenIds:
    """The last *limit* ids, in the memory of one process: for examples and tests.

    A restart forgets them, and two processes do not share them; repeats are then
    told as new.
    """

    def __init__(self, limit: int = 10_000) -> None:
        """Keep the last *limit* ids.

        Raises:
            ValueError: *limit* is below 1.
        """
        if limit < 1:
            raise ValueError("limit must be at least 1")
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def add(self, event_id: str) -> bool:
        """Remember *event_id*, forgetting the oldest above the limit. True when it is new."""
        with self._lock:
            if event_id in self._ids:
                return False
            self._ids[event_id] = None
            if len(self._ids) > self._limit:
                self._ids.popitem(last=False)
            return True

    def discard(self, event_id: str) -> None:
        """Forget *event_id*, if it is held."""
        with self._lock:
            self._ids.pop(event_id, None)


@dataclass(frozen=True, slots=True)
class Received:
    """An event that is genuine. ``is_repeat``: answer 2xx again, and do nothing."""

    event: Event
    is_repeat: bool


class Receiver:
    """Verifies, reads and de-duplicates the requests to one endpoint."""

    def __init__(self, secrets: Sequence[str], seen: SeenIds) -> None:
        """Accept what one of *secrets* signed; give two while a secret is rotated.

        Raises:
            VerificationError: there is no secret, or one is empty or malformed
                (``no_secret``): better at the start than at the first event.
        """
        try:
            for secret in secrets:
                check_secret(secret)
        except MalformedSecret as error:
            raise VerificationError(
                VerificationError.Code.NO_SECRET, str(error)
            ) from error
        if not secrets:
            raise VerificationError(
                VerificationError.Code.NO_SECRET, "give at least one secret"
            )
        self._secrets = tuple(secrets)
        self._seen = seen

    def receive(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Received:
        """The event in *body*, once the signature over exactly these bytes holds.

        When the work on an event that is not a repeat fails, call ``forget`` (or
        roll the transaction back) and answer 5xx: the sender will try again.

        Raises:
            VerificationError: the request must not be believed. Nothing else is
                raised, save what the ``SeenIds`` raise.
            ValueError: *now* is naive.
        """
        verify(headers, body, secrets=self._secrets, now=now)
        event = parse_event(body)
        # verify() has found exactly one header of this name, whatever its case.
        header_id = next(
            value for name, value in headers.items() if name.lower() == "webhook-id"
        )
        if event.id != header_id:
            raise VerificationError(
                VerificationError.Code.ID_MISMATCH,
                "webhook-id is not the id in the body",
            )
        return Received(event, is_repeat=not self._seen.add(event.id))

    def forget(self, event: Event) -> None:
        """Let the next attempt of *event* be new again, because the work on it failed."""
        self._seen.discard(event.id)
