"""On what terms X is asked: what it may cost, and when nobody is kept waiting for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from regulars.check.cache import Freshness
from regulars.check.lookup import Reason, Unavailable
from regulars.check.pace import pace_at
from regulars.check.trouble import find_trouble
from regulars.check.usage import Caps, Usage, caps_of, usage_at
from regulars.settings import Settings
from regulars.values.contact import Ownership


@dataclass(frozen=True, slots=True)
class Terms:
    """How X is asked: what it may cost, how long answers are used, the first wait after trouble.

    Without ``keeps_profile`` no profile is kept with an answer.
    """

    caps: Caps
    freshness: Freshness
    retry: timedelta
    keeps_profile: bool = True


def terms_of(settings: Settings) -> Terms:
    """The terms that the shop has set."""
    return Terms(
        caps=caps_of(settings),
        freshness=Freshness(
            found=timedelta(seconds=settings.x_cache_found_s),
            not_found=timedelta(seconds=settings.x_cache_not_found_s),
        ),
        retry=timedelta(seconds=settings.x_retry_s),
        keeps_profile=settings.x_profile == Ownership.CLAIMED.value,
    )


def refusal(
    connection: Connection, caps: Caps, now: datetime, *, is_public: bool
) -> Unavailable | None:
    """Why X is not asked now for somebody who waits; None when it is."""
    trouble = find_trouble(connection)
    if trouble and trouble.is_closed:
        return Unavailable(trouble.reason, trouble.retry_at)
    pace = pace_at(connection, now)
    if pace and (pace.is_sparing or (is_public and pace.is_used_up_by_public)):
        return Unavailable(Reason.SPARING, pace.reset_at)
    usage = usage_at(connection, caps, now)
    left = usage.public_left if is_public else usage.users_left
    return None if left else spent(usage, now, is_public=is_public)


def spent(usage: Usage, now: datetime, *, is_public: bool) -> Unavailable:
    """The refusal of one whose purse is empty, with the time at which it is filled again."""
    at = usage.free_again_at(now, of_public=is_public)
    return Unavailable(Reason.BUDGET_SPENT, at)
