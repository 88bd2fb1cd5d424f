"""One attempt of one delivery over HTTP, to an address that was vetted, within a deadline.

The only module here that knows requests and urllib3. What goes wrong on the network
becomes a ``DeliveryResult``; nothing is tried twice here (``retry`` decides that).
"""

import http.client
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from .addresses import Resolver, check_allow
from .deadlines import Attempt, Rules, Watchdog
from .errors import AddressRefused
from .retry import DeliveryResult, Failure, parse_retry_after

RESPONSE_HEAD_BYTES: Final = 4096

# Small, so that what came before a deadline is kept.
_READ_BYTES: Final = 512


def _user_agent() -> str:
    try:
        return f"Regulars/{version('regulars')}"
    except PackageNotFoundError:  # copied into a shop's own tree
        return "Regulars/0"


def _utc_now() -> datetime:
    return datetime.now(UTC)


# urllib3 opens connections deep inside of a call, in the thread that made it.
_attempt: ContextVar[Attempt] = ContextVar("attempt")


class _Connection(HTTPConnection):
    """Keeps the host for the Host header, SNI and the certificate; dials a vetted address."""

    def _new_conn(self) -> socket.socket:
        return _attempt.get().dial(self.host, self.port)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # kept alive from an earlier attempt
            _attempt.get().watch(self.sock)
        super().request(*args, **kwargs)


class _TLSConnection(_Connection, HTTPSConnection):
    """The same for https."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # Even with allow_redirects=False requests reads the whole body of a redirect
        # and parses its Location. There is no redirect here.
        return None


class Transport:
    """Sends signed bodies. One instance serves many threads and keeps connections alive."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        allow: Sequence[str] = (),
        ca_bundle: str | None = None,
        deadline_s: float = 15.0,
        pool_size: int = 32,
        resolver: Resolver = socket.getaddrinfo,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Dial public addresses, and those that *allow_private* and *allow* add.

        *allow_private* and *allow* are those of ``addresses.check_url``. *ca_bundle*
        is a PEM file or directory that replaces the usual authorities. *deadline_s*
        is for each whole attempt. *pool_size* is how many threads send at once.
        *clock* is what a date in ``Retry-After`` is compared with.

        Raises:
            OSError: *ca_bundle* does not exist.
            ValueError: an entry of *allow* is neither a network nor a host name.
        """
        check_allow(allow)
        if ca_bundle is not None:
            os.stat(ca_bundle)
        self._rules = Rules(allow_private, tuple(allow), resolver)
        self._deadline_s = deadline_s
        self._clock = clock
        self._verify = True if ca_bundle is None else ca_bundle
        self._watchdog = Watchdog()
        self._session = _session(pool_size)

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> DeliveryResult:
        """POST *body* to *url* once, and say what became of it.

        The attempt ends within the deadline and a moment. An answer counts by its
        status, even when its body never ends; at most 4 kB of it are read. A
        redirect is not followed. Nothing is raised for trouble on the network.
        ``content-type`` is ``application/json`` unless *headers* say otherwise.
        """
        attempt = Attempt(self._deadline_s, self._rules)
        token = _attempt.set(attempt)
        self._watchdog.guard(attempt)
        try:
            self._rules.check_url(url)
            return self._post(attempt, url, headers, body)
        except AddressRefused as error:
            return _failed(attempt, Failure.ADDRESS_REFUSED, str(error))
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            return _failed(attempt, *_explain(attempt, error))
        finally:
            attempt.finish()
            _attempt.reset(token)

    def close(self) -> None:
        """Close the connections that are kept alive. Attempts under way end by themselves."""
        self._session.close()
        self._watchdog.stop()

    def _post(
        self, attempt: Attempt, url: str, headers: Mapping[str, str], body: bytes
    ) -> DeliveryResult:
        response = self._session.post(
            url,
            data=body,
            headers=dict(headers),
            timeout=attempt.left_s(),
            allow_redirects=False,
            stream=True,
            verify=self._verify,
        )
        if attempt.is_late:
            # http.client takes the end of a connection that was cut for the end of the headers.
            response.close()
            raise TimeoutError("the head of the answer was cut at the deadline")
        head = _read_head(response)
        is_redirect = 300 <= response.status_code <= 399
        return DeliveryResult(
            status=response.status_code,
            error=Failure.REDIRECT if is_redirect else None,
            detail=f"answered {response.status_code}"
            + (", which is not followed" if is_redirect else ""),
            retry_after=parse_retry_after(
                response.headers.get("retry-after"), self._clock()
            ),
            duration_ms=attempt.elapsed_ms(),
            response_head=head,
        )


def _session(pool_size: int) -> requests.Session:
    session = _Session()
    # Neither a proxy nor .netrc nor another CA file from the environment.
    session.trust_env = False
    # What one endpoint sets as a cookie is told to nobody.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {"User-Agent": _user_agent(), "Content-Type": "application/json"}
    )
    adapter = _Adapter(
        pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read_head(response: requests.Response) -> bytes:
    head = b""
    try:
        while len(head) < RESPONSE_HEAD_BYTES:
            chunk = response.raw.read(_READ_BYTES, decode_content=False)
            if not chunk:
                return head  # read to its end: the connection is kept alive
            head += chunk
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        pass  # the status was said; what becomes of the body does not change it
    response.close()
    return head[:RESPONSE_HEAD_BYTES]


def _failed(attempt: Attempt, failure: Failure, detail: str) -> DeliveryResult:
    return DeliveryResult(None, failure, detail, None, attempt.elapsed_ms(), b"")


def _explain(attempt: Attempt, error: Exception) -> tuple[Failure, str]:
    causes = list(_causes(error))
    if attempt.is_late or any(isinstance(cause, TimeoutError) for cause in causes):
        return Failure.TIMEOUT, _stage(attempt)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            # The certificate's own words, when there are any; else OpenSSL's.
            return Failure.TLS, str(
                getattr(cause, "verify_message", None) or cause.reason
            )
    # Never str(error) of a library: it may quote the URL, or bytes that were received.
    known = [cause for cause in causes if isinstance(cause, OSError) and cause.strerror]
    detail = str(known[-1].strerror) if known else type(causes[-1]).__name__
    return attempt.blame or Failure.PROTOCOL, detail


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
