"""``regulars key``: secret keys, shown once."""

import re

from tests.cli.conftest import Commands
from tests.shops import EMAIL, ShopUnderTest

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_add_prints_the_key_once(cli: Commands) -> None:
    """A new key is printed with its id and name, and no list shows it again."""
    added = cli.json("key", "add", "server")
    assert list(added) == ["id", "name", "key"]
    assert added["id"].startswith("key_")
    assert added["key"].startswith("sk_")
    (listed,) = cli.json("key", "list")
    assert set(listed) == {"id", "name", "created_at", "revoked_at"}
    assert (listed["id"], listed["name"]) == (added["id"], "server")
    assert INSTANT.fullmatch(listed["created_at"])
    assert listed["revoked_at"] is None
    assert added["key"] not in cli.ok("key", "list")


def test_a_list_is_always_an_array(cli: Commands) -> None:
    """No key is an empty array."""
    assert cli.json("key", "list") == []


def test_a_key_is_in_force_at_once(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """A service that runs takes a key that was just made and refuses one just revoked."""
    shop = shop_at_hand
    added = cli.json("key", "add", "till")
    headers = {"Authorization": f"Bearer {added['key']}"}

    def status() -> int:
        answer = shop.client.post(
            "/v1/signups", json={"contact_email": EMAIL}, headers=headers
        )
        return int(answer.status_code)

    assert status() == 201
    cli.ok("key", "revoke", added["id"])
    assert status() == 401
    assert [row["revoked_at"] is None for row in cli.json("key", "list")] == [
        True,
        False,
    ]


def test_revoke_what_is_no_key(cli: Commands) -> None:
    """An id that is none, or was revoked before, is a finding."""
    assert "key list" in cli.refused("key", "revoke", "key_none", status=1)
    added = cli.json("key", "add", "till")
    cli.ok("key", "revoke", added["id"])
    cli.refused("key", "revoke", added["id"], status=1)
