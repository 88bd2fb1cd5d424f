"""The fields a customer fills in, and the one place where what was sent is validated.

Used by the hosted page and by `/v1/signups`, and by any Flask shop that wants the same
fields in a form of its own: nothing here but WTForms and the words of `regulars.values`.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from wtforms import Form

from regulars.ask.inputs import (
    AddressField,
    Line,
    Lines,
    Problem,
    ShapedLine,
    WordingKey,
    refuse,
)
from regulars.ask.mixin import Offer as Offer
from regulars.ask.mixin import RegularsFields as RegularsFields
from regulars.values.answer import Answer
from regulars.values.contact import KINDS, Channel
from regulars.values.languages import N_
from regulars.values.messages import FormCode
from regulars.values.pasted import is_text

MAX_RECEIPT = 4096

_SURFACE = re.compile(r"[a-z][a-z0-9_]{0,31}")
# What is no page of the shop's: whoever claims it must hold a key.
_SURFACES_OF_KEYS = frozenset({"kiosk", "platform", "import"})
# The shape of https://www.rfc-editor.org/info/bcp47, without its registry.
_LOCALE = re.compile(r"(?=.{1,35}\Z)(?:[A-Za-z]{2,8}|x)(?:-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Why a field was refused: a stable *code* and its sentence for people.

    *field* is empty when the body as a whole was refused.
    """

    field: str
    code: str
    message: str


class SubmittedData(Collection[str], Protocol):
    """What a form reads: werkzeug's MultiDict, or `FormData`."""

    def getlist(self, key: str, /) -> list[Any]:
        """Every value under *key*, in order."""


class FormData(dict[str, list[str]]):
    """A decoded JSON body in the form that WTForms reads.

    *mistyped* names the keys that held something other than text, the empty name
    standing for the body itself; `SignupForm` reports them under `type.wrong`.
    """

    def __init__(
        self, values: Mapping[str, list[str]], mistyped: Collection[str] = ()
    ) -> None:
        """Hold *values*, of which every one is a list of text."""
        super().__init__(values)
        self.mistyped = frozenset(mistyped)

    def getlist(self, key: str, /) -> list[Any]:
        """The values under *key*; none is an empty list."""
        return self.get(key, [])


class _Receipt(Line):
    """A token that is left out where it can be none: no receipt is a reason to refuse anybody."""

    def pre_validate(self, form: Any) -> None:
        """Refuse nothing."""
        if self.data and (len(self.data) > self.limit or not is_text(self.data)):
            self.data = None


