"""``regulars handle``: one look-up from the shell."""

import click

from regulars.check.findings import finding_of
from regulars.check.lookup import Unavailable
from regulars.cli.console import as_json, misuse, note, open_existing, show
from regulars.values.handle import InvalidHandle, parse_handle
from regulars.values.messages import sentence


@click.group()
def handle() -> None:
    """X handles."""


@handle.command()
@click.argument("text", metavar="HANDLE")
@as_json
def check(text: str, as_json: bool) -> None:
    """Ask X whether HANDLE is an account."""
    try:
        parsed = parse_handle(text)
    except InvalidHandle as error:
        misuse(sentence(error.code, **error.data))
    house = open_existing().house
    now = house.clock()
    answers = house.gate.probe([parsed], timeout_s=house.settings.x_timeout_s, now=now)
    answer = answers[parsed.key]
    finding = finding_of(answer, may_keep_profile=False, now=now)
    if isinstance(answer, Unavailable):
        note(f"X gave no verdict: {answer.reason}")
    if house.settings.x_mode != "lookup":
        note(
            f"X was not asked, as REGULARS_X_MODE is '{house.settings.x_mode}':"
            " 'lookup' asks X and needs REGULARS_X_BEARER_TOKEN."
        )
    value = {
        "handle": parsed.text,
        "verdict": finding.verdict,
        "id": finding.platform_user_id,
    }
    show(value, f"@{parsed.text}: {finding.verdict}", as_json=as_json)
