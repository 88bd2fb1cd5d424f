"""How PostgreSQL is named in the settings, and what is said when nobody answers there."""

from pathlib import Path

import pytest
from tests.cli.conftest import Commands
from tests.postgresql import SECRET_KEY

from regulars.keep.db import engine_options
from regulars.setting_parsers import database_url
from regulars.settings import SettingsError, load_settings

TAKEN = {
    "as libpq has it": (
        "postgresql://u:p@h:5432/d",
        "postgresql+psycopg://u:p@h:5432/d",
    ),
    "the short form of hosts": ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
    "with the driver": ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
    "with options": (
        "postgresql://h/d?sslmode=require",
        "postgresql+psycopg://h/d?sslmode=require",
    ),
    "by a socket": (
        "postgresql:///d?host=/var/run/postgresql",
        "postgresql+psycopg:///d?host=/var/run/postgresql",
    ),
    "a file": ("sqlite:////data/shop.sqlite3", "sqlite:////data/shop.sqlite3"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("given", "used"), TAKEN.values(), ids=TAKEN)
def test_addresses_that_are_taken(given: str, used: str) -> None:
    """PostgreSQL is always asked by psycopg 3, however it is written."""
    assert database_url(given) == used


REFUSED = [
    "postgresql+psycopg2://u:hush@h/d",
    "mysql://u:hush@h/d",
    "postgresql://",
    "postgresql://u:hush@h:port/d",
    "sqlite:///relative",
    "host=h password=hush",
]


@pytest.mark.parametrize("given", REFUSED)
def test_addresses_that_are_refused(given: str) -> None:
    """The sentence names the setting and not the password."""
    settings = {"REGULARS_DATABASE_URL": given, "REGULARS_SECRET_KEY": SECRET_KEY}
    with pytest.raises(SettingsError) as caught:
        load_settings(settings)
    (problem,) = caught.value.problems
    assert problem.startswith("REGULARS_DATABASE_URL must be postgresql://")
    assert "hush" not in problem


def test_what_the_operator_wrote_wins() -> None:
    """An option of the connection that stands in the address is not replaced by ours."""
    address = "postgresql+psycopg://h/d?connect_timeout=1"
    args = engine_options(address, threads=8)["connect_args"]
    assert "connect_timeout" not in args
    assert "keepalives_idle" in args


COMMANDS = [("site", "list"), ("db", "upgrade"), ("dispatch",)]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_while_nobody_answers(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit status 1 and one sentence with the address, without the password."""
    commands = Commands(
        tmp_path,
        {
            "REGULARS_DATA_DIR": str(tmp_path),
            "REGULARS_DATABASE_URL": "postgresql://owner:hush@127.0.0.1:1/shop",
            "REGULARS_SECRET_KEY": SECRET_KEY,
        },
    )
    told = commands.refused(*words, status=1)
    assert "127.0.0.1:1/shop cannot be used" in told
    assert "hush" not in told
    assert "Traceback" not in told
