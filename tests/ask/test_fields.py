"""The form is the one judge of a submission: what it keeps, what it refuses and under which code."""

import pytest
from werkzeug.datastructures import MultiDict
from wtforms import Form, StringField

from regulars.ask.fields import (
    Offer,
    RegularsFields,
    SignupForm,
    fields_from_json,
)
from regulars.values.contact import Channel, Kind

OFFER = Offer(
    channels=(Channel.X, Channel.EMAIL, Channel.SMS, Channel.PHONE, Channel.FACEBOOK),
    default_country="US",
    language="en",
    default_surface="signup_page",
)
KEY = "3.en"


def form_of(data, *, offer=OFFER, may_send_external_id=False):
    """A validated form; JSON-like dicts become what a browser would have posted."""
    if type(data) is dict:
        data = MultiDict(data)
    form = SignupForm(
        data,
        offer=offer,
        is_known_wording=lambda wording_id, key: key == KEY,
        may_send_external_id=may_send_external_id,
    )
    form.validate()
    return form


def codes(form):
    return [(problem.field, problem.code) for problem in form.problems()]


def answer_of(data, **options):
    form = form_of(data, **options)
    assert codes(form) == []
    return form.answer()


def test_full_form_becomes_one_answer():
    """Every field of the contract arrives in the answer, parsed."""
    answer = answer_of(
        {
            "site": "pk_1",
            "x_handle": " @AnaLima ",
            "consent_x_link": KEY,
            "consent_conversation_x": KEY,
            "x_handle_receipt": "r.r.r",
            "contact_channel": ["sms", "x"],
            "contact_wording": KEY,
            "contact_email": "ana@example.com",
            "contact_phone": "(212) 456-7890",
            "contact_facebook": "facebook.com/ana.lima",
            "consent_offers_sms": KEY,
            "given_name": "Ana",
            "family_name": "Lima",
            "topic": ["quiet_times", "quiet_times"],
            "interest": ["Fluminense", ""],
            "external_id": "A-1029",
            "order_id": "1029",
            "surface": "kiosk",
            "locale": "pt-BR",
        },
        may_send_external_id=True,
    )
    assert [(a.kind, a.normalized) for a in answer.addresses][:3] == [
        (Kind.X_ACCOUNT, "analima"),
        (Kind.EMAIL_ADDRESS, "ana@example.com"),
        (Kind.PHONE_NUMBER, "+12124567890"),
    ]
    assert answer.address(Kind.FACEBOOK_ACCOUNT) is not None
    assert answer.channels == (Channel.SMS, Channel.X)
    assert (answer.x_link, answer.contact_wording, answer.conversation_x) == (KEY,) * 3
    assert answer.offers == ((Channel.SMS, KEY),)
    assert (answer.given_name, answer.family_name) == ("Ana", "Lima")
    assert (answer.topics, answer.interests) == (("quiet_times",), ("Fluminense",))
    assert (answer.external_id, answer.order_id, answer.receipt) == (
        "A-1029",
        "1029",
        "r.r.r",
    )
    assert (answer.surface, answer.locale) == ("kiosk", "pt-BR")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="nothing"),
        pytest.param(
            {
                "x_handle": " ",
                "contact_channel": "",
                "contact_email": "\t",
                "given_name": "\u200b",
            },
            id="blanks",
        ),
        pytest.param(
            {
                "consent_x_link": KEY,
                "contact_wording": KEY,
                "consent_offers_email": "bogus",
            },
            id="hidden keys and a tick without an address",
        ),
        pytest.param({"coupon": "X" * 5000, "company": "\x00"}, id="unknown fields"),
        pytest.param(
            {"consent_offers_whatsapp": "bogus"}, id="a box that was not offered"
        ),
    ],
)
def test_nothing_said_is_an_empty_answer(data):
    """Blanks, unknown fields and consents without their address say nothing."""
    answer = answer_of(data)
    assert answer.is_empty_but_for_external_id
    assert (answer.x_link, answer.conversation_x, answer.offers) == (None, None, ())
    assert answer.given_name is None
    assert answer.surface == "signup_page"


def test_external_id_alone_is_empty_but_for_it():
    """An external id is no address and no channel."""
    answer = answer_of({"external_id": "A-1"}, may_send_external_id=True)
    assert answer.is_empty_but_for_external_id
    assert answer.external_id == "A-1"


def test_handle_without_its_consent_is_kept():
    """A handle typed where no statement was shown is stored and never looked up."""
    answer = answer_of({"x_handle": "jack"})
    assert answer.address(Kind.X_ACCOUNT).value == "jack"
    assert answer.x_link is None
    assert not answer.is_empty_but_for_external_id


def test_channels_keep_their_rank_and_lose_repeats():
    """The order given is the order of preference."""
    answer = answer_of(
        {
            "contact_channel": ["phone", "sms", "phone", ""],
            "contact_phone": "212 456 7890",
        }
    )
    assert answer.channels == (Channel.PHONE, Channel.SMS)


