"""What cannot be used is refused in one form, with a stable code, and nothing of it is kept."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.shops import EMAIL, HANDLE, ORIGIN, PHONE, ShopUnderTest

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def problem(answer: Any, status: int, *codes: str) -> dict[str, Any]:
    """The body of *answer*, which must be a problem of *status* with exactly these codes."""
    assert answer.mimetype == "application/problem+json", answer.get_data(as_text=True)
    body: dict[str, Any] = answer.get_json()
    assert list(body) == ["type", "title", "status", "detail", "errors"]
    assert (answer.status_code, body["status"]) == (status, status)
    assert body["detail"]
    assert all(set(error) == {"field", "code", "message"} for error in body["errors"])
    assert all(error["message"] for error in body["errors"])
    assert sorted(error["code"] for error in body["errors"]) == sorted(codes)
    return body


def post(shop: ShopUnderTest, data: bytes | str, content_type: str, **more: Any) -> Any:
    return shop.client.post(
        "/v1/signups",
        data=data,
        content_type=content_type,
        headers={"Origin": ORIGIN},
        **more,
    )


BODIES = {
    "malformed json": ('{"site":', JSON, 400, "json.invalid"),
    "empty json": ("", JSON, 400, "json.invalid"),
    "json in latin-1": (b'{"given_name":"Jos\xe9"}', JSON, 400, "json.invalid"),
    "endless integer": ('{"a":' + "1" * 5000 + "}", JSON, 400, "json.invalid"),
    "30,000 levels": ("[" * 30_000 + "]" * 30_000, JSON, 400, "json.invalid"),
    "100,000 levels": ("[" * 100_000, JSON, 413, "body.too_large"),
    "100,000 objects": ('{"a":' * 100_000, JSON, 413, "body.too_large"),
    "2 MB of json": ("a" * 2_000_000, JSON, 413, "body.too_large"),
    "2 MB of form": ("a" * 2_000_000, FORM, 413, "body.too_large"),
    "form in latin-1": (b"given_name=Jos\xe9", FORM, 400, "form.not_utf8"),
    "escapes in latin-1": ("given_name=Jos%E9", FORM, 400, "form.not_utf8"),
    "surrogate in a form": ("given_name=%ED%A0%80", FORM, 400, "form.not_utf8"),
    "surrogate in a name": ("%ED%A0%80=1", FORM, 400, "form.not_utf8"),
    "text": ("hello", "text/plain", 415, "content_type.unsupported"),
    "xml": ("<a/>", "application/xml", 415, "content_type.unsupported"),
    "no type": ("hello", "", 415, "content_type.unsupported"),
    "no body, no type": ("", "", 415, "content_type.unsupported"),
    "multipart": (
        '--b\r\nContent-Disposition: form-data; name="site"\r\n\r\npk\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
        415,
        "content_type.unsupported",
    ),
}


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"), BODIES.values(), ids=BODIES
)
def test_a_body_that_cannot_be_read(
    shop: ShopUnderTest, data: bytes | str, content_type: str, status: int, code: str
) -> None:
    """A body of another type, size or syntax is a problem, and no row is written."""
    before = shop.rows()
    problem(post(shop, data, content_type), status, code)
    assert shop.rows() == before


def test_a_garbled_form_under_a_key_is_not_taken_for_an_empty_one(
    shop: ShopUnderTest,
) -> None:
    """A customer whose form is not UTF-8 is refused aloud, not dropped with a 204."""
    answer = shop.client.post(
        "/v1/signups",
        data=b"given_name=Jos\xe9&contact_email=jose@example.com",
        content_type=FORM,
        headers={"Authorization": f"Bearer {shop.key}"},
    )
    problem(answer, 400, "form.not_utf8")


@pytest.mark.parametrize("length", ["50", "1"], ids=["too much", "too little"])
def test_a_content_length_that_lies(shop: ShopUnderTest, length: str) -> None:
    """A body of another length than announced is a problem."""
    before = shop.rows()
    answer = post(shop, "{}", JSON, environ_overrides={"CONTENT_LENGTH": length})
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert shop.rows() == before


# An address beside each hidden key: without it the key says nothing and is ignored.
FIELDS: dict[str, dict[str, Any]] = {
    "x_handle": {},
    "consent_x_link": {"x_handle": HANDLE},
    "consent_conversation_x": {"x_handle": HANDLE},
    "consent_offers_x": {"x_handle": HANDLE},
    "consent_offers_email": {"contact_email": EMAIL},
    "consent_offers_sms": {"contact_phone": PHONE},
    "consent_offers_phone": {"contact_phone": PHONE},
    "consent_offers_facebook": {"contact_facebook": "facebook.com/ana.lima.9"},
    "contact_channel": {},
    "contact_wording": {},
    "contact_email": {},
    "contact_phone": {},
    "contact_facebook": {},
    "given_name": {},
    "family_name": {},
    "topic": {},
    "interest": {},
    "order_id": {},
    "surface": {},
    "locale": {},
}


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b", "a\x1bb"], ids=ascii)
@pytest.mark.parametrize("field", FIELDS)
def test_no_text_in_json(shop: ShopUnderTest, field: str, bad: str) -> None:
    """NUL bytes, lone surrogates and control characters are refused in every field."""
    before = shop.rows()
    sent = {
        "site": shop.site.publishable_key,
        "given_name": "Ana",
        **FIELDS[field],
        field: bad,
    }
    # Escaped as JSON does it: the surrogate reaches the parser as such.
    answer = post(shop, json.dumps(sent), JSON)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert answer.mimetype == "application/problem+json"
    assert shop.rows() == before


@pytest.mark.parametrize("field", FIELDS)
def test_no_text_in_forms(shop: ShopUnderTest, field: str) -> None:
    """A NUL byte is refused in every field of a form too."""
    before = shop.rows()
    sent = {
        "site": shop.site.publishable_key,
        "given_name": "Ana",
        **FIELDS[field],
        field: "a\0b",
    }
    answer = post(shop, urlencode(sent), FORM)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert shop.rows() == before


@pytest.mark.parametrize("bad", ["\0", "pk_\0", "\ud800", "é", " ", "pk_x" * 5000])
def test_a_site_key_that_is_none(shop: ShopUnderTest, bad: str) -> None:
    """Whatever stands for the site key is answered with 401, never with a fault."""
    answer = post(shop, json.dumps({"site": bad, "given_name": "Ana"}), JSON)
    problem(answer, 401, "site.unknown" if bad.strip() else "site.missing")


WRONG: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a handle of 10,000 characters": (
        {"x_handle": "a" * 10_000},
        [("x_handle", "handle.too_long")],
    ),
    "a link by number": (
        {"x_handle": "x.com/i/user/2244994945"},
        [("x_handle", "handle.user_id_link")],
    ),
    "an unknown channel": (
        {"contact_channel": "pigeon", "given_name": "Ana"},
        [("contact_channel", "contact_channel.unknown")],
    ),
    "a channel that is not offered": (
        {"contact_channel": "whatsapp", "contact_phone": PHONE},
        [("contact_channel", "contact_channel.unknown")],
    ),
    "x without its handle": (
        {"contact_channel": "x"},
        [("x_handle", "x_handle.required")],
    ),
    "e-mail without its address": (
        {"contact_channel": "email"},
        [("contact_email", "contact_email.required")],
    ),
    "text message without its number": (
        {"contact_channel": ["sms"]},
        [("contact_phone", "contact_phone.required")],
    ),
    "call without its number": (
        {"contact_channel": "phone"},
        [("contact_phone", "contact_phone.required")],
    ),
    "facebook without its profile": (
        {"contact_channel": "facebook"},
        [("contact_facebook", "contact_facebook.required")],
    ),
    "two channels, no address": (
        {"contact_channel": ["x", "email"]},
        [
            ("x_handle", "x_handle.required"),
            ("contact_email", "contact_email.required"),
        ],
    ),
    "an unknown wording at the handle": (
        {"x_handle": HANDLE, "consent_x_link": "999.en"},
        [("consent_x_link", "wording.unknown")],
    ),
    "another text's wording": (
        {"contact_email": EMAIL, "contact_wording": "999.en"},
        [("contact_wording", "wording.unknown")],
    ),
    "a box without its wording's key": (
        {"contact_email": EMAIL, "consent_offers_email": "on"},
        [("consent_offers_email", "wording.unknown")],
    ),
    "an external id without a key": (
        {"contact_email": EMAIL, "external_id": "A-1"},
        [("external_id", "external_id.needs_key")],
    ),
    "a number": ({"contact_phone": 2124567890}, [("contact_phone", "type.wrong")]),
    "an object": ({"x_handle": {"a": 1}}, [("x_handle", "type.wrong")]),
    "a list where text stands": (
        {"contact_email": [EMAIL]},
        [("contact_email", "type.wrong")],
    ),
    "a list of numbers": ({"topic": ["a", 1]}, [("topic", "type.wrong")]),
    "true": ({"consent_x_link": True}, [("consent_x_link", "type.wrong")]),
    "too many topics": (
        {"topic": [str(n) for n in range(21)]},
        [("topic", "too_many")],
    ),
    "a long name": ({"given_name": "a" * 101}, [("given_name", "text.too_long")]),
    "a name of two lines": ({"given_name": "a\nb"}, [("given_name", "text.not_text")]),
    "a strange surface": (
        {"surface": "Check Out", "given_name": "Ana"},
        [("surface", "surface.invalid")],
    ),
    "a strange locale": ({"locale": "pt_BR!"}, [("locale", "locale.invalid")]),
    "several at once": (
        {"x_handle": "a b", "contact_email": "x", "contact_phone": "1"},
        [
            ("x_handle", "handle.has_spaces"),
            ("contact_email", "email.no_at"),
            ("contact_phone", "phone.invalid"),
        ],
    ),
}


@pytest.mark.parametrize(("fields", "expected"), WRONG.values(), ids=WRONG)
def test_a_field_that_cannot_be_used(
    shop: ShopUnderTest, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Each refused field is named with its code, and no row of any table is written."""
    before = shop.rows()
    answer = shop.sign_up(**fields)
    body = problem(answer, 422, *(code for _, code in expected))
    found = {(error["field"], error["code"]) for error in body["errors"]}
    assert found == set(expected)
    assert shop.rows() == before


