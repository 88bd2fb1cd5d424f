"""The kinds of input that the fields are made of; each refuses with a stable code.

Where a form stands in a signature it is one that has `regulars_offer` and
`contact_channel`: `regulars.ask.fields.RegularsFields`, which alone uses these.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from wtforms import Field
from wtforms.validators import StopValidation
from wtforms.widgets import CheckboxInput, HiddenInput, TextInput

from regulars.values.contact import (
    CHANNELS,
    KINDS,
    Address,
    Channel,
    InvalidContact,
    Kind,
    channel_label,
)
from regulars.values.handle import InvalidHandle
from regulars.values.languages import N_, SOURCE_LANGUAGE, translate
from regulars.values.messages import FormCode, sentence
from regulars.values.pasted import SPACES, is_text, tidy

MAX_LINE = 100
MAX_ITEMS = 20
MAX_CHANNELS = 12

NO_CONTACT_LABEL = N_("Please don\N{RIGHT SINGLE QUOTATION MARK}t contact me")

# White space that ends a line or jumps in it; the other controls are no text at all.
_NOT_ONE_LINE = re.compile("[\t\n\v\f\r\u2028\u2029]")


class Problem(str):
    """An error's sentence, as WTForms keeps it, that remembers its stable code."""

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, language: str, **data: str) -> "Problem":
        """The sentence of *code* in *language*, *data* being what it names."""
        made = super().__new__(cls, sentence(code, language, **data))
        made.code = str(code)
        return made


def refuse(form: Any, code: str, **data: str) -> StopValidation:
    """The error to raise: *code*, in the language of the form's offer."""
    return StopValidation(Problem(code, form.regulars_offer.language, **data))


def _language(form: Any) -> str:
    """The language of the form that a field is bound to; of a field on its own, English."""
    return form.regulars_offer.language if form is not None else SOURCE_LANGUAGE


def _trim(raw: object) -> str:
    """*raw* without white space at its ends; empty too where nothing of it can be seen."""
    if not isinstance(raw, str) or not tidy(raw):
        return ""
    return raw.strip(SPACES)


def _is_line(text: str) -> bool:
    return is_text(text) and _NOT_ONE_LINE.search(text) is None


class Line(Field):
    """One line of text, trimmed; blank is None. Several under one name: the first that is not blank."""

    widget: Any = TextInput()
    data: str | None

    def __init__(
        self,
        label: str = "",
        *,
        limit: int = MAX_LINE,
        _form: Any = None,
        **kwargs: Any,
    ) -> None:
        """Take at most *limit* characters; *label* is English and shown in the form's language."""
        super().__init__(translate(label, _language(_form)), _form=_form, **kwargs)
        self.limit = limit

    def _value(self) -> str:
        return self.data or ""

    def process_formdata(self, valuelist: Sequence[object]) -> None:
        """Take the first value that is not blank."""
        self.data = next((text for raw in valuelist if (text := _trim(raw))), None)

    def pre_validate(self, form: Any) -> None:
        """Refuse what is too long or no text."""
        if self.data is None:
            return
        if len(self.data) > self.limit:
            raise refuse(form, FormCode.TEXT_TOO_LONG, limit=str(self.limit))
        if not _is_line(self.data):
            raise refuse(form, FormCode.TEXT_NOT_TEXT)


class ShapedLine(Line):
    """A line that must match a pattern as a whole, or is refused under one code."""

    def __init__(self, *, shape: re.Pattern[str], code: str, **kwargs: Any) -> None:
        """Take what *shape* matches as a whole; *code* names the refusal of all else."""
        super().__init__(**kwargs)
        self._shape = shape
        self._code = code

    def pre_validate(self, form: Any) -> None:
        """Refuse what has not the shape."""
        if self.data is not None and not self._shape.fullmatch(self.data):
            raise refuse(form, self._code)


class Lines(Field):
    """Several lines of text under one name: trimmed, blanks and repeats dropped, in order."""

    widget = TextInput()
    data: tuple[str, ...]

    def __init__(
        self,
        label: str = "",
        *,
        most: int = MAX_ITEMS,
        _form: Any = None,
        **kwargs: Any,
    ) -> None:
        """Take at most *most* lines; *label* is English and shown in the form's language."""
        label = translate(label, _language(_form))
        super().__init__(label, default=(), _form=_form, **kwargs)
        self.most = most
        self._language = _language(_form)

    def process_formdata(self, valuelist: Sequence[object]) -> None:
        """Take what is not blank, once."""
        self.data = tuple(
            dict.fromkeys(text for raw in valuelist if (text := _trim(raw)))
        )

    def pre_validate(self, form: Any) -> None:
        """Refuse too many lines, and lines too long or no text."""
        if len(self.data) > self.most:
            raise refuse(form, FormCode.TOO_MANY, limit=str(self.most))
        if any(len(text) > MAX_LINE for text in self.data):
            raise refuse(form, FormCode.TEXT_TOO_LONG, limit=str(MAX_LINE))
        if not all(map(_is_line, self.data)):
            raise refuse(form, FormCode.TEXT_NOT_TEXT)


