"""What shops' pages load: /w/<version>/…, fixed for ever, small, and open to every page."""

import gzip
from typing import Any

import brotli
import pytest
from tests.acceptance.conftest import MakeShop
from tests.acceptance.conftest import new_shop as new_shop
from tests.acceptance.running import call
from tests.shops import ShopUnderTest

from regulars.ask.widget.files import (
    FOLDER,
    SCRIPT,
    file_names,
    integrity,
    newest_version,
    sri,
)

NEWEST = newest_version()
URL = f"/w/{NEWEST}/{SCRIPT}"
BYTES = (FOLDER / NEWEST / SCRIPT).read_bytes()
UNPACKED: dict[str | None, Any] = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    None: bytes,
}
OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}


def get(shop: ShopUnderTest, url: str = URL, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return shop.client.get(url, headers=sent)


@pytest.mark.parametrize("name", file_names(NEWEST))
def test_each_file_is_there_for_every_page(shop: ShopUnderTest, name: str) -> None:
    """Byte for byte as in the package, with its type, for any origin, to be kept for ever."""
    answer = get(shop, f"/w/{NEWEST}/{name}")
    assert answer.status_code == 200
    assert answer.data == (FOLDER / NEWEST / name).read_bytes()
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    assert answer.content_type == f"{kind}; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert {header: answer.headers[header] for header in OPEN} == OPEN
    assert "Set-Cookie" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("*", "br"),
        ("gzip;q=0.5, *;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("identity", None),
        ("identity, br;q=0.5", None),
        ("deflate", None),
        ("", None),
        # Refusing all of it is no reason to get nothing.
        ("*;q=0", None),
        ("br;q=nonsense", None),
        (None, None),
    ],
)
def test_as_small_as_the_browser_takes_it(
    shop: ShopUnderTest, accepted: str | None, coding: str | None
) -> None:
    """Packed beforehand in the coding that is liked best, whole after unpacking."""
    headers = {} if accepted is None else {"Accept_Encoding": accepted}
    answer = get(shop, **headers)
    assert answer.headers.get("Content-Encoding") == coding
    assert UNPACKED[coding](answer.data) == BYTES
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "Accept-Encoding" in answer.vary


def test_packed_is_smaller(shop: ShopUnderTest) -> None:
    """Brotli beats gzip, and gzip the plain file."""
    sizes = [len(get(shop, Accept_Encoding=it).data) for it in ("br", "gzip", "")]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_what_the_browser_has_is_not_sent_again(shop: ShopUnderTest) -> None:
    """The tag of a coding gets 304 with what belongs to it; another coding's tag does not."""
    first = get(shop, Accept_Encoding="br")
    tag = first.headers["ETag"]
    assert not tag.startswith("W/")
    again = get(shop, Accept_Encoding="br", If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")
    for name in ("ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin"):
        assert again.headers[name] == first.headers[name]
    assert get(shop, Accept_Encoding="gzip", If_None_Match=tag).status_code == 200
    several = f'"other", {tag}'
    assert get(shop, Accept_Encoding="br", If_None_Match=several).status_code == 304


def test_head_has_the_length_and_no_body(shop: ShopUnderTest) -> None:
    """HEAD is GET without the bytes."""
    got = get(shop, Accept_Encoding="gzip")
    head = shop.client.head(URL, headers={"Accept-Encoding": "gzip"})
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Length", "Content-Encoding", "ETag", "Content-Type"):
        assert head.headers[name] == got.headers[name]


def test_the_newest_under_a_short_name(shop: ShopUnderTest) -> None:
    """/w/1/ is the newest of version 1 for pages that pin nothing; it is asked again in minutes."""
    answer = get(shop, f"/w/1/{SCRIPT}")
    assert answer.data == BYTES
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert {header: answer.headers[header] for header in OPEN} == OPEN
    assert get(shop, f"/w/2/{SCRIPT}").status_code == 404


def test_the_hashes_are_of_what_is_served(shop: ShopUnderTest) -> None:
    """integrity.json has the sha384 of every file of every version, and is asked again in minutes."""
    answer = get(shop, "/w/integrity.json")
    assert answer.json == integrity()
    for version, files in answer.json.items():
        for name, told in files.items():
            assert told == sri(get(shop, f"/w/{version}/{name}").data)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(
    "path",
    [
        "9.9.9/fields.js",
        "0/fields.js",
        "x/fields.js",
        f"{NEWEST}/nothing.js",
        f"{NEWEST}/UNRELEASED",
        f"{NEWEST}/fields.xx.js",
        f"{NEWEST}/..%2Ffiles.py",
        f"{NEWEST}/../files.py",
        f"{NEWEST}/../{NEWEST}/%2e%2e/files.py",
        "../files.py",
        "..%2F..%2Fapi.py",
        f"{NEWEST}/fields.js%00",
        f"{NEWEST}/",
        f"{NEWEST}",
        "",
        "./fields.js",
        "../fields.js",
        "1./fields.js",
        "1.0/fields.js",
        "01/fields.js",
        f"{NEWEST}//fields.js",
        f"{NEWEST}/FIELDS.JS",
        "__init__.py/fields.js",
    ],
)
def test_nothing_else_is_served(shop: ShopUnderTest, path: str) -> None:
    """What is no file of a version is a problem that a page may read, and is not kept."""
    answer = get(shop, f"/w/{path}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_busy_shop_is_not_counted(shop: ShopUnderTest) -> None:
    """Many visitors behind one address all get the script: it costs nothing to send."""
    assert {get(shop).status_code for _ in range(200)} == {200}


def test_only_for_reading(shop: ShopUnderTest) -> None:
    """Nothing is taken in there."""
    assert shop.client.post(URL).status_code == 405


@pytest.mark.slow
def test_over_a_socket(new_shop: MakeShop) -> None:
    """The running service sends the packed bytes, their length, 304 and HEAD alike."""
    shop = new_shop()
    shop.service.start("--no-dispatch")
    url = f"{shop.service.url}{URL}"
    got = call("GET", url, headers={"Accept-Encoding": "br"})
    assert brotli.decompress(got.body) == BYTES
    assert got.headers["content-length"] == str(len(got.body))
    assert got.headers["content-encoding"] == "br"
    head = call("HEAD", url, headers={"Accept-Encoding": "br"})
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))
    tagged = {"Accept-Encoding": "br", "If-None-Match": got.headers["etag"]}
    again = call("GET", url, headers=tagged)
    assert (again.status, again.body) == (304, b"")
    climbed = call("GET", f"{shop.service.url}/w/{NEWEST}/../../../etc/passwd")
    assert climbed.status == 404
