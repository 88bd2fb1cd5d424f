"""The published schemas accept what bodies of every kind say and refuse what they must not."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from regulars_webhooks import API_VERSION, EVENT_TYPES, schema
from regulars_webhooks.events import parse_event

Json = dict[str, Any]
AT = "2026-11-21T20:15:04.318Z"
SHA256 = "ab" * 32


def channel(rank: int | None, **blocked: str) -> Json:
    allowed = [
        name
        for name in ("conversation", "order", "service_news", "offers")
        if name not in blocked
    ]
    return {
        "rank": rank,
        "contact_point_id": "cp_1",
        "delivery": "direct",
        "allowed_for": allowed,
        "blocked": blocked,
    }


NO_ADDRESS: Json = {
    "rank": None,
    "contact_point_id": None,
    "delivery": None,
    "allowed_for": [],
    "blocked": dict.fromkeys(
        ("conversation", "order", "service_news", "offers"), "no_contact_point"
    ),
}
PROFILE: Json = {
    "provider": "x",
    "fetched_at": AT,
    "username": "AnaLima",
    "display_name": "Ana Lima",
    "description": None,
    "url": None,
    "image_url": "https://pbs.example/a.png",
    "followers_count": 321,
    "created_at": AT,
    "verified_type": "none",
}
CUSTOMER: Json = {
    "id": "cus_01KA",
    "external_id": None,
    "version": 1,
    "status": "active",
    "given_name": "Ana",
    "family_name": None,
    "locale": "pt-BR",
    "preferred_channel": "x",
    "preferred_channels": ["x", "sms"],
    "topics": ["quiet_times"],
    "interests": [{"label": "Fluminense", "source": "customer"}],
    "contact_points": [
        {
            "id": "cp_1",
            "kind": "x_account",
            "value": "AnaLima",
            "normalized": "analima",
            "url": "https://x.com/AnaLima",
            "platform_user_id": "2244994945",
            "verdict": "found",
            "ownership": "claimed",
            "checked_at": AT,
            "is_primary": True,
        },
        {
            "id": "cp_2",
            "kind": "phone_number",
            "value": "(212) 456-7890",
            "normalized": "+12124567890",
            "url": "tel:+12124567890",
            "platform_user_id": None,
            "verdict": None,
            "ownership": "claimed",
            "checked_at": None,
            "is_primary": True,
        },
    ],
    "channels": {
        "x": channel(1, conversation="no_consent", offers="not_following"),
        "sms": channel(2, offers="pending_consent"),
        "email": NO_ADDRESS,
    },
    "consents": [
        {
            "id": "con_1",
            "purpose": "x_link",
            "channel": "x",
            "state": "granted",
            "legal_basis": "consent",
            "method": "handle_field",
            "rendered_by": "shop",
            "occurred_at": AT,
            "recorded_at": AT,
            "wording": {"id": "x_link", "key": "3.en", "sha256": SHA256},
        }
    ],
    "possible_duplicates": ["cus_02"],
    "source": {
        "surface": "checkout",
        "site_id": "site_1",
        "order_id": "1029",
        "device_id": None,
        "page_url": None,
    },
    "links": {"preferences": "https://regulars.example/p/abc"},
    "created_at": AT,
    "updated_at": AT,
}
OWN: Json = {"customer": CUSTOMER, "changed": [], "profile": PROFILE}
THIRD_PARTY: Json = {
    "customer": {name: value for name, value in CUSTOMER.items() if name != "links"},
    "changed": [],
    "profile": None,
}
ERASED: Json = {
    "customer": {"id": "cus_01KA", "version": 3, "status": "erased"},
    "changed": [],
    "profile": None,
}


def event(event_type: str, data: Json) -> Json:
    return {
        "id": "evt_01",
        "type": event_type,
        "api_version": API_VERSION,
        "timestamp": AT,
        "data": data,
    }


def check(event_type: str, data: Json, **envelope: Any) -> None:
    Draft202012Validator(schema(event_type)).validate(
        {**event(event_type, data), **envelope}
    )


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_schema_is_a_schema(event_type: str) -> None:
    """Each file is valid JSON Schema 2020-12, with an id relative to where it is served."""
    document = schema(event_type)
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"{event_type}.json"
    assert document["properties"]["api_version"]["const"] == API_VERSION


def test_created_and_updated_share_their_definitions() -> None:
    """The files are self-contained; what they repeat is equal."""
    assert schema("customer.created")["$defs"] == schema("customer.updated")["$defs"]
    for name, definition in schema("customer.erased")["$defs"].items():
        assert definition == schema("customer.created")["$defs"][name]


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        pytest.param("customer.created", OWN, id="created, own"),
        pytest.param("customer.created", THIRD_PARTY, id="created, third party"),
        pytest.param("customer.created", ERASED, id="created, erased since"),
        pytest.param(
            "customer.updated",
            {**OWN, "changed": ["/customer/contact_points/0/verdict", "/profile"]},
            id="updated, own",
        ),
        pytest.param("customer.updated", THIRD_PARTY, id="updated, third party"),
        pytest.param("customer.updated", ERASED, id="updated, erased since"),
        pytest.param("customer.erased", ERASED, id="erased"),
        pytest.param("test.ping", {"message": "hello"}, id="ping"),
        pytest.param("customer.created", {**OWN, "added_later": 1}, id="newer sender"),
    ],
)
def test_schema_accepts(event_type: str, data: Json) -> None:
    """Both recipient classes and the erased form are valid, and so is a member added later."""
    check(event_type, data)


def changed(path: str, value: object) -> Callable[[Json], None]:
    *parents, last = path.split("/")

    def change(data: Json) -> None:
        target: Any = data
        for name in parents:
            target = target[int(name) if isinstance(target, list) else name]
        target[last] = value

    return change


@pytest.mark.parametrize("absent", sorted(set(CUSTOMER) - {"links"}))
def test_schema_requires_each_member(absent: str) -> None:
    """The whole record: no member of the customer may be left out."""
    data = copy.deepcopy(OWN)
    del data["customer"][absent]
    with pytest.raises(ValidationError):
        check("customer.created", data)


@pytest.mark.parametrize(
    "change",
    [
        changed("customer/status", "deleted"),
        changed("customer/version", 0),
        changed("customer/id", "evt_01"),
        changed("customer/created_at", "2026-11-21T20:15:04Z"),
        changed("customer/updated_at", "2026-11-21T20:15:04.318+00:00"),
        changed("customer/preferred_channels", ["x", "x"]),
        changed("customer/preferred_channel", "telegram"),
        changed("customer/contact_points/0/verdict", "maybe"),
        changed("customer/contact_points/0/ownership", "found"),
        changed("customer/contact_points/0/platform_user_id", 2244994945),
        changed("customer/contact_points/0/kind", "bluesky_account"),
        changed("customer/channels/x/blocked", {}),
        changed("customer/channels/x/blocked/order", "no_consent"),
        changed("customer/channels/x/blocked/offers", "sleepy"),
        changed("customer/channels/x/delivery", "message"),
        changed("customer/channels/x/delivery", None),
        changed("customer/channels/x/contact_point_id", None),
        changed("customer/channels/x/rank", 0),
        changed("customer/channels/telegram", NO_ADDRESS),
        changed("customer/consents/0/state", "yes"),
        changed("customer/consents/0/purpose", "resale"),
        changed("customer/consents/0/wording", {"id": "x_link"}),
        changed("customer/consents/0/wording/sha256", "AB" * 32),
        changed("customer/interests", [{"label": "golf", "source": "inferred"}]),
        changed("changed", ["/customer"]),
        changed("profile/provider", "bluesky"),
        changed("profile/followers_count", -1),
    ],
    ids=range(27),
)
def test_schema_refuses(change: Callable[[Json], None]) -> None:
    """Each of these would mislead a receiver, so the schema of customer.created refuses it."""
    data = copy.deepcopy(OWN)
    change(data)
    with pytest.raises(ValidationError):
        check("customer.created", data)


@pytest.mark.parametrize("pointer", ["", "customer", "/customer/~2", "/customer/a~"])
def test_schema_refuses_what_is_no_pointer(pointer: str) -> None:
    """`changed` holds JSON Pointers (RFC 6901) below data."""
    with pytest.raises(ValidationError):
        check("customer.updated", {**OWN, "changed": [pointer]})


@pytest.mark.parametrize(
    "event_type", ["customer.created", "customer.updated", "customer.erased"]
)
@pytest.mark.parametrize(
    "left_behind",
    sorted(set(CUSTOMER) - {"id", "version", "status", "created_at", "updated_at"}),
)
def test_erased_form_holds_nothing_personal(event_type: str, left_behind: str) -> None:
    """An erased body that still holds something of the person is invalid."""
    data = copy.deepcopy(ERASED)
    data["customer"][left_behind] = CUSTOMER[left_behind]
    with pytest.raises(ValidationError):
        check(event_type, data)


def test_erased_form_has_no_profile() -> None:
    """X's content is gone with the person."""
    with pytest.raises(ValidationError):
        check("customer.erased", {**ERASED, "profile": PROFILE})


