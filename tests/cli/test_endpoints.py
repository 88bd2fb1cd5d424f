"""``regulars endpoint``: URLs of the shop's systems and the secrets that sign what they get."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.cli.conftest import Commands
from tests.shop.by_hand import change
from tests.shops import EMAIL, ShopUnderTest

from regulars.tell.deliveries import delivery_table
from regulars.tell.endpoints import endpoint_table
from regulars_webhooks import VerificationError, parse_event, verify

URL = "https://shop.example/hook"


def add(cli: Commands, url: str = URL, *more: str) -> dict[str, Any]:
    return dict(cli.json("endpoint", "add", url, "--recipient", "own", *more))


class Shop(HTTPServer):
    """The shop's own receiver on loopback: verifies what it gets and answers as told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answer = b""
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Shop

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver(cli: Commands) -> Iterator[Shop]:
    """A running receiver, to which endpoints may point."""
    cli.environment["REGULARS_ALLOW_PRIVATE_ENDPOINTS"] = "1"
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_add_prints_the_secret_once(cli: Commands) -> None:
    """A new endpoint is printed with its signing secret, which no list shows."""
    added = add(cli)
    assert list(added) == ["id", "url", "recipient", "secret"]
    assert added["id"].startswith("ep_")
    assert (added["url"], added["recipient"]) == (URL, "own")
    assert added["secret"].startswith("whsec_")
    assert cli.json("endpoint", "list") == [
        {
            "id": added["id"],
            "url": URL,
            "recipient": "own",
            "events": None,
            "headers": [],
            "state": "active",
            "reason": None,
            "health": "well",
            "failing_since": None,
            "last_success_at": None,
            "waiting": 0,
            "waiting_s": 0,
            "dead": 0,
        }
    ]
    assert "whsec_" not in cli.ok("endpoint", "list")


def test_a_list_is_always_an_array(cli: Commands) -> None:
    """No endpoint is an empty array."""
    assert cli.json("endpoint", "list") == []


def test_the_recipient_must_be_named(cli: Commands) -> None:
    """Whether the business or a third party reads there is the operator's word: no default."""
    assert "--recipient" in cli.refused("endpoint", "add", URL, status=2)
    assert "--recipient" in cli.refused(
        "endpoint", "add", URL, "--recipient", "anybody", status=2
    )


def test_events_can_be_chosen(cli: Commands) -> None:
    """An endpoint may want some types; a type that we do not send is a mistake."""
    add(cli, URL, "--event", "customer.created", "--event", "customer.erased")
    (listed,) = cli.json("endpoint", "list")
    assert listed["events"] == ["customer.created", "customer.erased"]
    cli.refused(
        "endpoint",
        "add",
        URL,
        "--recipient",
        "own",
        "--event",
        "customer.lost",
        status=2,
    )


PRIVATE = [
    "http://shop.example/hook",
    "https://127.0.0.1/hook",
    "https://localhost/hook",
    "https://10.1.2.3/hook",
    "https://192.168.1.1/hook",
    "https://169.254.169.254/latest",
    "https://[::1]/hook",
    "https://[::ffff:10.0.0.1]/hook",
    "https://2130706433/hook",
    "https://0x7f.1/hook",
    "https://printer.local/hook",
    "https://user:secret@shop.example/hook",
    "https://shop.example:22/hook",
    "https://",
    "shop.example",
    "",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_refused(cli: Commands, url: str) -> None:
    """What is plainly no public https address is refused with the settings that would allow it."""
    told = cli.refused("endpoint", "add", url, "--recipient", "own", status=2)
    assert "REGULARS_ENDPOINT_ALLOW" in told
    assert "secret@" not in told
    assert cli.json("endpoint", "list") == []


@pytest.mark.parametrize(
    ("setting", "value", "url"),
    [
        ("ALLOW_PRIVATE_ENDPOINTS", "1", "http://127.0.0.1:9000/hook"),
        ("ALLOW_PRIVATE_ENDPOINTS", "1", "http://localhost:9000/hook"),
        ("ENDPOINT_ALLOW", "10.1.0.0/16", "https://10.1.2.3/hook"),
        ("ENDPOINT_ALLOW", "10.9.0.0/16, pos.local", "https://pos.local/hook"),
    ],
)
def test_private_addresses_that_are_meant(
    cli: Commands, setting: str, value: str, url: str
) -> None:
    """The operator may allow all private addresses, some networks, or some names."""
    cli.environment[f"REGULARS_{setting}"] = value
    assert add(cli, url)["url"] == url


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3/hook", "https://10.2.0.1/hook", "https://169.254.169.254/"]
)
def test_an_allowed_network_allows_no_other(cli: Commands, url: str) -> None:
    """Allowing one network opens neither the others nor plain http."""
    cli.environment["REGULARS_ENDPOINT_ALLOW"] = "10.1.0.0/16"
    cli.refused("endpoint", "add", url, "--recipient", "own", status=2)


