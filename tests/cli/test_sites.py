"""``regulars site``: places with keys and origins of their own."""

from html.parser import HTMLParser

import pytest
from tests.cli.conftest import Commands

COLUMNS = {"id", "name", "publishable_key", "origins", "receipt_secret"}


def test_add_prints_the_site(cli: Commands) -> None:
    """A new site has an id, a publishable key, its origins and a receipt secret, and nothing else."""
    added = cli.json(
        "site",
        "add",
        "Shop",
        "--origin",
        "https://a.example",
        "--origin",
        "https://b.example",
    )
    assert list(added) == ["id", "name", "publishable_key", "origins", "receipt_secret"]
    assert added["id"].startswith("site_")
    assert added["publishable_key"].startswith("pk_")
    assert added["name"] == "Shop"
    assert added["origins"] == ["https://a.example", "https://b.example"]
    assert cli.json("site", "list") == [added]


def test_add_without_json(cli: Commands) -> None:
    """People get the id and the key in one line."""
    line = cli.ok("site", "add", "Shop")
    (site,) = cli.json("site", "list")
    assert line.split() == [site["id"], site["publishable_key"]]


def test_a_list_is_always_an_array(cli: Commands) -> None:
    """No site is an empty array, many are in the order they were made."""
    assert cli.json("site", "list") == []
    for name in "ABC":
        cli.ok("site", "add", name)
    assert [site["name"] for site in cli.json("site", "list")] == ["A", "B", "C"]
    assert all(set(site) == COLUMNS for site in cli.json("site", "list"))


def test_allow_adds_origins(cli: Commands) -> None:
    """An origin is added to those of a site once, and in force for the next request."""
    cli.ok("site", "add", "Shop", "--origin", "https://a.example")
    for _ in range(2):
        told = cli.json("site", "allow", "Shop", "https://B.example:443")
        assert told["origins"] == ["https://a.example", "https://b.example"]
    assert cli.json("site", "list") == [told]
    assert "Nowhere" in cli.refused(
        "site", "allow", "Nowhere", "https://b.example", status=1
    )


def test_a_name_is_taken_once(cli: Commands) -> None:
    """A second site of the same name is refused, and the first stays as it was."""
    cli.ok("site", "add", "Shop")
    assert "Shop" in cli.refused("site", "add", "Shop", status=1)
    assert len(cli.json("site", "list")) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:8080", "http://shop.example:8080"),
        ("https://shop.example:80", "https://shop.example:80"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(
    cli: Commands, given: str, kept: str
) -> None:
    """An origin is in lower case, without slash and default port: else it would never match."""
    assert cli.json("site", "add", "Shop", "--origin", given)["origins"] == [kept]


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://",
        "https://shop.example/page",
        "https://shop.example?x=1",
        "https://shop.example#x",
        "https://user@shop.example",
        "https://shop.example:port",
        "https://bücher.example",
        "https://[::1",
        "ftp://shop.example",
        "null",
        "*",
        "",
    ],
)
def test_what_is_no_origin(cli: Commands, origin: str) -> None:
    """What no browser would send as an origin is a mistake in the call."""
    assert "origin" in cli.refused("site", "add", "Shop", "--origin", origin, status=2)
    assert cli.json("site", "list") == []


class _Names(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input":
            self.inputs[found["name"] or ""] = found.get("value") or ""


def test_snippet_holds_the_fields_and_keys_in_force(cli: Commands) -> None:
    """The plain HTML names the site and the wordings, whose keys a signup may then send."""
    site = cli.json("site", "add", "Shop")
    inputs = _Names(cli.ok("site", "snippet", "Shop")).inputs
    assert inputs["site"] == site["publishable_key"]
    assert inputs["consent_x_link"] == inputs["contact_wording"] == "1.en"
    assert {"x_handle", "contact_channel", "contact_email", "contact_phone"} <= set(
        inputs
    )
    assert {name for name in inputs if name.startswith("consent_offers_")} == {
        f"consent_offers_{channel}"
        for channel in ("x", "email", "sms", "phone", "facebook")
    }


def test_snippet_of_no_site(cli: Commands) -> None:
    """A name that is none is a finding, with the command that lists them."""
    assert "site list" in cli.refused("site", "snippet", "Nowhere", status=1)
