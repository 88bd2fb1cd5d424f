"""Environments made from nothing but the lock and a package index."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import need

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def need_package_index(folder: Path) -> None:
    """Skip the test by name where no package can be fetched."""
    target = folder / "probe"
    done = run(
        UV, "pip", "install", "--quiet", "--no-deps", "--target", target, "idna",
        "--constraint", ROOT / "requirements.txt",
    )  # fmt: skip
    need(done.returncode == 0, "a package index")


def run(
    *command: str | Path,
    cwd: Path | None = None,
    path: Sequence[Path] = (),
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """What a command printed and returned, *path* being searched for it first."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "VIRTUAL_ENV" and not name.startswith(("REGULARS_", "PYTHON"))
    }
    search = ":".join([*map(str, path), inherited["PATH"]])
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**inherited, "PATH": search, **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
