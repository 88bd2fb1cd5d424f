"""Erasure: no byte of the person stays, and every system that was told hears of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import FakeLookup
from tests.shop.by_hand import (
    TAKEN,
    claim_due,
    customer_id_of,
    deliver,
    in_5_minutes,
    open_again,
    rows,
    settle_as,
    token_of,
)
from tests.shops import EMAIL, HANDLE, PHONE, ShopUnderTest

from regulars import erasure
from regulars.erasure import Erased
from regulars.keep.consents import consent_table
from regulars.keep.customers import customer_table
from regulars.keep.suppressions import suppression_table
from regulars.tell.deliveries import (
    attempt_table,
)
from regulars.tell.endpoints import Recipient
from regulars_webhooks.retry import Delivered, DeliveryResult

# Each is found nowhere but in what the person gave or X said of them.
NEEDLES = (
    HANDLE,
    "ana.lima",
    "2124567890",
    "456-7890",
    "Oyarzabal",
    "Guadalupe",
    "Football",
    "pbs.example",
    "ana.example",
    "order-778812",
    "shop-id-4711",
    "quiet_corner",
    "Fluminense",
    "/checkout/from-here",
    "2244994945",
    "Ana Lima",
)


@pytest.fixture
def known(shop: ShopUnderTest, lookup: FakeLookup) -> ShopUnderTest:
    """The shop of the tests, asking an X that knows the handle."""
    lookup.found(HANDLE, "2244994945")
    return shop


def sign_up(shop: ShopUnderTest) -> Any:
    """A signup's answer with everything that a person may give."""
    return shop.sign_up(
        by_key=True,
        headers={
            "Idempotency-Key": "k-1",
            "Referer": "https://tonys.example/checkout/from-here",
        },
        x_handle=HANDLE,
        contact_email=EMAIL,
        contact_phone=PHONE,
        contact_facebook="ana.lima.9",
        contact_channel=["x", "email", "sms"],
        given_name="Guadalupe",
        family_name="Oyarzabal",
        locale="pt-BR",
        topic="quiet_corner",
        interest="Fluminense",
        external_id="shop-id-4711",
        order_id="order-778812",
        **shop.consent(),
    )


def erase(shop: ShopUnderTest, customer_id: str) -> Erased | None:
    return erasure.erase(
        shop.house.database,
        customer_id,
        secret_key=shop.house.settings.secret_key,
        journal_folder=shop.house.journal_folder,
        now=shop.clock.advance(60),
    )


def bytes_of_database(shop: ShopUnderTest) -> Iterator[tuple[str, bytes]]:
    """Name and content of the database's files: itself, its log and the log's index."""
    for file in sorted(shop.house.settings.data_dir.iterdir()):
        yield file.name, file.read_bytes().lower()


def found_in_files(shop: ShopUnderTest) -> list[tuple[str, str]]:
    return [
        (name, needle)
        for name, content in bytes_of_database(shop)
        for needle in NEEDLES
        if needle.lower().encode() in content
    ]


@pytest.mark.sqlite_only("reads the files of the database")
def test_no_byte_of_the_person_stays(known: ShopUnderTest) -> None:
    """Rows, bodies, kept answers, what a receiver echoed: in no file beside the database."""
    known.add_endpoint()
    known.add_endpoint("https://m.example/", recipient=Recipient.THIRD_PARTY)
    customer_id = customer_id_of(sign_up(known))
    (body, _) = [item.body for item in deliver(known, head=b"")][:2]
    sign_up(known)
    settle_as(known, claim_due(known), Delivered(), TAKEN)
    known.sign_up(contact_email=EMAIL, contact_phone=PHONE, x_handle=HANDLE)
    echo = DeliveryResult(500, None, "500", None, 1, body)
    settle_as(known, claim_due(known), in_5_minutes(known), echo)
    assert {needle for _, needle in found_in_files(known)} == set(NEEDLES)
    erased = erase(known, customer_id)
    assert erased == Erased(customer_id, 3, True)
    names = {name for name, _ in bytes_of_database(known)}
    assert {"regulars.sqlite3", "regulars.sqlite3-wal"} <= names
    assert found_in_files(known) == []


@pytest.mark.sqlite_only("reads the files of the database")
def test_among_others_only_the_person_goes(
    known: ShopUnderTest,
) -> None:
    """Pages that split and merged on the way hold no copy; the others' rows are as before."""
    known.add_endpoint()
    customer_id = ""
    for number in range(25):
        known.sign_up(
            by_key=True,
            contact_email=f"guest{number}@example.org",
            interest=[f"{number} " + "x" * (number * 37 % 90)] * 2,
        )
        if number == 12:
            customer_id = customer_id_of(sign_up(known))
    deliver(known, head=b"thanks")
    before = [row for row in rows(known, customer_table) if row.id != customer_id]
    erase(known, customer_id)
    after = [row for row in rows(known, customer_table) if row.id != customer_id]
    assert (len(after), after) == (25, before)
    assert found_in_files(known) == []


