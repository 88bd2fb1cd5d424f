"""What the fields ask on one page: the sentences with their keys, the ways offered, the labels.

The service makes it from its settings; an app of the shop's own reads it back from what
`regulars site snippet NAME --json` or `GET /v1/snippet` printed. `markup` draws it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from regulars.values.contact import Channel


@dataclass(frozen=True, slots=True)
class Sentence:
    """A wording as it stands on the screen, and the key that is posted with it."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to the question; the empty *value* declines."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Box:
    """The unticked box for offers by *channel*."""

    channel: str
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class AddressInput:
    """The input that takes an address."""

    field: str
    label: str
    type: str
    autocomplete: str
    maxlength: int


@dataclass(frozen=True, slots=True)
class Detail:
    """What belongs to *channels*: their address, but for X whose handle stands above, and boxes."""

    channels: tuple[str, ...]
    input: AddressInput | None
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class HandleQuestion:
    """The handle field with the statement beside it and the box below."""

    label: str
    statement: Sentence
    conversation: Sentence


@dataclass(frozen=True, slots=True)
class ChannelQuestion:
    """The question of how to be reached; the last of *choices* declines."""

    legend: str
    statement: Sentence
    choices: tuple[Choice, ...]
    details: tuple[Detail, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything that stands on the page, for *site*, in *language*.

    *endpoint* is where the element checks a handle, *texts* what it says of it.
    """

    site: str
    language: str
    dir: str
    endpoint: str
    invite: str
    handle: HandleQuestion
    channels: ChannelQuestion
    texts: Mapping[str, str]

    @property
    def offered(self) -> tuple[Channel, ...]:
        """The channels in the order shown, as `Offer` takes them."""
        return tuple(Channel(c.value) for c in self.channels.choices if c.value)

    def as_json(self) -> dict[str, Any]:
        """What `GET /v1/snippet` answers; `from_json` reads it back."""
        asked = self.channels
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "handle": asdict(self.handle),
            "channels": {
                "legend": asked.legend,
                "statement": asdict(asked.statement),
                "choices": [asdict(choice) for choice in asked.choices],
                "details": [_detail_json(detail) for detail in asked.details],
            },
            "texts": dict(self.texts),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Questions":
        """The questions in the decoded JSON *told*.

        Raises:
            ValueError: it is not what `as_json` makes.
        """
        try:
            return cls(
                **{name: str(told[name]) for name in _PLAIN},
                handle=HandleQuestion(
                    str(told["handle"]["label"]),
                    Sentence(**told["handle"]["statement"]),
                    Sentence(**told["handle"]["conversation"]),
                ),
                channels=_channels_from(told["channels"]),
                texts={str(k): str(v) for k, v in told["texts"].items()},
            )
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(
                "this is not what 'regulars site snippet NAME --json' prints"
            ) from error


_PLAIN = ("site", "language", "dir", "endpoint", "invite")
_NO_INPUT = dict.fromkeys(AddressInput.__slots__)


def _detail_json(detail: Detail) -> dict[str, Any]:
    boxes = [{"channel": b.channel, **asdict(b.sentence)} for b in detail.boxes]
    given = asdict(detail.input) if detail.input else _NO_INPUT
    return {"for": list(detail.channels), **given, "consents": boxes}


def _channels_from(told: Mapping[str, Any]) -> ChannelQuestion:
    return ChannelQuestion(
        str(told["legend"]),
        Sentence(**told["statement"]),
        tuple(Choice(**choice) for choice in told["choices"]),
        tuple(_detail_from(detail) for detail in told["details"]),
    )


def _detail_from(told: Mapping[str, Any]) -> Detail:
    given = {name: told[name] for name in _NO_INPUT}
    consents: Sequence[Mapping[str, str]] = told["consents"]
    return Detail(
        tuple(told["for"]),
        AddressInput(**given) if given["field"] else None,
        tuple(Box(c["channel"], Sentence(c["key"], c["text"])) for c in consents),
    )
