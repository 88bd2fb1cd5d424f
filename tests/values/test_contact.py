"""Contact addresses: one key per address however it is spelled, and registries without holes."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.values.contact import (
    CHANNELS,
    CONTACT_PURPOSES,
    KINDS,
    Address,
    Channel,
    ContactCode,
    Delivery,
    InvalidContact,
    Kind,
    Purpose,
    parse_email,
    parse_facebook,
    parse_phone,
    parse_x,
)
from regulars.values.handle import InvalidHandle
from regulars.values.verdict import Verdict

# What a text may hold that is near to an address, so that the parsers' depths are reached.
FRAGMENTS = (
    st.sampled_from(["ana", "@", "example", ".", "com", "+", "00", "1", "212", "(0)"])
    | st.sampled_from(["https://", "facebook.com", "/", "profile.php", "?id=", "id:"])
    | st.sampled_from(
        ["\x00", "\ud800", "\u200b", "\u212a", "İ", "ß", "xn--", '"', "\n"]
    )
)
HOSTILE = st.text(st.characters(), max_size=60) | st.lists(FRAGMENTS, max_size=12).map(
    "".join
)


def refusal(parse: Callable[[], Address]) -> ContactCode:
    with pytest.raises(InvalidContact) as caught:
        parse()
    return caught.value.code


def test_parse_x_makes_an_address_of_a_handle() -> None:
    """The value keeps the spelling, the key does not, the link is X's."""
    expected = Address(Kind.X_ACCOUNT, "AnaLima", "analima", "https://x.com/AnaLima")
    assert expected == parse_x("@AnaLima")
    with pytest.raises(InvalidHandle):
        parse_x("ana lima")


@pytest.mark.parametrize(
    ("text", "value", "normalized", "url"),
    [
        pytest.param(
            " Ana.Lima@Example.COM\n",
            "Ana.Lima@Example.COM",
            "ana.lima@example.com",
            "mailto:Ana.Lima@example.com",
            id="case and space",
        ),
        pytest.param(
            "\u202aana@example.com\u202c",
            "ana@example.com",
            "ana@example.com",
            "mailto:ana@example.com",
            id="bidi marks",
        ),
        pytest.param(
            "ana＠example．com",
            "ana@example.com",
            "ana@example.com",
            "mailto:ana@example.com",
            id="full width",
        ),
        pytest.param(
            "ana+shop@example.com",
            "ana+shop@example.com",
            "ana+shop@example.com",
            "mailto:ana+shop@example.com",
            id="tag is kept",
        ),
        pytest.param(
            "jane@xn--exmple-cua.de",
            "jane@xn--exmple-cua.de",
            "jane@exämple.de",
            "mailto:jane@xn--exmple-cua.de",
            id="punycode and letters are one domain",
        ),
        pytest.param(
            "a?b&c=d@example.com",
            "a?b&c=d@example.com",
            "a?b&c=d@example.com",
            "mailto:a%3Fb%26c%3Dd@example.com",
            id="nothing leaks into the link's headers",
        ),
    ],
)
def test_parse_email_keeps_the_spelling_and_makes_a_key(
    text: str, value: str, normalized: str, url: str
) -> None:
    """An e-mail address is kept as typed, matched without case, and linked safely."""
    assert Address(Kind.EMAIL_ADDRESS, value, normalized, url) == parse_email(text)


def test_parse_email_does_not_make_one_mailbox_of_two() -> None:
    """Letters that only casefold makes equal stay two addresses."""
    keys = {parse_email(f"{name}@example.com").normalized for name in ("ſam", "sam")}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ContactCode.EMAIL_NO_AT),
        ("@AnaLima", ContactCode.EMAIL_INVALID),
        ("ana", ContactCode.EMAIL_NO_AT),
        ("ana@example", ContactCode.EMAIL_INVALID),
        ("ana@example..com", ContactCode.EMAIL_INVALID),
        ("ana@localhost", ContactCode.EMAIL_INVALID),
        ("ana@shop.test", ContactCode.EMAIL_INVALID),
        ("ana@[127.0.0.1]", ContactCode.EMAIL_INVALID),
        ('"ana"@example.com', ContactCode.EMAIL_INVALID),
        ("Ana <ana@example.com>", ContactCode.EMAIL_HAS_SPACES),
        ("ana@example.com\nBcc:bob@example.com", ContactCode.EMAIL_HAS_SPACES),
        ("ana@example.com,bob@example.com", ContactCode.EMAIL_INVALID),
        ("ana\x00@example.com", ContactCode.EMAIL_INVALID),
        ("ana\ud800@example.com", ContactCode.EMAIL_INVALID),
        ("ana@example.com\x7f", ContactCode.EMAIL_INVALID),
        ("a" * 250 + "@example.com", ContactCode.EMAIL_TOO_LONG),
        ("@" * 1_000_000, ContactCode.EMAIL_TOO_LONG),
    ],
)
def test_parse_email_names_what_it_refuses(text: str, code: ContactCode) -> None:
    """A text that is no deliverable address is refused by code."""
    assert code is refusal(lambda: parse_email(text))


