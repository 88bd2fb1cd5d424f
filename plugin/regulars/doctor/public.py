"""The service as it is seen from outside: the doctor asks the public address like a visitor.

It asks from where it runs: an address that only this network can open looks well here
too, so it is worth most on another machine with the same settings.
"""

import hmac
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from regulars.doctor.findings import Finding, Severity, fine, problem, warning
from regulars.keep.challenges import add_challenge, proof_of
from regulars.keep.db import Database
from regulars.settings import Settings

# Seconds to connect and to wait for the answer.
_TIMEOUT_S = (5.0, 10.0)
_DAYS_LEFT = 14
# https://www.rfc-editor.org/rfc/rfc5737: nobody's address, so that nobody is meant.
_FORGED = "198.51.100.77"
_HEADERS = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "X-Frame-Options",
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the service says it saw of a request."""

    visitor: str
    forwarded_for: int


def examine_public(
    settings: Settings,
    database: Database,
    clock: Callable[[], datetime],
    *,
    ca_file: str | None = None,
) -> Iterator[Finding]:
    """What the public address answers; *ca_file* has the authorities that are believed.

    Without it they are those that come with requests, as browsers believe them.
    """
    with requests.Session() as session:
        # A proxy or a .netrc of the environment would change what is looked at.
        session.trust_env = False
        session.verify = ca_file or True
        answer = _get(session, settings.base_url + "/healthz")
        if isinstance(answer, Finding):
            yield answer
            return
        health = _check_health(answer, settings.base_url)
        yield health
        if health.severity is Severity.PROBLEM:
            # Whatever else is asked there, the answers would not be ours.
            return
        yield _check_headers(answer)
        if settings.base_url.startswith("https:"):
            yield _check_certificate(settings.base_url, ca_file, clock())
        yield from _check_identity(session, settings, database, clock)


def _get(
    session: requests.Session, url: str, **more: Any
) -> requests.Response | Finding:
    try:
        return session.get(url, timeout=_TIMEOUT_S, allow_redirects=False, **more)
    except requests.exceptions.SSLError:
        return problem(
            "public.certificate",
            f"The certificate of {url} is not one that browsers accept.",
            "See whether it is for this name, is not out of date and comes with its chain.",
        )
    except requests.RequestException as error:
        return problem(
            "public.unreachable",
            f"{url} does not answer ({type(error).__name__}).",
            "See whether the name leads to this machine, the proxy runs and the port is open.",
        )


def _check_health(answer: requests.Response, base_url: str) -> Finding:
    if answer.is_redirect:
        return problem(
            "public.redirected",
            f"{base_url} sends visitors on to {answer.headers.get('Location')}.",
            "Set REGULARS_BASE_URL to the address that answers by itself.",
        )
    if answer.status_code != 200 or answer.text != "ok\n":
        return problem(
            "public.not_well",
            f"{base_url}/healthz answers {answer.status_code}, not as Regulars does.",
            "See whether the proxy leads every path to Regulars, and whether it runs.",
        )
    return fine("public.reachable", f"{base_url} can be reached.")


def _check_headers(answer: requests.Response) -> Finding:
    missing = [name for name in _HEADERS if name not in answer.headers]
    if missing:
        return problem(
            "public.headers",
            f"Headers that guard the pages do not arrive: {', '.join(missing)}.",
            "Let the proxy pass the headers of Regulars on as they are.",
        )
    return fine("public.headers", "The headers that guard the pages arrive.")


def _check_certificate(base_url: str, ca_file: str | None, now: datetime) -> Finding:
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
    try:
        with (
            socket.create_connection((host, port), _TIMEOUT_S[0]) as opened,
            context.wrap_socket(opened, server_hostname=host) as connection,
        ):
            found = connection.getpeercert() or {}
    except OSError as error:
        return problem(
            "public.certificate",
            f"The certificate of {host} could not be read ({type(error).__name__}).",
            "Try again; it was accepted a moment before.",
        )
    ends_at = datetime.fromtimestamp(
        ssl.cert_time_to_seconds(str(found["notAfter"])), UTC
    )
    days = (ends_at - now).days
    sentence = f"The certificate of {host} is good for {days} more days."
    if days < _DAYS_LEFT:
        return warning(
            "public.certificate_ends",
            sentence,
            "See why the proxy has not renewed it: most do it a month before.",
        )
    return fine("public.certificate", sentence)


def _check_identity(
    session: requests.Session,
    settings: Settings,
    database: Database,
    clock: Callable[[], datetime],
) -> Iterator[Finding]:
    def ask(headers: dict[str, str]) -> _Seen | None:
        with database.transaction() as connection:
            nonce = add_challenge(connection, clock())
        answer = _get(
            session,
            settings.base_url + "/.well-known/regulars",
            params={"nonce": nonce},
            headers=headers,
        )
        return _read(answer, proof_of(settings.secret_key, nonce))

    plain = ask({})
    if plain is None:
        yield problem(
            "public.another",
            f"What answers at {settings.base_url} is not this installation: it does not"
            " know this database or this secret key.",
            "See where the name and the proxy lead, and that both use the same settings.",
        )
        return
    yield fine("public.itself", f"{settings.base_url} leads to this installation.")
    forged = ask({"X-Forwarded-For": _FORGED})
    yield _check_hops(plain, forged, settings.trusted_proxies)


def _read(answer: requests.Response | Finding, proof: str) -> _Seen | None:
    if isinstance(answer, Finding) or answer.status_code != 200:
        return None
    try:
        told = answer.json()
        is_ours = hmac.compare_digest(str(told["proof"]), proof)
        seen = _Seen(str(told["visitor"]), int(told["forwarded_for"]))
    except (ValueError, TypeError, KeyError):
        return None
    return seen if is_ours else None


def _check_hops(plain: _Seen, forged: _Seen | None, trusted: int) -> Finding:
    hops = plain.forwarded_for
    hint = f"Set REGULARS_TRUSTED_PROXIES to {hops}."
    if forged is not None and forged.visitor == _FORGED:
        return problem(
            "public.forged",
            "A visitor who writes X-Forwarded-For is believed, and so slips every limit.",
            hint,
        )
    if hops == trusted:
        return fine(
            "public.hops", f"Visitors are known by their address ({hops} proxies)."
        )
    return problem(
        "public.hops",
        f"{hops} proxies are in front, {trusted} are trusted: limits do not count"
        " visitors by their address.",
        hint,
    )
