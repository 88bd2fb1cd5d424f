"""A shop under test: wired as in production, on a database of its own."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from flask.testing import FlaskClient
from sqlalchemy import func, select
from tests.fakes import Clock

from regulars.app import Shop, open_shop
from regulars.check.lookup import HandleLookup
from regulars.keep.db import metadata
from regulars.keep.sites import Site, add_key, add_site
from regulars.settings import load_settings
from regulars.tell.endpoints import Recipient, add_endpoint
from regulars.tell.events import event_table
from regulars.web.house import House
from regulars_webhooks.events import schema

ORIGIN = "https://tonys.example"
# The sample person of the suite; conftest looks for them in every log line.
HANDLE, EMAIL, PHONE = "AnaLima", "ana.lima@example.com", "(212) 456-7890"
BEARER = "AAAA-sample-bearer-token"


@cache
def _validator(event_type: str) -> jsonschema.Draft202012Validator:
    """Made once: checking the schema itself takes longer than a hundred bodies."""
    return jsonschema.Draft202012Validator(schema(event_type))


@dataclass
class ShopUnderTest:
    """The wired shop with one site, one secret key, and words for what tests do to it."""

    shop: Shop
    clock: Clock
    site: Site
    key: str
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.shop.app.test_client()

    @property
    def house(self) -> House:
        return self.shop.house

    def wording(self, wording_id: str) -> str:
        """The key of the wording in force."""
        return self.house.wordings("en")[wording_id].key

    def consent(self) -> dict[str, str]:
        """The two hidden fields of every page that asks."""
        return {
            "consent_x_link": self.wording("x_link"),
            "contact_wording": self.wording("contact_channel"),
        }

    def sign_up(
        self,
        *,
        by_key: bool = False,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Any:
        """The response to ``POST /v1/signups``, from the site's own page or by its key."""
        sent = dict(headers or {})
        if by_key:
            sent["Authorization"] = f"Bearer {self.key}"
        else:
            sent["Origin"] = ORIGIN
            fields = {"site": self.site.publishable_key, **fields}
        return self.client.post("/v1/signups", json=fields, headers=sent)

    def add_endpoint(
        self,
        url: str = "https://shop.example/hook",
        recipient: Recipient = Recipient.OWN,
        event_types: list[str] | None = None,
    ) -> tuple[str, str]:
        """The id and secret of a new endpoint."""
        with self.house.database.transaction() as connection:
            return add_endpoint(
                connection,
                self.house.database.seal,
                url=url,
                recipient=recipient,
                event_types=event_types,
                now=self.clock(),
            )

    def events(self, *, third_party: bool = False) -> list[dict[str, Any]]:
        """Every stored body that retention has not emptied, oldest first."""
        column = (
            event_table.c.body_third_party if third_party else event_table.c.body_own
        )
        # Two events of one instant have no order by id: the database's own order has.
        with self.house.database.reading() as connection:
            rows = connection.execute(select(column)).scalars().all()
        return [json.loads(row) for row in rows if row]

    def last_customer(self) -> dict[str, Any]:
        """The record in the newest event."""
        customer: dict[str, Any] = self.events()[-1]["data"]["customer"]
        return customer

    def rows(self) -> dict[str, int]:
        """How many rows each table has, but for the wordings: showing a page makes those."""
        with self.house.database.reading() as connection:
            return {
                name: connection.execute(
                    select(func.count()).select_from(table)
                ).scalar_one()
                for name, table in metadata.tables.items()
                if name != "wording"
            }

    def validate_events(self) -> None:
        """Hold every stored body against the schema of its type."""
        for body in [*self.events(), *self.events(third_party=True)]:
            _validator(body["type"]).validate(body)


def make_shop(
    folder: Path, lookup: HandleLookup | None, clock: Clock, **settings: str
) -> ShopUnderTest:
    """A shop on the migrated SQLite file ``regulars.sqlite3`` in *folder*."""
    given = {
        "DATA_DIR": str(folder),
        "SHOP_NAME": "Tony's",
        "PRIVACY_URL": "https://tonys.example/privacy",
        "BASE_URL": "https://connect.tonys.example",
        **settings,
    }
    if lookup is not None:
        given = {"X_MODE": "lookup", "X_BEARER_TOKEN": BEARER, **given}
    loaded = load_settings({f"REGULARS_{name}": value for name, value in given.items()})
    shop = open_shop(loaded, lookup=lookup, clock=clock)
    with shop.house.database.transaction() as connection:
        site = add_site(connection, "Shop", [ORIGIN], clock())
        _, key = add_key(connection, "shop server", clock())
    return ShopUnderTest(shop, clock, site, key)
