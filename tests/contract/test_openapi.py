from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from flask import Flask
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.shops import ORIGIN, ShopUnderTest

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def _routes(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.endswith(".static") or rule.rule == "/":
            continue
        path = rule.rule.replace("<", "{").replace(">", "}")
        path = path.replace("{customer_id}", "{id}").replace("{event_type}", "{type}")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield path, method.lower()


def test_every_route_is_described(shop: ShopUnderTest) -> None:
    """The document has each route of the application, and no other."""
    paths = shop.client.get("/openapi.json").json["paths"]
    described = {
        (path, method) for path, methods in paths.items() for method in methods
    }
    assert described == set(_routes(shop.shop.app))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("credential", ["none", "key", "site"])
def test_whatever_is_sent_is_answered_as_described(
    shop: ShopUnderTest, credential: str
) -> None:
    """Made-up requests to every operation get an answer of the described form, and no 500."""
    headers = {
        "none": {},
        "key": {"Authorization": f"Bearer {shop.key}"},
        "site": {"Origin": ORIGIN},
    }[credential]
    shop.house.limiter.enabled = False
    schema = schemathesis.openapi.from_wsgi("/openapi.json", shop.shop.app)
    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def answers(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        answers()
