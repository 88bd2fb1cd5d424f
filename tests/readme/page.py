"""The README as a test reads it: its blocks by name, its tables, its tree of folders."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
FENCE = re.compile(
    r"^(?:<!-- run: (?P<name>[a-z-]+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_RANDOM = re.compile(
    r"\b(evt|cus|cp|con|sgn|site|ep|dlv)_[0-9A-Z]{26}\b|(?<=/p/)[\w-]{22}"
)


def block(name: str) -> str:
    (text,) = [m["text"] for m in FENCE.finditer(TEXT) if m["name"] == name]
    return text


def table(header: str) -> list[list[str]]:
    """The cells of the rows under the line *header*."""
    lines = TEXT.partition(f"{header}\n")[2].splitlines()[1:]
    rows = lines[: next(n for n, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def steady(value: Any) -> Any:
    """*value* with its random ids numbered as they appear.

    Contact points of one instant have no order of their own.
    """
    seen: dict[str, str] = {}
    value = copy.deepcopy(value)
    if "data" in value:
        value["data"]["customer"]["contact_points"].sort(
            key=lambda point: point["kind"]
        )
    text = _RANDOM.sub(
        lambda m: seen.setdefault(m[0], f"{m[1] or 'token'}_{len(seen)}"),
        json.dumps(value),
    )
    return json.loads(text)


def pretty(value: Any, indent: str = "", width: int = 150) -> str:
    """JSON as the README shows it: as much on each line as fits."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent + flat) < width or not isinstance(value, dict | list):
        return flat
    inner = indent + " "
    parts = [pretty(item, inner, width) for item in value]
    if isinstance(value, dict):
        names = [f"{json.dumps(name)}: " for name in value]
        parts = [
            n + pretty(v, inner, width)
            for n, v in zip(names, value.values(), strict=True)
        ]
    lines = parts[:1]
    for part in parts[1:]:
        whole = f"{lines[-1]}, {part}"
        fits = "\n" not in whole and len(inner + whole) < width
        lines[-1:] = [whole] if fits else [lines[-1], part]
    return flat[0] + f",\n{inner}".join(lines) + flat[-1]


def layout() -> Iterator[str]:
    """Every path of the tree."""
    (tree,) = [m["text"] for m in FENCE.finditer(TEXT) if m["language"] == "text"]
    top = ""
    for line in tree.splitlines():
        names = re.split(r"  +", line.strip())[0].split()
        if not line.startswith(" "):
            top = names[0]
        yield from (name if name == top else top + name for name in names)