@pytest.mark.parametrize(
    ("text", "country", "normalized"),
    [
        ("(212) 456-7890", "US", "+12124567890"),
        ("212.456.7890", "us", "+12124567890"),
        ("+1 212 456 7890", "GB", "+12124567890"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("0044 20 7946 0018", "US", "+442079460018"),
        ("0044 (0)20 7946 0018", "US", "+442079460018"),
        ("00 44 20 7946 0018", "DE", "+442079460018"),
        ("011 44 20 7946 0018", "US", "+442079460018"),
        ("+39 06 6982 1234", "US", "+390669821234"),  # Italy keeps its 0
        ("+1 (0)212 456 7890", "US", "+12124567890"),
        ("\u202a+44\u00a020\u20117946\u20110018\u202c", "US", "+442079460018"),
        ("２１２４５６７８９０", "US", "+12124567890"),
        ("٢١٢٤٥٦٧٨٩٠", "US", "+12124567890"),
        ("+55 11 91234-5678", "", "+5511912345678"),
    ],
)
def test_parse_phone_reads_numbers_as_people_write_them(
    text: str, country: str, normalized: str
) -> None:
    """Every usual way to write a number gives its E.164 form."""
    address = parse_phone(text, country)
    assert normalized == address.normalized
    assert f"tel:{normalized}" == address.url


def test_parse_phone_keeps_the_number_as_typed() -> None:
    """The value is what the person typed, without the space around it."""
    assert parse_phone(" (212) 456-7890\n", "US").value == "(212) 456-7890"


@pytest.mark.parametrize(
    ("text", "country", "code"),
    [
        ("", "US", ContactCode.PHONE_INVALID),
        ("12345", "US", ContactCode.PHONE_INVALID),
        ("911", "US", ContactCode.PHONE_INVALID),
        ("+999 1234 5678", "US", ContactCode.PHONE_INVALID),
        ("+999 1234 5678", "", ContactCode.PHONE_INVALID),
        ("020 7946 0018", "", ContactCode.PHONE_NEEDS_COUNTRY),
        ("020 7946 0018", "XX", ContactCode.PHONE_NEEDS_COUNTRY),
        ("ana@example.com", "US", ContactCode.PHONE_LOOKS_LIKE_EMAIL),
        ("212 456 7890 ext. 5", "US", ContactCode.PHONE_INVALID),
        ("1-800-FLOWERS", "US", ContactCode.PHONE_INVALID),
        ("call 212 456 7890", "US", ContactCode.PHONE_INVALID),
        ("212 456 7890\x00", "US", ContactCode.PHONE_INVALID),
        ("212 456 7890\ud800", "US", ContactCode.PHONE_INVALID),
        ("1" * 51, "US", ContactCode.PHONE_TOO_LONG),
        ("(" * 1_000_000, "US", ContactCode.PHONE_TOO_LONG),
    ],
)
def test_parse_phone_names_what_it_refuses(
    text: str, country: str, code: ContactCode
) -> None:
    """A text that is no valid number, or more than a number, is refused by code."""
    assert code is refusal(lambda: parse_phone(text, country))


@pytest.mark.parametrize(
    ("text", "value", "normalized"),
    [
        ("facebook.com/Ana.Lima", "Ana.Lima", "analima"),
        ("https://www.facebook.com/ana.lima?ref=share", "ana.lima", "analima"),
        ("https://m.facebook.com/analima/", "analima", "analima"),
        ("HTTPS://FB.COM/analima", "analima", "analima"),
        ("pt-br.facebook.com/analima/photos", "analima", "analima"),
        ("ana.lima", "ana.lima", "analima"),
        ("@AnaLima.", "AnaLima", "analima"),
        ("facebook.com/nike", "nike", "nike"),  # names of four are old, and real
        ("www.facebook.com/profile.php?id=100012345678", "100012345678", ""),
        ("facebook.com/people/Ana-Lima/100012345678/", "100012345678", ""),
        ("facebook.com/100012345678", "100012345678", ""),
        ("100012345678", "100012345678", ""),
        ("id:100012345678", "100012345678", ""),
    ],
)
def test_parse_facebook_reads_profiles(text: str, value: str, normalized: str) -> None:
    """Links and names of one account share a key: dots and case do not count, numbers are ids."""
    address = parse_facebook(text)
    assert (value, normalized or f"id:{value}") == (address.value, address.normalized)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ContactCode.FACEBOOK_INVALID),
        ("ana", ContactCode.FACEBOOK_INVALID),
        ("a.n.a", ContactCode.FACEBOOK_INVALID),
        ("ana_lima", ContactCode.FACEBOOK_INVALID),
        ("an\u0430lima", ContactCode.FACEBOOK_INVALID),
        ("a" * 51, ContactCode.FACEBOOK_INVALID),
        ("Ana Lima", ContactCode.FACEBOOK_HAS_SPACES),
        ("ana@example.com", ContactCode.FACEBOOK_LOOKS_LIKE_EMAIL),
        ("https://facebook.com.evil.tld/analima", ContactCode.FACEBOOK_NOT_FACEBOOK),
        ("https://notfacebook.com/analima", ContactCode.FACEBOOK_NOT_FACEBOOK),
        ("https://facebook.com@evil.tld/analima", ContactCode.FACEBOOK_NOT_FACEBOOK),
        ("https://faceboo\u212a.com/analima", ContactCode.FACEBOOK_NOT_FACEBOOK),
        ("https://x.com/analima", ContactCode.FACEBOOK_NOT_FACEBOOK),
        ("facebook.com", ContactCode.FACEBOOK_NOT_A_PROFILE),
        ("https://facebook.com/groups/123456", ContactCode.FACEBOOK_NOT_A_PROFILE),
        ("https://facebook.com/share/abcdef", ContactCode.FACEBOOK_NOT_A_PROFILE),
        ("https://facebook.com/profile.php", ContactCode.FACEBOOK_NOT_A_PROFILE),
        ("https://facebook.com/profile.php?id=a", ContactCode.FACEBOOK_NOT_A_PROFILE),
        ("https://facebook.com/people/Ana-Lima", ContactCode.FACEBOOK_NOT_A_PROFILE),
        ("analima\x00", ContactCode.FACEBOOK_INVALID),
        ("analima\ud800", ContactCode.FACEBOOK_INVALID),
        ("." * 1_000_000, ContactCode.FACEBOOK_TOO_LONG),
    ],
)
def test_parse_facebook_names_what_it_refuses(text: str, code: ContactCode) -> None:
    """A text that names no profile is refused by code, a look-alike host above all."""
    assert code is refusal(lambda: parse_facebook(text))


