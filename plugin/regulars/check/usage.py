"""What X bills: users returned, counted by UTC day, against the caps of the shop.

X bills each user that a look-up returns, found again or not; handles that it does not
know cost nothing. What a call may cost is put by before it is made and given back as far
as it was not returned, so that calls under way together cannot pass a cap. What the
public check makes X return has a fifth of each cap to itself and never more.
https://docs.x.com/x-api/getting-started/pricing
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, Integer, String, Table, func, select, text

from regulars.keep.db import insert_new, metadata
from regulars.settings import Settings

log = logging.getLogger(__name__)

USD_A_USER = 0.010
PUBLIC_PART = 5
"""The public check may spend one part in so many."""
NEARLY_SPENT = 0.8
# A year and a month: last year's bill can be checked.
_USAGE_KEPT = timedelta(days=400)

usage_table = Table(
    "lookup_usage",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("users", Integer, nullable=False),
    # Put by for calls that are under way.
    Column("reserved", Integer, nullable=False, server_default=text("0")),
    # Of both, what the public check has part in.
    Column("public_users", Integer, nullable=False, server_default=text("0")),
    Column("public_reserved", Integer, nullable=False, server_default=text("0")),
    # The operator was warned of so many percent on this day.
    Column("warned_percent", Integer, nullable=False, server_default=text("0")),
)
_c = usage_table.c


@dataclass(frozen=True, slots=True)
class Caps:
    """What the shop is ready to pay for: users a UTC day, and dollars a UTC month."""

    users_a_day: int
    usd_a_month: float

    @property
    def users_a_month(self) -> int:
        """The dollars in users: cents do not add up in binary."""
        return round(self.usd_a_month / USD_A_USER)


def caps_of(settings: Settings) -> Caps:
    """The caps that the shop has set."""
    return Caps(settings.x_daily_lookups, settings.x_monthly_budget_usd)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was billed in the present UTC day and month, beside the caps.

    ``reserved`` is put by for calls under way; the last three are the public check's.
    """

    users_today: int
    users_this_month: int
    caps: Caps
    reserved: int = 0
    public_today: int = 0
    public_this_month: int = 0
    public_reserved: int = 0

    @property
    def usd_this_month(self) -> float:
        """What X bills for this month so far."""
        return self.users_this_month * USD_A_USER

    @property
    def users_left(self) -> int:
        """How many more users may be asked for now."""
        left = min(
            self.caps.users_a_day - self.users_today,
            self.caps.users_a_month - self.users_this_month,
        )
        return max(left - self.reserved, 0)

    @property
    def public_left(self) -> int:
        """How many more users the public check may ask for now."""
        left = min(
            self.caps.users_a_day // PUBLIC_PART - self.public_today,
            self.caps.users_a_month // PUBLIC_PART - self.public_this_month,
        )
        return max(min(left - self.public_reserved, self.users_left), 0)

    @property
    def share(self) -> float:
        """How much of the fuller cap is used, from 0 to 1 and above."""
        a_day = self.users_today / max(self.caps.users_a_day, 1)
        a_month = self.usd_this_month / max(self.caps.usd_a_month, USD_A_USER)
        return max(a_day, a_month)

    def free_again_at(self, now: datetime, *, of_public: bool = False) -> datetime:
        """When the cap that is reached begins anew, that of the public check if *of_public*."""
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        spent = self.users_this_month >= self.caps.users_a_month
        if of_public:
            most = self.caps.users_a_month // PUBLIC_PART
            spent = spent or self.public_this_month >= most
        if spent:
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return day + timedelta(days=1)


def usage_at(connection: Connection, caps: Caps, now: datetime) -> Usage:
    """What was billed in the UTC day and month of *now*."""
    day = _day(now)
    today = connection.execute(select(usage_table).where(_c.day == day)).one_or_none()
    month = connection.execute(
        select(
            func.coalesce(func.sum(_c.users), 0),
            func.coalesce(func.sum(_c.public_users), 0),
        ).where(_c.day.startswith(day[:7]))
    ).one()
    users, of_public = int(month[0]), int(month[1])
    if today is None:
        return Usage(0, users, caps, public_this_month=of_public)
    return Usage(
        today.users,
        users,
        caps,
        today.reserved,
        today.public_users,
        of_public,
        today.public_reserved,
    )


@dataclass(frozen=True, slots=True)
class Bill:
    """Users: those that the shop itself asks for, and those of the public check."""

    own: int = 0
    of_public: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.own + self.of_public


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was put by for one call, on which UTC day."""

    day: str
    bill: Bill


def reserve(
    connection: Connection, caps: Caps, wanted: Bill, now: datetime
) -> Reservation:
    """As much of *wanted* as the caps leave, the shop's own first; others cannot spend it."""
    day = _day(now)
    insert_new(connection, usage_table, [{"day": day, "users": 0}])
    connection.execute(select(_c.day).where(_c.day == day).with_for_update())
    usage = usage_at(connection, caps, now)
    own = min(wanted.own, usage.users_left)
    granted = Bill(
        own, min(wanted.of_public, usage.public_left, usage.users_left - own)
    )
    _add(connection, day, reserved=granted)
    return Reservation(day, granted)


def settle(
    connection: Connection,
    caps: Caps,
    reservation: Reservation,
    billed: Bill,
    now: datetime,
) -> None:
    """Count what X billed, and give back the rest of the reservation."""
    back = Bill(-reservation.bill.own, -reservation.bill.of_public)
    _add(connection, reservation.day, reserved=back, billed=billed)
    if billed.total:
        _warn(connection, reservation.day, usage_at(connection, caps, now))


def _add(
    connection: Connection,
    day: str,
    *,
    reserved: Bill = Bill(),
    billed: Bill = Bill(),
) -> None:
    connection.execute(
        usage_table.update()
        .where(_c.day == day)
        .values(
            users=_c.users + billed.total,
            public_users=_c.public_users + billed.of_public,
            reserved=_c.reserved + reserved.total,
            public_reserved=_c.public_reserved + reserved.of_public,
        )
    )


def _warn(connection: Connection, day: str, usage: Usage) -> None:
    """Log that a cap is near or reached: each once a day, whichever process sees it."""
    percent = 100 if usage.share >= 1 else 80 if usage.share >= NEARLY_SPENT else 0
    if not percent:
        return
    warned = connection.execute(
        usage_table.update()
        .where(_c.day == day, _c.warned_percent < percent)
        .values(warned_percent=percent)
    )
    if warned.rowcount:
        log.warning(
            "budget for x used",
            extra={
                "percent": percent,
                "users_today": usage.users_today,
                "usd_this_month": round(usage.usd_this_month, 2),
            },
        )


def drop_old_usage(connection: Connection, now: datetime) -> int:
    """How many days were deleted of which no bill is still to come."""
    result = connection.execute(
        usage_table.delete().where(_c.day < _day(now - _USAGE_KEPT))
    )
    return result.rowcount


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
