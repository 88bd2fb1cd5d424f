"""Why an attempt failed, from what the network, the system and the libraries raised.

Used by ``transport``.
"""

import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final

from .deadlines import Attempt
from .retry import Failure

# Answers of a resolver that could not ask, and of a system that has no way or nothing left.
_RESOLVER_DOWN: Final = {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM}
_NO_WAY_OUT: Final = {
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
    errno.EACCES,
    errno.EPERM,
}
_NOTHING_LEFT: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def explain(attempt: Attempt, error: Exception) -> tuple[Failure, str]:
    """The kind of failure that *error* is, and words for the operator: nothing received, no URL."""
    causes = list(_causes(error))
    if attempt.is_late or any(isinstance(cause, TimeoutError) for cause in causes):
        is_resolving = attempt.blame is Failure.DNS
        return Failure.OUR_RESOLVER if is_resolving else Failure.TIMEOUT, _stage(
            attempt
        )
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            # The certificate's own words, when there are any; else OpenSSL's.
            return Failure.TLS, str(
                getattr(cause, "verify_message", None) or cause.reason
            )
    # Never str(error) of a library: it may quote the URL, or bytes that were received.
    known = [cause for cause in causes if isinstance(cause, OSError) and cause.strerror]
    detail = str(known[-1].strerror) if known else type(causes[-1]).__name__
    return _whose(attempt, known), detail


def _whose(attempt: Attempt, known: Sequence[OSError]) -> Failure:
    """What failed before there was a connection; after it, the protocol."""
    number = known[-1].errno if known else None
    if attempt.blame is not None and number in _NOTHING_LEFT:
        return Failure.OUR_RESOURCES
    if attempt.blame is Failure.DNS and number in _RESOLVER_DOWN:
        return Failure.OUR_RESOLVER
    if attempt.blame is Failure.CONNECT and number in _NO_WAY_OUT:
        return Failure.OUR_NETWORK
    return attempt.blame or Failure.PROTOCOL


def _stage(attempt: Attempt) -> str:
    match attempt.blame:
        case Failure.DNS:
            return "the name was not resolved in time"
        case Failure.CONNECT:
            return "no connection in time"
        case _:
            return "no answer in time"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """*error* and what lies beneath it: requests and urllib3 wrap in three different ways."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            waiting += [
                *cause.args,
                getattr(cause, "reason", None),
                cause.__cause__,
                cause.__context__,
            ]