@pytest.mark.parametrize("kind", list(Kind))
@settings(deadline=None)
@given(text=HOSTILE, country=st.sampled_from(["US", "GB", "BR", "IT", "", "XX"]))
def test_every_parser_returns_an_address_or_refuses(
    kind: Kind, text: str, country: str
) -> None:
    """Whatever the text, a parser raises its own error or returns an address that is printable text."""
    try:
        address = KINDS[kind].parse(text, country)
    except (InvalidContact, InvalidHandle):
        return
    assert address.kind is kind
    for part in (address.value, address.normalized, address.url):
        assert part
        part.encode("utf-8")
        assert part.isprintable()
    assert KINDS[kind].mask(address.normalized)


ADDRESSES = {
    Kind.X_ACCOUNT: st.from_regex("[A-Za-z0-9_]{1,15}", fullmatch=True),
    Kind.EMAIL_ADDRESS: st.from_regex(
        r"[A-Za-z0-9+_\-]{1,20}(\.[A-Za-z0-9]{1,5})?@[A-Za-z][A-Za-z0-9]{1,10}\.(com|CO\.UK|de)",
        fullmatch=True,
    ),
    Kind.PHONE_NUMBER: st.integers(2_000_000, 9_999_999).map(lambda n: f"(212) {n}"),
    Kind.FACEBOOK_ACCOUNT: st.from_regex(
        r"[A-Za-z][A-Za-z0-9]{4,20}(\.[a-z]{1,9})?", fullmatch=True
    )
    | st.integers(10_000, 10**15).map(str),
}


