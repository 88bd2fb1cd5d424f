"""The documented way back on PostgreSQL: ``pg_dump``, ``pg_restore``, ``regulars restore --in-place``."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from tests.cli.conftest import Commands
from tests.postgres.conftest import OpenAt
from tests.postgresql import SECRET_KEY
from tests.shops import ShopUnderTest


def _customers(shop: ShopUnderTest) -> dict[str, tuple[str, int]]:
    """Status and version of every customer, by id."""
    with shop.house.database.reading() as connection:
        rows = connection.execute(text("SELECT id, status, version FROM customer"))
        return {row.id: (row.status, row.version) for row in rows}


def _sign_up(shop: ShopUnderTest, **fields: Any) -> str:
    answer = shop.sign_up(by_key=True, **fields, **shop.consent())
    assert answer.status_code == 201, answer.text
    told: str = answer.json["customer"]["id"]
    return told


@pytest.mark.slow
def test_yesterdays_dump_brings_nobody_back(
    tmp_path: Path, postgres_url: str, open_at: OpenAt
) -> None:
    """Who was erased since stays erased, and what receivers were sent since is no reason to ignore what comes."""
    shop = open_at(postgres_url)
    plain = make_url(postgres_url).set(drivername="postgresql")
    address = plain.render_as_string(hide_password=False)
    folder = shop.house.settings.data_dir
    commands = Commands(
        folder,
        {
            "REGULARS_DATA_DIR": str(folder),
            "REGULARS_DATABASE_URL": postgres_url,
            "REGULARS_SECRET_KEY": SECRET_KEY,
        },
    )
    gone = _sign_up(shop, external_id="A-1", contact_email="bea@example.com")
    stays = _sign_up(shop, external_id="A-2", contact_email="tom@example.com")
    dump = tmp_path / "regulars.dump"
    subprocess.run(
        ["pg_dump", "--format=custom", f"--file={dump}", address], check=True
    )
    for name in ("Tom", "Thomas", "Tommy"):
        _sign_up(shop, external_id="A-2", given_name=name)
    assert commands.run("customer", "erase", gone, "--yes").exit_code == 0
    sent = _customers(shop)[stays][1]
    shop.house.database.engine.dispose()
    subprocess.run(
        ["pg_restore", "--clean", "--if-exists", f"--dbname={address}", dump],
        check=True,
    )
    assert _customers(shop)[gone][0] == "active"

    done = commands.run("restore", "--in-place", "--yes", "--json")

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["erased"] == 1
    assert _customers(shop)[gone][0] == "erased"
    assert _customers(shop)[stays][1] > sent
