"""The settings file as ``init`` writes it and as a backup keeps it."""

from collections.abc import Mapping
from pathlib import Path

from regulars.keep.copies import draft_of, make_durable, new_private_file
from regulars.setting_rows import FOLLOW_FROM_OTHERS, SETTINGS
from regulars.settings import PREFIX

_HEADER = """\
# Settings of Regulars. NAME=value, one a line; what is commented out is the default.
# The environment wins over this file. Restart 'regulars serve' after a change.
"""
# Where the database is belongs to the machine; the key has a file of its own in a backup.
_OF_THE_MACHINE = frozenset({"DATABASE_URL", "SECRET_KEY"})
_OF_X = frozenset({"X_BEARER_TOKEN"})


def settings_text(given: Mapping[str, str]) -> str:
    """A settings file with *given* (names without prefix) set and every other one named."""
    parts = [_HEADER]
    for row in SETTINGS:
        if row.name == "DATA_DIR":
            continue
        name = PREFIX + row.name
        default = row.default.replace("`", "")
        line = f"# {name}={default}"
        if row.name in FOLLOW_FROM_OTHERS:
            line = f"# Without it: {default}.\n# {name}="
        if given.get(row.name):
            line = f"{name}={_quoted(given[row.name])}"
        parts.append(f"\n# {row.purpose.replace('`', '')}\n{line}\n")
    return "".join(parts)


def _quoted(value: str) -> str:
    is_plain = not (set(value) & set(" #\"'$\\"))
    return value if is_plain else f'"{value}"'


def write_once(path: Path, text: str) -> bool:
    """Whether *path* was made, mode 0600, whole or not at all; False: it was there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with draft_of(path) as draft:
        _write(draft, text)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return False
    make_durable(path)
    return True


def write_over(path: Path, text: str, *, aside: Path) -> None:
    """Make *text* the file *path*, mode 0600; what was there is *aside* now."""
    with draft_of(path) as draft:
        _write(draft, text)
        aside.hardlink_to(path)
        draft.replace(path)
    make_durable(path)


def _write(path: Path, text: str) -> None:
    with (
        new_private_file(path) as descriptor,
        open(descriptor, "w", encoding="utf-8", closefd=False) as file,
    ):
        file.write(text)
    make_durable(path)


def settings_for_backup(text: str, *, with_x_token: bool) -> str:
    """The settings file *text* without what is of one machine, and without the X token unless wanted."""
    left_out = _OF_THE_MACHINE if with_x_token else _OF_THE_MACHINE | _OF_X
    lines = []
    for line in text.splitlines():
        name = line.partition("=")[0].strip().removeprefix(PREFIX)
        is_out = name in left_out
        lines.append(
            f"# {PREFIX}{name}= was left out of the backup" if is_out else line
        )
    return "\n".join(lines) + "\n"