@pytest.mark.parametrize("kind", list(Kind))
@settings(deadline=None)
@given(data=st.data())
def test_normalized_is_its_own_key(kind: Kind, data: st.DataObject) -> None:
    """The key of an address, parsed again, is the same key, in any country."""
    text = data.draw(ADDRESSES[kind])
    key = KINDS[kind].parse(text, "US").normalized
    assert key == KINDS[kind].parse(key, "GB").normalized


@pytest.mark.parametrize(
    ("kind", "normalized", "masked"),
    [
        (Kind.X_ACCOUNT, "analima", "a•••••a"),
        (Kind.X_ACCOUNT, "x", "•••••"),
        (Kind.X_ACCOUNT, "ana", "•••••"),
        (Kind.EMAIL_ADDRESS, "ana.lima@example.com", "a•••@e•••.com"),
        (Kind.EMAIL_ADDRESS, "ana@shop.example.co.uk", "a•••@s•••.uk"),
        (Kind.EMAIL_ADDRESS, "a@x.org", "•••@•••.org"),
        (Kind.PHONE_NUMBER, "+12124567890", "+1 ••• ••• ••90"),
        (Kind.PHONE_NUMBER, "+442079460018", "+44 ••• ••• ••18"),
        (Kind.FACEBOOK_ACCOUNT, "analima", "a•••••a"),
        (Kind.FACEBOOK_ACCOUNT, "id:100012345678", "1•••••8"),
        (Kind.FACEBOOK_ACCOUNT, "id:4", "•••••"),
    ],
)
def test_mask_shows_the_ends_at_most(kind: Kind, normalized: str, masked: str) -> None:
    """A masked address is known to its owner and tells nobody else what it is, nor how long."""
    assert masked == KINDS[kind].mask(normalized)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("value", ["", "a", "9", "@", "+1", "•"])
def test_mask_never_fails_or_reveals_a_value_of_one_character(
    kind: Kind, value: str
) -> None:
    """A value that no parser made is masked whole."""
    masked = KINDS[kind].mask(value)
    assert not set(masked) & (set(value) - set("@+•"))


def test_registries_have_one_row_per_word() -> None:
    """Each kind and each channel has its row, under its own name, and each kind its own field."""
    assert set(KINDS) == set(Kind)
    assert set(CHANNELS) == set(Channel)
    assert all(kind is row.kind for kind, row in KINDS.items())
    assert all(channel is row.channel for channel, row in CHANNELS.items())
    assert [row.field for row in KINDS.values()] == [
        "x_handle",
        "contact_email",
        "contact_phone",
        "contact_facebook",
    ]


@pytest.mark.parametrize(
    ("channel", "kind", "delivery", "offers_need_proof"),
    [
        ("x", "x_account", "public_post", False),
        ("email", "email_address", "direct", True),
        ("sms", "phone_number", "direct", True),
        ("phone", "phone_number", "call_list", False),
        ("whatsapp", "phone_number", "direct", True),
        ("facebook", "facebook_account", "public_post", False),
    ],
)
def test_channels_say_how_they_deliver(
    channel: str, kind: str, delivery: str, offers_need_proof: bool
) -> None:
    """What a channel uses, how it delivers and whether offers wait for proof are as published."""
    row = CHANNELS[Channel(channel)]
    assert (Kind(kind), Delivery(delivery), offers_need_proof) == (
        row.kind,
        row.delivery,
        row.offers_need_proof,
    )


def test_only_x_accounts_are_looked_up_and_become_undeliverable() -> None:
    """X's verdict counts for X accounts alone, and only a firm no makes one undeliverable."""
    looked_up = [kind for kind, row in KINDS.items() if row.is_looked_up]
    assert looked_up == [Kind.X_ACCOUNT]
    verdicts = {kind: row.undeliverable_verdicts for kind, row in KINDS.items()}
    assert verdicts.pop(Kind.X_ACCOUNT) == {Verdict.NOT_FOUND, Verdict.SUSPENDED}
    assert not any(verdicts.values())


def test_the_link_to_x_is_no_way_to_be_contacted() -> None:
    """Each channel answers for four purposes, and x_link is none of them."""
    assert set(CONTACT_PURPOSES) == set(Purpose) - {Purpose.X_LINK}
    assert len(CONTACT_PURPOSES) == 4
