"""What outlives an erasure: that nobody may bring the person back, without saying who."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    PrimaryKeyConstraint,
    String,
    Table,
    select,
)

from regulars.keep.contact_points import ContactRow
from regulars.keep.db import Instant, metadata

suppression_table = Table(
    "suppression",
    metadata,
    Column("kind", String(20), nullable=False),
    Column("hmac", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("kind", "hmac"),
)


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


def add_suppressions(
    connection: Connection, rows: Iterable[tuple[str, str, datetime]]
) -> None:
    """Add those of *rows* (kind, digest, since when) that are not there yet."""
    columns = suppression_table.c
    held = {
        (row.kind, row.hmac)
        for row in connection.execute(select(columns.kind, columns.hmac))
    }
    for kind, digest, created_at in rows:
        if (kind, digest) not in held:
            connection.execute(
                suppression_table.insert().values(
                    kind=kind, hmac=digest, created_at=created_at
                )
            )
