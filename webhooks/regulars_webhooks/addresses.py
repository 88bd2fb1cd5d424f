"""Which addresses a request to somebody else's URL may go to.

``check_url`` refuses early what is plain in the URL, so that the operator reads it
when the endpoint is added. The guard itself is ``resolve``: ``transport`` dials only
what it returns, so that a name cannot mean one address when it is checked and
another when it is dialled (DNS rebinding).

Tables: https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from .errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What a socket connects to: two members for IPv4, four for IPv6.
SocketAddress = tuple[str, int] | tuple[str, int, int, int]
# As socket.getaddrinfo: host, port, family, type → rows of five, the address last.
Resolver = Callable[..., Sequence[tuple[Any, ...]]]


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Whatever the registry does not call globally reachable, and what stands for another address.
_NOT_PUBLIC_V4: Final = _networks(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",
    "100.64.0.0/10",  # between a carrier and its customers (CGNAT)
    "127.0.0.0/8",
    "169.254.0.0/16",  # link-local: the metadata service of every cloud
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",  # 6to4 relay
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)
# All of today's unicast. Outside of it lie loopback, ::/96, IPv4-mapped and -translated,
# NAT64 (64:ff9b::), unique local (fc00::), link-local (fe80::), site-local (fec0::), multicast.
_UNICAST_V6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = _networks(
    "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
    "2001:db8::/32",
    "2002::/16",  # 6to4: holds an IPv4 address
    "3fff::/20",
)
# What a machine or a network of one's own may use. Link-local is not among them: nobody
# develops on the metadata service.
_OWN: Final = _networks(
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
)

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# A host whose last label is a number is an IPv4 address to somebody's parser:
# https://url.spec.whatwg.org/#ends-in-a-number-checker
_ENDS_IN_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_OWN_SUFFIXES: Final = (
    ".localhost",
    ".localdomain",
    ".local",
    ".internal",
    ".home.arpa",
    ".lan",
    ".intranet",
)
_MAX_HOST: Final = 253
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_Code = AddressRefused.Code


@dataclass(frozen=True, slots=True)
class _Allowed:
    networks: tuple[Network, ...]
    hosts: frozenset[str]


def check_url(
    url: str, *, allow_private: bool = False, allow: Sequence[str] = ()
) -> None:
    """Accept a URL to which requests may be sent, as far as its text can tell.

    It is https (http too with *allow_private*), has a host of ASCII (an
    international name in its ``xn--`` form), no user, no fragment, and a port that
    is the scheme's own or at least 1024: below that, other protocols live.
    *allow_private* admits loopback and private networks, for development. *allow*
    holds networks (``10.0.0.0/8``) and exact host names that are admitted as well.

    Raises:
        AddressRefused: the URL is not of that form, or names a private address in
            whatever spelling.
        ValueError: an entry of *allow* is neither a network nor a name.
    """
    allowed = _parse_allow(allow)
    parts, port = _split(url)
    _check_form(parts, port, allow_private=allow_private)
    host = (parts.hostname or "").lower()
    bare = host.rstrip(".")
    literal = _literal(bare)
    if literal is not None:
        if not _admits(literal, bare, allowed, allow_private=allow_private):
            raise AddressRefused(
                _Code.PRIVATE_ADDRESS, f"{literal} is not a public address"
            )
        if isinstance(literal, ipaddress.IPv4Address) and str(literal) != host:
            raise AddressRefused(
                _Code.MALFORMED_HOST, f"write the address as {literal}"
            )
        return
    _check_name(host, allowed, allow_private=allow_private)


def check_allow(allow: Sequence[str]) -> None:
    """Accept a list of networks and host names that the functions here can use.

    Raises:
        ValueError: an entry is neither a network nor a host name.
    """
    _parse_allow(allow)


def is_public(address: str | Address) -> bool:
    """Whether *address* is one that the public internet routes to one machine.

    False too for what is no address, for addresses that hold another one
    (IPv4-mapped, NAT64, 6to4, Teredo), and for anything with a zone.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not _within(parsed, _NOT_PUBLIC_V4)
    return (
        parsed.scope_id is None
        and parsed in _UNICAST_V6
        and not _within(parsed, _NOT_PUBLIC_V6)
    )


