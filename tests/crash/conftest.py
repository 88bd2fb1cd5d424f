"""A shop on a PostgreSQL of its own, with processes to be killed and leases that are short."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.acceptance.running import START_WITHIN_S, Service, Shop, eventually
from tests.postgresql import SECRET_KEY

from regulars.app import open_shop
from regulars.keep.sites import add_key, add_site
from regulars.settings import Settings, load_settings
from regulars.values.instants import now_utc

LEASE_S = 2.0
NewProcess = Callable[..., Service]


@pytest.fixture
def new_process(tmp_path: Path, postgres_url: str) -> Iterator[NewProcess]:
    """Makes processes of the one shop, each with its own way to the database."""
    with ExitStack() as processes:
        made: list[Service] = []

        def make(url: str = postgres_url) -> Service:
            given = {
                "DATABASE_URL": url,
                "SECRET_KEY": SECRET_KEY,
                "DELIVERY_LEASE_S": str(LEASE_S),
            }
            folder = tmp_path / f"host{len(made)}"
            made.append(processes.enter_context(Service(folder, **given)))
            return made[-1]

        yield make


@pytest.fixture
def shop(new_process: NewProcess) -> Iterator[Shop]:
    """The shop, with a web process that is not started yet."""
    yield from shop_of(new_process())


def settings_of(service: Service) -> Settings:
    """What the processes of *service* are given."""
    own = {k: v for k, v in service.environment.items() if k.startswith("REGULARS_")}
    return load_settings(own)


def shop_of(service: Service) -> Iterator[Shop]:
    """The shop behind *service*, with a site and a key."""
    house = open_shop(settings_of(service)).house
    with house.database.transaction() as connection:
        site = add_site(connection, "Shop", ["https://tonys.example"], now_utc())
        _, key = add_key(connection, "shop server", now_utc())
    yield Shop(service, house, site.publishable_key, key)
    house.database.engine.dispose()


@pytest.fixture
def sign_up(shop: Shop) -> Iterator[Callable[[str], None]]:
    """Signs a guest up by e-mail, in this process."""
    wired = open_shop(settings_of(shop.service))
    client = wired.app.test_client()

    def one(email: str) -> None:
        answer = client.post(
            "/v1/signups",
            json={"contact_email": email},
            headers={"Authorization": f"Bearer {shop.key}"},
        )
        assert answer.status_code == 201, answer.text

    yield one
    wired.house.database.engine.dispose()


def has_begun(dispatcher: Service) -> None:
    """Wait until the dispatcher works."""
    eventually(
        lambda: "dispatcher started" in dispatcher.log(), within_s=START_WITHIN_S
    )
