"""What X bills: users returned, counted by UTC day, against the caps of the shop.

X bills each user that a look-up returns, found again or not; handles that it does not
know cost nothing. https://docs.x.com/x-api/getting-started/pricing
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, Integer, String, Table, func, select
from sqlalchemy.exc import IntegrityError

from regulars.keep.db import Database, metadata
from regulars.settings import Settings

USD_A_USER = 0.010

usage_table = Table(
    "lookup_usage",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("users", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Caps:
    """What the shop is ready to pay for: users a UTC day, and dollars a UTC month."""

    users_a_day: int
    usd_a_month: float


def caps_of(settings: Settings) -> Caps:
    """The caps that the shop has set."""
    return Caps(settings.x_daily_lookups, settings.x_monthly_budget_usd)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was billed in the present UTC day and month, beside the caps."""

    users_today: int
    users_this_month: int
    caps: Caps

    @property
    def usd_this_month(self) -> float:
        """What X bills for this month so far."""
        return self.users_this_month * USD_A_USER

    @property
    def users_left(self) -> int:
        """How many more users may be asked for now."""
        # Counted in users, for cents do not add up in binary.
        a_month = round(self.caps.usd_a_month / USD_A_USER)
        left = min(
            self.caps.users_a_day - self.users_today, a_month - self.users_this_month
        )
        return max(left, 0)

    @property
    def share(self) -> float:
        """How much of the fuller cap is used, from 0 to 1 and above."""
        a_day = self.users_today / max(self.caps.users_a_day, 1)
        a_month = self.usd_this_month / max(self.caps.usd_a_month, USD_A_USER)
        return max(a_day, a_month)

    def free_again_at(self, now: datetime) -> datetime:
        """When the cap that is reached begins anew."""
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.users_this_month >= round(self.caps.usd_a_month / USD_A_USER):
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return day + timedelta(days=1)


def usage_at(connection: Connection, caps: Caps, now: datetime) -> Usage:
    """What was billed in the UTC day and month of *now*."""
    day = _day(now)
    columns = usage_table.c
    today = connection.execute(
        select(columns.users).where(columns.day == day)
    ).scalar_one_or_none()
    month = connection.execute(
        select(func.sum(columns.users)).where(columns.day.startswith(day[:7]))
    ).scalar_one()
    return Usage(today or 0, int(month or 0), caps)


def count_users(database: Database, users: int, now: datetime) -> None:
    """Add *users* to what X bills for the day of *now*."""
    if not users:
        return
    try:
        _count(database, users, _day(now))
    except IntegrityError:
        # Another process began the day just before.
        _count(database, users, _day(now))


def _count(database: Database, users: int, day: str) -> None:
    columns = usage_table.c
    with database.transaction() as connection:
        counted = connection.execute(
            usage_table.update()
            .where(columns.day == day)
            .values(users=columns.users + users)
        )
        if not counted.rowcount:
            connection.execute(usage_table.insert(), {"day": day, "users": users})


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