@pytest.mark.parametrize("body", ["[]", "null", "3", '"x"', "true", "NaN"])
def test_json_that_is_no_object(shop: ShopUnderTest, body: str) -> None:
    """Under a key, JSON that is no object is refused as of the wrong type."""
    answer = shop.client.post(
        "/v1/signups",
        data=body,
        content_type=JSON,
        headers={"Authorization": f"Bearer {shop.key}"},
    )
    problem(answer, 422, "type.wrong")


def test_the_wording_of_another_text_is_unknown(shop: ShopUnderTest) -> None:
    """A key is good for its own text alone, however it was rendered."""
    sent = {**shop.consent(), "x_handle": HANDLE, "consent_x_link": "1.pt"}
    problem(shop.sign_up(**sent), 422, "wording.unknown")


def test_a_wording_never_rendered_is_unknown(shop: ShopUnderTest) -> None:
    """The first key of a text is no good before anybody could have read the text."""
    answer = shop.sign_up(x_handle=HANDLE, consent_x_link="1.en")
    problem(answer, 422, "wording.unknown")


def test_a_thousand_fields(shop: ShopUnderTest) -> None:
    """Fields that nobody asked for are ignored, however many."""
    data = [("site", shop.site.publishable_key), ("given_name", "Ana")]
    data += [(f"f{n}", "1") for n in range(5000)]
    data += [("contact_email", EMAIL)]
    assert post(shop, urlencode(data), FORM).status_code == 201
    (point,) = shop.last_customer()["contact_points"]
    assert point["normalized"] == EMAIL