def test_what_is_left_of_the_row(known: ShopUnderTest) -> None:
    """Id, version and status; consent rows stay as proof and name nobody."""
    customer_id = customer_id_of(sign_up(known))
    consents = rows(known, consent_table)
    erase(known, customer_id)
    (row,) = rows(known, customer_table)
    assert (row.id, row.version, row.status) == (customer_id, 2, "erased")
    assert rows(known, consent_table) == consents


def test_the_journal_line(known: ShopUnderTest) -> None:
    """Id, time and version in a file beside the database that only its owner reads."""
    first = customer_id_of(sign_up(known))
    second = customer_id_of(known.sign_up(by_key=True, contact_email="b@example.org"))
    erase(known, first)
    erase(known, second)
    journal = known.house.settings.data_dir / "erasures.jsonl"
    assert [json.loads(line) for line in journal.read_text().splitlines()] == [
        {"id": first, "at": "2026-11-21T20:16:04.318Z", "version": 2},
        {"id": second, "at": "2026-11-21T20:17:04.318Z", "version": 2},
    ]
    assert journal.stat().st_mode & 0o777 == 0o600


def test_the_journal_is_written_before_the_commit(
    known: ShopUnderTest, tmp_path: Path
) -> None:
    """Where no line can be written nothing is erased."""
    customer_id = customer_id_of(sign_up(known))
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(OSError, match="file"):
        erasure.erase(
            known.house.database,
            customer_id,
            secret_key="s",
            journal_folder=in_the_way,
            now=known.clock(),
        )
    assert [row.status for row in rows(known, customer_table)] == ["active"]


def test_the_suppression_rows(known: ShopUnderTest) -> None:
    """One for each address, by a keyed digest that is no plain hash of it."""
    customer_id = customer_id_of(sign_up(known))
    erase(known, customer_id)
    kept = rows(known, suppression_table)
    assert {row.kind for row in kept} == {
        "x_account",
        "email_address",
        "phone_number",
        "facebook_account",
    }
    digests = {row.hmac for row in kept}
    assert len(digests) == 4
    for plain in (
        EMAIL,
        f"email_address:{EMAIL}",
        f"suppression:email_address:{EMAIL}",
    ):
        assert hashlib.sha256(plain.encode()).hexdigest() not in digests


def test_the_same_address_is_suppressed_once(known: ShopUnderTest) -> None:
    """Who comes again and goes again leaves the same row."""
    for _ in range(2):
        answer = known.sign_up(by_key=True, contact_email=EMAIL)
        erase(known, customer_id_of(answer))
    assert len(rows(known, suppression_table)) == 1


def test_an_answer_that_comes_after_the_erasure_is_not_kept(
    known: ShopUnderTest,
) -> None:
    """The attempt was under way: its receiver repeats the old body, and we forget it."""
    known.add_endpoint()
    customer_id = customer_id_of(sign_up(known))
    claimed = claim_due(known)
    erase(known, customer_id)
    echo = DeliveryResult(200, None, "200", None, 1, claimed[0].body)
    assert settle_as(known, claimed, Delivered(), echo) == []
    assert [row.response_head for row in rows(known, attempt_table)] == [b""]
    known.house.database.scrub()
    assert found_in_files(known) == []


def test_twice(known: ShopUnderTest) -> None:
    """There is nobody to erase a second time, and nobody of an unknown id."""
    customer_id = customer_id_of(sign_up(known))
    assert erase(known, customer_id) is not None
    assert erase(known, customer_id) is None
    assert erase(known, "cus_unknown") is None
    assert len(known.events()) == 2


def test_afterwards_the_person_is_a_new_customer(known: ShopUnderTest) -> None:
    """Neither the shop's id nor an address leads to the erased one."""
    first = customer_id_of(sign_up(known))
    erase(known, first)
    known.clock.advance(86_400 * 31)
    second = customer_id_of(sign_up(known))
    assert second != first
    assert known.last_customer()["possible_duplicates"] == []


@pytest.mark.sqlite_only("reads the files of the database")
def test_a_reader_in_between_keeps_the_log_from_being_emptied(
    known: ShopUnderTest,
) -> None:
    """The result says so; once the reader is done, scrubbing again does it."""
    customer_id = customer_id_of(sign_up(known))
    reader = open_again(known).house.database
    with known.house.database.engine.connect() as connection:
        # The pool's one connection: the erasure is to give up waiting at once.
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    with reader.reading() as connection:
        connection.execute(customer_table.select()).all()
        erased = erase(known, customer_id)
    assert erased is not None
    assert not erased.is_scrubbed
    assert known.house.database.scrub()
    reader.engine.dispose()
    assert found_in_files(known) == []


def test_the_link_and_the_thanks_are_gone(known: ShopUnderTest) -> None:
    """Nothing of the signup is shown any more."""
    answer = sign_up(known)
    erase(known, customer_id_of(answer))
    token = token_of(answer)
    assert known.client.get(f"/p/{token}").status_code == 404
    thanks = known.client.get(f"/signup/thanks/{token}").text
    assert HANDLE not in thanks
