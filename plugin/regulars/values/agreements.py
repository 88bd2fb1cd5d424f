"""What one answer agrees to: purpose by purpose, with the words that were on the screen."""

from dataclasses import dataclass

from regulars.values.answer import Answer
from regulars.values.contact import Channel, Purpose
from regulars.values.wording import (
    CONTACT_CHANNEL,
    CONVERSATION_X,
    X_LINK,
    offers_wording,
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One purpose on one channel, how the yes was given and under which wording."""

    purpose: Purpose
    channel: Channel
    method: str
    wording_id: str
    wording_key: str


def agreements_of(answer: Answer) -> list[Agreement]:
    """Everything that *answer* agrees to.

    Giving the handle under its statement is the consent to check it. Choosing a channel
    under the question's wording is the consent to news about orders and the shop there,
    not to offers: those have boxes of their own.
    """
    said = []
    if answer.x_link:
        said.append(
            Agreement(Purpose.X_LINK, Channel.X, "handle_field", X_LINK, answer.x_link)
        )
    if answer.contact_wording:
        said += [
            Agreement(
                purpose,
                channel,
                "channel_choice",
                CONTACT_CHANNEL,
                answer.contact_wording,
            )
            for channel in answer.channels
            for purpose in (Purpose.ORDER, Purpose.SERVICE_NEWS)
        ]
    if answer.conversation_x:
        said.append(
            Agreement(
                Purpose.CONVERSATION,
                Channel.X,
                "checkbox",
                CONVERSATION_X,
                answer.conversation_x,
            )
        )
    said += [
        Agreement(Purpose.OFFERS, channel, "checkbox", offers_wording(channel), key)
        for channel, key in answer.offers
    ]
    return said
