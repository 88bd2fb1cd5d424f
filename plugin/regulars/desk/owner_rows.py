"""What the owner's page shows of people: rows and cards as templates take them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from urllib.parse import urlencode

from regulars.desk.owner_words import (
    DELIVERY_NAMES,
    KIND_NAMES,
    PURPOSE_NAMES,
    WHY_NOT,
    day_words,
    moment_words,
    surface_words,
    verdict_words,
)
from regulars.keep.contact_points import ContactRow
from regulars.keep.recent_signups import Arrival
from regulars.keep.record import Json
from regulars.keep.signups import SignupRow
from regulars.values.contact import CHANNELS, KINDS, Channel, Kind

# https://developer.x.com/en/docs/x-for-websites/web-intents/overview: the id outlives a rename.
_INTENT = "https://x.com/intent/user?"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the list; addresses are masked, for others may look on."""

    customer_id: str
    name: str
    time: str
    place: str
    channel: str | None
    address: str | None
    """Where the channel is not X: the handle stands in the row with its verdict."""
    prefers_x: bool
    handle: str | None
    verdict: str | None


@dataclass(frozen=True, slots=True)
class Day:
    """The people of one UTC day, newest first."""

    name: str
    people: tuple[PersonRow, ...]


def days_of(
    arrivals: Sequence[Arrival], sites: Mapping[str, str], now: datetime
) -> list[Day]:
    """*arrivals* (newest first) by day; *sites* has the names of places by their id."""
    grouped = groupby(arrivals, key=lambda one: one.signup.created_at.date())
    return [
        Day(
            day_words(people[0].signup.created_at, now),
            tuple(_person(arrival, sites) for arrival in people),
        )
        for people in (list(group) for _, group in grouped)
    ]


def _person(arrival: Arrival, sites: Mapping[str, str]) -> PersonRow:
    customer, signup = arrival.customer, arrival.signup
    points = {point.kind: point for point in arrival.contact_points}
    x_account = points.get(Kind.X_ACCOUNT)
    ranked = customer.preferred_channels
    preferred = Channel(ranked[0]) if ranked else None
    point = points.get(CHANNELS[preferred].kind) if preferred else None
    return PersonRow(
        customer_id=customer.id,
        name=name_of(customer.given_name, customer.family_name),
        time=f"{signup.created_at:%H:%M}",
        place=_place(signup, sites),
        channel=CHANNELS[preferred].label if preferred else None,
        address=_masked(point)
        if point is not None and point is not x_account
        else None,
        prefers_x=preferred is Channel.X,
        handle=verdict_words(_masked(x_account), x_account.verdict)
        if x_account is not None
        else None,
        verdict=x_account.verdict if x_account is not None else None,
    )


def name_of(given: str | None, family: str | None) -> str:
    """The whole name, empty where none was given."""
    return " ".join(part for part in (given, family) if part)


def _masked(point: ContactRow) -> str:
    text = KINDS[Kind(point.kind)].mask(point.normalized)
    return f"@{text}" if point.kind == Kind.X_ACCOUNT else text


def _place(signup: SignupRow, sites: Mapping[str, str]) -> str:
    parts = (sites.get(signup.site_id or ""), surface_words(signup.surface))
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class ChannelCard:
    """One way to reach the person, and what they agreed to be reached for."""

    name: str
    rank: int | None
    address: str
    way: str
    allowed: tuple[str, ...]
    blocked: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PersonCard:
    """All that the card of one person shows; nothing of their profile on X is in it."""

    name: str
    external_id: str | None
    since: str
    channels: tuple[ChannelCard, ...]
    other_addresses: tuple[tuple[str, str], ...]
    handle: str | None
    verdict: str | None
    x_url: str | None
    interests: tuple[str, ...]
    topics: tuple[str, ...]
    last_signup: str | None
    place: str | None
    order: str | None


def card_of(
    record: Json, signup: SignupRow | None, sites: Mapping[str, str]
) -> PersonCard:
    """The card of the person whose *record* and last *signup* these are."""
    customer = record["customer"]
    points = {point["id"]: point for point in customer["contact_points"]}
    x_account = next(
        (
            point
            for point in points.values()
            if point["kind"] == Kind.X_ACCOUNT and point["is_primary"]
        ),
        None,
    )
    used = {row["contact_point_id"] for row in customer["channels"].values()}
    return PersonCard(
        name=name_of(customer["given_name"], customer["family_name"]),
        external_id=customer["external_id"],
        since=moment_words(datetime.fromisoformat(customer["created_at"])),
        channels=tuple(_channels(customer["channels"], points)),
        other_addresses=tuple(
            (KIND_NAMES[point["kind"]], _shown(point))
            for point in points.values()
            if point["id"] not in used
        ),
        handle=verdict_words(_shown(x_account), x_account["verdict"])
        if x_account
        else None,
        verdict=x_account["verdict"] if x_account else None,
        x_url=_x_url(x_account) if x_account else None,
        interests=tuple(interest["label"] for interest in customer["interests"]),
        topics=tuple(topic.replace("_", " ") for topic in customer["topics"]),
        last_signup=moment_words(signup.created_at) if signup else None,
        place=_place(signup, sites) if signup else None,
        order=_order(signup) if signup else None,
    )


def _channels(channels: Json, points: Mapping[str, Json]) -> Iterable[ChannelCard]:
    ranked = sorted(channels.items(), key=lambda item: item[1]["rank"] or len(channels))
    for name, row in ranked:
        point = points.get(row["contact_point_id"])
        if point is None:
            continue
        yield ChannelCard(
            name=CHANNELS[Channel(name)].label,
            rank=row["rank"],
            address=_shown(point),
            way=DELIVERY_NAMES[row["delivery"]],
            allowed=tuple(PURPOSE_NAMES[purpose] for purpose in row["allowed_for"]),
            blocked=tuple(
                (PURPOSE_NAMES[purpose], WHY_NOT[why])
                for purpose, why in row["blocked"].items()
            ),
        )


def _shown(point: Json) -> str:
    value = str(point["value"])
    return f"@{value}" if point["kind"] == Kind.X_ACCOUNT else value


def _x_url(point: Json) -> str:
    if point["platform_user_id"]:
        return _INTENT + urlencode({"user_id": point["platform_user_id"]})
    return _INTENT + urlencode({"screen_name": point["value"]})


def _order(signup: SignupRow) -> str | None:
    if not signup.order_id:
        return None
    by_shop = signup.order_verified
    return f"{signup.order_id}{'' if by_shop else ' (as the page said)'}"
