"""``regulars x``: what is held of X accounts stays true, or is let go."""

from collections import Counter
from typing import NoReturn

import click

from regulars.app import make_refresh
from regulars.check.lookup import Unavailable
from regulars.check.remedies import remedy_for
from regulars.cli.console import as_json, note, open_existing, refuse, show
from regulars.values.instants import to_rfc3339
from regulars.web.house import House
from regulars.x_accounts.letting_go import begin_purge, forget, purge_some
from regulars.x_accounts.settling import Change


@click.group(name="x")
def x_group() -> None:
    """X accounts: kept in step with X, or let go."""


@x_group.command()
@click.option(
    "--all", "everything", is_flag=True, help="Whatever their age, not only due ones."
)
@as_json
def refresh(everything: bool, as_json: bool) -> None:
    """Ask X again for the accounts that are due, a hundred to a call.

    Due is what was checked REGULARS_X_REFRESH_DAYS ago or earlier, and what cannot be as it
    is held. X bills each account that is still there. Broken off, by a spent budget for
    one, the same command goes on where it was.
    """
    house = open_existing().house
    _need_x(house)
    asking = make_refresh(house)
    due, total = asking.begin_sweep(house.clock(), everything=everything)
    counts: Counter[Change] = Counter()
    asked, stopped = 0, None
    while stopped is None:
        step = asking.sweep(due, house.clock())
        stopped = step.stopped
        asked += step.asked
        counts.update(step.changes)
        if step.asked:
            note(f"asked for {asked}/{total}")
        elif stopped is None:
            asking.end_sweep()
            break
    told = {change.value: counts[change] for change in Change}
    value = {
        "due": total,
        "asked": asked,
        **told,
        "stopped": stopped.reason.value if stopped else None,
    }
    text = (
        f"Asked for {asked} of {total} accounts: {counts[Change.CHANGED]} changed, of"
        f" these {counts[Change.RENAMED]} renamed and {counts[Change.LOST]} lost."
    )
    show(value, text, as_json=as_json)
    if stopped is not None:
        _refuse_stopped(stopped)


def _need_x(house: House) -> None:
    if house.settings.x_mode != "lookup":
        refuse(
            f"X is not asked, as REGULARS_X_MODE is '{house.settings.x_mode}': 'lookup'"
            " asks X and needs REGULARS_X_BEARER_TOKEN."
        )


def _refuse_stopped(stopped: Unavailable) -> NoReturn:
    remedy = remedy_for(stopped.reason)
    when = f" Not before {to_rfc3339(stopped.retry_at)}." if stopped.retry_at else ""
    refuse(
        f"Stopped: {remedy.matter}{when} {remedy.advice} Run the same command again, and"
        " it goes on."
    )


@x_group.command()
@as_json
def purge(as_json: bool) -> None:
    """Drop what X said of every account, because the access to X has ended.

    Profiles and X's spelling of handles go from the records, from every stored event and
    from what was kept of answers, and the shop's systems are told. The handles that
    customers typed stay, and so do X's numbers and verdicts: 'regulars x forget CUSTOMER'
    takes those. Where X still answers, accounts are asked for again as they come of age.
    """
    house = open_existing().house
    total = begin_purge(house.database)
    done = 0
    while count := purge_some(house.database, house.recorder, house.clock()):
        done += count
        note(f"purged {done}/{total}")
    _scrub(house)
    text = f"What X said of {done} customers is gone."
    show({"customers": done}, text, as_json=as_json)


@x_group.command(name="forget")
@click.argument("customer_id", metavar="CUSTOMER")
@as_json
def forget_command(customer_id: str, as_json: bool) -> None:
    """Forget all that X said of CUSTOMER's handle: profile, number and verdict.

    The handle stays as it was typed, unchecked, and the consent to check it is withdrawn.
    """
    house = open_existing().house
    done = forget(house.database, house.recorder, customer_id, house.clock())
    if done is None:
        refuse(f"There is no customer {customer_id}: see 'regulars customer list'.")
    if done.has_changed:
        _scrub(house)
        note(f"forgot what X said of {customer_id}")
    else:
        note("There was nothing to forget any more.")
    show(
        {"id": done.customer_id, "changed": done.has_changed},
        f"X was never asked for {customer_id}, as far as is held here.",
        as_json=as_json,
    )


def _scrub(house: House) -> None:
    if not house.database.scrub():
        note(
            "The write-ahead log could not be emptied while others read: run the same"
            " command again, or stop and start 'regulars serve'."
        )
