"""Questions of a command: answered by a flag, or else by the person at the terminal."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from regulars.cli.console import misuse


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; *parse* raises ValueError or click.UsageError for what cannot be used."""

    flag: str
    text: str
    parse: Callable[[str], Any]


class Answers:
    """Answers from flags, or else from the person at the terminal; keeps what is wrong."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.problems: list[str] = []
        self._asks = sys.stdin.isatty()

    def answer(self, question: Question) -> Any:
        """The parsed answer; None where there is none, and then ``problems`` says so."""
        text = self.given[question.flag.removeprefix("--").replace("-", "_")]
        if text is None and self._asks:
            return click.prompt(question.text, value_proc=_asking(question), err=True)
        if text is None:
            self.problems.append(f"{question.flag} is needed: {question.text}.")
            return None
        try:
            return question.parse(text)
        except (ValueError, click.UsageError) as error:
            self.problems.append(f"{question.flag} {_sentence(error)}")
            return None

    def end_if_wrong(self) -> None:
        """End the command, naming everything that is missing or cannot be used."""
        if self.problems:
            misuse("\n".join([*self.problems, "Nothing was written."]))


def _asking(question: Question) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return question.parse(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from error

    return parse


def _sentence(error: Exception) -> str:
    return error.message if isinstance(error, click.ClickException) else str(error)
