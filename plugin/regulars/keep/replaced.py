"""The database that a restore replaces: what it still knows, and where it is kept."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from regulars.keep.copies import connect, make_durable
from regulars.keep.in_use import InUse


@dataclass(frozen=True, slots=True)
class Remembered:
    """What must outlive the database that knew it."""

    highest_version: int = 0
    erased: dict[str, int] = field(default_factory=dict)
    """Ids of erased customers with the version of the erasure."""
    suppressions: tuple[tuple[str, str, datetime], ...] = ()
    """Kind, keyed digest and since when, of each address that must not come back."""


def remember(file: Path) -> Remembered | None:
    """What the database *file* knows; None where it is damaged or none of ours."""
    try:
        with closing(connect(file)) as connection:
            (highest,) = connection.execute(
                "SELECT max(version) FROM customer"
            ).fetchone()
            erased = connection.execute(
                "SELECT id, version FROM customer WHERE status = 'erased'"
            ).fetchall()
            suppressions = connection.execute(
                "SELECT kind, hmac, created_at FROM suppression"
            ).fetchall()
    except sqlite3.Error:
        return None
    return Remembered(highest or 0, dict(erased), tuple(_with_instants(suppressions)))


def _with_instants(
    rows: Iterable[tuple[str, str, int]],
) -> Iterable[tuple[str, str, datetime]]:
    for kind, digest, milliseconds in rows:
        yield kind, digest, datetime.fromtimestamp(milliseconds / 1000, UTC)


def close_for_all(file: Path) -> None:
    """Bring the database *file* into one file, its log emptied into it and gone.

    A damaged one stays as it is.

    Raises:
        InUse: somebody has it open.
    """
    try:
        with closing(connect(file)) as connection:
            connection.execute("PRAGMA busy_timeout=2000")
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise InUse(file) from error
    except sqlite3.DatabaseError:
        # Damaged: with its log, if any, it is put aside as it is.
        return


def aside_of(path: Path, now: datetime) -> Path:
    """The name under which what a restore replaces at *path* is kept."""
    at = now.astimezone(UTC)
    stamp = f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z"
    return path.with_name(f"{path.name}.before-restore-{stamp}")


def put_in_place(staged: Path, file: Path, now: datetime) -> Path | None:
    """Make *staged* the file *file*; where the one before it is kept, if there was one.

    Raises:
        FileExistsError: another restore of this instant kept one there.
    """
    aside = None
    if file.exists():
        aside = aside_of(file, now)
        # A second name first, so that at no instant there is no database.
        aside.hardlink_to(file)
        aside.chmod(0o600)
        # The log belongs to the old file; on the new one it would be applied as if its own.
        for suffix in ("-wal", "-shm"):
            log = file.with_name(file.name + suffix)
            if log.exists():
                log.replace(aside.with_name(aside.name + suffix))
    staged.replace(file)
    make_durable(file)
    return aside
