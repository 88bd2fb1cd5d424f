"""``regulars init``: what it asks, what it makes, and that doing it again changes nothing."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.operations.conftest import Place

from regulars.cli.settings_file import settings_text
from regulars.setting_rows import FOLLOW_FROM_OTHERS, SETTINGS
from regulars.settings import load_settings

ANSWERS = {
    "--shop-name": 'Tony\'s "Best" Diner',
    "--base-url": "https://connect.tonys.example",
    "--privacy-url": "https://tonys.example/privacy",
    "--origin": "https://Tonys.example:443/",
    "--endpoint": "https://tonys.example/hooks",
    "--recipient": "own",
}


def flags(**other: str) -> list[str]:
    given = {**ANSWERS, **{f"--{k.replace('_', '-')}": v for k, v in other.items()}}
    return [word for pair in given.items() for word in pair]


@pytest.fixture
def bare(new_place: Callable[..., Place]) -> Place:
    """A folder that is not there."""
    return new_place()


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_flags_make_a_shop_that_can_be_served(bare: Place) -> None:
    """Settings file, database, site, key and endpoint are made; the secrets are told once."""
    done = bare.command("init", *flags(country="BR"), "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["changed"] is True
    assert told["site"]["origins"] == ["https://tonys.example"]
    assert told["key"]["key"].startswith("sk_")
    assert told["endpoint"]["secret"].startswith("whsec_")
    assert told["next"] == ["regulars site snippet Shop", "regulars serve"]
    settings = load_settings(bare.own)
    assert (settings.shop_name, settings.base_url, settings.default_country) == (
        ANSWERS["--shop-name"],
        ANSWERS["--base-url"],
        "BR",
    )
    assert (
        told["site"]["publishable_key"]
        in bare.command("site", "snippet", "Shop").stdout
    )
    told_at = bare.rows("SELECT url, recipient FROM endpoint")
    assert told_at == [(ANSWERS["--endpoint"], "own")]


def test_the_settings_file_is_private_and_names_every_setting(bare: Place) -> None:
    """Mode 0600, the folder 0700, and each setting stands in it with what it is for."""
    assert bare.command("init", *flags()).exit_code == 0
    file = bare.folder / "regulars.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(bare.folder.stat().st_mode) == 0o700
    text = file.read_text()
    assert "# REGULARS_X_TIMEOUT_S=2.0" in text
    assert "# What a signup waits for X at most" in text
    assert sorted(path.name for path in bare.folder.iterdir()) == [
        "regulars.env",
        "regulars.sqlite3",
        "secret_key",
    ]


def test_the_database_is_private_whoever_made_the_folder(
    new_place: Callable[..., Place],
) -> None:
    """It holds customers and signing secrets: in a folder that all may read it is still its owner's."""
    place = new_place()
    place.folder.mkdir(parents=True, exist_ok=True)
    place.folder.chmod(0o755)
    before = os.umask(0o022)
    try:
        assert place.command("db", "upgrade").exit_code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.database.stat().st_mode) == 0o600