def test_first_value_that_is_not_blank_counts():
    """A shop's page may hold two inputs of one name; the filled one is meant."""
    assert answer_of({"contact_phone": ["", "212 456 7890", "junk"]}).addresses[
        0
    ].normalized == ("+12124567890")


def test_default_country_reads_national_numbers():
    """A number without + belongs to the shop's country."""
    offer = Offer(channels=(Channel.SMS,), default_country="PT")
    answer = answer_of({"contact_phone": "912 345 678"}, offer=offer)
    assert answer.addresses[0].normalized == "+351912345678"
    assert answer.surface == "checkout"


@pytest.mark.parametrize(
    "name", ["Ana", "李小龍", "محمد", "Zoë 👩‍🍳", "O'Brien", "<b>"]
)
def test_names_may_be_of_any_script(name):
    """A name is whatever its bearer types."""
    assert answer_of({"given_name": name}).given_name == name


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            {"contact_channel": "whatsapp", "contact_phone": "212 456 7890"},
            [("contact_channel", "contact_channel.unknown")],
            id="a channel that is not offered",
        ),
        pytest.param(
            {"contact_channel": "pigeon"},
            [("contact_channel", "contact_channel.unknown")],
            id="no channel at all",
        ),
        pytest.param(
            {"contact_channel": "x"}, [("x_handle", "x_handle.required")], id="x alone"
        ),
        pytest.param(
            {"contact_channel": "email"},
            [("contact_email", "contact_email.required")],
            id="email alone",
        ),
        pytest.param(
            {"contact_channel": "facebook"},
            [("contact_facebook", "contact_facebook.required")],
            id="facebook alone",
        ),
        pytest.param(
            {"contact_channel": ["sms", "phone"]},
            [("contact_phone", "contact_phone.required")],
            id="two channels want one number: one problem",
        ),
        pytest.param(
            {"contact_channel": "email", "contact_email": "ana"},
            [("contact_email", "email.no_at")],
            id="a wrong address is not also missing",
        ),
        pytest.param(
            {"contact_channel": [str(n) for n in range(13)]},
            [("contact_channel", "too_many")],
            id="thirteen channels",
        ),
        pytest.param(
            {"x_handle": "a" * 10_000},
            [("x_handle", "handle.too_long")],
            id="long handle",
        ),
        pytest.param(
            {"x_handle": "x.com/i/user/12"},
            [("x_handle", "handle.user_id_link")],
            id="id link",
        ),
        pytest.param(
            {"contact_email": "a" * 10_000},
            [("contact_email", "email.too_long")],
            id="long email",
        ),
        pytest.param(
            {"given_name": "a" * 101}, [("given_name", "text.too_long")], id="long name"
        ),
        pytest.param(
            {"topic": ["a"] * 5 + ["b" * 101]},
            [("topic", "text.too_long")],
            id="long topic",
        ),
        pytest.param(
            {"topic": [str(n) for n in range(21)]},
            [("topic", "too_many")],
            id="many topics",
        ),
        pytest.param(
            {"interest": [str(n) for n in range(21)]},
            [("interest", "too_many")],
            id="many interests",
        ),
        pytest.param(
            {"order_id": "1" * 101}, [("order_id", "text.too_long")], id="long order id"
        ),
        pytest.param(
            {"locale": "a" * 101}, [("locale", "locale.invalid")], id="long locale"
        ),
        pytest.param(
            {"locale": "en" + "-abcdefgh" * 3 + "-abcde"}, [], id="locale of 35"
        ),
        pytest.param(
            {"locale": "en_US"}, [("locale", "locale.invalid")], id="underscore"
        ),
        pytest.param(
            {"locale": "en\n-US"},
            [("locale", "locale.invalid")],
            id="a line in a locale",
        ),
        pytest.param(
            {"surface": "Kiosk!"}, [("surface", "surface.invalid")], id="surface"
        ),
        pytest.param(
            {"surface": "a" * 33}, [("surface", "surface.invalid")], id="long surface"
        ),
        pytest.param(
            {"external_id": "A-1"},
            [("external_id", "external_id.needs_key")],
            id="public id",
        ),
        pytest.param(
            {
                "x_handle": "jack",
                "consent_x_link": "9.xx",
                "consent_conversation_x": "9.xx",
            },
            [
                ("consent_x_link", "wording.unknown"),
                ("consent_conversation_x", "wording.unknown"),
            ],
            id="unknown texts at the handle",
        ),
        pytest.param(
            {"contact_email": "a@example.com", "contact_wording": "9.xx"},
            [("contact_wording", "wording.unknown")],
            id="unknown text at the question",
        ),
        pytest.param(
            {"contact_email": "a@example.com", "consent_offers_email": "9.xx"},
            [("consent_offers_email", "wording.unknown")],
            id="unknown text at a box",
        ),
    ],
)
def test_refusals_name_field_and_code(data, expected):
    """Each mistake is one problem at the field that cures it."""
    assert codes(form_of(data)) == expected


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800b", "a\x1bb", "a\x85b"], ids=ascii)
@pytest.mark.parametrize(
    "field",
    [
        "x_handle", "contact_email", "contact_phone", "contact_facebook", "given_name", "family_name",
        "topic", "interest", "external_id", "order_id", "site", "contact_wording",
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_everywhere(field, bad):
    """NUL bytes, lone surrogates and controls would break a database or a log."""
    form = form_of({field: bad}, may_send_external_id=True)
    assert codes(form) == [(field, "text.not_text")]


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800b", "a" * 4097], ids=ascii)
def test_a_receipt_is_no_reason_to_refuse(bad):
    """What cannot be a receipt is as good as none."""
    form = form_of({"x_handle": "AnaLima", "x_handle_receipt": bad})
    assert codes(form) == []
    assert form.answer().receipt is None


@pytest.mark.parametrize("field", ["given_name", "order_id", "topic"])
def test_one_line_fields_take_one_line(field):
    """A line break inside could forge a header or a log line."""
    assert codes(form_of({field: "a\nb"})) == [(field, "text.not_text")]


def test_problems_come_in_the_order_of_the_fields():
    """The order is the form's, whatever the order sent; each carries its sentence."""
    form = form_of({"locale": "?", "contact_email": "x", "x_handle": "a b"})
    assert [p.field for p in form.problems()] == ["x_handle", "contact_email", "locale"]
    assert all(
        p.message and type(p.message) is str and type(p.code) is str
        for p in form.problems()
    )


def test_answer_needs_a_yes_from_validate():
    """An answer is never taken from a form that was refused."""
    with pytest.raises(ValueError, match="validate"):
        form_of({"contact_channel": "x"}).answer()


def test_json_and_form_make_the_same_answer():
    """The two bodies of /v1/signups are one contract."""
    payload = {
        "x_handle": "AnaLima",
        "contact_channel": ["x", "email"],
        "contact_email": "ana@example.com",
        "topic": "quiet_times",
        "given_name": None,
    }
    posted = {k: v for k, v in payload.items() if v is not None}
    assert answer_of(fields_from_json(payload)) == answer_of(posted)


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        pytest.param({"given_name": True}, ["given_name"], id="boolean"),
        pytest.param({"order_id": 1029}, ["order_id"], id="number"),
        pytest.param(
            {"x_handle": ["jack"]}, ["x_handle"], id="list where one is meant"
        ),
        pytest.param({"topic": ["a", 1]}, ["topic"], id="number in a list"),
        pytest.param(
            {"contact_channel": ["x", None]}, ["contact_channel"], id="null in a list"
        ),
        pytest.param(
            {"contact_email": {"a": 1}, "contact_channel": "email"},
            ["contact_email"],
            id="nested",
        ),
        pytest.param(
            {"locale": 1, "x_handle": 2},
            ["x_handle", "locale"],
            id="in the form's order",
        ),
        pytest.param(
            {"metadata": {"a": 1}, "vip": True}, [], id="unknown fields are ignored"
        ),
        pytest.param({"consent_offers_whatsapp": 1}, [], id="so is a box not offered"),
        pytest.param([1], [""], id="a list for a body"),
        pytest.param("x", [""], id="a text for a body"),
        pytest.param(None, [""], id="null for a body"),
    ],
)
def test_json_of_the_wrong_type_is_named(payload, fields):
    """What is no text is refused at its field, and at no field where the body is no object."""
    form = form_of(fields_from_json(payload))
    assert codes(form) == [(field, "type.wrong") for field in fields]
    assert form.validate() is (not fields)


