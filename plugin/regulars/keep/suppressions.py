"""What outlives an erasure: that nobody may bring the person back, without saying who."""

import hashlib
import hmac
import json
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, Connection, PrimaryKeyConstraint, String, Table

from regulars.keep.contact_points import ContactRow
from regulars.keep.db import Instant, metadata
from regulars.values.instants import to_rfc3339

suppression_table = Table(
    "suppression",
    metadata,
    Column("kind", String(20), nullable=False),
    Column("hmac", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("kind", "hmac"),
)

JOURNAL_NAME = "erasures.jsonl"


def suppress(
    connection: Connection, secret_key: str, points: list[ContactRow], now: datetime
) -> None:
    """Remember by keyed digest the addresses that imports must not bring back."""
    digests = {
        (point.kind, _digest(secret_key, point.kind, point.normalized))
        for point in points
    }
    for kind, digest in digests:
        connection.execute(
            suppression_table.delete().where(
                suppression_table.c.kind == kind, suppression_table.c.hmac == digest
            )
        )
        connection.execute(
            suppression_table.insert().values(kind=kind, hmac=digest, created_at=now)
        )


def _digest(secret_key: str, kind: str, normalized: str) -> str:
    message = f"suppression:{kind}:{normalized}".encode()
    return hmac.digest(secret_key.encode(), message, hashlib.sha256).hex()


def write_journal(folder: Path, customer_id: str, version: int, now: datetime) -> None:
    """Add one durable line to the erasure journal beside the database.

    A restored backup still has the person; the journal is what takes them out again.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = {"id": customer_id, "at": to_rfc3339(now), "version": version}
    descriptor = os.open(
        folder / JOURNAL_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
    )
    with os.fdopen(descriptor, "w", encoding="ascii") as journal:
        journal.write(json.dumps(line, separators=(",", ":")) + "\n")
        journal.flush()
        os.fsync(journal.fileno())