class SignupForm(RegularsFields, Form):
    """One submission: validated here and nowhere else, then an `Answer`.

    Call `validate()` first; `problems()` says why it was refused, `answer()` what it held.
    """

    given_name = Line(
        N_("First name (optional)"),
        render_kw={"autocomplete": "given-name", "maxlength": 100},
    )
    family_name = Line(
        N_("Last name (optional)"),
        render_kw={"autocomplete": "family-name", "maxlength": 100},
    )
    topic = Lines()
    interest = Lines()
    external_id = Line()
    order_id = Line()
    surface = ShapedLine(shape=_SURFACE, code=FormCode.SURFACE_INVALID)
    locale = ShapedLine(shape=_LOCALE, code=FormCode.LOCALE_INVALID)
    x_handle_receipt = _Receipt(limit=MAX_RECEIPT)
    site = Line()

    def __init__(
        self,
        formdata: SubmittedData | None = None,
        *,
        offer: Offer,
        is_known_wording: Callable[[str, str], bool],
        may_send_external_id: bool,
    ) -> None:
        """Read *formdata* as an answer to *offer*.

        *is_known_wording* says of a wording's id and key whether that text was ever
        rendered; *may_send_external_id*, whether the sender holds a secret key.
        """
        # The channel field reads the offer while the form is being made.
        self.regulars_offer = offer
        self._is_known_wording = is_known_wording
        self._may_send_external_id = may_send_external_id
        wrong = formdata.mistyped if isinstance(formdata, FormData) else frozenset()
        self._is_valid = False
        super().__init__(formdata)
        for channel in set(Channel) - set(offer.channels):
            del self[f"consent_offers_{channel.value}"]
        self._mistyped = {name for name in wrong if not name or name in self}

    def validate(
        self, extra_validators: Mapping[str, Sequence[Any]] | None = None
    ) -> bool:
        """Whether every field is right and fits the others."""
        extra = {name: list(found) for name, found in (extra_validators or {}).items()}
        for name, field in self._fields.items():
            if isinstance(field, WordingKey):
                extra.setdefault(name, []).append(self._check_wording)
        extra.setdefault("external_id", []).append(self._check_external_id)
        extra.setdefault("surface", []).append(self._check_surface)
        self._is_valid = super().validate(extra) and not self._mistyped
        return self._is_valid

    def _check_wording(self, form: Form, field: WordingKey) -> None:
        if field.data is None or not self._speaks_of_something(field):
            return
        if not self._is_known_wording(field.wording, field.data):
            raise refuse(form, FormCode.WORDING_UNKNOWN)

    def _check_external_id(self, form: Form, field: Line) -> None:
        if field.data is not None and not self._may_send_external_id:
            raise refuse(form, FormCode.EXTERNAL_ID_NEEDS_KEY)

    def _check_surface(self, form: Form, field: Line) -> None:
        if field.data in _SURFACES_OF_KEYS and not self._may_send_external_id:
            raise refuse(form, FormCode.SURFACE_NEEDS_KEY)

    def _speaks_of_something(self, field: WordingKey) -> bool:
        return field.kind is None or bool(self[KINDS[field.kind].field].data)

    def problems(self) -> list[FieldProblem]:
        """Why it was refused, in the order of the fields; empty before `validate()`."""
        found: list[tuple[str, Problem]] = []
        mistyped = Problem(FormCode.TYPE_WRONG, self.regulars_offer.language)
        if "" in self._mistyped:
            found.append(("", mistyped))
        for field in self:
            if field.name in self._mistyped:
                found.append((field.name, mistyped))
            else:
                found += [
                    (field.name, e) for e in field.errors if isinstance(e, Problem)
                ]
        return [
            FieldProblem(name, problem.code, str(problem)) for name, problem in found
        ]

    def answer(self) -> Answer:
        """What was said.

        Raises:
            ValueError: `validate()` has not said yes.
        """
        if not self._is_valid:
            raise ValueError(
                "answer() belongs to a form whose validate() returned True"
            )
        return Answer(
            addresses=tuple(
                f.address for f in self if isinstance(f, AddressField) and f.address
            ),
            channels=self.contact_channel.chosen,
            x_link=self._agreed(self.consent_x_link),
            contact_wording=self.contact_wording.data,
            conversation_x=self._agreed(self.consent_conversation_x),
            offers=self._offers(),
            given_name=self.given_name.data,
            family_name=self.family_name.data,
            topics=self.topic.data,
            interests=self.interest.data,
            external_id=self.external_id.data,
            order_id=self.order_id.data,
            receipt=self.x_handle_receipt.data,
            surface=self.surface.data or self.regulars_offer.default_surface,
            locale=self.locale.data,
        )

    def _agreed(self, field: WordingKey) -> str | None:
        return field.data if self._speaks_of_something(field) else None

    def _offers(self) -> tuple[tuple[Channel, str], ...]:
        boxes = (
            (c, self[f"consent_offers_{c.value}"]) for c in self.regulars_offer.channels
        )
        agreed = ((c, self._agreed(cast(WordingKey, box))) for c, box in boxes)
        return tuple((c, key) for c, key in agreed if key)


_LIST_FIELDS = frozenset({"contact_channel", "topic", "interest"})


def fields_from_json(payload: object) -> FormData:
    """The fields of a decoded JSON object, null being as good as absent.

    `contact_channel`, `topic` and `interest` hold a text or a list of texts, all others
    a text. Never raises: what is otherwise is named in the result's *mistyped*.
    """
    if not isinstance(payload, dict):
        return FormData({}, {""})
    values: dict[str, list[str]] = {}
    mistyped: set[str] = set()
    for name, value in payload.items():
        many = value if isinstance(value, list) and name in _LIST_FIELDS else [value]
        if all(isinstance(item, str) for item in many):
            values[name] = many
        elif value is not None:
            mistyped.add(name)
    return FormData(values, mistyped)
