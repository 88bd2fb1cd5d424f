"""Questions that an installation asks itself from outside: each can be answered once.

Only a process on the same database can find the question there, so an answer shows
that the address asked leads to this database and no other.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from regulars.keep.installation import installation_table
from regulars.values.instants import to_rfc3339

# As long as a slow answer takes; a question in some proxy's log is soon worth nothing.
LASTS = timedelta(seconds=60)
_PREFIX = "challenge:"


def add_challenge(connection: Connection, now: datetime) -> str:
    """The nonce of a new question; those that nobody answered in time are removed."""
    columns = installation_table.c
    connection.execute(
        installation_table.delete().where(
            columns.name.startswith(_PREFIX), columns.value <= to_rfc3339(now)
        )
    )
    nonce = secrets.token_urlsafe(32)
    connection.execute(
        installation_table.insert().values(
            name=_name(nonce), value=to_rfc3339(now + LASTS)
        )
    )
    return nonce


def is_open(connection: Connection, nonce: str, now: datetime) -> bool:
    """Whether the question stands; asking changes nothing."""
    columns = installation_table.c
    found = connection.execute(
        select(columns.name).where(
            columns.name == _name(nonce), columns.value > to_rfc3339(now)
        )
    ).scalar_one_or_none()
    return found is not None


def answer(connection: Connection, nonce: str) -> bool:
    """Whether the question stood until now: of two that answer it, one does."""
    result = connection.execute(
        installation_table.delete().where(installation_table.c.name == _name(nonce))
    )
    return result.rowcount == 1


def _name(nonce: str) -> str:
    # The column holds 40 characters; 120 bits of the hash are more than enough.
    digest = hashlib.sha256(nonce.encode("utf-8", "replace")).hexdigest()
    return _PREFIX + digest[:30]


def proof_of(secret_key: str, nonce: str) -> str:
    """What only a holder of the installation's key can answer to *nonce*."""
    message = f"this installation answers:{nonce}".encode("utf-8", "replace")
    return hmac.digest(secret_key.encode(), message, hashlib.sha256).hex()
