"""Which addresses may be dialled: literals in every spelling, names, and what a resolver answers."""

import ipaddress
import socket
from typing import Any

import pytest

from regulars_webhooks import AddressRefused
from regulars_webhooks.addresses import check_allow, check_url, is_public, resolve

Code = AddressRefused.Code

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00::1",
    "3ffe::1",
]


def in_url(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    """What the public internet does not route to one machine is refused, bare and in a URL."""
    assert not is_public(address)
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused) as caught:
        check_url(in_url(address))
    assert caught.value.code is Code.PRIVATE_ADDRESS


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    """Public addresses pass, also those at the edge of a private range."""
    assert is_public(address)
    check_url(in_url(address))


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f.0.0.1", "8.8.8.8%eth0", "2a00::1%eth0"]
)
def test_is_public_of_no_plain_address(text: str) -> None:
    """What is no address, or has a zone, is not public."""
    assert not is_public(text)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7F000001",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "127.000.000.001",
        "0",
        "0x0",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "3232235521",
        "127.0.0.1.",
        "2130706433.",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::FFFF:169.254.169.254]",
    ],
)
def test_private_in_disguise(host: str) -> None:
    """A private address is one in decimal, octal, hexadecimal and shortened spelling too."""
    with pytest.raises(AddressRefused) as caught:
        check_url(f"https://{host}/")
    assert caught.value.code is Code.PRIVATE_ADDRESS


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", Code.MALFORMED_URL),
        ("shop.example", Code.SCHEME),
        ("//shop.example/", Code.SCHEME),
        ("http://shop.example/", Code.SCHEME),
        ("ftp://shop.example/", Code.SCHEME),
        ("file:///etc/passwd", Code.SCHEME),
        ("https://user@shop.example/", Code.USERINFO),
        ("https://user:word@shop.example/", Code.USERINFO),
        ("https://@shop.example/", Code.USERINFO),
        ("https://shop.example@10.0.0.1/", Code.USERINFO),
        ("https://shop.example/#top", Code.FRAGMENT),
        ("https://shop.example/#", Code.FRAGMENT),
        ("https://", Code.NO_HOST),
        ("https:///hook", Code.NO_HOST),
        ("https://:443/", Code.NO_HOST),
        ("https:shop.example", Code.NO_HOST),
        ("https://shop.example:0/", Code.PORT),
        ("https://shop.example:22/", Code.PORT),
        ("https://shop.example:25/", Code.PORT),
        ("https://shop.example:80/", Code.PORT),
        ("https://shop.example:1023/", Code.PORT),
        ("https://shop.example:65536/", Code.MALFORMED_URL),
        ("https://shop.example:http/", Code.MALFORMED_URL),
        ("https://shop.example/a b", Code.MALFORMED_URL),
        ("https://shop.example/\t", Code.MALFORMED_URL),
        ("https://shop.exa\nmple/", Code.MALFORMED_URL),
        ("https://shop.example\\@10.0.0.1/", Code.MALFORMED_URL),
        ("https://café.example/", Code.MALFORMED_URL),
        ("https://１２７.0.0.1/", Code.MALFORMED_URL),
        ("https://127。0。0。1/", Code.MALFORMED_URL),
        ("https://[::1/", Code.MALFORMED_URL),
        ("https://[fe80::1%25eth0]/", Code.MALFORMED_HOST),
        ("https://[2a00::1%eth0]/", Code.MALFORMED_HOST),
        ("https://[v1.a:b]/", Code.MALFORMED_HOST),
        ("https://%31%32%37.0.0.1/", Code.MALFORMED_HOST),
        ("https://shop.example./", Code.MALFORMED_HOST),
        ("https://localhost./", Code.MALFORMED_HOST),
        ("https://shop..example/", Code.MALFORMED_HOST),
        ("https://.shop.example/", Code.MALFORMED_HOST),
        ("https://-shop.example/", Code.MALFORMED_HOST),
        ("https://shop*.example/", Code.MALFORMED_HOST),
        (f"https://{'a' * 64}.example/", Code.MALFORMED_HOST),
        (f"https://{'a.' * 130}example/", Code.MALFORMED_HOST),
        ("https://1.2.3.4.5/", Code.MALFORMED_HOST),
        ("https://256.1.1.1/", Code.MALFORMED_HOST),
        ("https://shop.0x7f/", Code.MALFORMED_HOST),
        ("https://134744072/", Code.MALFORMED_HOST),
        ("https://8.8.8.8./", Code.MALFORMED_HOST),
        ("https://localhost/", Code.PRIVATE_ADDRESS),
        ("https://LOCALHOST/", Code.PRIVATE_ADDRESS),
        ("https://ip6-localhost/", Code.PRIVATE_ADDRESS),
        ("https://shop.localhost/", Code.PRIVATE_ADDRESS),
        ("https://localhost.localdomain/", Code.PRIVATE_ADDRESS),
        ("https://metadata.google.internal/", Code.PRIVATE_ADDRESS),
        ("https://printer.local/", Code.PRIVATE_ADDRESS),
        ("https://redis/", Code.PRIVATE_ADDRESS),
    ],
)
def test_check_url_refuses(url: str, code: AddressRefused.Code) -> None:
    """What is plain in the URL is refused with its own code."""
    with pytest.raises(AddressRefused) as caught:
        check_url(url)
    assert code == caught.value.code


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/",
        "https://shop.example",
        "HTTPS://Shop.Example/Hook?token=a%20b",
        "https://shop.example:443/hook",
        "https://shop.example:/hook",
        "https://shop.example:8443/hook",
        "https://shop.example:1024/",
        "https://a_b.shop.example/",
        "https://xn--caf-dma.example/",
        "https://localhost.example/",
    ],
)
def test_check_url_accepts(url: str) -> None:
    """An ordinary https URL passes."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "allow_private", "allow"),
    [
        ("http://localhost:8009/", True, ()),
        ("http://127.0.0.1/", True, ()),
        ("http://[::1]:8009/", True, ()),
        ("https://192.168.1.20/", True, ()),
        ("http://shop:8009/", True, ()),
        ("https://10.1.2.3/", False, ["10.0.0.0/8"]),
        ("https://10.1.2.3/", False, ["10.1.2.3"]),
        ("https://[fd00::1]/", False, ["192.168.0.0/16", "fd00::/8"]),
        ("https://pos.internal/", False, ["POS.internal"]),
        ("https://redis/", False, ["redis"]),
        ("https://pos.internal/", False, ["10.0.0.0/8"]),
    ],
)
def test_check_url_accepts_what_is_allowed(
    url: str, allow_private: bool, allow: list[str]
) -> None:
    """Development admits one's own machine and network; the operator's list admits what it names."""
    check_url(url, allow_private=allow_private, allow=allow)


@pytest.mark.parametrize(
    ("url", "allow_private", "allow", "code"),
    [
        ("http://169.254.169.254/", True, (), Code.PRIVATE_ADDRESS),
        ("http://0.0.0.0:8009/", True, (), Code.PRIVATE_ADDRESS),
        ("http://[::ffff:127.0.0.1]:8009/", True, (), Code.PRIVATE_ADDRESS),
        ("http://127.1:8009/", True, (), Code.MALFORMED_HOST),
        ("http://localhost:22/", True, (), Code.PORT),
        ("http://10.0.0.1/", False, ["10.0.0.0/8"], Code.SCHEME),
        ("https://10.0.0.1/", False, ["10.1.0.0/16"], Code.PRIVATE_ADDRESS),
        ("https://10.0.0.1/", False, ["pos.internal"], Code.PRIVATE_ADDRESS),
        ("https://a.pos.internal/", False, ["pos.internal"], Code.PRIVATE_ADDRESS),
    ],
)
def test_allowing_is_narrow(
    url: str, allow_private: bool, allow: list[str], code: AddressRefused.Code
) -> None:
    """Neither development nor a list admits more than it says; never the metadata service by itself."""
    with pytest.raises(AddressRefused) as caught:
        check_url(url, allow_private=allow_private, allow=allow)
    assert code == caught.value.code


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/99", "", "a b", "https://pos.internal", "*.internal"]
)
def test_allow_must_be_networks_or_names(entry: str) -> None:
    """An entry that could never match is an error, not silence."""
    with pytest.raises(ValueError, match="neither a network nor a host name"):
        check_allow(["10.0.0.0/8", entry])


class Answers:
    """A resolver that gives fixed answers and keeps what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append((host, port))
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses
        ]


