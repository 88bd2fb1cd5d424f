"""Copies of an SQLite database that is in use: one file, whole, checked and on the disk."""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

_PAGES_A_STEP = 2000
_SAFETY_COPIES_KEPT = 2


class CopyFailed(Exception):
    """There is no copy, and what was to be copied is as it was; the text says why."""


def copy_database(
    source: Path, target: Path, progress: Callable[[int], None] | None = None
) -> None:
    """Copy the database *source*, as of this instant, into the new file *target*.

    Others go on reading and writing meanwhile. *target* has mode 0600 and no log beside
    it. *progress* is told per cent.

    Raises:
        CopyFailed: there is no room, the source is damaged, or *target* exists.
    """
    try:
        with new_private_file(target):
            pass
        with (
            closing(connect(source)) as reading,
            closing(sqlite3.connect(target, isolation_level=None)) as writing,
        ):
            # An open view: else every commit of others would start the copy afresh.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reading.backup(
                writing, pages=_PAGES_A_STEP, progress=_in_per_cent(progress)
            )
            writing.execute("PRAGMA journal_mode=DELETE")
            check_integrity(writing)
        make_durable(target)
    except (sqlite3.Error, OSError) as error:
        raise CopyFailed(f"{source} could not be copied to {target}: {error}") from (
            error
        )


def connect(file: Path) -> sqlite3.Connection:
    """A connection to the SQLite database *file*, which is not made if it is not there."""
    # The driver begins no transaction by itself.
    return sqlite3.connect(
        f"file:{quote(str(file))}?mode=rw", uri=True, isolation_level=None
    )


def check_integrity(connection: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` unless SQLite finds the whole file in order."""
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"damaged: {found}")


@contextmanager
def new_private_file(path: Path) -> Iterator[int]:
    """The descriptor of the new file *path*, which its owner alone may read."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A name beside *path* for what is to become it; what is still there at the end goes."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield draft
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def make_durable(path: Path) -> None:
    """Have *path*, and its name in the folder, on the disk before this returns."""
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def keep_safety_copy(file: Path, revision: str) -> Path:
    """The copy of the database *file* as it was before *revision*; the last two are kept.

    Raises:
        CopyFailed: as ``copy_database``.
    """
    copy = file.with_name(f"{file.name}.before-{revision}")
    with draft_of(copy) as draft:
        copy_database(file, draft)
        if _revision_of(draft) == revision:
            # Another process started at the same moment and has made copy and upgrade.
            return copy
        draft.replace(copy)
    make_durable(copy)
    kept = sorted(safety_copies(file), key=lambda path: path.stat().st_mtime_ns)
    for old in kept[:-_SAFETY_COPIES_KEPT]:
        old.unlink()
    return copy


def safety_copies(file: Path) -> list[Path]:
    """The copies that upgrades of *file* left, by name."""
    return sorted(file.parent.glob(f"{file.name}.before-[0-9]*"))


def _revision_of(file: Path) -> str:
    with closing(connect(file)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0])


def _in_per_cent(
    progress: Callable[[int], None] | None,
) -> Callable[[int, int, int], None] | None:
    if progress is None:
        return None

    def tell(status: int, remaining: int, total: int) -> None:
        progress(100 * (total - remaining) // max(total, 1))

    return tell
