"""The shop's colour, and what is made of it so that every text stays readable.

Contrast is WCAG's: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

import re
from dataclasses import dataclass
from typing import Final

_READABLE: Final = 4.5  # of text, https://www.w3.org/TR/WCAG22/#contrast-minimum
# The darkest ground of the light pages and the lightest of the dark ones.
_LIGHT_GROUND: Final = "#f5ecdf"
_DARK_GROUND: Final = "#2d261f"
_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"
_STEP: Final = 0.04


def parse_colour(text: str) -> str:
    """The colour that *text* names, as #rrggbb in small letters; empty stays empty.

    Raises:
        ValueError: it is no colour of three or six hexadecimal digits.
    """
    if not text:
        return ""
    match = re.fullmatch(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", text)
    if match is None:
        raise ValueError("must be a colour such as #96401f")
    digits = match[1].lower()
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return f"#{digits}"


@dataclass(frozen=True, slots=True)
class Palette:
    """The shop's colour as the pages use it: as it is for areas, bent to be readable as text."""

    brand: str
    brand_strong: str
    """The area under a pointer."""
    on_brand: str
    accent_on_light: str
    accent_on_dark: str

    @property
    def strong_on_light(self) -> str:
        """The accent under a pointer on a light page."""
        return _mixed(self.accent_on_light, _BLACK, 0.25)

    @property
    def strong_on_dark(self) -> str:
        """The accent under a pointer on a dark page."""
        return _mixed(self.accent_on_dark, _WHITE, 0.25)


def palette_of(colour: str) -> Palette:
    """What the pages are coloured with; *colour* is as `parse_colour` returns it.

    Every pair that text stands in has a contrast of 4.5 or more.
    """
    on_brand = max(_WHITE, _BLACK, key=lambda ink: contrast(ink, colour))
    away = _BLACK if on_brand == _WHITE else _WHITE
    return Palette(
        brand=colour,
        brand_strong=_mixed(colour, away, 0.2),
        on_brand=on_brand,
        accent_on_light=_readable(colour, _LIGHT_GROUND, _BLACK),
        accent_on_dark=_readable(colour, _DARK_GROUND, _WHITE),
    )


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _readable(colour: str, ground: str, towards: str) -> str:
    """*colour*, moved *towards* black or white until it can be read on *ground*."""
    share = 0.0
    while contrast(found := _mixed(colour, towards, share), ground) < _READABLE:
        share += _STEP
    return found


def _mixed(colour: str, other: str, share: float) -> str:
    pairs = zip(_channels(colour), _channels(other), strict=True)
    mixed = (round(a + (b - a) * min(share, 1.0)) for a, b in pairs)
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    # https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    parts = (channel / 255 for channel in _channels(colour))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
