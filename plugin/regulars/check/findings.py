"""From X's answer to what the customer's contact point may keep of it."""

from datetime import datetime

from regulars.check.lookup import Answer, Found, NotFound, Suspended, verdict_of
from regulars.keep.contact_points import Finding
from regulars.values.instants import to_rfc3339


def finding_of(answer: Answer, *, may_keep_profile: bool, now: datetime) -> Finding:
    """The verdict and id, and the public profile where it may be kept.

    Each has the time at which X was asked, which is *now* unless the answer is older.
    """
    asked_at = None
    if isinstance(answer, Found | NotFound | Suspended):
        asked_at = answer.asked_at or now
    found = answer if isinstance(answer, Found) else None
    profile = found.profile if found and may_keep_profile else None
    stored = None
    if profile is not None and asked_at is not None:
        fetched_at = to_rfc3339(asked_at)
        stored = {"provider": "x", "fetched_at": fetched_at, **profile.as_json()}
    return Finding(
        verdict=verdict_of(answer),
        platform_user_id=found.user_id if found else None,
        profile=stored,
        checked_at=asked_at,
    )
