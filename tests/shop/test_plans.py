"""What a signup costs must not grow with the number of customers: the plans say so on SQLite."""

import pytest
from sqlalchemy import event
from tests.shops import ShopUnderTest

# Small by nature: what the shop is set to, and what is counted by the day; and what is
# no table.
SMALL = {
    "endpoint",
    "site",
    "wording",
    "lookup_usage",
    "lookup_window",
    "CONSTANT",
    "anon_1",
}
# An index of which no more is used than a word that half of the rows share.
_COARSE = ("(kind=?)", "(status=?)", "(state=?)", "(verdict=?)", "(type=?)")


@pytest.mark.sqlite_only(
    "PostgreSQL plans by what it counted, and has tests of its own"
)
def test_no_statement_of_a_signup_walks_through_everybody(shop: ShopUnderTest) -> None:
    """Each statement finds its rows by an index that leads to one customer, first and second time."""
    engine = shop.house.database.engine
    shop.add_endpoint()
    said: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _k: object, sql: str, values: object, *_: object) -> None:
        said.append((sql, values))

    given = {
        "x_handle": "AnaLima",
        "contact_channel": ["x", "sms"],
        "contact_phone": "(212) 456-7890",
        "external_id": "A-1",
        **shop.consent(),
    }
    for extra in ({}, {"x_handle": "other", "contact_email": "ana@example.org"}):
        answer = shop.sign_up(by_key=True, **{**given, **extra})
        assert answer.status_code == 201
    event.remove(engine, "before_cursor_execute", note)
    walks = []
    with engine.connect() as connection:
        for sql, values in said:
            if not sql.startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            one = values[0] if isinstance(values, list) else values
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", one)
            for *_, step in plan:
                is_walk = step.startswith("SCAN") or step.endswith(_COARSE)
                if is_walk and step.split()[1] not in SMALL:
                    walks.append((step, sql))
    assert walks == []
