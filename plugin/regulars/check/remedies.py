"""Trouble with X in words: what is the matter, and what whoever runs the shop can do."""

from dataclasses import dataclass

from regulars.check.lookup import Reason

_WAIT = "Nothing to do: handles wait, and are checked as soon as X answers again."


@dataclass(frozen=True, slots=True)
class Remedy:
    """Two sentences: what is the matter, and what to do about it."""

    matter: str
    advice: str


_REMEDIES = {
    Reason.TIMEOUT: Remedy("X answers too slowly.", _WAIT),
    Reason.UNREACHABLE: Remedy(
        "X cannot be reached from this server.",
        "If it lasts, see whether the server may connect to api.x.com.",
    ),
    Reason.RATE_LIMITED: Remedy("X asked us to slow down.", _WAIT),
    Reason.UNAUTHORIZED: Remedy(
        "X does not accept the token.",
        "Make a new bearer token at developer.x.com and set REGULARS_X_BEARER_TOKEN.",
    ),
    Reason.PAYMENT_REQUIRED: Remedy(
        "The credit at X is used up.",
        "Add credit to the shop's account at developer.x.com.",
    ),
    Reason.FORBIDDEN: Remedy(
        "X does not let this app look accounts up.",
        "See at developer.x.com whether the app was suspended or its access changed.",
    ),
    Reason.USAGE_CAPPED: Remedy(
        "The plan's look-ups at X are used up.",
        "Raise the spending limit at developer.x.com, or wait for the next period.",
    ),
    Reason.SERVER_ERROR: Remedy("X has trouble of its own.", _WAIT),
    Reason.UNEXPECTED: Remedy(
        "X answered in a way that we do not understand.",
        "If it lasts, see whether REGULARS_X_API_URL is right and a newer release is out.",
    ),
    Reason.BUDGET_SPENT: Remedy(
        "What the shop lets X cost is used up.",
        "Raise REGULARS_X_DAILY_LOOKUPS or REGULARS_X_MONTHLY_BUDGET_USD, or wait.",
    ),
    Reason.SPARING: Remedy(
        "Half of the calls that X allows in a quarter of an hour are used.", _WAIT
    ),
    Reason.BUSY: Remedy("More look-ups are waiting for X than may wait.", _WAIT),
}


def remedy_for(reason: Reason) -> Remedy:
    """The words for *reason*."""
    return _REMEDIES[reason]