def test_resolve_keeps_order_and_drops_doubles() -> None:
    """All public answers come back in the resolver's order, each once."""
    answers = Answers("2606:4700::1", "1.1.1.1", "1.1.1.1", "1.0.0.1")
    expected = [("2606:4700::1", 443, 0, 0), ("1.1.1.1", 443), ("1.0.0.1", 443)]
    assert expected == resolve("shop.example", 443, resolver=answers)
    assert answers.asked == [("shop.example", 443)]


@pytest.mark.parametrize("address", [*NOT_PUBLIC, "fe80::1%2", "2a00::1%2"])
@pytest.mark.parametrize("position", [0, 1])
def test_resolve_refuses_mixed_answers(address: str, position: int) -> None:
    """One answer that is not public refuses them all, wherever it stands."""
    addresses = ["1.1.1.1"]
    addresses.insert(position, address)
    with pytest.raises(AddressRefused) as caught:
        resolve("shop.example", 443, resolver=Answers(*addresses))
    assert caught.value.code is Code.PRIVATE_ADDRESS


@pytest.mark.parametrize(
    ("host", "address", "allow_private", "allow"),
    [
        ("pos.internal", "10.0.0.5", False, ["10.0.0.0/8"]),
        ("pos.internal", "10.0.0.5", False, ["pos.internal"]),
        ("POS.internal", "192.168.0.5", False, ["pos.internal"]),
        ("localhost", "127.0.0.1", True, ()),
        ("localhost", "::1", True, ()),
        ("shop", "100.64.0.9", True, ()),
    ],
)
def test_resolve_admits_what_is_allowed(
    host: str, address: str, allow_private: bool, allow: list[str]
) -> None:
    """What the operator allowed is dialled."""
    [found] = resolve(
        host, 443, allow_private=allow_private, allow=allow, resolver=Answers(address)
    )
    assert found[:2] == (address, 443)