@pytest.mark.parametrize(
    "envelope",
    [
        {"id": "msg_1"},
        {"type": "customer.updated"},
        {"api_version": "2026-11-02"},
        {"timestamp": "2026-11-21T20:15:04Z"},
        {"data": None},
    ],
    ids=lambda envelope: next(iter(envelope)),
)
def test_schema_refuses_envelope(envelope: Json) -> None:
    """The envelope is fixed."""
    validator = Draft202012Validator(schema("customer.created"))
    validator.validate(event("customer.created", OWN))
    with pytest.raises(ValidationError):
        validator.validate({**event("customer.created", OWN), **envelope})


@pytest.mark.parametrize("name", sorted(schema("customer.created")["$defs"]))
def test_every_definition_is_described(name: str) -> None:
    """A developer who reads only the schema learns what each member means."""
    definition = schema("customer.created")["$defs"][name]
    assert definition["description"]
    members = definition.get("properties", {}).values()
    speaks = {"description", "const", "$ref", "items", "type"}
    assert [
        member for member in members if member is not False and not speaks & set(member)
    ] == []


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_examples_are_events(event_type: str) -> None:
    """Each schema shows an event of its type that it accepts, and one of an erased customer."""
    told = schema(event_type)
    examples = told["examples"]
    for example in examples:
        Draft202012Validator(told).validate(example)
        assert parse_event(json.dumps(example).encode()).type == event_type
    if event_type.startswith("customer."):
        assert examples[-1]["data"]["customer"]["status"] == "erased"
