"""The one master of the fields' markup: plain HTML that posts without any script.

Drawn by the WTForms mixin, by `regulars site snippet` and by `GET /v1/snippet`; the
element makes the same from the same JSON. Nothing here but markupsafe and words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from regulars.ask.links import link_urls
from regulars.ask.questions import Choice, Detail, Questions, Sentence

# What phones would "correct": https://html.spec.whatwg.org/#autofill-field
AS_TYPED = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}
HANDLE_INPUT = {"autocomplete": "nickname", **AS_TYPED, "maxlength": "60"}
# The element speaks English by itself; for other languages its texts come along.
_BUILT_IN = "en"


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody gave already, shown again with what was wrong with it.

    *values* are by the field's name, *problems* the sentence to show at it.
    """

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """The text in the field *name*, None where there is none."""
        return next(iter(self.values.get(name, ())), None) or None


NOTHING_SAID = Said()


def site_field(asked: Questions) -> Markup:
    """The hidden field that says at which site the fields stood."""
    return _hidden("site", asked.site)


def handle_markup(
    asked: Questions, said: Said = NOTHING_SAID, *, prefix: str = ""
) -> Markup:
    """`<regulars-handle>` with all that is in it; *prefix* goes before each id."""
    question, name = asked.handle, f"{prefix}x_handle"
    wrong = said.problems.get("x_handle")
    described = [f"{name}-statement", f"{name}-status"]
    attributes: dict[str, str | None] = {
        "data-part": "input",
        "id": name,
        "name": "x_handle",
        "type": "text",
        "dir": "ltr",
        **HANDLE_INPUT,
        **_state(name, described, wrong),
        "value": said.text("x_handle"),
        # Shown again, it was given before under the statement: the element may check it.
        "data-touched": "" if said.text("consent_x_link") else None,
    }
    inside = [
        _tag("label", {"data-part": "label", "for": name}, question.label),
        _error(name, wrong),
        _input(attributes),
        _statement(f"{name}-statement", question.statement),
        _hidden("consent_x_link", question.statement.key),
        _tag("p", {"data-part": "status", "id": f"{name}-status", "role": "status"}),
        _box("consent_conversation_x", question.conversation, said),
    ]
    texts = {f"text-{k.replace('_', '-')}": v for k, v in asked.texts.items()}
    host = {
        "site": asked.site,
        "endpoint": asked.endpoint,
        **_language(asked),
        **(texts if asked.language != _BUILT_IN else {}),
    }
    return _tag("regulars-handle", host, _lines(inside, 2))


def channels_markup(
    asked: Questions,
    said: Said = NOTHING_SAID,
    *,
    prefix: str = "",
    is_multiple: bool = False,
) -> Markup:
    """`<regulars-channels>` with all that is in it; *is_multiple* lets people choose several."""
    question, name = asked.channels, f"{prefix}contact_wording-text"
    wrong = said.problems.get("contact_channel")
    error_id = f"{prefix}contact_channel"
    described = [name, *([f"{error_id}-error"] if wrong else [])]
    kind = "checkbox" if is_multiple else "radio"
    inside = [
        _tag("legend", {"data-part": "legend"}, question.legend),
        _error(error_id, wrong),
        _statement(name, question.statement),
        _hidden("contact_wording", question.statement.key),
    ]
    for choice in question.choices:
        if choice.value or not is_multiple:
            inside.append(_choice(choice, kind, said))
        # An address that several ways share stands after the last of them, once.
        inside += [
            _detail(detail, said, prefix)
            for detail in question.details
            if detail.channels[-1] == choice.value
        ]
    attributes = {"data-part": "channels", "aria-describedby": " ".join(described)}
    fieldset = _tag("fieldset", attributes, _lines(inside, 4))
    host = {**({"multiple": ""} if is_multiple else {}), **_language(asked)}
    return _tag("regulars-channels", host, _lines([fieldset], 2))


