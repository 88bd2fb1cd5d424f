"""The sentences a customer agrees to, as shipped; rendered, they are what a consent row proves.

Each text stands alone: it names the shop and what will be done. A text that carries
a setting (the shop's name, its privacy page) becomes a new wording when the setting
changes, because what was on the screen is then another sentence.
"""

from dataclasses import dataclass

from regulars.values.contact import Channel
from regulars.values.languages import LANGUAGES as LANGUAGES
from regulars.values.languages import N_, translate

X_LINK = "x_link"
CONTACT_CHANNEL = "contact_channel"
CONVERSATION_X = "conversation_x"


def offers_wording(channel: Channel) -> str:
    """The id of the wording beside the offers box of *channel*."""
    return f"offers_{channel.value}"


@dataclass(frozen=True, slots=True)
class Wording:
    """One text under its opaque key, as rendered."""

    id: str
    key: str
    language: str
    text: str


_TEXTS: dict[str, str] = {
    X_LINK: N_(
        "If you give your X handle, {shop} checks with X that it exists and keeps"
        " it, with your public profile, in your customer record. You can undo this"
        " at any time."
    ),
    CONTACT_CHANNEL: N_(
        "{shop} will use the way you choose for your orders and for important"
        " news, such as a closure or a changed booking."
    ),
    CONVERSATION_X: N_("{shop} may follow me and talk with me on X."),
    offers_wording(Channel.X): N_("{shop} may tell me about offers on X."),
    offers_wording(Channel.EMAIL): N_("{shop} may e-mail me offers."),
    offers_wording(Channel.SMS): N_(
        "{shop} may send me automated texts with offers at this number. Not a"
        " condition of buying. Message and data rates may apply. Reply STOP to end."
    ),
    offers_wording(Channel.PHONE): N_("{shop} may call me about offers."),
    offers_wording(Channel.WHATSAPP): N_("{shop} may send me offers on WhatsApp."),
    offers_wording(Channel.FACEBOOK): N_(
        "{shop} may tell me about offers on Facebook."
    ),
}
# For forms that show one label and no other text, such as a shop platform's own checkout.
_LABELS: dict[str, str] = {
    X_LINK: N_(
        "X handle (optional): {shop} checks it with X and keeps it with your public"
        " profile"
    ),
    CONTACT_CHANNEL: N_(
        "How may {shop} reach you about orders and important news? (optional)"
    ),
}
_PRIVACY = N_("How {shop} handles your data: {url}")


def wording_ids(channels: tuple[Channel, ...]) -> tuple[str, ...]:
    """The ids of every wording that a form offering *channels* shows."""
    offers = tuple(offers_wording(channel) for channel in channels)
    return (X_LINK, CONTACT_CHANNEL, CONVERSATION_X, *offers)


def render_wording(
    wording_id: str, language: str, *, shop_name: str, privacy_url: str | None
) -> str:
    """The text of *wording_id* as it stands on the screen.

    Raises:
        KeyError: no such wording, or none in *language*.
    """
    text = _in(language, _TEXTS[wording_id]).format(shop=shop_name)
    if wording_id != X_LINK or not privacy_url:
        return text
    return f"{text} {_in(language, _PRIVACY).format(shop=shop_name, url=privacy_url)}"


def render_labels(language: str, *, shop_name: str) -> dict[str, str]:
    """The wordings that fit on a label, by id, as they stand on the screen.

    Raises:
        KeyError: there are none in *language*.
    """
    return {
        wording_id: _in(language, text).format(shop=shop_name)
        for wording_id, text in _LABELS.items()
    }


def _in(language: str, text: str) -> str:
    # English under another language's key would prove a text that nobody was shown.
    if language not in LANGUAGES:
        raise KeyError(language)
    return translate(text, language)
