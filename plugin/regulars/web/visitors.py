"""Who is calling: a credential where there is one, and an address to count by."""

import ipaddress
from dataclasses import dataclass

from flask import g, request

from regulars.keep.sites import Site, find_key
from regulars.web.house import House
from regulars.web.problems import FieldError, ProblemError

# Guests behind one restaurant's address need room; the shop's own server needs more.
PUBLIC_RATE = "60 per minute"
KEY_RATE = "6000 per minute"
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
