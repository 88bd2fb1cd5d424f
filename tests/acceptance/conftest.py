"""What the acceptance tests share: new shops, started by whoever asks for them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.acceptance.running import Shop, make_shop

MakeShop = Callable[..., Shop]


@pytest.fixture
def new_shop(tmp_path: Path, empty_database: Path) -> Iterator[MakeShop]:
    """Makes shops, each with settings of its own; all their processes end with the test."""
    with ExitStack() as shops:
        made: list[Shop] = []

        def make(**settings: str) -> Shop:
            folder = tmp_path / f"shop{len(made)}"
            made.append(
                shops.enter_context(make_shop(folder, empty_database, **settings))
            )
            return made[-1]

        yield make


@pytest.fixture(scope="module")
def new_module_shop(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[MakeShop]:
    """The same, for shops that the tests of a module share."""
    with ExitStack() as shops:

        def make(**settings: str) -> Shop:
            folder = tmp_path_factory.mktemp("shop")
            return shops.enter_context(make_shop(folder, empty_database, **settings))

        yield make
