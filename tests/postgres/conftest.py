"""One PostgreSQL database, and as many processes and parts of Regulars on it as a test likes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.acceptance.running import Service, Shop
from tests.fakes import Clock, FakeLookup
from tests.postgres.lived import live
from tests.postgresql import SECRET_KEY
from tests.shops import HANDLE, ShopUnderTest, make_shop

from regulars.app import Shop as WiredShop
from regulars.app import open_shop, upgrade_schema
from regulars.keep.sites import add_key, add_site
from regulars.settings import load_settings
from regulars.values.instants import now_utc

OpenAt = Callable[..., ShopUnderTest]


@pytest.fixture
def open_at(tmp_path: Path, clock: Clock) -> Iterator[OpenAt]:
    """Opens a shop in this process on the database at a URL."""
    opened: list[ShopUnderTest] = []

    def open_one(
        url: str, lookup: FakeLookup | None = None, **settings: str
    ) -> ShopUnderTest:
        folder = tmp_path / f"opened{len(opened)}"
        given = {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY, **settings}
        opened.append(make_shop(folder, lookup, clock, **given))
        return opened[-1]

    yield open_one
    for shop in opened:
        shop.house.database.engine.dispose()


@pytest.fixture
def here(postgres_url: str, open_at: OpenAt) -> ShopUnderTest:
    """A shop in this process."""
    return open_at(postgres_url)


@pytest.fixture
def new_process(tmp_path: Path, postgres_url: str) -> Iterator[Callable[[], Service]]:
    """Makes services that are not started yet, all on the one database, as on several hosts."""
    with ExitStack() as services:
        made: list[Service] = []

        def make() -> Service:
            folder = tmp_path / f"host{len(made)}"
            service = Service(folder, DATABASE_URL=postgres_url, SECRET_KEY=SECRET_KEY)
            made.append(services.enter_context(service))
            return made[-1]

        yield make


@pytest.fixture
def shops(new_process: Callable[[], Service]) -> Iterator[list[Shop]]:
    """Two hosts of one shop: each has its own web process to sign up at."""
    first, second = new_process(), new_process()
    own = {k: v for k, v in first.environment.items() if k.startswith("REGULARS_")}
    house = open_shop(load_settings(own)).house
    with house.database.transaction() as connection:
        site = add_site(connection, "Shop", ["https://tonys.example"], now_utc())
        _, key = add_key(connection, "shop server", now_utc())
    yield [Shop(it, house, site.publishable_key, key) for it in (first, second)]
    house.database.engine.dispose()


@pytest.fixture
def source(
    tmp_path: Path, empty_database: Path, clock: Clock, lookup: FakeLookup
) -> Iterator[ShopUnderTest]:
    """A shop on SQLite that has seen something of everything."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "regulars.sqlite3").write_bytes(empty_database.read_bytes())
    lookup.found(HANDLE, "2244994945").unavailable("bob")
    shop = make_shop(folder, lookup, clock, ALLOW_PRIVATE_ENDPOINTS="1")
    live(shop)
    yield shop
    shop.house.database.engine.dispose()


@pytest.fixture
def open_target(
    tmp_path: Path, source: ShopUnderTest
) -> Iterator[Callable[[str], WiredShop]]:
    """Opens a database at a URL as the new home of the source, its tables made."""
    with ExitStack() as opened:

        def open_one(url: str) -> WiredShop:
            given = {
                "DATA_DIR": str(tmp_path / "target"),
                "DATABASE_URL": url,
                "SECRET_KEY": source.house.settings.secret_key,
                "BASE_URL": "https://connect.tonys.example",
                "ALLOW_PRIVATE_ENDPOINTS": "1",
            }
            settings = load_settings({f"REGULARS_{k}": v for k, v in given.items()})
            shop = open_shop(settings, clock=source.clock)
            opened.callback(shop.house.database.engine.dispose)
            upgrade_schema(shop)
            return shop

        yield open_one


@pytest.fixture
def target(open_target: Callable[[str], WiredShop], postgres_url: str) -> WiredShop:
    return open_target(postgres_url)
