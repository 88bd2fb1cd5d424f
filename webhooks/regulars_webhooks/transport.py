"""One attempt of one delivery over HTTP, to an address that was vetted, within a deadline.

The only module here that knows requests and urllib3. What goes wrong on the network
becomes a ``DeliveryResult``; nothing is tried twice here (``retry`` decides that).
"""

import http.client
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection

from .addresses import Resolver, check_allow
from .deadlines import Attempt, Rules, Watchdog
from .errors import AddressRefused
from .failures import explain
from .retry import DeliveryResult, Failure, parse_retry_after

RESPONSE_HEAD_BYTES: Final = 4096

# Small, so that what came before a deadline is kept.
_READ_BYTES: Final = 512


_NO_RETRIES: Final = urllib3.Retry(False, redirect=False)
# Endpoints are few; an unbounded memory of what was once an endpoint is a leak.
_ROUTES_KEPT: Final = 1024


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
    """Sends a prepared request with nothing in between: no session, proxies, cookies or hooks.

    What a session does around each request costs more than the request. The pool of
    an endpoint is found once, with its certificates; an answer is told by its status.
    """

    def __init__(self, pool_size: int, verify: bool | str) -> None:
        self._verify = verify
        self._routes: dict[str, tuple[Any, str]] = {}
        super().__init__(
            pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        pool, target = self._route(request)
        raw = pool.urlopen(
            request.method,
            target,
            body=request.body,
            headers=request.headers,
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=kwargs["timeout"],
        )
        response = requests.Response()
        response.status_code = raw.status
        response.headers = raw.headers
        response.raw = raw
        return response

    def _route(self, request: requests.PreparedRequest) -> tuple[Any, str]:
        url = str(request.url)
        known = self._routes.get(url)
        if known is None:
            if len(self._routes) >= _ROUTES_KEPT:
                self._routes.clear()
            pool = self.get_connection_with_tls_context(request, self._verify)
            self.cert_verify(pool, url, self._verify, None)  # type: ignore[no-untyped-call]
            known = self._routes[url] = (pool, self.request_url(request, {}))
        return known


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
        self._watchdog = Watchdog()
        self._adapter = _Adapter(pool_size, True if ca_bundle is None else ca_bundle)
        self._headers = {
            "User-Agent": _user_agent(),
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }
        self._urls_known: set[str] = set()

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
            self._check(url)
            return self._post(attempt, url, headers, body)
        except AddressRefused as error:
            return _failed(attempt, Failure.ADDRESS_REFUSED, str(error))
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            return _failed(attempt, *explain(attempt, error))
        finally:
            attempt.finish()
            _attempt.reset(token)

    def close(self) -> None:
        """Close the connections that are kept alive. Attempts under way end by themselves."""
        self._adapter.close()
        self._watchdog.stop()

    def _check(self, url: str) -> None:
        # By its text alone, which does not change; what it resolves to is vetted at the dial.
        if url not in self._urls_known:
            self._rules.check_url(url)
            if len(self._urls_known) >= _ROUTES_KEPT:
                self._urls_known.clear()
            self._urls_known.add(url)

    def _post(
        self, attempt: Attempt, url: str, headers: Mapping[str, str], body: bytes
    ) -> DeliveryResult:
        request = requests.PreparedRequest()
        request.method, request.url, request.body = "POST", url, body
        request.headers = CaseInsensitiveDict(self._headers)
        request.headers.update(headers)
        request.headers["Content-Length"] = str(len(body))
        response = self._adapter.send(request, timeout=attempt.left_s())
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
