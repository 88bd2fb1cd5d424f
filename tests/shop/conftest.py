"""What the tests of the shop's own rules share beside the shop itself."""

import pytest
from tests.shops import ShopUnderTest


@pytest.fixture
def endpoint(shop: ShopUnderTest) -> str:
    """The id of the shop's one endpoint."""
    return shop.add_endpoint()[0]
