"""What every test may ask for, and two things that hold in all of them.

Every event that a test makes is valid under its schema, and no log line that a test
causes, at whatever level, names the sample person or holds a secret.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fakes import Clock, FakeLookup
from tests.postgresql import SECRET_KEY, Databases, running_server
from tests.shops import BEARER, EMAIL, HANDLE, PHONE, ShopUnderTest, make_shop

from regulars.app import open_shop, upgrade_schema
from regulars.settings import load_settings

REQUIRE_ALL = os.environ.get("REGULARS_TEST_REQUIRE_ALL") == "1"
_NEEDLES = (HANDLE, EMAIL, PHONE, "2124567890", BEARER, "whsec_", "Bearer sk_")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sqlite_only(reason): says nothing about PostgreSQL, for the reason"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses a database is run on both, but for what is marked ``sqlite_only``."""
    if "database_kind" not in metafunc.fixturenames:
        return
    kinds = ["sqlite", "postgresql"]
    if metafunc.definition.get_closest_marker("sqlite_only"):
        kinds = ["sqlite"]
    metafunc.parametrize("database_kind", kinds, indirect=True)


def need(is_there: bool, what: str) -> None:
    """Skip the test by name when *what* is not on this machine; fail where CI wants all."""
    if is_there:
        return
    if REQUIRE_ALL:
        pytest.fail(
            f"{what} is missing, and REGULARS_TEST_REQUIRE_ALL=1 wants every test"
        )
    pytest.skip(f"needs {what}")


class _Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        extras = {k: v for k, v in vars(record).items() if k not in {"msg", "args"}}
        self.lines.append(f"{record.getMessage()} {extras}")


@pytest.fixture(autouse=True)
def no_personal_data_in_logs() -> Iterator[None]:
    """No log line of any logger at any level names the sample person or a secret."""
    handler, root = _Everything(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.removeHandler(handler)
    root.setLevel(level)
    text = "\n".join(handler.lines).lower()
    assert [needle for needle in _NEEDLES if needle.lower() in text] == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lookup() -> FakeLookup:
    return FakeLookup()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file without rows, made once and copied by each test."""
    folder = tmp_path_factory.mktemp("template")
    shop = open_shop(load_settings({"REGULARS_DATA_DIR": str(folder)}))
    upgrade_schema(shop)
    shop.house.database.scrub()
    shop.house.database.engine.dispose()
    return folder / "regulars.sqlite3"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Databases on a PostgreSQL; without one the test is skipped by name."""
    with running_server() as url:
        need(url is not None, "PostgreSQL")
        databases = Databases(str(url))
        yield databases
        databases.close()


@pytest.fixture
def postgres_url(postgres: Databases) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database that is the test's own."""
    url = postgres.lend()
    yield url
    postgres.take_back(url)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """``sqlite`` or ``postgresql``: each test that asks is run on both."""
    kind: str = request.param
    return kind


@pytest.fixture
def new_database(
    database_kind: str, empty_database: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[Path], dict[str, str]]]:
    """Gives a folder a migrated database without rows: what the settings must say of it."""
    if database_kind == "sqlite":

        def copy(folder: Path) -> dict[str, str]:
            shutil.copy(empty_database, folder / "regulars.sqlite3")
            return {}

        yield copy
        return
    databases: Databases = request.getfixturevalue("postgres")
    lent: list[str] = []

    def lend(folder: Path) -> dict[str, str]:
        lent.append(databases.lend())
        return {"DATABASE_URL": lent[-1], "SECRET_KEY": SECRET_KEY}

    yield lend
    for url in lent:
        databases.take_back(url)


@pytest.fixture
def open_under_test(
    tmp_path: Path, new_database: Callable[[Path], dict[str, str]], clock: Clock
) -> Iterator[Callable[..., ShopUnderTest]]:
    """Opens shops, each with settings of its own; their events are validated at the end."""
    opened: list[ShopUnderTest] = []

    def open_one(lookup: FakeLookup | None = None, **settings: str) -> ShopUnderTest:
        folder = tmp_path / f"shop{len(opened)}"
        folder.mkdir()
        given = {**new_database(folder), **settings}
        opened.append(make_shop(folder, lookup, clock, **given))
        return opened[-1]

    yield open_one
    for shop in opened:
        shop.validate_events()
        shop.house.database.engine.dispose()


@pytest.fixture
def shop(
    open_under_test: Callable[..., ShopUnderTest], lookup: FakeLookup
) -> ShopUnderTest:
    """A shop that asks the fake X."""
    return open_under_test(lookup)
