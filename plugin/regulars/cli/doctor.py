"""``regulars doctor``: what is wrong, and what to do about it."""

import click

from regulars.cli.console import as_json, open_with, show
from regulars.cli.logs import configure_logs
from regulars.doctor.examination import examine
from regulars.doctor.findings import (
    Finding,
    Severity,
    has_problem,
    problem,
    unusable_settings,
)
from regulars.doctor.public import examine_public
from regulars.settings import SettingsError, load_settings
from regulars.web.house import House

_MARKS = {
    Severity.OK: "ok      ",
    Severity.WARNING: "warning ",
    Severity.PROBLEM: "PROBLEM ",
}

_NO_DATABASE = frozenset(
    {
        "database.unreachable",
        "database.missing",
        "database.other_release",
        "database.read_only",
    }
)


@click.command()
@click.option(
    "--public",
    "is_public",
    is_flag=True,
    help="Ask the public address, REGULARS_BASE_URL, too.",
)
@click.option(
    "--ask-x",
    "asks_x",
    is_flag=True,
    help="Ask X for one account: X bills one user look-up, about a cent.",
)
@as_json
def doctor(is_public: bool, asks_x: bool, as_json: bool) -> None:
    """Look for what is wrong; exit status 1 when there is a problem."""
    findings = _findings(is_public=is_public, asks_x=asks_x)
    value = [
        {
            "id": finding.id,
            "severity": finding.severity.value,
            "sentence": finding.sentence,
            "hint": finding.hint,
        }
        for finding in findings
    ]
    show(value, _text(findings), as_json=as_json)
    if has_problem(findings):
        raise SystemExit(1)


def _findings(*, is_public: bool, asks_x: bool) -> list[Finding]:
    configure_logs()
    try:
        settings = load_settings()
    except SettingsError as error:
        return unusable_settings(error.problems)
    house = open_with(settings).house
    ask = house.gate if asks_x else None
    findings = examine(settings, house.database, house.clock(), ask=ask)
    if is_public:
        findings += _public(house, findings)
    return findings


def _public(house: House, findings: list[Finding]) -> list[Finding]:
    if any(finding.id in _NO_DATABASE for finding in findings):
        return [
            problem(
                "public.not_asked",
                "Without its database it cannot be seen whether the public address is ours.",
                "Put the database right first.",
            )
        ]
    return [*examine_public(house.settings, house.database, house.clock)]


def _text(findings: list[Finding]) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.severity]} {finding.sentence}  [{finding.id}]")
        if finding.hint:
            lines.append(f"          {finding.hint}")
    counts = {
        severity: sum(finding.severity is severity for finding in findings)
        for severity in Severity
    }
    lines.append(
        f"Problems: {counts[Severity.PROBLEM]}. Warnings: {counts[Severity.WARNING]}."
        f" Fine: {counts[Severity.OK]}."
    )
    return "\n".join(lines)
