"""How Alembic runs here: on the application's engine, all migrations in one transaction."""

from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy import BigInteger, Connection, func, select, text

from regulars.keep.db import WRITING, Instant, metadata


def _render(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    # A migration must not change when the type's code does.
    if kind == "type" and isinstance(item, Instant):
        return "sa.BigInteger()"
    return False


def _is_other_type(
    migration: object,
    inspected: Any,
    declared: Any,
    inspected_type: Any,
    declared_type: Any,
) -> bool | None:
    if isinstance(declared_type, Instant):
        return not isinstance(inspected_type, BigInteger)
    return None


# Any number that no other program's lock is likely to have.
_LOCK = 7_317_041_962


def _wait_for_others(connection: Connection) -> None:
    """On PostgreSQL BEGIN locks nothing: one start at a time migrates, however long it takes."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    # A table that stays locked fails the upgrade: waiting, it would hold everybody up.
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))


def _run(connection: Connection) -> None:
    _wait_for_others(connection)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        render_item=_render,
        compare_type=_is_other_type,
    )
    with context.begin_transaction():
        context.run_migrations()


engine = current_app.extensions["migrate"].db.engine
# Begun before the present release is read: of two starts at once one waits and then finds
# nothing to do.
with (
    engine.connect() as opened,
    opened.execution_options(**{WRITING: True}).begin(),
):
    _run(opened)
