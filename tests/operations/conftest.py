"""What the tests of operations share: a shop in a folder, worked on by commands of its own processes."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.acceptance.conftest import new_shop as new_shop
from tests.cli.conftest import Commands

from regulars.app import Shop, make_transport, open_shop
from regulars.keep.sites import add_key
from regulars.settings import load_settings
from regulars.tell.dispatcher import Dispatcher
from regulars.tell.endpoints import Recipient, add_endpoint
from regulars.values.instants import now_utc

_REGULARS = str(Path(sys.executable).with_name("regulars"))


@dataclass
class Place:
    """A data folder; ``shop`` is opened at first use and ``closed`` before commands that want it alone."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    _shop: Shop | None = None
    _key: str = ""

    @property
    def database(self) -> Path:
        return self.folder / "regulars.sqlite3"

    @property
    def own(self) -> dict[str, str]:
        return {"REGULARS_DATA_DIR": str(self.folder), **self.environment}

    def command(self, *words: str, answer: str = "") -> Result:
        """What ``regulars WORDS`` told, run in this process."""
        return Commands(self.folder, self.own).run(*words, answer=answer)

    def command_apart(
        self, *words: str, largest_file: int
    ) -> subprocess.CompletedProcess[str]:
        """What ``regulars WORDS`` told where no file may get larger than *largest_file* bytes."""
        inherited = {k: v for k, v in os.environ.items() if "REGULARS" not in k}
        return subprocess.run(
            [_REGULARS, *words],
            capture_output=True,
            text=True,
            env={**inherited, **self.own},
            timeout=30,
            check=False,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (largest_file, largest_file)
            ),
        )

    @property
    def shop(self) -> Shop:
        if self._shop is None:
            self._shop = open_shop(load_settings(self.own))
        return self._shop

    def close(self) -> None:
        """Leave the database: no connection of this process stays open."""
        if self._shop is not None:
            self._shop.house.database.engine.dispose()
            self._shop = None

    def sign_up(self, **fields: Any) -> Any:
        """What the shop's own server is answered, as JSON."""
        house = self.shop.house
        if not self._key:
            with house.database.transaction() as connection:
                self._key = add_key(connection, "test", now_utc())[1]
        wordings = house.wordings("en")
        consent = {
            "consent_x_link": wordings["x_link"].key,
            "contact_wording": wordings["contact_channel"].key,
        }
        answer = self.shop.app.test_client().post(
            "/v1/signups",
            json={**consent, **fields},
            headers={"Authorization": f"Bearer {self._key}"},
        )
        assert answer.status_code == 201, answer.text
        return answer.json

    def add_endpoint(self, url: str) -> str:
        """The id of the new endpoint."""
        with self.shop.house.database.transaction() as connection:
            return add_endpoint(
                connection,
                self.shop.house.database.seal,
                url=url,
                recipient=Recipient.OWN,
                event_types=None,
                now=now_utc(),
            )[0]

    def deliver(self) -> int:
        """How many due deliveries were attempted, over real sockets."""
        house = self.shop.house
        transport = make_transport(house.settings)
        try:
            return Dispatcher(house.database, transport, house.clock).run_once()
        finally:
            transport.close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is in the database file."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    def change(self, statement: str) -> None:
        """Change the database file behind the shop's back."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement)


@pytest.fixture
def new_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes places, each in a folder of its own that does not exist yet."""
    made: list[Place] = []

    def make(**settings: str) -> Place:
        environment = {f"REGULARS_{name}": value for name, value in settings.items()}
        made.append(Place(tmp_path / f"place{len(made)}" / "data", environment))
        return made[-1]

    yield make
    for place in made:
        place.close()


@pytest.fixture
def place(new_place: Callable[..., Place], empty_database: Path) -> Place:
    """A shop on a migrated database, allowed to deliver to this machine."""
    made = new_place(ALLOW_PRIVATE_ENDPOINTS="1")
    made.folder.mkdir(parents=True, mode=0o700)
    made.database.write_bytes(empty_database.read_bytes())
    return made
