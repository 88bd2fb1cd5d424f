"""Pasted text made readable: characters tidied and links split, for the parsers of contact addresses.

The character sets are written out instead of taken from `str.strip` or Unicode categories, so that a browser can
apply exactly the same ones.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

# The white space that JavaScript's String.prototype.trim removes, but for U+FEFF, which is invisible here.
# https://tc39.es/ecma262/#sec-white-space
SPACES: Final = (
    "\t\n\v\f\r \u00a0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000"
)

# Soft hyphen, zero-width characters, bidi marks and embeddings, invisible operators, byte order mark.
INVISIBLE: Final = "\u00ad\u061c\u180e\ufeff" + "".join(
    map(
        chr,
        (
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2065),
            *range(0x2066, 0x206A),
        ),
    )
)

# The full-width forms of ASCII that East Asian keyboards type: each is meant as its ASCII twin.
_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_DROP_INVISIBLE: Final = dict.fromkeys(map(ord, INVISIBLE))

# Controls other than white space, lone surrogates, and code points that are no characters.
_NOT_TEXT: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)

_LINK: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):)?(?P<slashes>//)?"
    r"(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)
_HOST: Final = re.compile(r"(?P<host>[a-z0-9.\-]*[a-z0-9\-])\.?(?::443|:80)?")
_WEB_SCHEMES: Final = frozenset({"http", "https"})


def is_text(text: str) -> bool:
    """Tell whether *text* is free of control characters, lone surrogates and non-characters; white space is text."""
    return _NOT_TEXT.search(text) is None


def fold_full_width(text: str) -> str:
    """Return *text* with the full-width forms U+FF01 to U+FF5E as ASCII and nothing else changed.

    This is deliberately less than NFKC, which would turn other characters (the long s, the Kelvin sign, circled digits) into ASCII
    letters and digits too, and so one account's name into another's.
    """
    return text.translate(_FULL_WIDTH)


def tidy(text: str) -> str:
    """Return *text* without invisible characters, full-width forms folded, white space trimmed off both ends."""
    return fold_full_width(text.translate(_DROP_INVISIBLE)).strip(SPACES)


@dataclass(frozen=True, slots=True)
class Link:
    """A pasted web address in its parts.

    `host` is in lower case without port 443 or 80 and without the root's dot, or empty where no plain host stands:
    user info, escapes, back-slashes, another port, another scheme. `segments` are the path's, empty ones left out.
    `is_bare` says that only dotted text stood there, neither scheme nor path.
    """

    host: str
    segments: tuple[str, ...]
    query: str
    fragment: str
    is_bare: bool

    def parameter(self, name: str) -> str | None:
        """Return the decoded first value of *name* in the query, None where it is absent."""
        for pair in self.query.split("&"):
            key, _, value = pair.partition("=")
            if key == name:
                return unquote_plus(value)
        return None


def split_link(text: str) -> Link | None:
    """Split *text* into the parts of a link; None where it has neither scheme nor a dot before its first `/`.

    Never more lenient than a browser about which host the link leads to. Expects tidied text.
    """
    found = _LINK.fullmatch(text)
    if found is None:  # cannot be: every part may be empty
        return None
    scheme, authority = found["scheme"], found["authority"]
    has_scheme = bool(found["slashes"])
    if scheme is not None and not has_scheme:
        # `x.com:443/name` has a port and no scheme; `https:name` is no address that anybody means.
        authority, scheme = f"{scheme}:{authority}", None
    if not has_scheme and "." not in authority:
        return None
    is_web = scheme is None or scheme.lower() in _WEB_SCHEMES
    rest = (found["path"], found["query"], found["fragment"])
    return Link(
        host=_host(authority) if is_web else "",
        segments=tuple(segment for segment in found["path"].split("/") if segment),
        query=found["query"] or "",
        fragment=found["fragment"] or "",
        is_bare=not has_scheme and not any(rest),
    )


def _host(authority: str) -> str:
    # Not `authority.lower()` alone: lower-casing turns the Kelvin sign into a plain k.
    if not authority.isascii():
        return ""
    found = _HOST.fullmatch(authority.lower())
    return found["host"] if found else ""