def test_a_field_sent_twice(shop: ShopUnderTest) -> None:
    """Of a field that holds one value the first that is not blank counts."""
    data = [
        ("site", shop.site.publishable_key),
        ("contact_email", ""),
        ("contact_email", EMAIL),
        ("contact_email", "second@example.com"),
    ]
    assert post(shop, urlencode(data), FORM).status_code == 201
    points = shop.last_customer()["contact_points"]
    assert [point["normalized"] for point in points] == [EMAIL]


@pytest.mark.parametrize("content_type", [FORM, JSON])
def test_an_empty_form(shop: ShopUnderTest, content_type: str) -> None:
    """Nothing filled in is no mistake: 204, no row, no event."""
    before = shop.rows()
    fields = {"site": shop.site.publishable_key, "x_handle": " ", "given_name": ""}
    data = urlencode(fields) if content_type == FORM else json.dumps(fields)
    answer = post(shop, data, content_type)
    assert (answer.status_code, answer.data) == (204, b"")
    assert shop.rows() == before


@pytest.mark.parametrize(
    "key",
    ["a b", "ü", "a" * 256, '""', "\x7f"],
    ids=["space", "not ascii", "256", "empty", "control"],
)
def test_an_idempotency_key_that_is_none(shop: ShopUnderTest, key: str) -> None:
    """A key outside of 1 to 255 visible ASCII characters is refused before anything is done."""
    before = shop.rows()
    answer = shop.sign_up(contact_email=EMAIL, headers={"Idempotency-Key": key})
    problem(answer, 400, "idempotency_key.invalid")
    assert shop.rows() == before


def test_an_idempotency_key_with_another_body(shop: ShopUnderTest) -> None:
    """A key that was used with another body is refused under a code of its own."""
    headers = {"Idempotency-Key": "k1"}
    assert shop.sign_up(contact_email=EMAIL, headers=headers).status_code == 201
    before = shop.rows()
    answer = shop.sign_up(contact_email="b@example.com", headers=headers)
    problem(answer, 422, "idempotency_key.other_body")
    assert shop.rows() == before
