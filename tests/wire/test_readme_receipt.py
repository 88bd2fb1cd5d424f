"""The README's block about the receipt does what the text beside it says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.readme.running import load

from regulars_webhooks.receipt import VALID_FOR, issue


def test_the_block_reads_a_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form with a genuine receipt is believed; one without, or with a stale one, says nothing."""
    monkeypatch.setenv("REGULARS_RECEIPT_SECRET", "rs_sample")
    what_x_said = load("receipt", tmp_path).what_x_said
    now = datetime.now(UTC)

    def form(when: datetime) -> dict[str, str]:
        token = issue(
            "AnaLima",
            "found",
            id="2244994945",
            site="site_1",
            secret="rs_sample",
            now=when,
        )
        return {"x_handle": "@AnaLima", "x_handle_receipt": token}

    told = what_x_said(form(now))
    assert (told.handle, told.verdict, told.id) == ("AnaLima", "found", "2244994945")
    stale = form(now - VALID_FOR - timedelta(seconds=5))
    for other in ({}, {"x_handle_receipt": "r1.x.y"}, stale):
        assert what_x_said(other) is None