def test_rotate_prints_a_new_secret(cli: Commands) -> None:
    """A rotation prints the new secret alone."""
    added = add(cli)
    rotated = cli.json("endpoint", "rotate", added["id"])
    assert list(rotated) == ["id", "secret"]
    assert rotated["id"] == added["id"]
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != added["secret"]


def test_pause_and_resume(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """What arises during a pause is held and goes out afterwards; both are in force at once."""
    endpoint_id = add(cli)["id"]
    assert "held" in cli.ok("endpoint", "pause", endpoint_id)
    (listed,) = cli.json("endpoint", "list")
    assert (listed["state"], bool(listed["reason"])) == ("paused", True)
    shop_at_hand.sign_up(contact_email=EMAIL)
    (delivery,) = cli.json("delivery", "list")
    assert delivery["state"] == "held"
    assert "1 held" in cli.ok("endpoint", "resume", endpoint_id)
    (delivery,) = cli.json("delivery", "list")
    assert delivery["state"] == "pending"
    (listed,) = cli.json("endpoint", "list")
    assert (listed["state"], listed["reason"]) == ("active", None)


@pytest.mark.parametrize("command", ["rotate", "pause", "resume", "test", "remove"])
def test_an_endpoint_that_is_none(cli: Commands, command: str) -> None:
    """An id that is none is a finding, with the command that lists them."""
    assert "endpoint list" in cli.refused("endpoint", command, "ep_none", status=1)


def test_test_sends_one_signed_event(cli: Commands, receiver: Shop) -> None:
    """A test.ping arrives signed, and what was answered is told."""
    added = add(cli, receiver.url)
    told = cli.json("endpoint", "test", added["id"])
    assert set(told) == {"id", "status", "error", "detail", "duration_ms"}
    assert (told["id"], told["status"], told["error"]) == (added["id"], 200, None)
    ((headers, body),) = receiver.requests
    verify(headers, body, secrets=[added["secret"]], now=datetime.now(UTC))
    event = parse_event(body)
    assert event.type == "test.ping"
    (delivery,) = cli.json("delivery", "list")
    assert (delivery["state"], delivery["event_id"]) == ("delivered", event.id)
    assert "200" in cli.ok("endpoint", "test", added["id"])


def test_test_after_a_rotation(cli: Commands, receiver: Shop) -> None:
    """For a day both secrets sign, so that a receiver with either goes on."""
    added = add(cli, receiver.url)
    rotated = cli.json("endpoint", "rotate", added["id"])
    cli.json("endpoint", "test", added["id"])
    ((headers, body),) = receiver.requests
    for secret in (added["secret"], rotated["secret"]):
        verify(headers, body, secrets=[secret], now=datetime.now(UTC))


@pytest.mark.parametrize("status", [500, 302, 410, 404])
def test_test_of_a_receiver_that_refuses(
    cli: Commands, receiver: Shop, status: int
) -> None:
    """Any answer but 2xx is a finding that names the status; one request is made."""
    added = add(cli, receiver.url)
    receiver.status = status
    told = cli.json("endpoint", "test", added["id"], status=1)
    assert told["status"] == status
    assert len(receiver.requests) == 1


def test_test_of_a_receiver_that_is_away(cli: Commands, receiver: Shop) -> None:
    """No connection is a finding that says so."""
    url = receiver.url
    added = add(cli, url)
    receiver.socket.close()
    told = cli.json("endpoint", "test", added["id"], status=1)
    assert told["status"] is None
    assert told["error"]
    assert told["detail"]


def test_test_of_an_address_that_is_no_longer_allowed(
    cli: Commands, receiver: Shop
) -> None:
    """The address is checked again when it is dialled: nothing is sent."""
    added = add(cli, receiver.url)
    cli.environment["REGULARS_ALLOW_PRIVATE_ENDPOINTS"] = "0"
    told = cli.json("endpoint", "test", added["id"], status=1)
    assert told["status"] is None
    assert receiver.requests == []


def test_test_of_a_paused_endpoint(cli: Commands, receiver: Shop) -> None:
    """A paused endpoint can be tested before it is resumed."""
    added = add(cli, receiver.url)
    cli.ok("endpoint", "pause", added["id"])
    assert cli.json("endpoint", "test", added["id"])["status"] == 200
    (listed,) = cli.json("endpoint", "list")
    assert listed["state"] == "paused"
    assert json.loads(receiver.requests[0][1])["type"] == "test.ping"


def test_a_failed_test_is_no_loss(cli: Commands, receiver: Shop) -> None:
    """Whoever made the test was told; the doctor does not speak of an event that was given up."""
    added = add(cli, receiver.url)
    receiver.status = 500
    cli.json("endpoint", "test", added["id"], status=1)
    findings = json.loads(cli.run("doctor", "--json").stdout)
    assert "endpoint.given_up" not in {finding["id"] for finding in findings}


def test_the_same_url_twice(cli: Commands) -> None:
    """Most often a mistake, by which each event comes twice: refused, unless it is meant."""
    first = add(cli)
    told = cli.refused("endpoint", "add", URL, "--recipient", "own", status=1)
    assert "--again" in told
    assert len(cli.json("endpoint", "list")) == 1
    second = add(cli, URL, "--again")
    assert second["id"] != first["id"]
    assert second["secret"] != first["secret"]


def test_headers_of_the_shops_own(cli: Commands, receiver: Shop) -> None:
    """They are sent, can be changed and removed; a list has their names and nothing has their values."""
    added = add(cli, receiver.url, "--header", "X-Token: first-value")
    endpoint_id = added["id"]
    cli.json("endpoint", "test", endpoint_id)
    cli.ok("endpoint", "header", "set", endpoint_id, "x-token: second-value")
    cli.json("endpoint", "test", endpoint_id)
    assert cli.json("endpoint", "list")[0]["headers"] == ["x-token"]
    told = cli.ok("endpoint", "header", "remove", endpoint_id, "X-Token")
    assert "value" not in told + cli.ok("endpoint", "list", "--json")
    cli.json("endpoint", "test", endpoint_id)
    sent = [
        {name.lower(): value for name, value in headers.items()}.get("x-token")
        for headers, _ in receiver.requests
    ]
    assert sent == ["first-value", "second-value", None]
    told = cli.refused("endpoint", "header", "remove", endpoint_id, "X-Token", status=1)
    assert "X-Token" in told


def test_a_header_that_is_ours(cli: Commands) -> None:
    """It is refused by name, its value is not repeated, and nothing is added."""
    header = "Webhook-Signature: v1,forged"
    told = cli.refused(
        *("endpoint", "add", URL, "--recipient", "own", "--header", header), status=2
    )
    assert "Webhook-Signature" in told
    assert "forged" not in told
    assert cli.json("endpoint", "list") == []
    endpoint_id = add(cli)["id"]
    cli.refused("endpoint", "header", "set", endpoint_id, header, status=2)
    assert "endpoint list" in cli.refused(
        "endpoint", "header", "set", "ep_none", "X-Key: 1", status=1
    )


@pytest.mark.parametrize(("hours", "is_good"), [("0", False), ("48", True)])
def test_the_overlap_of_a_rotation(
    cli: Commands, receiver: Shop, hours: str, is_good: bool
) -> None:
    """The operator says for how long the old secret signs along; of a leaked one not at all."""
    added = add(cli, receiver.url)
    new = cli.json("endpoint", "rotate", added["id"], "--overlap", hours)
    cli.json("endpoint", "test", added["id"])
    ((headers, body),) = receiver.requests
    now = datetime.now(UTC)
    verify(headers, body, secrets=[new["secret"]], now=now)
    try:
        verify(headers, body, secrets=[added["secret"]], now=now)
    except VerificationError:
        assert not is_good
    else:
        assert is_good


def test_a_removed_endpoint(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """It is gone from the list, what waited is cancelled and can still be looked at."""
    endpoint_id = add(cli)["id"]
    shop_at_hand.sign_up(contact_email=EMAIL)
    assert cli.run("endpoint", "remove", endpoint_id, answer="n\n").exit_code == 1
    assert len(cli.json("endpoint", "list")) == 1
    assert "1 deliveries were cancelled" in cli.ok(
        "endpoint", "remove", endpoint_id, "--yes"
    )
    assert cli.json("endpoint", "list") == []
    (delivery,) = cli.json("delivery", "list")
    assert (delivery["state"], delivery["endpoint_id"]) == ("dead", endpoint_id)
    assert "removed" in delivery["last_error"]
    for command in ("resume", "rotate", "test"):
        cli.refused("endpoint", command, endpoint_id, status=1)
    cli.refused("endpoint", "remove", endpoint_id, "--yes", status=1)
    assert add(cli)["id"] != endpoint_id


def test_health_and_backlog_are_listed(
    cli: Commands, shop_at_hand: ShopUnderTest
) -> None:
    """How many deliveries wait, since when, and whether the last attempt failed."""
    endpoint_id = add(cli)["id"]
    shop_at_hand.sign_up(contact_email=EMAIL)
    since = shop_at_hand.clock() - timedelta(hours=1)
    change(shop_at_hand, delivery_table, created_at=since)
    change(shop_at_hand, endpoint_table, failing_since=since)
    (listed,) = cli.json("endpoint", "list")
    assert (listed["health"], listed["waiting"]) == ("failing", 1)
    assert listed["waiting_s"] > 0
    assert listed["failing_since"]
    cli.ok("endpoint", "pause", endpoint_id)
    (listed,) = cli.json("endpoint", "list")
    assert (listed["health"], listed["waiting"]) == ("paused", 1)


def test_each_attempt_is_shown(cli: Commands, receiver: Shop) -> None:
    """Time, status, milliseconds, whose fault it was and what was answered, printable and on one line."""
    added = add(cli, receiver.url)
    receiver.status, receiver.answer = 500, b"no \x1b[31mroom\nhere"
    cli.json("endpoint", "test", added["id"], status=1)
    (delivery,) = cli.json("delivery", "list")
    (tried,) = cli.json("delivery", "show", delivery["id"])["log"]
    assert (tried["status"], tried["blame"]) == (500, "endpoint")
    assert tried["response_head"] == "no \x1b[31mroom\nhere"
    told = cli.ok("delivery", "show", delivery["id"])
    assert "the endpoint's" in told
    assert "it answered: no  [31mroom here\n" in told


def test_what_cannot_be_opened_is_found(cli: Commands, receiver: Shop) -> None:
    """A row of another key is sent nothing, the doctor names it, and a rotation mends it."""
    endpoint_id = add(cli, receiver.url)["id"]
    with sqlite3.connect(cli.folder / "regulars.sqlite3") as connection:
        connection.execute(
            "UPDATE endpoint SET sealed_secrets = replace(sealed_secrets, 'sealed1.', 'sealed1.AAAA')"
        )
    connection.close()
    told = cli.json("endpoint", "test", endpoint_id, status=1)
    assert "REGULARS_SECRET_KEY" in told["detail"]
    assert receiver.requests == []
    found = json.loads(cli.run("doctor", "--json").stdout)
    assert "endpoint.sealed_otherwise" in {finding["id"] for finding in found}
    cli.json("endpoint", "rotate", endpoint_id, "--overlap", "0")
    assert cli.json("endpoint", "test", endpoint_id)["status"] == 200


def test_an_upgrade_seals_what_could_be_read(cli: Commands) -> None:
    """Secrets as the release before stored them; the doctor says so until then."""
    secret = add(cli)["secret"]
    entries = json.dumps([{"secret": secret, "ends_at": None}])
    file = cli.folder / "regulars.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE endpoint SET secrets = ?, sealed_secrets = NULL", [entries]
        )
    connection.close()
    found = json.loads(cli.run("doctor", "--json").stdout)
    assert "endpoint.unsealed" in {finding["id"] for finding in found}
    cli.ok("db", "upgrade")
    held = b"".join(path.read_bytes() for path in cli.folder.glob("regulars.sqlite3*"))
    assert secret.encode() not in held
    found = json.loads(cli.run("doctor", "--json").stdout)
    assert "endpoint.unsealed" not in {finding["id"] for finding in found}