def test_a_second_time_changes_nothing(bare: Place) -> None:
    """With the same flags, with none, and with others: exit 0, every file as it was."""
    assert bare.command("init", *flags()).exit_code == 0
    before = everything(bare.folder)
    for words in (flags(), [], flags(shop_name="Other", endpoint="https://b.example")):
        done = bare.command("init", *words)
        assert done.exit_code == 0, done.stderr
        assert "nothing was changed" in done.stdout
        assert "sk_" not in done.stdout + done.stderr
        assert everything(bare.folder) == before


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(["regulars.sqlite3"], id="before the database"),
        pytest.param(["regulars.sqlite3", "secret_key"], id="before the key"),
        pytest.param(["regulars.env"], id="the settings file alone is missing"),
    ],
)
def test_an_interrupted_start_is_completed(bare: Place, lost: list[str]) -> None:
    """What is there stays, what is missing is made, and then nothing is missing."""
    assert bare.command("init", *flags()).exit_code == 0
    kept = {k: v for k, v in everything(bare.folder).items() if k not in lost}
    for name in lost:
        (bare.folder / name).unlink()
    done = bare.command("init", *flags(), "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["changed"] is True
    now = everything(bare.folder)
    assert {name: now[name] for name in kept} == kept
    assert bare.rows("SELECT count(*) FROM site") == [(1,)]
    assert bare.rows("SELECT count(*) FROM endpoint") == [(1,)]
    assert "nothing was changed" in bare.command("init").stdout


def test_missing_flags_are_all_named(bare: Place) -> None:
    """Without a terminal nothing is asked: exit 2, each flag by name, nothing written."""
    done = bare.command("init", "--shop-name", "Tony's")
    assert done.exit_code == 2
    for flag in (
        "--base-url",
        "--privacy-url",
        "--origin",
        "--endpoint",
        "--recipient",
    ):
        assert f"{flag} is needed" in done.stderr
    assert "--shop-name" not in done.stderr
    assert not bare.folder.exists()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("base_url", "connect.tonys.example"),
        ("base_url", "https://user:secret@tonys.example"),
        ("privacy_url", "javascript:alert(1)"),
        ("origin", "https://tonys.example/shop"),
        ("endpoint", "https://10.0.0.7/hook"),
        ("endpoint", "http://tonys.example/hook"),
        ("shop_name", " "),
        ("shop_name", "Tony's\nREGULARS_X_MODE=off"),
        ("country", "Brazil"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    bare: Place, flag: str, value: str
) -> None:
    """Exit 2, the name of what is wrong, and no folder."""
    done = bare.command("init", *flags(**{flag: value}))
    assert done.exit_code == 2
    name = {"country": "DEFAULT_COUNTRY"}.get(flag, "--" + flag.replace("_", "-"))
    assert name in done.stderr
    assert not bare.folder.exists()


def test_a_private_endpoint_may_be_allowed(new_place: Callable[..., Place]) -> None:
    """The settings in force decide, as they will for the deliveries."""
    place = new_place(ENDPOINT_ALLOW="10.0.0.0/8")
    done = place.command("init", *flags(endpoint="https://10.0.0.7/hook"))
    assert done.exit_code == 0, done.stderr


def test_the_endpoint_may_wait(bare: Place) -> None:
    """--no-endpoint makes all the rest, and does so once."""
    words = flags()[:-4]
    done = bare.command("init", *words, "--no-endpoint", "--json")
    assert json.loads(done.stdout)["endpoint"] is None
    assert "nothing was changed" in bare.command("init").stdout


def test_the_token_may_come_from_standard_input(bare: Place) -> None:
    """So that it is in no shell's history and no list of processes."""
    words = flags(x_token="-")
    assert bare.command("init", *words, answer="AAAA-token\n").exit_code == 0
    assert load_settings(bare.own).x_bearer_token == "AAAA-token"


def test_at_a_terminal_it_asks_and_asks_again(bare: Place) -> None:
    """An answer that cannot be used is asked again; the rest is as by flags."""
    ours, theirs = pty.openpty()
    inherited = {k: v for k, v in os.environ.items() if "REGULARS" not in k}
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("regulars")), "init", "--json"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**inherited, **bare.own},
        text=True,
    ) as process:
        os.close(theirs)
        answers = ["Tony's", "ftp://no", *list(ANSWERS.values())[1:]]
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        out, error = process.communicate(timeout=20)
    os.close(ours)
    assert process.returncode == 0, error
    assert json.loads(out)["endpoint"]["url"] == ANSWERS["--endpoint"]
    assert "must be an address" in error
    assert load_settings(bare.own).shop_name == "Tony's"


def test_every_default_of_the_file_can_be_uncommented(tmp_path: Path) -> None:
    """A line that is taken out of its comment says what it said before: the default."""
    text = settings_text({})
    uncommented = re.sub(r"(?m)^# (REGULARS_[A-Z_]+=.*)$", r"\1", text)
    (tmp_path / "regulars.env").write_text(uncommented, "utf-8")
    folder = {"REGULARS_DATA_DIR": str(tmp_path)}
    (tmp_path / "empty").mkdir()
    bare = load_settings({"REGULARS_DATA_DIR": str(tmp_path / "empty")})
    found = load_settings(folder)
    for row in SETTINGS:
        name = row.name.lower()
        if row.name not in FOLLOW_FROM_OTHERS:
            assert getattr(found, name) == getattr(bare, name)
    assert found.x_mode == bare.x_mode
