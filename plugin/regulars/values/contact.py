"""Contact addresses: the closed registries of kinds and channels, and which parser is whose.

A new network is a new row of KINDS and CHANNELS; nobody else asks which kind or channel it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from regulars.values.address import (
    Address,
    ContactCode,
    InvalidContact,
    Kind,
    mask_name,
)
from regulars.values.email_address import mask_email, parse_email
from regulars.values.facebook import mask_facebook, parse_facebook
from regulars.values.handle import parse_handle
from regulars.values.languages import N_, SOURCE_LANGUAGE, translate
from regulars.values.phone import mask_phone, parse_phone
from regulars.values.verdict import Verdict

__all__ = [
    "CHANNELS",
    "CONTACT_PURPOSES",
    "KINDS",
    "Address",
    "Channel",
    "ChannelRow",
    "ContactCode",
    "Delivery",
    "InvalidContact",
    "Kind",
    "KindRow",
    "Ownership",
    "Purpose",
    "channel_label",
    "parse_email",
    "parse_facebook",
    "parse_phone",
    "parse_x",
]


class Channel(StrEnum):
    """A way to be contacted; several may share one kind of address, never a consent."""

    X = "x"
    EMAIL = "email"
    SMS = "sms"
    PHONE = "phone"
    WHATSAPP = "whatsapp"
    FACEBOOK = "facebook"


class Delivery(StrEnum):
    """How a channel reaches people: `public_post` is one post for all, never a message to a person."""

    PUBLIC_POST = "public_post"
    DIRECT = "direct"
    CALL_LIST = "call_list"


class Purpose(StrEnum):
    """What a consent is for."""

    X_LINK = "x_link"  # check the handle and keep it in step; no way to be contacted
    CONVERSATION = "conversation"
    ORDER = "order"
    SERVICE_NEWS = "service_news"
    OFFERS = "offers"


CONTACT_PURPOSES: Final[tuple[Purpose, ...]] = (
    Purpose.CONVERSATION,
    Purpose.ORDER,
    Purpose.SERVICE_NEWS,
    Purpose.OFFERS,
)


class Ownership(StrEnum):
    """Whether the customer has shown that the address is theirs."""

    CLAIMED = "claimed"
    PROVEN = "proven"


def parse_x(text: str) -> Address:
    """Return the X account that *text* names.

    Raises:
        InvalidHandle: as `parse_handle` does, and nothing else.
    """
    handle = parse_handle(text)
    return Address(Kind.X_ACCOUNT, handle.text, handle.key, handle.url)


@dataclass(frozen=True, slots=True)
class KindRow:
    """All that the product knows of a kind.

    `parse` takes the text and the shop's country; `mask` takes `normalized` and returns what a page may show to
    somebody who has proven nothing.
    """

    kind: Kind
    field: str
    parse: Callable[[str, str], Address]
    is_looked_up: bool
    undeliverable_verdicts: frozenset[Verdict]
    mask: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """All that the product knows of a channel.

    `label` is its name for people; `offers_need_proof` holds a ticked offers box until proof.
    """

    channel: Channel
    label: str
    kind: Kind
    delivery: Delivery
    offers_need_proof: bool


def _without_country(parse: Callable[[str], Address]) -> Callable[[str, str], Address]:
    return lambda text, _default_country: parse(text)


_KIND_ROWS: Final = (
    KindRow(
        kind=Kind.X_ACCOUNT,
        field="x_handle",
        parse=_without_country(parse_x),
        is_looked_up=True,
        undeliverable_verdicts=frozenset({Verdict.NOT_FOUND, Verdict.SUSPENDED}),
        mask=mask_name,
    ),
    KindRow(
        Kind.EMAIL_ADDRESS,
        "contact_email",
        _without_country(parse_email),
        False,
        frozenset(),
        mask_email,
    ),
    KindRow(
        Kind.PHONE_NUMBER, "contact_phone", parse_phone, False, frozenset(), mask_phone
    ),
    KindRow(
        Kind.FACEBOOK_ACCOUNT,
        "contact_facebook",
        _without_country(parse_facebook),
        False,
        frozenset(),
        mask_facebook,
    ),
)
KINDS: Final[Mapping[Kind, KindRow]] = MappingProxyType(
    {row.kind: row for row in _KIND_ROWS}
)

_CHANNEL_ROWS: Final = (
    ChannelRow(
        Channel.X, "X", Kind.X_ACCOUNT, Delivery.PUBLIC_POST, offers_need_proof=False
    ),
    ChannelRow(
        Channel.EMAIL,
        N_("E-mail"),
        Kind.EMAIL_ADDRESS,
        Delivery.DIRECT,
        offers_need_proof=True,
    ),
    ChannelRow(
        Channel.SMS,
        N_("Text message"),
        Kind.PHONE_NUMBER,
        Delivery.DIRECT,
        offers_need_proof=True,
    ),
    ChannelRow(
        Channel.PHONE,
        N_("Phone call"),
        Kind.PHONE_NUMBER,
        Delivery.CALL_LIST,
        offers_need_proof=False,
    ),
    ChannelRow(
        Channel.WHATSAPP,
        "WhatsApp",
        Kind.PHONE_NUMBER,
        Delivery.DIRECT,
        offers_need_proof=True,
    ),
    ChannelRow(
        Channel.FACEBOOK,
        "Facebook",
        Kind.FACEBOOK_ACCOUNT,
        Delivery.PUBLIC_POST,
        offers_need_proof=False,
    ),
)
CHANNELS: Final[Mapping[Channel, ChannelRow]] = MappingProxyType(
    {row.channel: row for row in _CHANNEL_ROWS}
)


def channel_label(channel: Channel, language: str = SOURCE_LANGUAGE) -> str:
    """The name of *channel* for people, in *language*; a network's name is the same in all."""
    return translate(CHANNELS[channel].label, language)
