"""X is asked by number: a hundred to a call, and ids are texts from end to end."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from examples.fake_x import ANA, FakeX
from examples.fake_x_samples import LIMITED, NOT_FOUND, SUSPENDED, Reply

from regulars.check.lookup import (
    Answer,
    Found,
    NoLookup,
    NotAsked,
    NotFound,
    Reason,
    Suspended,
    Unavailable,
)
from regulars.check.x_api import XLookup
from regulars.values.handle import Handle

ID = ANA["id"]
# Larger than what a double holds exactly: JavaScript would change it.
LONG_ID = "1790637218941562881"


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


def look_up(x: FakeX, *ids: str) -> dict[str, Answer]:
    lookup = XLookup("token", api_url=x.url)
    return dict(lookup.look_up_ids(ids, timeout_s=5.0, now=datetime.now(UTC)))


def test_one_answer_for_each_id(x: FakeX) -> None:
    """Found, gone and suspended are told apart, under the id that was asked for."""
    x.accounts |= {"7": SUSPENDED, "8": NOT_FOUND}
    answers = look_up(x, "8", ID, "7")
    assert isinstance(answers[ID], Found)
    assert (answers["7"], answers["8"]) == (Suspended(), NotFound())
    assert x.calls == [("8", ID, "7")]


def test_a_rename_is_told(x: FakeX) -> None:
    """The id is the account; the handle is the one of today, with its profile."""
    x.rename("AnaLima", "AnaSouza")
    found = look_up(x, ID)[ID]
    assert isinstance(found, Found)
    assert (found.user_id, found.username) == (ID, "AnaSouza")
    assert found.profile is not None
    assert found.profile.followers_count == 321


def test_long_ids_stay_texts(x: FakeX) -> None:
    """An id that no double can hold comes back to the last digit."""
    x.accounts[LONG_ID] = ANA | {"id": LONG_ID}
    found = look_up(x, LONG_ID)[LONG_ID]
    assert isinstance(found, Found)
    assert found.user_id == LONG_ID


def test_a_hundred_ids_go_into_one_call(x: FakeX) -> None:
    """Two hundred and one ids are three calls."""
    answers = look_up(x, *map(str, range(1, 202)))
    assert [len(call) for call in x.calls] == [100, 100, 1]
    assert set(answers.values()) == {NotFound()}


@pytest.mark.parametrize("odd", ["", "abc", "1,2", "../me", "9" * 20, "१"])
def test_no_odd_id_reaches_the_wire(x: FakeX, odd: str) -> None:
    """What is no number of X's is not asked, and does not spoil a batch."""
    answers = look_up(x, odd, ID)
    assert answers[odd] == NotAsked()
    assert isinstance(answers[ID], Found)
    assert x.calls == [(ID,)]


def test_trouble_befalls_each_id(x: FakeX) -> None:
    """A call that fails as a whole is no verdict on anybody."""
    x.accounts["7"] = Reply(503, "<p>busy")
    assert look_up(x, ID, "7") == dict.fromkeys(
        [ID, "7"], Unavailable(Reason.SERVER_ERROR)
    )
    x.accounts["7"] = LIMITED
    trouble = look_up(x, "7")["7"]
    assert isinstance(trouble, Unavailable)
    assert trouble.retry_at is not None


def test_nobody_is_asked_without_a_look_up() -> None:
    """In the modes without a look-up each is not asked."""
    answers = NoLookup().look_up_ids([ID], timeout_s=1.0, now=datetime.now(UTC))
    assert answers == {ID: NotAsked()}


@pytest.mark.parametrize("spec", ["2.159", "2.167"])
def test_the_fields_asked_for_are_in_both_specifications(spec: str) -> None:
    """The whole profile comes from one look-up, before and after posts ceased to be tweets."""
    with FakeX(spec=spec) as x:
        found = look_up(x, ID)[ID]
    assert isinstance(found, Found)
    assert found.profile is not None
    assert None not in asdict(found.profile).values()


def test_without_profiles_no_field_is_asked_for() -> None:
    """With ``X_PROFILE=never`` X is asked for nothing but whether it is there."""
    lookup = XLookup("token", wants_profile=False)
    now = datetime.now(UTC)
    with responses.RequestsMock() as mock:
        mock.get("https://api.x.com/2/users/by/username/AnaLima", json={"data": ANA})
        mock.get("https://api.x.com/2/users", json={"data": [ANA]})
        by_handle = lookup.look_up([Handle("AnaLima")], timeout_s=5.0, now=now)
        by_id = lookup.look_up_ids([ID], timeout_s=5.0, now=now)
        asked = [
            parse_qs(urlsplit(call.request.url or "").query) for call in mock.calls
        ]
    assert asked == [{}, {"ids": [ID]}]
    # What X tells unasked, such as the name, is not taken either.
    for found in (by_handle["analima"], by_id[ID]):
        assert isinstance(found, Found)
        assert found.profile is None


def test_an_unknown_verified_type_is_taken_as_it_is(x: FakeX) -> None:
    """The specification has it as a plain text: a new kind is no trouble."""
    lookup = XLookup("token", api_url=x.url)
    answers = lookup.look_up([Handle("old_olga")], timeout_s=5.0, now=datetime.now(UTC))
    found = answers["old_olga"]
    assert isinstance(found, Found)
    assert found.profile is not None
    assert found.profile.verified_type == "something new"
    assert found.profile.followers_count == 7


def test_what_x_says_of_its_limits_is_kept_until_taken() -> None:
    """By kind of call, the last word each; what was taken is not told again."""
    with FakeX(limit=300) as x:
        lookup = XLookup("token", api_url=x.url)
        now = datetime.now(UTC)
        for _ in range(2):
            lookup.look_up([Handle("AnaLima")], timeout_s=5.0, now=now)
        lookup.look_up_ids([ID], timeout_s=5.0, now=now)
        windows = lookup.take_windows()
    assert sorted(it.remaining for it in windows.values()) == [298, 299]
    assert {it.limit for it in windows.values()} == {300}
    assert all(it.reset_at > now for it in windows.values())
    assert lookup.take_windows() == {}
