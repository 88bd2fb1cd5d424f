"""What holds for every command: where it writes, how it ends, and what it never makes."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.cli.conftest import Commands

from regulars.cli import main

# Beside the interpreter, as pip puts it: what people type.
REGULARS = Path(sys.executable).with_name("regulars")

# All but serve and db upgrade: each must find a database and not make one.
COMMANDS = [
    "dispatch",
    "site add Shop --json",
    "site allow Shop https://shop.example --json",
    "site list --json",
    "site snippet Shop",
    "site link Shop --json",
    "site qr Shop",
    "key add server --json",
    "key list --json",
    "key revoke key_x",
    "endpoint add https://shop.example/hook --recipient own --json",
    "endpoint list --json",
    "endpoint rotate ep_x --json",
    "endpoint pause ep_x",
    "endpoint resume ep_x",
    "endpoint test ep_x --json",
    "endpoint remove ep_x --yes",
    "endpoint header set ep_x X-Key:1",
    "endpoint header remove ep_x X-Key",
    "delivery list --json",
    "delivery show dlv_x --json",
    "delivery retry dlv_x",
    "delivery recover --json",
    "retention run --json",
    "customer list --json",
    "customer find a@example.com --json",
    "customer show cus_x --json",
    "customer export cus_x",
    "customer erase cus_x --yes --json",
    "handle check jack --json",
    "x refresh --json",
    "x purge --json",
    "x forget cus_x --json",
    "owner password --stdin",
    "backup never-written.tar --json",
]


def regulars(
    *words: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The console script in a process of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("REGULARS_", "XDG_"))
    }
    return subprocess.run(
        [REGULARS, *words],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_makes_a_database(cli: Commands, command: str) -> None:
    """Without a database each command is a finding that names it and who would make it."""
    (cli.folder / "regulars.sqlite3").unlink()
    told = cli.refused(*command.split(), status=1)
    assert f"{cli.folder}/regulars.sqlite3" in told
    assert "regulars db upgrade" in told
    assert not (cli.folder / "regulars.sqlite3").exists()


def test_the_table_of_commands_is_whole(cli: Commands) -> None:
    """A command that comes later is put into the table above."""
    named = {tuple(command.split()[:2]) for command in COMMANDS}
    for name, command in main.commands.items():
        nouns = getattr(command, "commands", None)
        if nouns and name != "db":
            assert {(name, verb) for verb in nouns} <= named


def test_a_database_of_another_release(cli: Commands) -> None:
    """A file that is no database of this release is named with the command that heals it."""
    (cli.folder / "regulars.sqlite3").unlink()
    (cli.folder / "regulars.sqlite3").touch()
    cli.refused("site", "list", status=1)
    assert cli.run("db", "upgrade").exit_code == 0
    assert cli.json("site", "list") == []


def test_upgrade_makes_the_database(cli: Commands) -> None:
    """An upgrade makes what is missing; a second one changes nothing."""
    file = cli.folder / "regulars.sqlite3"
    file.unlink()
    first = cli.run("db", "upgrade")
    assert (first.exit_code, first.stdout) == (0, "")
    assert str(file) in first.stderr
    cli.ok("site", "add", "Shop")
    assert cli.run("db", "upgrade").exit_code == 0
    assert len(cli.json("site", "list")) == 1


@pytest.mark.parametrize(
    "command",
    [c for c in COMMANDS if "list" in c or "find" in c or " add " in c or "check" in c],
)
def test_json_is_alone_on_standard_output(cli: Commands, command: str) -> None:
    """One JSON value, and a line end, and nothing else; also where nothing is found."""
    result = cli.run(*command.split())
    assert result.exit_code == (1 if "find" in command else 0)
    assert result.stdout.count("\n") == 1
    value = json.loads(result.stdout)
    is_list = "list" in command or "find" in command
    assert isinstance(value, list if is_list else dict)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "nothing",
        "site",
        "site nothing",
        "site add",
        "site add A B",
        "site list --verbose",
        "delivery list --state lost",
        "endpoint add https://shop.example/hook",
        "serve --port 0",
        "serve --port many",
        "customer export cus_x --format pdf",
    ],
)
def test_a_mistake_in_the_call(cli: Commands, command: str) -> None:
    """A call that cannot be understood ends with 2 and says nothing on standard output."""
    result = cli.run(*command.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage" in result.stderr


def test_settings_that_cannot_be_used(cli: Commands) -> None:
    """Every problem with the settings is told at once, before anything is done: exit status 2."""
    cli.environment |= {"REGULARS_X_TIMEOUT_S": "soon", "REGULARS_CHANNELS": "pigeon"}
    told = cli.refused("site", "list", "--json", status=2)
    assert "REGULARS_X_TIMEOUT_S" in told
    assert "REGULARS_CHANNELS" in told


def test_the_database_is_named_when_nobody_did(cli: Commands, tmp_path: Path) -> None:
    """Who relies on the default is told which database it was, on standard error."""
    data = tmp_path / "xdg" / "regulars"
    data.parent.mkdir()
    cli.folder.rename(data)
    del cli.environment["REGULARS_DATA_DIR"]
    result = cli.run("site", "list", "--json")
    assert json.loads(result.stdout) == []
    assert result.stderr == f"database: sqlite:///{data}/regulars.sqlite3\n"


@pytest.mark.parametrize("name", ["DATA_DIR", "DATABASE_URL"])
def test_the_database_is_not_named_to_who_named_it(cli: Commands, name: str) -> None:
    """Who gave the folder or the URL needs no reminder."""
    if name == "DATABASE_URL":
        del cli.environment["REGULARS_DATA_DIR"]
        cli.environment |= {
            "REGULARS_DATABASE_URL": f"sqlite:///{cli.folder}/regulars.sqlite3",
            "REGULARS_SECRET_KEY": "k" * 32,
        }
    assert cli.run("site", "list").stderr == ""


@pytest.mark.parametrize("words", [["--help"], ["site", "--help"], ["serve", "--help"]])
def test_help(cli: Commands, words: list[str]) -> None:
    """Help is asked for, so it is on standard output and no mistake."""
    assert "Usage: " in cli.ok(*words)


def test_every_command_says_what_it_does() -> None:
    """Each command and group has a help text."""
    for command in main.commands.values():
        for each in [command, *getattr(command, "commands", {}).values()]:
            assert each.help, each.name


@pytest.mark.slow
def test_the_console_script(cli: Commands) -> None:
    """The installed script tells its version and keeps JSON apart from notes, as real streams."""
    told = regulars("--version", environment=cli.environment)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.split()[-1] == version("regulars")
    added = regulars("site", "add", "Shop", "--json", environment=cli.environment)
    assert (added.returncode, added.stderr) == (0, "")
    assert json.loads(added.stdout)["name"] == "Shop"
    again = regulars("site", "add", "Shop", "--json", environment=cli.environment)
    assert (again.returncode, again.stdout) == (1, "")
    assert "Traceback" not in again.stderr
    usage = regulars("site", "add", environment=cli.environment)
    assert (usage.returncode, usage.stdout) == (2, "")


@pytest.mark.slow
def test_a_pipe_that_closes_early(cli: Commands) -> None:
    """Reading the first line alone, as `head` does, makes no traceback."""
    line = f"{REGULARS} site list --json | true"
    done = subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, **cli.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