@dataclass(frozen=True, slots=True)
class ChannelOption:
    """One row of the question: what is posted, what is read, whether it is chosen."""

    value: str
    label: str
    id: str
    is_checked: bool


def _radio_list(field: "RankedChannels", **kwargs: Any) -> Markup:
    """Stacked radios, each with its label, in a list."""
    row = Markup(
        '<li><input type="radio" id="{}" name="{}" value="{}"{}> <label for="{}">{}</label></li>'
    )
    checked = {True: Markup(" checked"), False: ""}
    rows = (
        row.format(o.id, field.name, o.value, checked[o.is_checked], o.id, o.label)
        for o in field.options
    )
    return Markup('<ul id="{}">{}</ul>').format(
        kwargs.get("id", field.id), Markup("").join(rows)
    )


class RankedChannels(Lines):
    """The channels chosen, ranked as given. Shown as radios of which none is preselected."""

    widget: Any = staticmethod(_radio_list)

    def __init__(self, label: str = "", *, _form: Any = None, **kwargs: Any) -> None:
        """Offer the channels of the form that the field is bound to."""
        super().__init__(label, most=MAX_CHANNELS, _form=_form, **kwargs)
        self._offered: tuple[Channel, ...] = _form.regulars_offer.channels

    @property
    def options(self) -> list[ChannelOption]:
        """The rows in the order offered; the last one declines."""
        rows = [
            ChannelOption(
                c.value,
                channel_label(c, self._language),
                f"{self.id}-{c.value}",
                c.value in self.data,
            )
            for c in self._offered
        ]
        declined = not self.data and bool(self.raw_data)
        refusal = translate(NO_CONTACT_LABEL, self._language)
        return [*rows, ChannelOption("", refusal, f"{self.id}-none", declined)]

    @property
    def chosen(self) -> tuple[Channel, ...]:
        """The channels named that are offered."""
        named = {c.value: c for c in self._offered}
        return tuple(named[text] for text in self.data if text in named)

    def pre_validate(self, form: Any) -> None:
        """Refuse too many channels, and any that this form does not offer."""
        super().pre_validate(form)
        if len(self.chosen) < len(self.data):
            offered = ", ".join(channel_label(c, self._language) for c in self._offered)
            raise refuse(form, FormCode.CONTACT_CHANNEL_UNKNOWN, offered=offered)


class AddressField(Line):
    """One contact point, read by the grammar of its kind; required once a channel needs it."""

    def __init__(self, label: str, *, kind: Kind, **kwargs: Any) -> None:
        """Read the text as an address of *kind*."""
        super().__init__(label, **kwargs)
        self.kind = kind
        self.address: Address | None = None

    def pre_validate(self, form: Any) -> None:
        """Parse what was given; refuse a blank one that a chosen channel needs."""
        row = KINDS[self.kind]
        if self.data is None:
            if any(CHANNELS[c].kind is self.kind for c in form.contact_channel.chosen):
                raise refuse(form, f"{row.field}.required")
            return
        if not is_text(self.data):
            raise refuse(form, FormCode.TEXT_NOT_TEXT)
        try:
            self.address = row.parse(self.data, form.regulars_offer.default_country)
        except (InvalidContact, InvalidHandle) as refused:
            raise refuse(form, refused.code, **refused.data) from refused


class WordingKey(Line):
    """The key of a wording that was beside a field or a box; *wording* is that text's id.

    *kind* is the address it speaks of: without that address the key means nothing.
    """

    widget: Any = HiddenInput()

    def __init__(
        self, *, wording: str, kind: Kind | None = None, **kwargs: Any
    ) -> None:
        """Stand for the text of the wording whose id is *wording*."""
        super().__init__(**kwargs)
        self.wording = wording
        self.kind = kind


class ConsentBox(WordingKey):
    """An unticked box whose value is the key of the wording beside it."""

    widget = CheckboxInput()
