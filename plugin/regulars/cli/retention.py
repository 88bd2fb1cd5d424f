"""``regulars retention``: what need not be kept any longer goes."""

from dataclasses import asdict

import click

from regulars.app import make_retention
from regulars.cli.console import as_json, open_existing, show


@click.group()
def retention() -> None:
    """What need not be kept any longer; the dispatcher sees to it once a day."""


@retention.command()
@as_json
def run(as_json: bool) -> None:
    """Let it go now.

    Emptied are the bodies of events that were delivered to all, older than
    REGULARS_RETENTION_DELIVERY_DAYS, and what receivers answered to them. Deleted are
    answers kept for repeated requests, of 30 days ago, answers of X that are no longer
    fresh, and daily counts of look-ups older than a year. May be broken off and repeated.
    """
    house = open_existing().house
    swept = make_retention(house).run(house.clock())
    show(
        asdict(swept),
        f"Events emptied: {swept.events}, with {swept.answers} answers of receivers."
        f" Deleted: {swept.repeats} answers to repeats, {swept.lookups} of X,"
        f" {swept.usage_days} days of counts.",
        as_json=as_json,
    )
