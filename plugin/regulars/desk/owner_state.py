"""How things stand, for the top and the side of the owner's page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from regulars.check.gate import Trouble
from regulars.check.remedies import remedy_for
from regulars.desk.owner_words import age_words
from regulars.tell.endpoints import EndpointState
from regulars.tell.waiting import STALLED_S, Backlog, Waiting


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """What one of the shop's systems has not been told; the host alone, for a path may hold a secret."""

    id: str
    host: str
    state: str
    reason: str | None
    counts: tuple[tuple[str, int], ...]
    oldest: str | None
    last_success: str | None
    command: str | None
    total: int


def endpoint_row(waiting: Waiting, now: datetime) -> EndpointRow:
    """*waiting* as the page shows it at *now*."""
    endpoint, oldest = waiting.endpoint, waiting.oldest_at
    taken = endpoint.last_success_at
    command = None
    if not endpoint.is_active:
        command = f"regulars endpoint resume {endpoint.id}"
    elif waiting.dead:
        command = "regulars delivery list --state dead"
    return EndpointRow(
        id=endpoint.id,
        host=urlsplit(endpoint.url).hostname or endpoint.url,
        state=endpoint.state.value,
        reason=endpoint.reason,
        counts=(
            ("Due now", waiting.due),
            ("For later", waiting.open - waiting.due),
            ("Held", waiting.held),
            ("Given up", waiting.dead),
        ),
        oldest=age_words(now - oldest) if oldest else None,
        last_success=age_words(now - taken) if taken else None,
        command=command,
        total=waiting.total,
    )


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """Why X gives no answers, in words."""

    matter: str
    advice: str
    since: str
    pending: int


def trouble_row(
    trouble: Trouble | None, pending: int, now: datetime
) -> TroubleRow | None:
    """*trouble* as the page shows it; None while there is none."""
    if trouble is None:
        return None
    remedy = remedy_for(trouble.reason)
    since = age_words(now - trouble.since)
    return TroubleRow(remedy.matter, remedy.advice, since, pending)


@dataclass(frozen=True, slots=True)
class StateLine:
    """One line at the top: ``ok``, ``warning`` or ``problem``, and where more is said."""

    level: str
    text: str
    anchor: str | None


def deliveries_line(
    waiting: Sequence[Waiting], backlog: Backlog, now: datetime
) -> StateLine:
    """Whether the shop's systems know what they should: the worst that is the case."""
    total = sum(one.total for one in waiting)
    states = {one.endpoint.state for one in waiting}
    if not waiting:
        level, text = "warning", "None of your systems is told about sign-ups yet"
    elif EndpointState.DISABLED in states:
        level, text = "problem", "One of your systems takes no updates any more"
    elif backlog.unheeded_s(now) > STALLED_S:
        level = "problem"
        text = f"Nothing goes out: {_updates(total)} to be delivered"
    elif EndpointState.PAUSED in states:
        level, text = "warning", "One of your systems is paused"
    elif total:
        level, text = "warning", f"{_updates(total)} still to be delivered"
    else:
        level, text = "ok", "Your systems have been told everything"
    return StateLine(level, text, "deliveries")


def x_line(trouble: Trouble | None, pending: int, x_mode: str) -> StateLine:
    """Whether handles are being checked."""
    if trouble is not None:
        text = remedy_for(trouble.reason).matter
        if pending:
            text += f" {pending} {'handle waits' if pending == 1 else 'handles wait'}."
        level = "problem" if trouble.reason.needs_operator else "warning"
        return StateLine(level, text, "x")
    if x_mode == "lookup":
        return StateLine("ok", "Handles are checked with X", None)
    return StateLine("warning", "Handles are not checked with X", None)


def _updates(count: int) -> str:
    return "1 update is" if count == 1 else f"{count} updates are"
