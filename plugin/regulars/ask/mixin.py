"""The fields for a form of the shop's own: a WTForms mixin that reads, refuses and draws them.

`regulars.ask.fields` is where it is imported from.
"""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from wtforms.widgets import EmailInput, TelInput

from regulars.ask.asking import ADDRESS_INPUTS, HANDLE_LABEL, LEGEND
from regulars.ask.inputs import (
    AddressField,
    ConsentBox,
    Line,
    RankedChannels,
    WordingKey,
)
from regulars.ask.markup import (
    AS_TYPED,
    HANDLE_INPUT,
    Said,
    channels_markup,
    handle_markup,
    site_field,
)
from regulars.ask.questions import Questions
from regulars.values.contact import CHANNELS, Channel, Kind
from regulars.values.wording import (
    CONTACT_CHANNEL,
    CONVERSATION_X,
    X_LINK,
    offers_wording,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one form offers: its channels in order, and how to read what comes back."""

    channels: tuple[Channel, ...] = (
        Channel.X,
        Channel.EMAIL,
        Channel.SMS,
        Channel.PHONE,
        Channel.FACEBOOK,
    )
    default_country: str = "US"
    language: str = "en"
    default_surface: str = "checkout"


def _address(kind: Kind, widget: Any = None) -> Any:
    row = ADDRESS_INPUTS[kind]
    more = {"autocomplete": row.autocomplete, "maxlength": row.maxlength, **AS_TYPED}
    return AddressField(row.label, kind=kind, widget=widget, render_kw=more)


def _offers_box(channel: Channel) -> Any:
    return ConsentBox(wording=offers_wording(channel), kind=CHANNELS[channel].kind)


class RegularsFields:
    """The visible fields and their hidden wording keys, for a form of the shop's own.

    `class Checkout(RegularsFields, Form)` has them all; set `regulars_offer` on the class
    to offer other channels or to read phone numbers of another country. They validate as
    the service does, short of what only the service knows: which wordings it rendered.

    With `regulars_questions` set, `{{ form.regulars_site() }}`, `{{ form.regulars_handle() }}`
    and `{{ form.regulars_channels() }}` draw the fields as `regulars site snippet` does, with
    what was typed and what was wrong with it.
    """

    regulars_offer = Offer()
    regulars_questions: Questions | None = None

    x_handle = AddressField(
        HANDLE_LABEL, kind=Kind.X_ACCOUNT, render_kw=dict(HANDLE_INPUT)
    )
    consent_x_link = WordingKey(wording=X_LINK, kind=Kind.X_ACCOUNT)
    consent_conversation_x = ConsentBox(wording=CONVERSATION_X, kind=Kind.X_ACCOUNT)
    contact_channel = RankedChannels(LEGEND)
    contact_wording = WordingKey(wording=CONTACT_CHANNEL)
    contact_email = _address(Kind.EMAIL_ADDRESS, EmailInput())
    contact_phone = _address(Kind.PHONE_NUMBER, TelInput())
    contact_facebook = _address(Kind.FACEBOOK_ACCOUNT)
    consent_offers_x = _offers_box(Channel.X)
    consent_offers_email = _offers_box(Channel.EMAIL)
    consent_offers_sms = _offers_box(Channel.SMS)
    consent_offers_phone = _offers_box(Channel.PHONE)
    consent_offers_whatsapp = _offers_box(Channel.WHATSAPP)
    consent_offers_facebook = _offers_box(Channel.FACEBOOK)

    def regulars_site(self) -> Markup:
        """The hidden field that names the site.

        Raises:
            ValueError: `regulars_questions` is not set; so do the other two.
        """
        return site_field(self._asked())

    def regulars_handle(self) -> Markup:
        """`<regulars-handle>` with the handle field, its statement and its box."""
        return handle_markup(self._asked(), _said(self))

    def regulars_channels(self, *, is_multiple: bool = False) -> Markup:
        """`<regulars-channels>` with the question and the addresses; *is_multiple* lets choose several."""
        return channels_markup(self._asked(), _said(self), is_multiple=is_multiple)

    def _asked(self) -> Questions:
        if self.regulars_questions is None:
            raise ValueError(
                "set regulars_questions = Questions.from_json(…) on the form, of what"
                " 'regulars site snippet NAME --json' printed"
            )
        return self.regulars_questions


def _said(form: Any) -> Said:
    """What the bound *form* holds, and the first thing that was wrong with each field."""
    values: dict[str, list[str]] = {}
    for field in form:
        if isinstance(field, RankedChannels):
            values[field.short_name] = [o.value for o in field.options if o.is_checked]
        elif isinstance(field, Line) and field.data is not None:
            values[field.short_name] = [field.data]
    problems = {it.short_name: str(it.errors[0]) for it in form if it.errors}
    return Said(values, problems)
