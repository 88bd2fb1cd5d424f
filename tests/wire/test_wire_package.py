"""The wire package stands alone: a receiver needs the standard library and nothing else."""

import subprocess
import sys
from pathlib import Path

import regulars_webhooks

ROOT = Path(regulars_webhooks.__file__).parents[1]


def test_imports_with_the_standard_library_alone() -> None:
    """Without site-packages the package, and all but transport and flask, can be imported."""
    modules = sorted(
        f"regulars_webhooks.{file.stem}"
        for file in (ROOT / "regulars_webhooks").glob("[!_]*.py")
        if file.stem not in {"transport", "flask"}
    )
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {', '.join(modules)}"
    )
    subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", script], check=True
    )


def test_everything_exported_exists() -> None:
    """Each exported name can be had."""
    assert [
        name
        for name in regulars_webhooks.__all__
        if not hasattr(regulars_webhooks, name)
    ] == []
