"""The stand-in for X: ids, accounts that change, limits, the bill; tweepy asks it as it is."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
import tweepy
from examples.fake_x import ANA, SAMPLES, FakeX
from examples.fake_x_samples import SUSPENDED, Changing
from requests.adapters import HTTPAdapter

ANA_ID = ANA["id"]


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


def ask(x: FakeX, path: str) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers, in lower case, of one GET with a token."""
    connection = HTTPConnection(urlsplit(x.url).netloc, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": "Bearer token"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, json.loads(response.read()), headers
    finally:
        connection.close()


def by_id(x: FakeX, *ids: str) -> Any:
    return ask(x, f"/2/users?ids={','.join(ids)}")[1]


def by_handle(x: FakeX, handle: str) -> Any:
    return ask(x, f"/2/users/by/username/{handle}")[1]


def test_accounts_are_found_by_their_ids(x: FakeX) -> None:
    """Who is there stands in data, who is not in errors, under the parameter ``ids``."""
    body = by_id(x, "404404", ANA_ID)
    assert body["data"] == [{"id": ANA_ID, "name": "Ana Lima", "username": "AnaLima"}]
    (error,) = body["errors"]
    assert (error["value"], error["parameter"]) == ("404404", "ids")
    assert error["detail"] == "Could not find user with ids: [404404]."
    assert error["type"].endswith("/resource-not-found")


def test_a_rename_keeps_the_id(x: FakeX) -> None:
    """By id the new handle is told; the old one is nobody's, the new one the account's."""
    x.rename("AnaLima", "AnaSouza")
    assert by_id(x, ANA_ID)["data"][0]["username"] == "AnaSouza"
    assert by_handle(x, "anasouza")["data"]["id"] == ANA_ID
    assert "data" not in by_handle(x, "AnaLima")


def test_a_recycled_handle_has_another_id(x: FakeX) -> None:
    """The handle is found and is somebody else; the account of before has moved."""
    x.recycle("AnaLima", "AnaSouza")
    assert by_handle(x, "AnaLima")["data"]["id"] != ANA_ID
    assert by_id(x, ANA_ID)["data"][0]["username"] == "AnaSouza"


def test_an_account_can_be_suspended_and_protected(x: FakeX) -> None:
    """By handle and by id alike."""
    x.becomes("AnaLima", SUSPENDED)
    for body in (by_handle(x, "AnaLima"), by_id(x, ANA_ID)):
        assert [error["title"] for error in body["errors"]] == ["Forbidden"]
    caio = by_handle(x, "Caio1970")["data"]["id"]
    x.protect("Caio1970")
    path = f"/2/users?ids={caio}&user.fields=protected"
    assert ask(x, path)[1]["data"][0]["protected"] is True


@pytest.mark.parametrize(
    "handle", [name for name, _, it in SAMPLES if isinstance(it, Changing)]
)
def test_samples_that_change_once_they_were_found(x: FakeX, handle: str) -> None:
    """Asked for by handle first it is there; by its id it is another thing from then on."""
    first = by_handle(x, handle)["data"]
    fields = "user.fields=protected"
    after = ask(x, f"/2/users?ids={first['id']}&{fields}")[1]
    assert after != {"data": [first | {"protected": False}]}
    again = by_handle(x, handle).get("data")
    assert (again == first) is (handle == "private_pia")


def test_somebody_found_by_chance_is_found_by_id(x: FakeX) -> None:
    """Where everyone exists an id that was told is an account."""
    x.everyone = True
    number = by_handle(x, "stranger")["data"]["id"]
    assert by_id(x, number)["data"][0]["username"] == "stranger"


def test_the_books_are_told_over_http(x: FakeX) -> None:
    """Calls by kind, and users billed: those that were returned, found again or not."""
    by_handle(x, "AnaLima")
    by_handle(x, "nosuch")
    by_id(x, ANA_ID, "404404")
    assert ask(x, "/books")[1] == {
        "calls": 3,
        "calls_by_kind": {"username": 2, "ids": 1},
        "users_billed": 2,
    }


def test_the_page_lets_things_happen(x: FakeX) -> None:
    """Its form renames, suspends and so on; what is no change is refused."""
    netloc = urlsplit(x.url).netloc
    for form, status in (
        ({"handle": "@AnaLima", "becomes": "renamed"}, 303),
        ({"handle": "nobody_here", "becomes": "suspended"}, 303),
        ({"handle": "AnaLima", "becomes": "king"}, 400),
    ):
        connection = HTTPConnection(netloc, timeout=5)
        connection.request("POST", "/change", urlencode(form))
        assert connection.getresponse().status == status
        connection.close()
    assert by_id(x, ANA_ID)["data"][0]["username"] == "AnaLima_new"


def test_the_limit_is_told_and_held_to() -> None:
    """Each kind of call has a window of its own, which begins anew after 15 minutes."""
    now = [100.0]
    with FakeX(limit=2, clock=lambda: now[0]) as limited:
        path = "/2/users/by/username/AnaLima"
        told = [ask(limited, path) for _ in range(3)]
        assert [status for status, _, _ in told] == [200, 200, 429]
        left = [headers["x-rate-limit-remaining"] for _, _, headers in told]
        assert left == ["1", "0", "0"]
        assert ask(limited, f"/2/users?ids={ANA_ID}")[0] == 200
        now[0] += 900
        assert ask(limited, path)[0] == 200
        assert limited.billed == 4


@pytest.mark.parametrize(
    ("handle", "status", "remaining"),
    [("broke_bea", 402, "299"), ("capped_cy", 429, "39999"), ("limit_lou", 429, "0")],
)
def test_headers_of_trouble(x: FakeX, handle: str, status: int, remaining: str) -> None:
    """A spent credit and a reached cap come with a limit that looks healthy."""
    got, _, headers = ask(x, f"/2/users/by/username/{handle}")
    assert (got, headers["x-rate-limit-remaining"]) == (status, remaining)
    assert "x-rate-limit-reset" in headers


@pytest.mark.parametrize(
    ("spec", "field", "metric"),
    [("2.159", "pinned_tweet_id", "tweet_count"), ("2.167", "parody", "post_count")],
)
def test_old_and_new_names(spec: str, field: str, metric: str) -> None:
    """Metrics by the names of the specification that it is told to keep to."""
    with FakeX(spec=spec) as of_spec:
        path = f"/2/users/by/username/AnaLima?user.fields=public_metrics,{field}"
        status, body, _ = ask(of_spec, path)
    assert status == 200
    assert metric in body["data"]["public_metrics"]


class Redirected(HTTPAdapter):
    """Sends what is meant for X to the stand-in."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(
        self, request: requests.PreparedRequest, *given: Any, **more: Any
    ) -> requests.Response:
        request.url = (request.url or "").replace("https://api.twitter.com", self.url)
        return super().send(request, *given, **more)


@pytest.fixture
def client(x: FakeX) -> tweepy.Client:
    """tweepy as it is, but for the host that it has built in."""
    client = tweepy.Client("token")
    client.session.mount("https://api.twitter.com", Redirected(x.url))
    return client


def test_tweepy_asks_it_unmodified(client: tweepy.Client) -> None:
    """All three calls give tweepy's own models, with errors beside the data."""
    assert client.get_user(username="aNALIMA").data.username == "AnaLima"
    both = client.get_users(usernames=["AnaLima", "nosuch"])
    assert [user.name for user in both.data] == ["Ana Lima"]
    assert both.errors[0]["parameter"] == "usernames"
    assert client.get_user(username="suspended_sam").data is None
    assert client.get_users(ids=[ANA_ID]).data[0].id == int(ANA_ID)


@pytest.mark.parametrize(
    ("handle", "error"),
    [
        ("bad-name", tweepy.BadRequest),
        ("unauth_una", tweepy.Unauthorized),
        ("broke_bea", tweepy.HTTPException),
        ("forbid_fay", tweepy.Forbidden),
        ("limit_lou", tweepy.TooManyRequests),
        ("limit_luc", tweepy.TooManyRequests),
        ("down_dan", tweepy.TwitterServerError),
        ("html_hal", requests.JSONDecodeError),
        ("reset_ray", requests.ConnectionError),
    ],
)
def test_tweepy_meets_the_troubles_of_x(
    client: tweepy.Client, handle: str, error: type[Exception]
) -> None:
    """Each trouble is the exception that tweepy, or requests below it, has for it."""
    with pytest.raises(error):
        client.get_user(username=handle)
