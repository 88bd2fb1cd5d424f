"""What the fields ask by default: labels and inputs, and the questions made of them.

Used by the WTForms mixin and by the snippet, so that both say the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from regulars.ask.inputs import NO_CONTACT_LABEL
from regulars.ask.questions import (
    AddressInput,
    Box,
    ChannelQuestion,
    Choice,
    Detail,
    HandleQuestion,
    Questions,
    Sentence,
)
from regulars.values.contact import CHANNELS, Channel, Kind, channel_label
from regulars.values.languages import N_, direction, translate
from regulars.values.widget import widget_texts
from regulars.values.wording import (
    CONTACT_CHANNEL,
    CONVERSATION_X,
    X_LINK,
    offers_wording,
)

HANDLE_LABEL: Final = N_("Your X handle (optional)")
LEGEND: Final = N_("How would you like to hear from us?")

# What takes the address of each kind; a handle stands in a part of its own.
ADDRESS_INPUTS: Final[Mapping[Kind, AddressInput]] = {
    Kind.EMAIL_ADDRESS: AddressInput(
        "contact_email", N_("E-mail address"), "email", "email", 254
    ),
    Kind.PHONE_NUMBER: AddressInput(
        "contact_phone", N_("Phone number"), "tel", "tel", 60
    ),
    Kind.FACEBOOK_ACCOUNT: AddressInput(
        "contact_facebook", N_("Facebook profile"), "text", "off", 500
    ),
}


def ask(
    site: str,
    language: str,
    *,
    endpoint: str,
    invite: str,
    channels: tuple[Channel, ...],
    sentences: Callable[[str], Sentence],
) -> Questions:
    """The questions at *site* in *language*; *sentences* gives a wording by its id."""
    choices = [Choice(c.value, channel_label(c, language)) for c in channels]
    return Questions(
        site=site,
        language=language,
        dir=direction(language),
        endpoint=endpoint,
        invite=invite,
        handle=HandleQuestion(
            translate(HANDLE_LABEL, language),
            sentences(X_LINK),
            sentences(CONVERSATION_X),
        ),
        channels=ChannelQuestion(
            translate(LEGEND, language),
            sentences(CONTACT_CHANNEL),
            (*choices, Choice("", translate(NO_CONTACT_LABEL, language))),
            tuple(_details(channels, language, sentences)),
        ),
        texts=widget_texts(language),
    )


def _details(
    channels: tuple[Channel, ...],
    language: str,
    sentences: Callable[[str], Sentence],
) -> Iterator[Detail]:
    """One for each kind of address, in the order of the first channel that needs it."""
    for kind in dict.fromkeys(CHANNELS[c].kind for c in channels):
        sharing = [c for c in channels if CHANNELS[c].kind is kind]
        row = ADDRESS_INPUTS.get(kind)
        if row is not None:
            row = replace(row, label=translate(row.label, language))
        boxes = (Box(c.value, sentences(offers_wording(c))) for c in sharing)
        yield Detail(tuple(c.value for c in sharing), row, tuple(boxes))
