"""The shop's business: is anybody asked, does X answer, are the shop's systems told."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from regulars.check.gate import Gate, find_trouble
from regulars.check.lookup import Found, NotAsked, Reason, Unavailable
from regulars.check.remedies import remedy_for
from regulars.check.usage import NEARLY_SPENT, Usage, caps_of, usage_at
from regulars.doctor.findings import Finding, fine, problem, warning
from regulars.keep.contact_points import count_pending
from regulars.keep.in_step import customers_with_content
from regulars.keep.sites import list_keys, list_sites
from regulars.settings import Settings
from regulars.tell.endpoints import Endpoint, EndpointState
from regulars.tell.waiting import STALLED_S, Waiting, backlog, list_waiting
from regulars.values.handle import parse_handle
from regulars_webhooks.errors import AddressRefused

_REFUSALS = (Reason.UNAUTHORIZED, Reason.FORBIDDEN)
# X's own account: it is there as long as X is.
_SOMEBODY = "X"


def check_sites(connection: Connection) -> Iterator[Finding]:
    """Whether anybody can be asked, and the shop's own server may talk to us."""
    sites = list_sites(connection)
    if not sites:
        yield problem(
            "sites.none",
            "There is no site, so nobody can be asked.",
            "Make one with 'regulars site add NAME --origin URL'.",
        )
    for site in sites:
        if site.origins:
            yield fine("site.origins", f"Site {site.name!r} has its origins.")
        else:
            yield warning(
                "site.no_origins",
                f"Site {site.name!r} has no origin: no page of the shop may post to it.",
                "Give it one with 'regulars site add', unless only the hosted page is used.",
            )
    if any(key.revoked_at is None for key in list_keys(connection)):
        yield fine("keys.live", "The shop's own server has a key.")
    else:
        yield warning(
            "keys.none",
            "There is no live key, so the shop's own server cannot talk to us.",
            "Make one with 'regulars key add NAME', unless pages alone are used.",
        )


def check_x(
    connection: Connection, settings: Settings, now: datetime
) -> Iterator[Finding]:
    """Whether handles are checked, as far as can be seen without asking X."""
    if settings.x_mode == "off":
        yield fine("x.off", "Handles are not checked, as REGULARS_X_MODE says.")
        return
    if settings.x_mode == "format":
        yield warning(
            "x.no_lookup",
            "Handles are checked for their spelling alone.",
            "Set REGULARS_X_BEARER_TOKEN to have them checked with X.",
        )
        return
    usage = usage_at(connection, caps_of(settings), now)
    yield _money(usage)
    if usage.users_left and not usage.public_left:
        yield warning(
            "x.public_check_spent",
            "The public check has used its fifth of what X may cost; it answers"
            " 'pending', and signups are checked as before.",
            "If that was no visitor of yours, see the log for who asks so much.",
        )
    trouble = find_trouble(connection)
    if trouble is None:
        yield fine("x.no_trouble", "X gave no trouble at the last look-up.")
    else:
        yield _trouble(trouble.reason, count_pending(connection))


def check_access(
    connection: Connection, settings: Settings, now: datetime
) -> Iterator[Finding]:
    """Whether X has refused this app for longer than what it said may stay without it.

    https://docs.x.com/developer-terms/policy ("Content compliance")
    """
    trouble = find_trouble(connection) if settings.x_mode == "lookup" else None
    if trouble is None or trouble.reason not in _REFUSALS:
        return
    days = (now - trouble.since) / timedelta(days=1)
    if days > 1 and customers_with_content(connection, 1):
        yield problem(
            "x.access_ended",
            f"X has refused this app for {days:.0f} days, and what it said of customers"
            " is still here.",
            "Mend the token or the app's access; where it has ended for good, 'regulars x"
            " purge' drops what X said everywhere.",
        )


def _money(usage: Usage) -> Finding:
    """What X has cost, and whether a cap is near: at four fifths there is time to raise it."""
    caps = usage.caps
    told = (
        f"X billed {usage.users_today} users today (cap {caps.users_a_day}) and"
        f" ${usage.usd_this_month:.2f} this month (cap ${caps.usd_a_month:.2f})."
    )
    advice = "Raise REGULARS_X_DAILY_LOOKUPS or REGULARS_X_MONTHLY_BUDGET_USD, or let handles wait."
    if not usage.users_left:
        return problem("x.budget_spent", told, advice)
    if usage.share >= NEARLY_SPENT:
        return warning("x.budget_nearly_spent", told, advice)
    return fine("x.budget", told)