def resolve(
    host: str,
    port: int,
    *,
    allow_private: bool = False,
    allow: Sequence[str] = (),
    resolver: Resolver = socket.getaddrinfo,
) -> list[SocketAddress]:
    """The addresses of *host* that may be dialled, in the resolver's order.

    One answer that may not be dialled refuses them all: a name with a public and a
    private address is an attack or a mistake. *allow_private* and *allow* as in
    ``check_url``. Blocks as long as the resolver does, which has no time limit.

    Raises:
        AddressRefused: an answer is not public and not allowed.
        OSError: the name cannot be resolved (``socket.gaierror``).
        ValueError: an entry of *allow* is neither a network nor a name.
    """
    allowed = _parse_allow(allow)
    try:
        rows = resolver(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    found: list[SocketAddress] = []
    for row in rows:
        answer: SocketAddress = row[4]
        address = ipaddress.ip_address(answer[0])
        if not _admits(address, host.lower(), allowed, allow_private=allow_private):
            raise AddressRefused(
                _Code.PRIVATE_ADDRESS,
                f"{host} resolves to {address}, which is not public",
            )
        if answer not in found:
            found.append(answer)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return found


def _parse_allow(allow: Sequence[str]) -> _Allowed:
    networks: list[Network] = []
    hosts: set[str] = set()
    for entry in allow:
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError as error:
            name = entry.lower()
            if not _HOST_NAME.fullmatch(name):
                raise ValueError(
                    f"neither a network nor a host name: {entry!r}"
                ) from error
            hosts.add(name)
    return _Allowed(tuple(networks), frozenset(hosts))


def _split(url: str) -> tuple[SplitResult, int | None]:
    # urlsplit() drops tabs and line breaks and passes a backslash, which browsers read as a slash.
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise AddressRefused(
            _Code.MALFORMED_URL, "write the URL in ASCII, without spaces"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(_Code.MALFORMED_URL, "this is not a URL") from error
    if "#" in url:
        raise AddressRefused(_Code.FRAGMENT, "what follows a # is never sent")
    return parts, port


def _check_form(parts: SplitResult, port: int | None, *, allow_private: bool) -> None:
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise AddressRefused(_Code.SCHEME, "the URL must begin with https://")
    if "@" in parts.netloc:
        raise AddressRefused(_Code.USERINFO, "a URL may not hold a user or a password")
    if not parts.hostname:
        raise AddressRefused(_Code.NO_HOST, "the URL names no host")
    if port is not None and port < 1024 and port != _DEFAULT_PORTS[parts.scheme]:
        raise AddressRefused(_Code.PORT, f"port {port} belongs to another protocol")


def _literal(host: str) -> Address | None:
    if ":" in host:
        if "%" in host:
            raise AddressRefused(
                _Code.MALFORMED_HOST, "an address with a zone is of this machine alone"
            )
        try:
            return ipaddress.IPv6Address(host)
        except ValueError as error:
            raise AddressRefused(
                _Code.MALFORMED_HOST, "this is no IPv6 address"
            ) from error
    if not _ENDS_IN_NUMBER.fullmatch(host):
        return None
    try:
        # Reads what C libraries read: 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError as error:
        raise AddressRefused(_Code.MALFORMED_HOST, "this is no IPv4 address") from error


def _check_name(host: str, allowed: _Allowed, *, allow_private: bool) -> None:
    if len(host) > _MAX_HOST or not _HOST_NAME.fullmatch(host):
        raise AddressRefused(
            _Code.MALFORMED_HOST,
            "no host name (international ones as xn--…, no dot at the end)",
        )
    is_own = "." not in host or host.endswith(_OWN_SUFFIXES)
    # With networks allowed only the answer of the resolver can tell.
    if is_own and not (allow_private or allowed.networks or host in allowed.hosts):
        raise AddressRefused(
            _Code.PRIVATE_ADDRESS, f"{host} is a name of a private network"
        )


def _admits(
    address: Address, host: str, allowed: _Allowed, *, allow_private: bool
) -> bool:
    if is_public(address) or _within(address, allowed.networks):
        return True
    # A name that the operator trusts still may not lead to link-local or multicast.
    return (allow_private or host in allowed.hosts) and _within(address, _OWN)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    # An address with a zone (fe80::1%eth0) would otherwise count by its bits alone.
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    return any(
        address.version == network.version and address in network
        for network in networks
    )
