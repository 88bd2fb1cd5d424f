"""The files of every version of the widget, ready to be sent: compressed, with their hashes."""

import gzip
import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import brotli

FOLDER: Final = Path(__file__).parent
SCRIPT: Final = "fields.js"
STYLE: Final = "fields.css"

_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_NAME = re.compile(r"fields(?:\.[A-Za-z-]+)?\.js|fields\.css")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}

# In the order of preference where a browser takes several alike.
Coding = Literal["br", "gzip", "identity"]
CODINGS: Final[tuple[Coding, ...]] = ("br", "gzip", "identity")


@dataclass(frozen=True, slots=True)
class WidgetFile:
    """One file of one version: its bytes in each coding, and their hash as SRI writes it."""

    version: str
    name: str
    content_type: str
    integrity: str
    bodies: dict[Coding, bytes]


def versions() -> tuple[str, ...]:
    """Every version there is, oldest first."""
    return tuple(_names_by_version())


def newest_version(major: str | None = None) -> str:
    """The newest version, of *major* alone if that is given.

    Raises:
        LookupError: there is none.
    """
    return [v for v in versions() if major in {None, v.partition(".")[0]}][-1]


def file_names(version: str) -> tuple[str, ...]:
    """The files of *version*.

    Raises:
        LookupError: there is no such version.
    """
    return _names_by_version()[version]


def widget_file(version: str, name: str) -> WidgetFile:
    """The file *name* of *version*.

    Raises:
        LookupError: there is none.
    """
    # Only what was found in our own folder is ever opened, whatever is asked for.
    if name not in file_names(version):
        raise LookupError(name)
    return _read(version, name)


def integrity() -> dict[str, dict[str, str]]:
    """The hash of each file of each version."""
    return {
        version: {name: widget_file(version, name).integrity for name in names}
        for version, names in _names_by_version().items()
    }


def sri(body: bytes) -> str:
    """The hash of *body* as https://www.w3.org/TR/SRI/ writes it."""
    return "sha384-" + b64encode(hashlib.sha384(body).digest()).decode("ascii")


@cache
def _names_by_version() -> dict[str, tuple[str, ...]]:
    folders = [
        it
        for it in FOLDER.iterdir()
        if _VERSION.fullmatch(it.name) and (it / SCRIPT).is_file()
    ]
    folders.sort(key=lambda it: [int(number) for number in it.name.split(".")])
    return {
        folder.name: tuple(
            sorted(it.name for it in folder.iterdir() if _NAME.fullmatch(it.name))
        )
        for folder in folders
    }


@cache
def _read(version: str, name: str) -> WidgetFile:
    file = FOLDER / version / name
    body = file.read_bytes()
    bodies: dict[Coding, bytes] = {
        "br": brotli.compress(body, mode=brotli.MODE_TEXT),
        # No time in it: the same bytes whenever and wherever they are made.
        "gzip": gzip.compress(body, mtime=0),
        "identity": body,
    }
    return WidgetFile(version, name, _TYPES[file.suffix], sri(body), bodies)