def test_json_may_hold_lone_surrogates():
    """JSON can spell what no database stores; it is refused, not crashed upon."""
    assert codes(form_of(fields_from_json({"given_name": "\ud800"}))) == [
        ("given_name", "text.not_text")
    ]


class Checkout(RegularsFields, Form):
    """A shop's own form with the fields in it."""

    regulars_offer = Offer(channels=(Channel.EMAIL, Channel.SMS), default_country="PT")
    street = StringField("Street")


def test_a_shops_own_form_validates_the_same_way():
    """The mixin brings labels, parsing and the rule that a channel needs its address."""
    form = Checkout(
        MultiDict({"contact_channel": "sms", "contact_email": "x", "street": "Rua 1"})
    )
    assert not form.validate()
    assert set(form.errors) == {"contact_email", "contact_phone"}
    assert form.street.data == "Rua 1"


def test_a_shops_own_form_renders_labelled_inputs():
    """Tokens for autofill, nothing that corrects a handle, radios of which none is chosen."""
    form = Checkout()
    handle = str(form.x_handle())
    for attribute in (
        'autocomplete="nickname"',
        'autocapitalize="none"',
        'spellcheck="false"',
        'maxlength="60"',
    ):
        assert attribute in handle
    assert "X handle" in str(form.x_handle.label())
    radios = str(form.contact_channel())
    assert radios.count('type="radio"') == 3
    assert 'value="x"' not in radios
    assert " checked" not in radios
    assert 'type="hidden"' in str(form.consent_x_link(value=KEY))
