"""Every text that was ever on a screen, under the key that the screen carried."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    tuple_,
)
from sqlalchemy.exc import IntegrityError

from regulars.keep.db import Database, Instant, metadata
from regulars.values.wording import Wording

wording_table = Table(
    "wording",
    metadata,
    Column("id", String(40), nullable=False),
    Column("key", String(40), nullable=False),
    Column("language", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("id", "key"),
    UniqueConstraint("id", "language", "sha256"),
)


@dataclass(frozen=True, slots=True)
class WordingRef:
    """Which wording was shown, as a consent row keeps it."""

    id: str
    key: str
    sha256: str


class WordingBook:
    """The wordings of one database; what was read once is remembered, for none ever changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._in_force: dict[tuple[str, str, str], Wording] = {}
        self._refs: dict[tuple[str, str], WordingRef] = {}

    def put_in_force(
        self, texts: Iterable[tuple[str, str, str]], now: datetime
    ) -> dict[str, Wording]:
        """The wordings of *texts* (id, language, text) by id, each under its key.

        A text that was never rendered before gets a new key; the keys before it stay
        acceptable, because a page that shows them may still be open somewhere.
        """
        texts = list(texts)
        unread = [row for row in texts if row not in self._in_force]
        if unread:
            self._in_force.update(self._read_or_add(unread, now))
        return {row[0]: self._in_force[row] for row in texts}

    def _read_or_add(
        self, texts: list[tuple[str, str, str]], now: datetime
    ) -> dict[tuple[str, str, str], Wording]:
        with self._database.reading() as connection:
            found = {row: _find(connection, *row) for row in texts}
        for row in [row for row, wording in found.items() if wording is None]:
            found[row] = self._add_or_read(row, now)
        return {row: wording for row, wording in found.items() if wording}

    def _add_or_read(self, row: tuple[str, str, str], now: datetime) -> Wording | None:
        try:
            with self._database.transaction() as connection:
                return _find(connection, *row) or _add(connection, *row, now)
        except IntegrityError:
            # Another process rendered the same text for the first time just before.
            with self._database.reading() as connection:
                return _find(connection, *row)

    def find(self, wording_id: str, key: str) -> WordingRef | None:
        """The wording that was rendered as *key*, or None when none ever was."""
        known = self._refs.get((wording_id, key))
        if known is not None:
            return known
        with self._database.reading() as connection:
            sha256 = connection.execute(
                select(wording_table.c.sha256).where(
                    wording_table.c.id == wording_id, wording_table.c.key == key
                )
            ).scalar_one_or_none()
        if sha256 is None:
            return None
        return self._refs.setdefault(
            (wording_id, key), WordingRef(wording_id, key, sha256)
        )


def texts_of(
    connection: Connection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The very words that were rendered, by the wording's id and key."""
    columns = wording_table.c
    rows = connection.execute(
        select(columns.id, columns.key, columns.text).where(
            tuple_(columns.id, columns.key).in_(list(keys))
        )
    )
    return {(row.id, row.key): row.text for row in rows}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _find(
    connection: Connection, wording_id: str, language: str, text: str
) -> Wording | None:
    row = connection.execute(
        select(wording_table.c.key).where(
            wording_table.c.id == wording_id,
            wording_table.c.language == language,
            wording_table.c.sha256 == _sha256(text),
        )
    ).one_or_none()
    return Wording(wording_id, row.key, language, text) if row else None


def _add(
    connection: Connection, wording_id: str, language: str, text: str, now: datetime
) -> Wording:
    count = connection.execute(
        select(func.count()).where(
            wording_table.c.id == wording_id, wording_table.c.language == language
        )
    ).scalar_one()
    key = f"{count + 1}.{language}"
    connection.execute(
        wording_table.insert().values(
            id=wording_id,
            key=key,
            language=language,
            text=text,
            sha256=_sha256(text),
            created_at=now,
        )
    )
    return Wording(wording_id, key, language, text)
