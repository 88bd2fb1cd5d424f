"""The committed hashes of the widget's versions, held against the files.

`make widget` runs this as a program: it renews the hashes of the newest version while
that is not released. A version is released by deleting its file UNRELEASED; from then on
its bytes never change, because shops have pinned them on their payment pages.
"""

import json
import sys
from pathlib import Path

from regulars.ask.widget.files import FOLDER, integrity, newest_version

COMMITTED = FOLDER / "integrity.json"
MARK = "UNRELEASED"

_CHANGED = """\
{file} is not what was committed under {version}.
{version} is released: shops have pinned its hash, so its bytes never change again.
Put the old bytes back (git checkout {folder}) and make a new version of yours:
  cp -r {folder} {folder.parent}/NEW && touch {folder.parent}/NEW/{mark}
then change the file there and run 'make widget'."""
_STALE = "{file} has changed: run 'make widget'."


def is_released(version: str) -> bool:
    """Whether *version* may never change again."""
    return not (FOLDER / version / MARK).exists()


def complaints(
    committed: dict[str, dict[str, str]], found: dict[str, dict[str, str]]
) -> list[str]:
    """What is wrong with each file of *found*, with what to do; *committed* is what it has to be."""
    told = []
    for version in sorted({*committed, *found}):
        was, now = committed.get(version, {}), found.get(version, {})
        text = _CHANGED if is_released(version) else _STALE
        told += [
            text.format(file=name, version=version, folder=FOLDER / version, mark=MARK)
            for name in sorted({*was, *now})
            if was.get(name) != now.get(name)
        ]
    return told


def committed() -> dict[str, dict[str, str]]:
    """The hashes in the committed file."""
    if not COMMITTED.exists():
        return {}
    told: dict[str, dict[str, str]] = json.loads(COMMITTED.read_text("utf-8"))
    return told


def renew(file: Path = COMMITTED) -> str:
    """Write the hashes of the newest version; the sentence says what was done.

    Raises:
        SystemExit: it is released.
    """
    version = newest_version()
    if is_released(version):
        raise SystemExit(f"{version} is released; nothing of it may change.")
    hashes = committed() | {version: integrity()[version]}
    file.write_text(json.dumps(hashes, indent=1) + "\n", "utf-8")
    return f"{file}: hashes of {version} renewed"


if __name__ == "__main__":
    print(renew())
    sys.exit(0)
