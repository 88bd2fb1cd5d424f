"""X accounts in step with X: which are to be asked for again, and how they were called.

The numeric id is the account, the handle a label with an age. An account is due when
what is known of it is old, or when something was seen that does not go with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    and_,
    bindparam,
    func,
    literal,
    null,
    or_,
    select,
)

from regulars.keep.contact_points import (
    ContactRow,
    Finding,
    contact_point_table,
)
from regulars.keep.customers import ACTIVE, customer_table
from regulars.keep.db import Instant, metadata
from regulars.values.contact import Kind
from regulars.values.handle import Handle
from regulars.values.verdict import Verdict

former_handle_table = Table(
    "former_handle",
    metadata,
    Column("contact_point_id", ForeignKey("contact_point.id"), nullable=False),
    Column("until", Instant, nullable=False),
    Column("customer_id", ForeignKey("customer.id"), nullable=False, index=True),
    Column("handle", String(20), nullable=False, index=True),
    PrimaryKeyConstraint("contact_point_id", "until"),
)
x_run_table = Table(
    "x_run",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("began_at", Instant, nullable=False),
)

_point = contact_point_table.c
# X has said something of these, and may say something else by now.
_IS_SETTLED = and_(
    _point.kind == Kind.X_ACCOUNT.value,
    _point.platform_user_id.is_not(None),
    _point.verdict.in_([Verdict.FOUND, Verdict.NOT_FOUND, Verdict.SUSPENDED]),
)

_IS_DOUBTED = _point.doubted_at.is_not(None)


@dataclass(frozen=True, slots=True)
class Due:
    """Which accounts are asked for again.

    Those last *checked* before, or doubted, that were not *asked* for since.
    """

    checked: datetime
    asked: datetime


def list_due(
    connection: Connection, due: Due, limit: int, *, to_claim: bool = False
) -> list[ContactRow]:
    """At most *limit* accounts of active customers that are *due*.

    Doubted ones come first, then those whose record was in use most recently. *to_claim*
    locks them, but for those that another process is just claiming.
    """
    found: list[ContactRow] = []
    for of_a_kind, order in (
        (_IS_DOUBTED, _point.doubted_at),
        (_is_old(due), customer_table.c.updated_at.desc()),
    ):
        # One by one, for each has an index of its own.
        query = (
            select(contact_point_table)
            .join(customer_table)
            .where(of_a_kind, *_may_be_asked(due))
            .order_by(order, _point.id)
            .limit(limit - len(found))
        )
        if to_claim:
            query = query.with_for_update(skip_locked=True, of=contact_point_table)
        if len(found) < limit:
            found += connection.execute(query)
    return found


def count_due(connection: Connection, due: Due) -> int:
    """How many accounts are *due*."""
    count: int = connection.execute(
        select(func.count())
        .select_from(contact_point_table)
        .join(customer_table)
        .where(or_(_IS_DOUBTED, _is_old(due)), *_may_be_asked(due))
    ).scalar_one()
    return count


def _is_old(due: Due) -> Any:
    return and_(_point.checked_at <= due.checked, _point.doubted_at.is_(None))


def _may_be_asked(due: Due) -> tuple[Any, ...]:
    return (
        _IS_SETTLED,
        or_(_point.asked_at.is_(None), _point.asked_at < due.asked),
        customer_table.c.status == ACTIVE,
    )


def mark_asked(
    connection: Connection, contact_point_ids: Iterable[str], at: datetime | None
) -> None:
    """Note that X is asked for these *at* that time: nobody else need ask as well.

    None: X was asked in vain, so that they are due as before.
    """
    connection.execute(
        contact_point_table.update()
        .where(_point.id.in_(list(contact_point_ids)))
        .values(asked_at=at)
    )


# Part of a signup's way: made once.
_DOUBT = (
    contact_point_table.update()
    .where(
        _IS_SETTLED,
        _point.normalized == bindparam("handle"),
        _point.verdict == Verdict.FOUND.value,
        _point.doubted_at.is_(None),
    )
    .values(doubted_at=bindparam("since"))
)
_IS_OTHER = _point.platform_user_id != bindparam("user_id")
_DOUBT_OTHERS = _DOUBT.where(_IS_OTHER)
_DOUBT_PROFILES = _DOUBT.where(or_(_IS_OTHER, _point.profile.is_not(None)))
_ANSWERS = frozenset({Verdict.FOUND, Verdict.NOT_FOUND, Verdict.SUSPENDED})


def doubt_others(
    connection: Connection, handle: str, finding: Finding, now: datetime
) -> int:
    """How many accounts of the label *handle* cannot be what they were, after *finding*.

    X has just said whose handle it is, or that it is nobody's. Whoever was held under it
    with another number, or with what X does not show any more, is asked for by number
    as soon as may be; nobody is merged, and nothing changes before X has answered.
    """
    if finding.verdict not in _ANSWERS:
        return 0
    given: dict[str, Any] = {"handle": handle, "since": now}
    statement = _DOUBT
    if finding.platform_user_id is not None:
        given["user_id"] = finding.platform_user_id
        statement = _DOUBT_OTHERS if finding.profile else _DOUBT_PROFILES
    return connection.execute(statement, given).rowcount


def customers_labelled(connection: Connection, handle: str) -> list[str]:
    """The active customers that have an account of the label *handle*, oldest first."""
    rows = connection.execute(
        select(_point.customer_id)
        .join(customer_table)
        .where(
            _point.kind == Kind.X_ACCOUNT.value,
            _point.normalized == handle,
            customer_table.c.status == ACTIVE,
        )
        .order_by(_point.customer_id)
    )
    return list(dict.fromkeys(rows.scalars()))


def relabel(
    connection: Connection, point: ContactRow, handle: str, url: str, now: datetime
) -> None:
    """Let *point* go by *handle*, in lower case, from *now* on; the label before is kept."""
    connection.execute(
        former_handle_table.insert(),
        {
            "contact_point_id": point.id,
            "customer_id": point.customer_id,
            "handle": point.normalized,
            "until": now,
        },
    )
    connection.execute(
        contact_point_table.update()
        .where(_point.id == point.id)
        .values(normalized=handle, url=url)
    )


def settle_doubt(connection: Connection, contact_point_id: str) -> None:
    """X has said how it is."""
    connection.execute(
        contact_point_table.update()
        .where(_point.id == contact_point_id)
        .values(doubted_at=None)
    )


def label_as_typed(connection: Connection, point: ContactRow) -> bool:
    """Whether *point* had another label than the customer typed, which it has again now."""
    former = former_handle_table.c
    gone = connection.execute(
        former_handle_table.delete().where(former.contact_point_id == point.id)
    ).rowcount
    typed = Handle(point.value)
    if not gone and (point.normalized, point.url) == (typed.key, typed.url):
        return False
    connection.execute(
        contact_point_table.update()
        .where(_point.id == point.id)
        .values(normalized=typed.key, url=typed.url)
    )
    return True


def forget_accounts(connection: Connection, customer_id: str) -> bool:
    """Whether there was an id or a verdict to forget; both are as if X had not been asked."""
    result = connection.execute(
        contact_point_table.update()
        .where(
            _point.customer_id == customer_id,
            _point.kind == Kind.X_ACCOUNT.value,
            or_(
                _point.platform_user_id.is_not(None),
                _point.verdict != Verdict.UNCHECKED.value,
            ),
        )
        .values(
            platform_user_id=None,
            verdict=Verdict.UNCHECKED.value,
            checked_at=None,
            asked_at=None,
            doubted_at=None,
            try_after=None,
            profile=None,
        )
    )
    return result.rowcount > 0


def customers_with_content(
    connection: Connection, limit: int | None = None
) -> list[str]:
    """The active customers of whom X's words are held: a profile, or a handle of X's telling."""
    former = former_handle_table.c
    is_relabelled = select(former.handle).where(former.contact_point_id == _point.id)
    rows = connection.execute(
        select(_point.customer_id)
        .join(customer_table)
        .where(
            _point.kind == Kind.X_ACCOUNT.value,
            customer_table.c.status == ACTIVE,
            or_(
                _point.profile.is_not(None),
                _point.normalized != func.lower(_point.value),
                is_relabelled.exists(),
            ),
        )
        .distinct()
        .order_by(_point.customer_id)
        .limit(limit)
    )
    return list(rows.scalars())


def former_handles_of(
    connection: Connection, customer_id: str
) -> list[Row[tuple[Any, ...]]]:
    """How the customer's accounts were called before, oldest first.

    Each names the account as a contact point does, and has ``until``.
    """
    former = former_handle_table.c
    return list(
        connection.execute(
            select(
                literal(Kind.X_ACCOUNT.value).label("kind"),
                former.handle.label("value"),
                former.handle.label("normalized"),
                null().label("platform_user_id"),
                former.contact_point_id,
                former.until,
            )
            .where(former.customer_id == customer_id)
            .order_by(former.until)
        )
    )


def formerly(connection: Connection, handle: str) -> list[str]:
    """The customers one of whose accounts was called *handle*, in lower case, before."""
    former = former_handle_table.c
    rows = connection.execute(
        select(former.customer_id)
        .where(former.handle == handle)
        .order_by(former.customer_id)
    )
    return list(dict.fromkeys(rows.scalars()))


def delete_former_handles(connection: Connection, customer_id: str) -> None:
    """Remove how the customer's accounts were called before."""
    connection.execute(
        former_handle_table.delete().where(
            former_handle_table.c.customer_id == customer_id
        )
    )


def begin_run(connection: Connection, name: str, now: datetime) -> datetime:
    """When the run *name* began: now, or when one was begun that has not ended."""
    run = x_run_table.c
    began = connection.execute(
        select(run.began_at).where(run.name == name)
    ).scalar_one_or_none()
    if began is None:
        connection.execute(x_run_table.insert().values(name=name, began_at=now))
    return began or now


def end_run(connection: Connection, name: str) -> None:
    """The run *name* came to its end: the next one begins anew."""
    connection.execute(x_run_table.delete().where(x_run_table.c.name == name))
