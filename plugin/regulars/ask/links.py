"""Wordings hold addresses as plain text; on a page those become links, word for word the same."""

import re

from markupsafe import Markup, escape

# Stops at whitespace and at what cannot be in a URL unescaped; the look-behind leaves
# out the full stop, comma or bracket that belongs to the sentence and not to the address.
_URL = re.compile(
    r"https?://[^\s<>\"'`{}|\\^]*[^\s<>\"'`{}|\\^.,;:!?()\[\]]", re.IGNORECASE
)


def link_urls(text: str) -> Markup:
    """*text* escaped, with each http(s) address in it made a link.

    The visible text stays as it was to the letter: it is what a consent row proves.
    """
    text = str(text)  # a Markup would be taken as escaped already
    parts: list[Markup] = []
    end = 0
    for match in _URL.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(
            Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(match[0])
        )
        end = match.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)
