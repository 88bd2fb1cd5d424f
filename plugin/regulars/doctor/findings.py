"""What an examination finds: each thing under an id that stays, in a sentence with a hint."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """Works, and will give trouble one day or for some."""
    PROBLEM = "problem"
    """Something does not work, or somebody is at risk, now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``hint`` is empty where all is well."""

    id: str
    severity: Severity
    sentence: str
    hint: str = ""


def fine(finding_id: str, sentence: str) -> Finding:
    """What is as it should be."""
    return Finding(finding_id, Severity.OK, sentence)


def warning(finding_id: str, sentence: str, hint: str) -> Finding:
    """What should be looked at some day soon."""
    return Finding(finding_id, Severity.WARNING, sentence, hint)


def problem(finding_id: str, sentence: str, hint: str) -> Finding:
    """What must be put right."""
    return Finding(finding_id, Severity.PROBLEM, sentence, hint)


def has_problem(findings: Iterable[Finding]) -> bool:
    """Whether any of *findings* must be put right."""
    return any(finding.severity is Severity.PROBLEM for finding in findings)


def unusable_settings(problems: Iterable[str]) -> list[Finding]:
    """The findings where the settings cannot be used, so that nothing else can be looked at."""
    hint = "Correct it in the environment or in the settings file; nothing else was looked at."
    return [problem("settings.unusable", sentence, hint) for sentence in problems]