@pytest.mark.parametrize(
    ("address", "allow_private", "allow"),
    [
        ("169.254.169.254", True, ()),
        ("169.254.169.254", False, ["pos.internal"]),
        ("0.0.0.0", False, ["pos.internal"]),
        ("224.0.0.1", True, ["pos.internal"]),
        ("fe80::1%2", True, ["fe80::/10"]),
        ("192.168.0.5", False, ["10.0.0.0/8"]),
        ("10.0.0.5", False, ["other.internal"]),
    ],
)
def test_resolve_allows_no_more_than_that(
    address: str, allow_private: bool, allow: list[str]
) -> None:
    """A trusted name that leads to the metadata service is not trusted."""
    with pytest.raises(AddressRefused):
        resolve(
            "pos.internal",
            443,
            allow_private=allow_private,
            allow=allow,
            resolver=Answers(address),
        )


@pytest.mark.parametrize("host", ["", "a..b", "x" * 64])
def test_resolve_of_no_name_is_a_failed_look_up(host: str) -> None:
    """A name that cannot be asked for fails like one that does not exist."""

    def encode(name: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        name.encode("idna")
        return []

    with pytest.raises(socket.gaierror):
        resolve(host, 443, resolver=encode)


def test_resolve_of_a_literal_asks_nobody_outside() -> None:
    """The system's resolver reads odd spellings; its answer is what is judged."""
    with pytest.raises(AddressRefused):
        resolve("2130706433", 443)
