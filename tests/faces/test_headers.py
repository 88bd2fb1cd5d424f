"""The headers that every answer carries, whatever it is."""

from typing import Any

import pytest
from tests.shops import EMAIL, ORIGIN, ShopUnderTest

from regulars.web.headers import CONTENT_SECURITY_POLICY

EXPECTED = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def token_of(shop: ShopUnderTest) -> str:
    answer = shop.sign_up(contact_email=EMAIL, **shop.consent())
    return str(answer.get_json()["preferences_url"].rpartition("/")[2])


def ask(shop: ShopUnderTest, name: str) -> Any:
    """One answer of each kind."""
    client, site = shop.client, shop.site.publishable_key
    asked = {
        "home": lambda: client.get("/"),
        "page": lambda: client.get(f"/signup?site={site}"),
        "no page": lambda: client.get("/signup"),
        "wrong form": lambda: client.post(
            "/signup", data={"site": site, "x_handle": "a b"}
        ),
        "accepted form": lambda: client.post(
            "/signup", data={"site": site, "contact_email": EMAIL}
        ),
        "thanks": lambda: client.get(f"/signup/thanks/{token_of(shop)}"),
        "preferences": lambda: client.get(f"/p/{token_of(shop)}"),
        "no preferences": lambda: client.get("/p/none"),
        "accepted": lambda: shop.sign_up(contact_email=EMAIL),
        "nothing in it": lambda: shop.sign_up(),
        "refused": lambda: shop.sign_up(contact_email="x"),
        "not ours": lambda: client.get("/nowhere"),
        "wrong method": lambda: client.put("/v1/signups"),
        "preflight": lambda: client.options("/v1/signups", headers={"Origin": ORIGIN}),
        "health": lambda: client.get("/healthz"),
        "readiness": lambda: client.get("/readyz"),
        "schema": lambda: client.get("/schemas/customer.created.json"),
        "head": lambda: client.head(f"/signup?site={site}"),
    }
    return asked[name]()


KINDS = [
    "home",
    "page",
    "no page",
    "wrong form",
    "accepted form",
    "thanks",
    "preferences",
    "no preferences",
    "accepted",
    "nothing in it",
    "refused",
    "not ours",
    "wrong method",
    "preflight",
    "health",
    "readiness",
    "schema",
    "head",
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_guarded(shop: ShopUnderTest, kind: str) -> None:
    """Every kind of answer forbids framing, sniffing, foreign content and storing."""
    headers = ask(shop, kind).headers
    assert {name: headers.get(name) for name in EXPECTED} == EXPECTED
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_cookie_and_no_name_of_the_server(shop: ShopUnderTest, kind: str) -> None:
    """Nothing is put into the visitor's browser, and nothing told of what we run on."""
    headers = ask(shop, kind).headers
    assert "Set-Cookie" not in headers
    assert "X-Powered-By" not in headers


def test_the_policy_allows_no_inline_code() -> None:
    """Scripts and styles come from our own files alone, and nothing else by default."""
    policy = dict(
        part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("name", ["page.css", "signup.js"])
def test_assets_are_guarded_too(shop: ShopUnderTest, name: str) -> None:
    """The pages' own files carry the guards; they may be kept, for they name nobody."""
    with shop.client.get(f"/assets/{name}") as answer:
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    "path",
    ["../settings.py", "..%2fapi.py", "/etc/passwd", "", "nothing.css", "%00"],
)
def test_nothing_but_assets_is_served(shop: ShopUnderTest, path: str) -> None:
    """No file beside the pages' own can be had."""
    assert shop.client.get(f"/assets/{path}").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/schemas/test.ping.json", "/signup?site={}", "/"],
)
def test_head_is_get_without_a_body(shop: ShopUnderTest, path: str) -> None:
    """HEAD has the status and type of GET and no body."""
    path = path.format(shop.site.publishable_key)
    got, head = shop.client.get(path), shop.client.head(path)
    assert head.status_code == got.status_code
    assert head.mimetype == got.mimetype
    assert head.data == b""