def ask_x(gate: Gate, settings: Settings, now: datetime) -> Finding:
    """What X says when it is asked for one account. X bills one user for it."""
    handle = parse_handle(settings.shop_x_username or _SOMEBODY)
    answers = gate.probe([handle], timeout_s=settings.x_timeout_s, now=now)
    answer = answers[handle.key]
    if isinstance(answer, Unavailable):
        return _trouble(answer.reason, 0)
    if isinstance(answer, NotAsked):
        return warning(
            "x.no_lookup",
            "X is not asked in this mode.",
            "Set REGULARS_X_BEARER_TOKEN to have handles checked with X.",
        )
    if isinstance(answer, Found):
        return fine("x.answers", f"X answers: @{handle.text} exists.")
    return problem(
        "x.own_handle",
        f"X answers, and has no usable account @{handle.text}.",
        "Correct REGULARS_SHOP_X_USERNAME.",
    )


def _trouble(reason: Reason, pending: int) -> Finding:
    remedy = remedy_for(reason)
    waits = f" {pending} handles wait to be checked." if pending else ""
    make = problem if reason.needs_operator else warning
    return make(f"x.{reason.value}", remedy.matter + waits, remedy.advice)


def check_dispatcher(connection: Connection, now: datetime) -> Finding:
    """Whether somebody delivers what is due."""
    waiting = backlog(connection)
    age = waiting.unheeded_s(now)
    if age > STALLED_S:
        return problem(
            "dispatcher.stalled",
            f"{waiting.due} deliveries are due, the oldest for {age / 60:.0f} minutes:"
            " nobody delivers.",
            "See whether 'regulars serve' or 'regulars dispatch' runs, and its log.",
        )
    return fine("dispatcher.works", "No delivery waits longer than it should.")


def check_endpoints(
    connection: Connection, settings: Settings, now: datetime
) -> Iterator[Finding]:
    """Whether the shop's systems are told, one by one."""
    rows = list_waiting(connection, now)
    if not rows:
        yield warning(
            "endpoints.none",
            "There is no endpoint: none of the shop's systems is told.",
            "Add one with 'regulars endpoint add URL --recipient own'.",
        )
    for row in rows:
        found = [*_check_endpoint(row, settings, now)]
        yield from found or [_told(row, now)]


def _check_endpoint(
    row: Waiting, settings: Settings, now: datetime
) -> Iterator[Finding]:
    endpoint = row.endpoint
    if endpoint.state is not EndpointState.ACTIVE:
        is_disabled = endpoint.state is EndpointState.DISABLED
        make = problem if is_disabled else warning
        yield make(
            f"endpoint.{endpoint.state.value}",
            f"Endpoint {endpoint.id} is {endpoint.state.value}"
            f" ({endpoint.reason or 'no reason was given'}); {row.held} deliveries are held.",
            f"When its system is well again: 'regulars endpoint resume {endpoint.id}'.",
        )
    refusal = _refusal(endpoint, settings)
    if refusal:
        yield problem(
            "endpoint.address",
            f"Endpoint {endpoint.id} may not be called: {refusal}",
            "If that address is meant, name it in REGULARS_ENDPOINT_ALLOW.",
        )
    if row.dead:
        yield warning(
            "endpoint.given_up",
            f"Endpoint {endpoint.id} did not take every event; given up: {row.dead}.",
            "See 'regulars delivery list --state dead'; 'regulars delivery retry ID'"
            " sends one again.",
        )
    if row.open and row.oldest_at is not None and endpoint.is_active:
        age = (now - row.oldest_at).total_seconds()
        if age > STALLED_S:
            yield warning(
                "endpoint.behind",
                f"Endpoint {endpoint.id} is behind: {row.open} deliveries wait, the"
                f" oldest for {age / 60:.0f} minutes; {_last_success(endpoint, now)}.",
                "'regulars delivery show ID' says what it answers.",
            )


def _refusal(endpoint: Endpoint, settings: Settings) -> str | None:
    try:
        settings.check_endpoint_url(endpoint.url)
    except AddressRefused as error:
        return f"{error.detail or error}."
    return None


def _told(row: Waiting, now: datetime) -> Finding:
    told = _last_success(row.endpoint, now)
    return fine("endpoint.told", f"Endpoint {row.endpoint.id} is up to date; {told}.")


def _last_success(endpoint: Endpoint, now: datetime) -> str:
    taken = endpoint.last_success_at
    if taken is None:
        return "it has not taken anything yet"
    minutes = max((now - taken).total_seconds(), 0) / 60
    return f"it last took something {minutes:.0f} minutes ago"
