"""A Flask blueprint around ``Receiver``: the raw body in, a status out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, request

from .errors import VerificationError
from .events import Event
from .receiver import Receiver

MAX_BODY_BYTES: Final = 256 * 1024
_UNAUTHORIZED: Final = {"no_match", "too_old", "too_new"}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def webhook_blueprint(
    receiver: Receiver,
    handle: Callable[[Event], None],
    *,
    path: str = "/",
    clock: Callable[[], datetime] = _utc_now,
) -> Blueprint:
    """A blueprint that takes events by POST at *path* and calls *handle* with each once.

    Answers 204 (also to a repeat, without calling *handle*), 401 when the signature
    or its time does not hold, 400 when the request is malformed, 413 above 256 kB;
    the refusals say their code as plain text. What *handle* raises is raised
    again, after the event was forgotten, so that the sender's next attempt is new.
    *handle* should return within seconds: queue what takes longer.
    """
    blueprint = Blueprint("regulars_webhooks", __name__)

    @blueprint.post(path)
    def receive() -> tuple[str, int, dict[str, str]]:
        request.max_content_length = MAX_BODY_BYTES
        body = request.get_data(cache=False)
        try:
            received = receiver.receive(dict(request.headers), body, clock())
        except VerificationError as error:
            return (
                error.code,
                401 if error.code in _UNAUTHORIZED else 400,
                {"Content-Type": "text/plain"},
            )
        if not received.is_repeat:
            try:
                handle(received.event)
            except BaseException:
                receiver.forget(received.event)
                raise
        return "", 204, {}

    return blueprint
