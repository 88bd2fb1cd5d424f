"""The command ``regulars db copy``, as a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.postgres.lived import contents, fill
from tests.postgresql import Databases
from tests.shops import ShopUnderTest

from regulars.app import Shop
from regulars.keep.copying import BATCH

pytestmark = pytest.mark.slow

REGULARS = str(Path(sys.executable).with_name("regulars"))


def command(source: ShopUnderTest, *words: str, **more: str) -> dict[str, Any]:
    """What a process of ``regulars`` on the source's data folder is started with."""
    own = {
        "REGULARS_DATA_DIR": str(source.house.settings.data_dir),
        "HOME": str(source.house.settings.data_dir),
        "PATH": "/usr/bin:/bin",
        **more,
    }
    return {"args": [REGULARS, *words], "env": own, "text": True}


def run(source: ShopUnderTest, *words: str, **more: str) -> Any:
    given = command(source, *words, **more)
    return subprocess.run(**given, capture_output=True, timeout=60, check=False)


def test_kill_9_in_the_middle_and_again(
    source: ShopUnderTest, postgres: Databases, open_target: Callable[[str], Shop]
) -> None:
    """The target tells no command that it is a shop; the same command again makes it one."""
    fill(source, 5 * BATCH)
    urls = source.house.settings.database_url, postgres.new()
    words = ("db", "copy", *urls)
    with subprocess.Popen(
        **command(source, *words), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if line.startswith("copied"))
        process.kill()
    assert "/" in told
    settings = {
        "REGULARS_DATABASE_URL": urls[1],
        "REGULARS_SECRET_KEY": source.house.settings.secret_key,
    }
    refused = run(source, "site", "list", **settings)
    assert refused.returncode == 1
    assert "part of a shop" in refused.stderr
    done = run(source, *words)
    assert done.returncode == 0, done.stderr
    assert f"checked {5 * BATCH + 1}/{5 * BATCH + 1} suppression" in done.stderr
    assert "REGULARS_SECRET_KEY" in done.stderr
    assert run(source, "site", "list", **settings).returncode == 0
    assert contents(open_target(urls[1])) == contents(source.shop)


REFUSED = {
    "the same": ("{source}", "{source}", 2, "the same database"),
    "no URL": ("{source}", "mysql://x/y", 2, "must be postgresql://"),
    "an empty one": ("", "{target}", 2, "must not be empty"),
    "no source": ("{source}.gone", "{target}", 1, "is missing"),
    "nobody there": ("{source}", "postgresql://127.0.0.1:1/x", 1, "broken off"),
}


@pytest.mark.parametrize(("of", "to", "status", "says"), REFUSED.values(), ids=REFUSED)
def test_what_the_command_refuses(
    source: ShopUnderTest, tmp_path: Path, of: str, to: str, status: int, says: str
) -> None:
    """By exit status and one sentence."""
    names = {
        "source": source.house.settings.database_url,
        "target": f"sqlite:///{tmp_path}/target.sqlite3",
    }
    told = run(source, "db", "copy", of.format(**names), to.format(**names))
    assert told.returncode == status
    assert says in told.stderr
    assert "Traceback" not in told.stderr
