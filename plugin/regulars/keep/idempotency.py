"""Answers that were given under an Idempotency-Key, so that a repeat gets the same one."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    PrimaryKeyConstraint,
    String,
    Table,
    select,
    tuple_,
)
from sqlalchemy.exc import IntegrityError

from regulars.keep.db import Database, Instant, metadata

KEPT = timedelta(days=30)
# A process that died while answering holds its key no longer than this.
_IN_FLIGHT_AT_MOST = timedelta(seconds=60)

idempotency_table = Table(
    "idempotency",
    metadata,
    Column("scope", String(60), nullable=False),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("started_at", Instant, nullable=False, index=True),
    # Null while the first request is still being answered.
    Column("signup_id", String(40), index=True),
    Column("answer", JSON(none_as_null=True)),
    PrimaryKeyConstraint("scope", "key"),
)


class InFlight(Exception):
    """The first request with this key has no answer yet."""


class OtherBody(Exception):
    """The key was used before with another body."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer under one key; *scope* is the credential it was used with."""

    scope: str
    key: str
    started_at: datetime


def fingerprint_of(secret_key: str, body: bytes) -> str:
    """A keyed digest of *body*: equal bodies are known again, none can be guessed from it."""
    return hmac.digest(secret_key.encode(), body, hashlib.sha256).hex()


def claim(
    database: Database, scope: str, key: str, fingerprint: str, now: datetime
) -> Claim | dict[str, Any]:
    """The claim to answer, or the answer that was given.

    Raises:
        InFlight: the first request is still being answered.
        OtherBody: the key belongs to another body.
    """
    columns = idempotency_table.c
    with database.transaction() as connection:
        connection.execute(
            idempotency_table.delete().where(columns.started_at < now - KEPT)
        )
        row = connection.execute(
            select(idempotency_table).where(columns.scope == scope, columns.key == key)
        ).one_or_none()
        abandoned = (
            row is not None
            and row.answer is None
            and row.started_at < now - _IN_FLIGHT_AT_MOST
        )
        if row is not None and abandoned:
            release(connection, Claim(scope, key, row.started_at))
        if row is None or abandoned:
            _insert(connection, scope, key, fingerprint, now)
            return Claim(scope, key, now)
    if row.fingerprint != fingerprint:
        raise OtherBody
    if row.answer is None:
        raise InFlight
    answer: dict[str, Any] = row.answer
    return answer


def drop_expired(connection: Connection, now: datetime, limit: int) -> int:
    """How many answers were deleted that are kept no longer, *limit* at most."""
    columns = idempotency_table.c
    is_expired = columns.started_at < now - KEPT
    named = connection.execute(
        select(columns.scope, columns.key).where(is_expired).limit(limit)
    ).all()
    if named:
        keys = [tuple(row) for row in named]
        is_named = tuple_(columns.scope, columns.key).in_(keys)
        connection.execute(idempotency_table.delete().where(is_named, is_expired))
    return len(named)


def _insert(
    connection: Connection, scope: str, key: str, fingerprint: str, now: datetime
) -> None:
    try:
        connection.execute(
            idempotency_table.insert().values(
                scope=scope, key=key, fingerprint=fingerprint, started_at=now
            )
        )
    except IntegrityError as error:
        # Another process was between our look and our insert.
        raise InFlight from error


def answer_under(
    connection: Connection, claimed: Claim, signup_id: str, answer: dict[str, Any]
) -> bool:
    """Whether the claim still stood and the answer is kept; in the signup's transaction."""
    columns = idempotency_table.c
    result = connection.execute(
        idempotency_table.update()
        .where(
            columns.scope == claimed.scope,
            columns.key == claimed.key,
            columns.started_at == claimed.started_at,
            columns.answer.is_(None),
        )
        .values(signup_id=signup_id, answer=answer)
    )
    return result.rowcount == 1


def release(connection: Connection, claimed: Claim) -> None:
    """Let the key be used again: nothing was done under it."""
    columns = idempotency_table.c
    connection.execute(
        idempotency_table.delete().where(
            columns.scope == claimed.scope,
            columns.key == claimed.key,
            columns.started_at == claimed.started_at,
            columns.answer.is_(None),
        )
    )


def blank_answers(connection: Connection, signup_ids: list[str]) -> None:
    """Leave of the answers to these signups the id alone: a repeat makes nobody anew."""
    for signup_id in signup_ids:
        connection.execute(
            idempotency_table.update()
            .where(idempotency_table.c.signup_id == signup_id)
            .values(answer={"id": signup_id, "handle": None, "preferences_url": None})
        )
