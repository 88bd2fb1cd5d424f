"""Who is calling: a credential where there is one, and what each caller is counted by."""

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import g, request
from limits import RateLimitItem, parse

from regulars.keep.sites import Site, find_key
from regulars.values.contact import Address
from regulars.web.house import House
from regulars.web.problems import FieldError, ProblemError, too_many

# Guests behind one restaurant's address need room; the shop's own server needs more.
PUBLIC_RATE = "60 per minute"
KEY_RATE = "6000 per minute"
# All pages of a site together: ten restaurants' full rooms, and no sweep of handles.
_CHECKS_OF_A_SITE = parse("600 per minute")
# One contact address, whoever sends it: room for a slip and for a double press.
_SENDINGS_OF_AN_ADDRESS = parse("10 per minute")
# https://www.rfc-editor.org/rfc/rfc9110#section-11.1: the scheme's case says nothing.
_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Credential:
    """With what right a signup is sent; ``scope`` is what its idempotency keys belong to."""

    scope: str
    has_secret_key: bool
    site: Site | None


def key_id(house: House) -> str | None:
    """The id of the secret key in the request; None without one.

    Raises:
        ProblemError: 401, the key is not ours or was revoked.
    """
    if "key_id" not in g:
        g.key_id = _read_key(house)
    found: str | None = g.key_id
    return found


def require_key(house: House) -> str:
    """The id of the secret key in the request.

    Raises:
        ProblemError: 401, there is none.
    """
    found = key_id(house)
    if found is None:
        text = "Send 'Authorization: Bearer sk_…' with a secret key of the shop."
        raise ProblemError(
            401,
            text,
            [FieldError("", "key.missing", text)],
            {"WWW-Authenticate": "Bearer"},
        )
    return found


def limited_by_caller(house: House) -> Callable[[Any], Any]:
    """Decorates a view of the API: a secret key has its room, everybody else their address's."""
    return house.limiter.limit(
        lambda: KEY_RATE if key_id(house) else PUBLIC_RATE,
        key_func=lambda: key_id(house) or visitor(),
        methods=["POST"],
    )


def count_check(house: House, site: Site) -> None:
    """Count a check that a page of *site* asks for.

    Raises:
        ProblemError: 429, the pages of this site have no room left in this minute.
    """
    _count(house, _CHECKS_OF_A_SITE, "checks", site.id)


def count_addresses(house: House, addresses: Iterable[Address]) -> None:
    """Count what a public form sends, by keyed digests: no address is kept, not even in memory.

    Raises:
        ProblemError: 429, one of *addresses* was sent too often in this minute.
    """
    for address in addresses:
        message = f"limit:{address.kind.value}:{address.normalized}".encode()
        key = house.settings.secret_key.encode()
        digest = hmac.digest(key, message, hashlib.sha256).hex()
        _count(house, _SENDINGS_OF_AN_ADDRESS, "address", digest)


def _count(house: House, rate: RateLimitItem, *what: str) -> None:
    if not house.limiter.enabled:
        return
    counters = house.limiter.limiter
    if not counters.hit(rate, *what):
        raise too_many(counters.get_window_stats(rate, *what).reset_time)


def _read_key(house: House) -> str | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    found = None
    scheme, _, text = header.partition(" ")
    if scheme.lower() == _SCHEME:
        with house.database.reading() as connection:
            found = find_key(connection, text.strip())
    if found is None:
        raise ProblemError(
            401,
            "The secret key is not known here or was revoked.",
            [FieldError("", "key.unknown", "Make one with 'regulars key add NAME'.")],
            {"WWW-Authenticate": "Bearer"},
        )
    return found


def visitor() -> str:
    """The caller's address as limits count it: an IPv6 household is one visitor."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            # What a socket for both families calls an IPv4 visitor: all are in one /64.
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
