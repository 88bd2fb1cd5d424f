"""The owner's login: one row, with the hash of the password and the version of its sessions."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, String, Table, Text, select

from regulars.keep.db import Instant, metadata

owner_table = Table(
    "owner",
    metadata,
    Column("id", String(10), primary_key=True),
    Column("password_hash", Text, nullable=False),
    # A session carries the version that it began under and ends when this changes.
    Column("session_version", String(40), nullable=False),
    Column("changed_at", Instant, nullable=False),
)
_ONE = "owner"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever may open the owner's page."""

    password_hash: str
    session_version: str


def find_owner(connection: Connection) -> Owner | None:
    """The owner; None while no password is set."""
    row = connection.execute(
        select(owner_table).where(owner_table.c.id == _ONE)
    ).one_or_none()
    return Owner(row.password_hash, row.session_version) if row else None


def set_password(connection: Connection, password_hash: str, now: datetime) -> None:
    """Let the password of *password_hash* open the page from now on; all sessions end."""
    connection.execute(owner_table.delete().where(owner_table.c.id == _ONE))
    connection.execute(
        owner_table.insert().values(
            id=_ONE,
            password_hash=password_hash,
            session_version=_new_version(),
            changed_at=now,
        )
    )


def end_sessions(connection: Connection) -> None:
    """End every session, on whatever device it is."""
    connection.execute(
        owner_table.update()
        .where(owner_table.c.id == _ONE)
        .values(session_version=_new_version())
    )


def _new_version() -> str:
    return secrets.token_urlsafe(16)
