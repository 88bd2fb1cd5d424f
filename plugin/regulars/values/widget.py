"""What the fields say of a handle while it is typed and once it was checked."""

from collections.abc import Mapping
from typing import Final

from regulars.values.languages import N_, SOURCE_LANGUAGE, translate

# `{handle}` is the name without its @; what is said is ours alone, never X's.
_TEXTS: Final[Mapping[str, str]] = {
    "found": N_("@{handle} exists on X."),
    "not_found": N_("We could not find @{handle} on X: check the spelling."),
    "suspended": N_("We could not use that account: @{handle}."),
    "pending": N_("We will check @{handle} a little later."),
    "unchecked": N_("We take @{handle} as you typed it."),
    "checking": N_("Checking…"),
    "malformed": N_("That does not look like an X handle. It looks like @name."),
}


def widget_texts(language: str = SOURCE_LANGUAGE) -> Mapping[str, str]:
    """The status texts of the fields in *language*, by verdict or state of the page.

    The gap `{handle}` stands for the handle without its @.
    """
    return {state: translate(text, language) for state, text in _TEXTS.items()}
