"""What the database knows of itself: which key it belongs to, and which releases may use it."""

import hashlib
import hmac
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    Connection,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError

from regulars.keep.db import insert_new, metadata
from regulars.keep.signups import opens_newest_signup
from regulars.values.instants import to_rfc3339

installation_table = Table(
    "installation",
    metadata,
    Column("name", String(40), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("name"),
)
_KEY_CHECK = "key_check"


class OtherKey(Exception):
    """The database was made under another SECRET_KEY; nothing in it was changed."""


def check_key(connection: Connection, secret_key: str) -> None:
    """Make sure that *secret_key* is the one that this database was made under.

    Raises:
        OtherKey: it is not, so that no link, digest or suppression in it would fit.
    """
    value = _find(connection, _KEY_CHECK)
    if value is None:
        # From before the check was kept: a link that was given out tells as much.
        belongs = opens_newest_signup(connection, secret_key)
    else:
        belongs = hmac.compare_digest(value, _digest(secret_key))
    if not belongs:
        raise OtherKey


def claim_key(connection: Connection, secret_key: str) -> None:
    """As ``check_key``, and on first use the key is what the database belongs to from now on.

    Raises:
        OtherKey: the database belongs to another key.
    """
    check_key(connection, secret_key)
    if _find(connection, _KEY_CHECK) is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(
                installation_table.insert().values(
                    name=_KEY_CHECK, value=_digest(secret_key)
                )
            )
    except IntegrityError:
        # Another process started for the first time just before.
        check_key(connection, secret_key)


def take_turn(
    connection: Connection, name: str, now: datetime, every: timedelta
) -> bool:
    """Whether it is on us to do what *name* is at *now*: one process in *every* is told so."""
    row = {"name": f"last_{name}", "value": ""}
    insert_new(connection, installation_table, [row])
    value = installation_table.c.value
    is_long_ago = or_(
        value <= to_rfc3339(now - every),
        # Written by a clock that was wrong.
        value > to_rfc3339(now + every),
    )
    result = connection.execute(
        installation_table.update()
        .where(installation_table.c.name == row["name"], is_long_ago)
        .values(value=to_rfc3339(now))
    )
    return result.rowcount == 1


def readable_from(connection: Connection) -> str | None:
    """The revision of the oldest release that can use this database; None: it does not say."""
    return _find(connection, "readable_from")


def _find(connection: Connection, name: str) -> str | None:
    return connection.execute(
        select(installation_table.c.value).where(installation_table.c.name == name)
    ).scalar_one_or_none()


def _digest(secret_key: str) -> str:
    return hmac.digest(
        secret_key.encode(), b"this database's key", hashlib.sha256
    ).hex()
