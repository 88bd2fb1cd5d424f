"""The shop's colour stays readable whatever it is; its logo is taken for what its bytes say."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.values.colour import contrast, palette_of, parse_colour
from regulars.values.picture import MOST_BYTES, parse_picture, type_of_picture

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
# Where text stands on the pages, from the darkest light to the lightest dark.
LIGHT_GROUNDS = ("#f7f1e8", "#fffdf9", "#faf4ea", "#f5ecdf")
DARK_GROUNDS = ("#17130f", "#211c17", "#29231d", "#2d261f")


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("", ""),
        ("#96401F", "#96401f"),
        ("96401f", "#96401f"),
        ("#0af", "#00aaff"),
    ],
)
def test_colours_that_are_read(text: str, colour: str) -> None:
    """Three digits or six, with or without the sign."""
    assert parse_colour(text) == colour


@pytest.mark.parametrize("text", ["red", "#12345", "#1234567", "#ggg", "#fff;}", " "])
def test_colours_that_are_refused(text: str) -> None:
    """What is no colour never reaches a style sheet."""
    with pytest.raises(ValueError, match="must be a colour"):
        parse_colour(text)


def test_contrast_is_that_of_the_standard() -> None:
    """Black on white is 21; the grey of the standard's own examples is 4.5 and some more."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@given(COLOURS)
def test_every_colour_can_be_read(colour: str) -> None:
    """Whatever the shop's colour, each text in it or on it has the contrast that AA wants."""
    palette = palette_of(colour)
    assert palette.brand == colour
    for area in (palette.brand, palette.brand_strong):
        assert contrast(area, palette.on_brand) >= 4.5
    for text in (palette.accent_on_light, palette.strong_on_light):
        assert min(contrast(text, ground) for ground in LIGHT_GROUNDS) >= 4.5
    for text in (palette.accent_on_dark, palette.strong_on_dark):
        assert min(contrast(text, ground) for ground in DARK_GROUNDS) >= 4.5


def test_a_readable_colour_stays_as_it_is() -> None:
    """Only what cannot be read is bent."""
    assert palette_of("#96401f").accent_on_light == "#96401f"
    assert palette_of("#ffd400").accent_on_dark == "#ffd400"


def png(width: int = 2, height: int = 2) -> bytes:
    """A small red picture."""
    rows = b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


PICTURES = {
    "image/png": png(),
    "image/jpeg": b"\xff\xd8\xff\xe0rest",
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 rest",
}
NO_PICTURES = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<!doctype html><script>alert(1)</script>",
    "gif": b"GIF89a",
    "sound": b"RIFF\x10\0\0\0WAVEfmt ",
    "nothing": b"",
}


@pytest.mark.parametrize(("kind", "data"), PICTURES.items(), ids=PICTURES)
def test_pictures_are_known_by_their_bytes(
    tmp_path: Path, kind: str, data: bytes
) -> None:
    """A picture may have any name."""
    file = tmp_path / "logo.svg"
    file.write_bytes(data)
    assert type_of_picture(data) == kind
    assert parse_picture(str(file)) == str(file)


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_of_ours(tmp_path: Path, data: bytes) -> None:
    """A file that could hold a script, or that browsers might take for one, is refused."""
    file = tmp_path / "logo.png"
    file.write_bytes(data)
    with pytest.raises(ValueError, match="PNG, JPEG or WebP"):
        parse_picture(str(file))


def test_pictures_that_cannot_be_used(tmp_path: Path) -> None:
    """A file that is too large, not there or a folder is refused with what would do."""
    file = tmp_path / "large.png"
    file.write_bytes(png() + bytes(MOST_BYTES))
    with pytest.raises(ValueError, match="at most 256 kB"):
        parse_picture(str(file))
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(ValueError, match="names no file"):
            parse_picture(str(path))
    assert parse_picture("") == ""
