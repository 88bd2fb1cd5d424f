"""Signups: one submission each, and the private link that goes with it."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    false,
    select,
)

from regulars.keep.db import Instant, metadata
from regulars.values.verdict import Verdict

signup_table = Table(
    "signup",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("customer_id", ForeignKey("customer.id"), nullable=False, index=True),
    Column("site_id", String(40)),
    Column("surface", String(40), nullable=False),
    Column("order_id", String(100)),
    # Whether the shop itself said so: under a secret key or by a signed link.
    Column("order_verified", Boolean, nullable=False, server_default=false()),
    Column("page_url", String(2000)),
    Column("device_id", String(40)),
    # What this signup sent: the link from its answer shows this and nothing older.
    Column("contact_point_ids", JSON, nullable=False),
    Column("channels", JSON, nullable=False),
    # What its sender was told of the handle, in the sender's own spelling.
    Column("handle", String(20)),
    Column("verdict", String(10)),
    Column("revocations", Integer, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)

# Made once: making a statement costs more than running it.
_BY_ID = select(signup_table).where(signup_table.c.id == bindparam("signup_id"))

SignupRow = Row[tuple[Any, ...]]
_TOKEN_BYTES = 16


def preferences_token(secret_key: str, signup_id: str, revocations: int = 0) -> str:
    """The 128-bit token of a signup's preferences link, always the same until revoked."""
    message = f"preferences:{signup_id}:{revocations}".encode()
    digest = hmac.digest(secret_key.encode(), message, hashlib.sha256)[:_TOKEN_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def add_signup(
    connection: Connection,
    *,
    signup_id: str,
    customer_id: str,
    token: str,
    contact_point_ids: Sequence[str],
    channels: Sequence[str],
    order_verified: bool,
    now: datetime,
    **told: str | None,
) -> None:
    """Record one submission; *told* is where it came from and what its sender was told."""
    connection.execute(
        signup_table.insert(),
        {
            "id": signup_id,
            "customer_id": customer_id,
            "contact_point_ids": list(contact_point_ids),
            "channels": list(channels),
            "order_verified": order_verified,
            "revocations": 0,
            "token_hash": _token_hash(token),
            "created_at": now,
            **told,
        },
    )


def find_signup(connection: Connection, signup_id: str) -> SignupRow | None:
    """The row of *signup_id*."""
    return connection.execute(_BY_ID, {"signup_id": signup_id}).one_or_none()


def signups_of(connection: Connection, customer_id: str) -> list[SignupRow]:
    """Every signup of the customer, oldest first."""
    return list(
        connection.execute(
            select(signup_table)
            .where(signup_table.c.customer_id == customer_id)
            .order_by(signup_table.c.id)
        )
    )


def find_by_token(connection: Connection, token: str) -> SignupRow | None:
    """The signup whose preferences link carries *token*."""
    return connection.execute(
        select(signup_table).where(signup_table.c.token_hash == _token_hash(token))
    ).one_or_none()


def opens_newest_signup(connection: Connection, secret_key: str) -> bool:
    """Whether links made with *secret_key* open here; True also where there is no signup yet."""
    row = connection.execute(
        select(signup_table).order_by(signup_table.c.id.desc()).limit(1)
    ).one_or_none()
    if row is None:
        return True
    token = preferences_token(secret_key, row.id, row.revocations)
    return bool(row.token_hash == _token_hash(token))


def forget_verdicts(connection: Connection, customer_id: str) -> bool:
    """Whether a signup of the customer still had what X said of the handle; none has now."""
    forgotten = connection.execute(
        signup_table.update()
        .where(
            signup_table.c.customer_id == customer_id,
            signup_table.c.verdict != Verdict.UNCHECKED.value,
        )
        .values(verdict=Verdict.UNCHECKED.value)
    )
    return forgotten.rowcount > 0


def blank_signups(connection: Connection, customer_id: str) -> None:
    """Take out of the customer's signups what could say who or where they were."""
    connection.execute(
        signup_table.update()
        .where(signup_table.c.customer_id == customer_id)
        .values(
            order_id=None,
            order_verified=False,
            page_url=None,
            contact_point_ids=[],
            channels=[],
            handle=None,
            verdict=None,
        )
    )
