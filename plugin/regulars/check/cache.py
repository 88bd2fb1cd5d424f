"""What X said, kept while it is fresh: by handle and by numeric id, for every process.

A row is also the claim of whoever asks X for its key just now: of two processes that
meet the same new handle one pays. What is written is written under the claim alone, so
that an answer that was forgotten meanwhile, or that came too late, is not kept.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Row,
    String,
    Table,
    and_,
    or_,
    select,
    tuple_,
)

from regulars.check.lookup import Answer, Found, NotFound, Profile, Suspended
from regulars.keep.db import (
    Instant,
    database_now,
    insert_new,
    insert_or_replace,
    is_past,
    metadata,
)

# Clocks of two hosts differ by less; what was asked later was asked by a broken one.
_CLOCKS_DIFFER = timedelta(minutes=1)
# More than any answer is kept: what seems to be asked later than that cannot be judged.
_BROKEN_CLOCK = timedelta(days=1)

cache_table = Table(
    "lookup_cache",
    metadata,
    Column("kind", String(10), primary_key=True),
    # The handle in lower case, or the numeric id.
    Column("key", String(40), primary_key=True),
    # Null while nothing is known and somebody asks.
    Column("outcome", String(10)),
    Column("user_id", String(30), index=True),
    Column("username", String(30)),
    Column("profile", JSON(none_as_null=True)),
    Column("asked_at", Instant),
    Column("fresh_until", Instant, index=True),
    Column("claim", String(40), index=True),
    # By the database's clock, which all processes share.
    Column("claimed_until", Instant),
)
_c = cache_table.c


class Kind(StrEnum):
    """What an answer is kept under."""

    HANDLE = "handle"
    ID = "id"


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long an answer is used again.

    ``tried`` bounds both for handles that somebody only tried and did not sign up with.
    """

    found: timedelta
    not_found: timedelta
    tried: timedelta = timedelta(hours=1)

    def of(self, answer: Answer, *, only_tried: bool) -> timedelta:
        """How long *answer* is fresh; zero where it is no answer of X."""
        if isinstance(answer, Found):
            span = self.found
        elif isinstance(answer, NotFound | Suspended):
            span = self.not_found
        else:
            span = timedelta()
        return min(span, self.tried) if only_tried else span


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer to write down: until when it is fresh, and whether its profile may stay."""

    answer: Answer
    fresh_until: datetime


def read_fresh(
    connection: Connection, kind: Kind, keys: Collection[str], now: datetime
) -> dict[str, Answer]:
    """The answers that may be used at *now*, each with the time at which X was asked."""
    rows = connection.execute(
        select(cache_table).where(
            _c.kind == kind.value,
            _c.key.in_(list(keys)),
            _c.fresh_until > now,
            _c.asked_at <= now + _CLOCKS_DIFFER,
        )
    )
    return {row.key: _answer(row) for row in rows}


def claim(
    connection: Connection, kind: Kind, keys: Iterable[str], token: str, lease_s: float
) -> set[str]:
    """Those of *keys* that are now ours to ask for; the others somebody else asks for."""
    wanted = sorted(keys)
    if not wanted:
        return set()
    insert_new(
        connection, cache_table, [{"kind": kind.value, "key": key} for key in wanted]
    )
    is_wanted = and_(_c.kind == kind.value, _c.key.in_(wanted))
    is_free = or_(_c.claimed_until.is_(None), is_past(_c.claimed_until))
    free = select(_c.key).where(is_wanted, is_free).order_by(_c.key)
    # Rows that another process is just claiming are not worth waiting for.
    ours = list(connection.execute(free.with_for_update(skip_locked=True)).scalars())
    connection.execute(
        cache_table.update()
        .where(_c.kind == kind.value, _c.key.in_(ours))
        .values(claim=token, claimed_until=database_now(timedelta(seconds=lease_s)))
    )
    return set(ours)


def claimed_by_others(
    connection: Connection, kind: Kind, keys: Collection[str]
) -> set[str]:
    """Those of *keys* that somebody asks X for at this moment."""
    rows = connection.execute(
        select(_c.key).where(
            _c.kind == kind.value,
            _c.key.in_(list(keys)),
            _c.claimed_until.is_not(None),
            ~is_past(_c.claimed_until),
        )
    )
    return set(rows.scalars())


def store(
    connection: Connection,
    kind: Kind,
    token: str,
    kept: Mapping[str, Kept],
    now: datetime,
) -> None:
    """Write down what was learned under the claim *token*, and end that claim."""
    is_ours = and_(_c.kind == kind.value, _c.claim == token)
    ours = connection.execute(select(cache_table).where(is_ours).with_for_update())
    gone, rows = [], []
    for before in ours.all():
        news = kept.get(before.key)
        if news is None:
            continue
        if before.user_id and not _is_as_before(before, news.answer):
            gone.append(before.user_id)
        row = {"kind": kind.value, "key": before.key, **_values(news, now)}
        rows.append(row)
        if kind is Kind.HANDLE and row["user_id"] is not None:
            rows.append({**row, "kind": Kind.ID.value, "key": row["user_id"]})
    if gone:
        forget_cached(connection, user_ids=gone)
    # Two handles of one account make its row by number twice, which one insert must not.
    unique = {(row["kind"], row["key"]): row for row in rows}
    insert_or_replace(connection, cache_table, list(unique.values()))
    release(connection, token)


def _is_as_before(before: Row[Any], answer: Answer) -> bool:
    """Whether *answer* shows the account of the row *before*, and as open as it was."""
    return (
        isinstance(answer, Found)
        and answer.user_id == before.user_id
        and (answer.profile is not None or before.profile is None)
    )


def release(connection: Connection, token: str, keys: Collection[str] = ()) -> None:
    """End the claim *token*, on *keys* alone if some are named; a row without answer goes."""
    is_ours = _c.claim == token
    if keys:
        is_ours = and_(is_ours, _c.key.in_(list(keys)))
    connection.execute(cache_table.delete().where(is_ours, _c.outcome.is_(None)))
    connection.execute(
        cache_table.update().where(is_ours).values(claim=None, claimed_until=None)
    )


def forget_cached(
    connection: Connection,
    *,
    handles: Iterable[str] = (),
    user_ids: Iterable[str] = (),
) -> int:
    """How many rows about these accounts were deleted; *handles* in any case.

    Whatever other handle or id leads to the same account goes as well, and an answer
    that is on its way is not kept when it arrives.
    """
    keys = [handle.lower() for handle in handles]
    ids = set(user_ids)
    if keys:
        known = select(_c.user_id).where(_c.kind == Kind.HANDLE.value, _c.key.in_(keys))
        ids |= {found for found in connection.execute(known).scalars() if found}
    named = [(Kind.HANDLE.value, key) for key in keys]
    named += [(Kind.ID.value, key) for key in ids]
    result = connection.execute(
        cache_table.delete().where(
            or_(tuple_(_c.kind, _c.key).in_(named), _c.user_id.in_(list(ids)))
        )
    )
    return result.rowcount


def empty_cache(connection: Connection) -> int:
    """How many rows were deleted, which is all: for a shop whose access to X has ended."""
    return connection.execute(cache_table.delete()).rowcount


def drop_stale(connection: Connection, now: datetime, limit: int = 500) -> int:
    """How many rows were deleted that no one may use any more, *limit* at most."""
    is_over = or_(
        _c.fresh_until <= now,
        _c.fresh_until.is_(None),
        _c.asked_at > now + _BROKEN_CLOCK,
    )
    is_free = or_(_c.claimed_until.is_(None), is_past(_c.claimed_until))
    named = connection.execute(
        select(_c.kind, _c.key).where(is_over, is_free).limit(limit)
    ).all()
    if named:
        connection.execute(
            cache_table.delete().where(
                tuple_(_c.kind, _c.key).in_([tuple(row) for row in named]), is_free
            )
        )
    return len(named)


def _values(kept: Kept, now: datetime) -> dict[str, Any]:
    answer = kept.answer
    found = answer if isinstance(answer, Found) else None
    profile = found.profile if found else None
    return {
        "outcome": _OUTCOMES[type(answer)],
        "user_id": found.user_id if found else None,
        "username": found.username if found else None,
        "profile": profile.as_json() if profile else None,
        "asked_at": now,
        "fresh_until": kept.fresh_until,
        "claim": None,
        "claimed_until": None,
    }


_OUTCOMES: dict[type[Answer], str] = {
    Found: "found",
    NotFound: "not_found",
    Suspended: "suspended",
}


def _answer(row: Row[Any]) -> Answer:
    if row.outcome == "found":
        profile = Profile.from_json(row.profile) if row.profile else None
        return Found(row.user_id, row.username, profile, asked_at=row.asked_at)
    if row.outcome == "suspended":
        return Suspended(asked_at=row.asked_at)
    return NotFound(asked_at=row.asked_at)
