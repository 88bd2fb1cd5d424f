"""A picture that the shop names: taken for what its bytes say, never for what its name says."""

from pathlib import Path
from typing import Final

MOST_BYTES: Final = 256 * 1024


def type_of_picture(data: bytes) -> str | None:
    """The media type of *data*: PNG, JPEG or WebP; None for all else.

    SVG is left out: it is a document that can hold scripts.
    """
    # https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:14] == b"WEBPVP":
        return "image/webp"
    return None


def parse_picture(value: str) -> str:
    """The path *value* of a picture that can be shown; empty stays empty.

    Raises:
        ValueError: it cannot be read, is too large, or is no picture of a kind we show.
    """
    if not value:
        return ""
    try:
        with Path(value).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError("names no file that can be read") from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"must be a picture of at most {MOST_BYTES // 1024} kB")
    if type_of_picture(data) is None:
        raise ValueError("must be a PNG, JPEG or WebP picture")
    return value
