"""From X's answer to what the customer's contact point may keep of it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from regulars.check.lookup import Answer, Found, Profile, verdict_of
from regulars.keep.contact_points import Finding
from regulars.values.instants import to_rfc3339
from regulars.values.verdict import Verdict

_DECIDED = {Verdict.FOUND, Verdict.NOT_FOUND, Verdict.SUSPENDED}


def finding_of(answer: Answer, *, may_keep_profile: bool, now: datetime) -> Finding:
    """The verdict and id, and the public profile where it may be kept."""
    verdict = verdict_of(answer)
    found = answer if isinstance(answer, Found) else None
    profile = found.profile if found and may_keep_profile else None
    return Finding(
        verdict=verdict,
        platform_user_id=found.user_id if found else None,
        profile=_profile_json(profile, now) if profile else None,
        checked_at=now if verdict in _DECIDED else None,
    )


def _profile_json(profile: Profile, fetched_at: datetime) -> dict[str, Any]:
    told = asdict(profile)
    if profile.created_at is not None:
        told["created_at"] = to_rfc3339(profile.created_at)
    return {"provider": "x", "fetched_at": to_rfc3339(fetched_at), **told}
