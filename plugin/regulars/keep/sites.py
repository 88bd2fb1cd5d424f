"""Sites (places where the fields appear) and the secret keys of the shop's own server."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import JSON, Column, Connection, Row, String, Table, bindparam, select

from regulars.keep.db import Instant, metadata
from regulars.values.ids import may_be_id, new_id

site_table = Table(
    "site",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("publishable_key", String(60), nullable=False, unique=True),
    Column("receipt_secret", String(80), nullable=False),
    Column("origins", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
)
key_table = Table(
    "api_key",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# Made once: making a statement costs more than running it.
_LIVE_KEY = select(key_table.c.id).where(
    key_table.c.hash == bindparam("key_hash"), key_table.c.revoked_at.is_(None)
)


class NameTaken(Exception):
    """Another site has this name."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place where the fields appear; ``origins`` are the pages that may post to it."""

    id: str
    name: str
    publishable_key: str
    receipt_secret: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A secret key as listed; the secret itself is shown once and only its hash kept."""

    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


def add_site(
    connection: Connection, name: str, origins: Sequence[str], now: datetime
) -> Site:
    """A new site with keys of its own.

    Raises:
        NameTaken: a site of that name exists.
    """
    if find_site_by_name(connection, name):
        raise NameTaken(name)
    site = Site(
        id=new_id("site", now),
        name=name,
        publishable_key="pk_" + secrets.token_urlsafe(24),
        receipt_secret="rs_" + secrets.token_urlsafe(32),
        origins=tuple(dict.fromkeys(origins)),
    )
    connection.execute(
        site_table.insert().values(
            id=site.id,
            name=site.name,
            publishable_key=site.publishable_key,
            receipt_secret=site.receipt_secret,
            origins=list(site.origins),
            created_at=now,
        )
    )
    return site


def allow_origins(
    connection: Connection, name: str, origins: Sequence[str]
) -> Site | None:
    """The site called *name* with *origins* added; None if there is no such site."""
    site = find_site_by_name(connection, name)
    if site is None:
        return None
    allowed = tuple(dict.fromkeys([*site.origins, *origins]))
    connection.execute(
        site_table.update()
        .where(site_table.c.id == site.id)
        .values(origins=list(allowed))
    )
    return replace(site, origins=allowed)


def list_sites(connection: Connection) -> list[Site]:
    """Every site, oldest first."""
    rows = connection.execute(select(site_table).order_by(site_table.c.id))
    return [_site(row) for row in rows]


def find_site(connection: Connection, publishable_key: str) -> Site | None:
    """The site that *publishable_key* names; any text whatever may be asked for."""
    if not may_be_id(publishable_key):
        return None
    row = connection.execute(
        select(site_table).where(site_table.c.publishable_key == publishable_key)
    ).one_or_none()
    return _site(row) if row else None


def find_site_by_name(connection: Connection, name: str) -> Site | None:
    """The site called *name*."""
    row = connection.execute(
        select(site_table).where(site_table.c.name == name)
    ).one_or_none()
    return _site(row) if row else None


def _site(row: Row[tuple[object, ...]]) -> Site:
    return Site(
        row.id, row.name, row.publishable_key, row.receipt_secret, tuple(row.origins)
    )


def add_key(connection: Connection, name: str, now: datetime) -> tuple[ApiKey, str]:
    """A new secret key and its text, which is not kept."""
    key = ApiKey(new_id("key", now), name, now, None)
    text = "sk_" + secrets.token_urlsafe(32)
    connection.execute(
        key_table.insert().values(
            id=key.id, name=name, hash=_hash(text), created_at=now
        )
    )
    return key, text


def list_keys(connection: Connection) -> list[ApiKey]:
    """Every key, oldest first, revoked ones too."""
    rows = connection.execute(select(key_table).order_by(key_table.c.id))
    return [ApiKey(row.id, row.name, row.created_at, row.revoked_at) for row in rows]


def revoke_key(connection: Connection, key_id: str, now: datetime) -> bool:
    """Whether a live key of this id was ended."""
    result = connection.execute(
        key_table.update()
        .where(key_table.c.id == key_id, key_table.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return result.rowcount == 1


def find_key(connection: Connection, text: str) -> str | None:
    """The id of the live key whose text this is."""
    # The text has 256 random bits: a plain hash cannot be searched backwards.
    return connection.execute(_LIVE_KEY, {"key_hash": _hash(text)}).scalar_one_or_none()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