def _choice(choice: Choice, kind: str, said: Said) -> Markup:
    chosen = said.values.get("contact_channel")
    given = {"type": kind, "name": "contact_channel", "value": choice.value}
    is_chosen = bool(chosen) and choice.value in (chosen or ())
    box = _input({**given, **({"checked": ""} if is_chosen else {})})
    label = _tag("label", {}, box + Markup(" ") + escape(choice.label))
    return _tag("div", {"data-part": "choice"}, label)


def _detail(detail: Detail, said: Said, prefix: str) -> Markup:
    inside: list[Markup] = []
    if detail.input is not None:
        inside += _address(detail, said, prefix)
    for box in detail.boxes:
        name = f"consent_offers_{box.channel}"
        inside.append(_box(name, box.sentence, said, {"data-for": box.channel}))
    attributes = {"data-part": "detail", "data-for": " ".join(detail.channels)}
    return _tag("div", attributes, _lines(inside, 6))


def _address(detail: Detail, said: Said, prefix: str) -> Iterator[Markup]:
    row = detail.input
    if row is None:
        return
    name = f"{prefix}{row.field}"
    wrong = said.problems.get(row.field)
    yield _tag("label", {"for": name}, row.label)
    yield _error(name, wrong)
    yield _input(
        {
            "id": name,
            "name": row.field,
            "type": row.type,
            "dir": "ltr",
            "autocomplete": row.autocomplete,
            **AS_TYPED,
            "maxlength": str(row.maxlength),
            **_state(name, [], wrong),
            "value": said.text(row.field),
        }
    )


def _box(
    name: str,
    sentence: Sentence,
    said: Said,
    more: Mapping[str, str] | None = None,
) -> Markup:
    """An unticked box; its value is the key of the very text beside it."""
    given = {"type": "checkbox", "name": name, "value": sentence.key}
    box = _input({**given, **({"checked": ""} if said.text(name) else {})})
    attributes = {"data-part": "consent", **(more or {})}
    return _tag("label", attributes, box + Markup(" ") + link_urls(sentence.text))


def _statement(name: str, sentence: Sentence) -> Markup:
    return _tag("p", {"data-part": "statement", "id": name}, link_urls(sentence.text))


def _error(name: str, wrong: str | None) -> Markup:
    attributes = {"data-part": "error", "id": f"{name}-error"}
    return _tag("p", attributes, wrong) if wrong else Markup("")


def _state(name: str, described: list[str], wrong: str | None) -> dict[str, str]:
    ids = [*described, *([f"{name}-error"] if wrong else [])]
    state = {"aria-describedby": " ".join(ids)} if ids else {}
    return {**state, "aria-invalid": "true"} if wrong else state


def _language(asked: Questions) -> dict[str, str]:
    # The page around it may be in another language, or written the other way.
    return {"lang": asked.language, "dir": asked.dir}


def _hidden(name: str, value: str) -> Markup:
    return _input({"type": "hidden", "name": name, "value": value})


def _input(attributes: Mapping[str, str | None]) -> Markup:
    return Markup("<input{}>").format(_attributes(attributes))


def _tag(name: str, attributes: Mapping[str, str | None], inside: str = "") -> Markup:
    start = Markup("<{0}{1}>").format(name, _attributes(attributes))
    return start + escape(inside) + Markup("</{}>").format(name)


def _attributes(attributes: Mapping[str, str | None]) -> Markup:
    """What stands in the tag; None is left out, an empty text is the bare name but for a value."""
    parts = (
        Markup(' {}="{}"').format(name, value)
        if value or name == "value"
        else Markup(" {}").format(name)
        for name, value in attributes.items()
        if value is not None
    )
    return Markup("").join(parts)


def _lines(parts: Sequence[Markup], indent: int) -> Markup:
    space = escape("\n" + " " * indent)
    inside = Markup("").join(space + part for part in parts if part)
    return inside + escape("\n" + " " * (indent - 2))
