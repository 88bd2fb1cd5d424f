"""The erasure journal: a file beside the database, so that no older copy of it undoes an erasure.

A line has the id, the time and the version of ``customer.erased``; nothing in it says who.
"""

import json
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from regulars.keep.copies import make_durable
from regulars.keep.db import Database
from regulars.values.instants import to_rfc3339

JOURNAL_NAME = "erasures.jsonl"
_ID = re.compile(r"cus_[0-9A-Z]{26}")


def journal_folder(database: Database, data_dir: Path) -> Path:
    """Where the journal of *database* is: beside its file, or else in the data folder."""
    return database.file.resolve().parent if database.file else data_dir


def write_journal(folder: Path, customer_id: str, version: int, now: datetime) -> None:
    """Add one durable line to the journal in *folder*."""
    line = {"id": customer_id, "at": to_rfc3339(now), "version": version}
    _append(folder, [json.dumps(line, separators=(",", ":"))])


def read_journal(text: str) -> dict[str, int]:
    """Who was erased, each with the highest version that says so.

    Of a line that a crash cut short the ids are taken, at version 0: whoever is in it
    asked to be erased.
    """
    erased: dict[str, int] = {}
    for line in text.splitlines():
        for customer_id, version in _read_line(line):
            erased[customer_id] = max(version, erased.get(customer_id, 0))
    return erased


def _read_line(line: str) -> list[tuple[str, int]]:
    try:
        said = json.loads(line)
        return [(str(said["id"]), int(said["version"]))]
    except (ValueError, KeyError, TypeError):
        return [(customer_id, 0) for customer_id in _ID.findall(line)]


def journal_text(folder: Path) -> str | None:
    """The journal in *folder*; None where there is none."""
    path = folder / JOURNAL_NAME
    return path.read_text("ascii", "replace") if path.is_file() else None


def join_journal(folder: Path, other: str) -> None:
    """Add to the journal in *folder* the lines of another that it lacks; it loses none."""
    held = set((journal_text(folder) or "").splitlines())
    missing = [line for line in other.splitlines() if line and line not in held]
    if missing:
        _append(folder, missing)


def _append(folder: Path, lines: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / JOURNAL_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "rb+", buffering=0) as journal:
        size = journal.seek(0, os.SEEK_END)
        if size and os.pread(journal.fileno(), 1, size - 1) != b"\n":
            # A crash cut the last line short: ours must not become part of it.
            lines = ["", *lines]
        journal.write("".join(f"{line}\n" for line in lines).encode("ascii"))
    make_durable(path)
