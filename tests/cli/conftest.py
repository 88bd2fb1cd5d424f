"""The commands, run in this process on a database of their own."""

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.fakes import Clock
from tests.shops import BEARER, EMAIL, HANDLE, PHONE, ShopUnderTest, make_shop

from regulars.cli import main

_PERSONAL = (HANDLE, EMAIL, PHONE, "2124567890", BEARER, "whsec_", "sk_")


@dataclass
class Commands:
    """Runs ``regulars …`` on the database in *folder*; *environment* may be added to."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, answer: str = "") -> Result:
        """The result of the command, whatever its exit status."""
        # The command sets up logging for its own process; this one gets its own back.
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        levels = {
            name: logger.level
            for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger)
        }
        try:
            result = CliRunner().invoke(
                main, words, env=self.environment, input=answer, catch_exceptions=False
            )
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
            for name, was in levels.items():
                logging.getLogger(name).setLevel(was)
        asked = " ".join(words).lower()
        told = [
            needle
            for needle in _PERSONAL
            if needle.lower() in result.stderr.lower() and needle.lower() not in asked
        ]
        assert told == []
        return result

    def json(self, *words: str, status: int = 0) -> Any:
        """The one JSON value on standard output."""
        result = self.run(*words, "--json")
        assert result.exit_code == status, result.stderr
        return json.loads(result.stdout)

    def ok(self, *words: str) -> str:
        """Standard output of a command that must succeed."""
        result = self.run(*words)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def refused(self, *words: str, status: int) -> str:
        """Standard error of a command that must end with *status*, saying nothing on output."""
        result = self.run(*words)
        assert (result.exit_code, result.stdout) == (status, "")
        assert result.stderr
        return result.stderr


@pytest.fixture
def cli(tmp_path: Path, empty_database: Path) -> Commands:
    """The commands on an empty, migrated database."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(empty_database, folder / "regulars.sqlite3")
    # Nothing of the machine that runs the tests may reach a command.
    environment = {
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "xdg"),
        "REGULARS_DATA_DIR": str(folder),
        "REGULARS_BASE_URL": "https://connect.tonys.example",
    }
    return Commands(folder, environment)


@pytest.fixture
def shop_at_hand(cli: Commands, clock: Clock) -> Iterator[ShopUnderTest]:
    """A shop on the database that the commands see."""
    shop = make_shop(cli.folder, None, clock)
    yield shop
    shop.validate_events()
    shop.house.database.engine.dispose()
