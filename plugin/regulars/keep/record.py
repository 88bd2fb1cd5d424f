"""The JSON of one customer, as events and exports carry it, and what changed in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from regulars.keep.consents import (
    ConsentRow,
    Question,
    State,
    consents_of,
    rows_to_tell,
    states_of,
    sum_of_consents,
)
from regulars.keep.contact_points import ContactRow, contact_points_of
from regulars.keep.customers import CustomerRow, find_customer
from regulars.keep.in_step import former_handles_of
from regulars.keep.signups import (
    SignupRow,
    find_signup,
    preferences_token,
    signups_of,
)
from regulars.keep.wordings import texts_of
from regulars.values.contact import (
    CHANNELS,
    CONTACT_PURPOSES,
    KINDS,
    Channel,
    Kind,
)
from regulars.values.instants import to_rfc3339
from regulars.values.verdict import Verdict

Json = dict[str, Any]

# The version and its time change with every event: naming them would say nothing.
_NEVER_NEWS = ("/customer/version", "/customer/updated_at")


class Recorder:
    """Builds records as this shop tells them: its channels, its links."""

    def __init__(
        self, *, channels: Sequence[Channel], base_url: str, secret_key: str
    ) -> None:
        self._channels = channels
        self._base_url = base_url
        self._secret_key = secret_key

    def preferences_url(self, token: str) -> str:
        """The address of the preferences page that *token* opens."""
        return f"{self._base_url}/p/{token}"

    def record(self, connection: Connection, customer_id: str) -> Json | None:
        """``{"customer": …, "profile": …}`` as of this transaction; None if unknown."""
        customer = find_customer(connection, customer_id)
        if customer is None:
            return None
        points = contact_points_of(connection, customer_id)
        consents = sum_of_consents(connection, customer_id)
        signup = find_signup(connection, customer.last_signup_id or "")
        body = _customer_json(customer)
        body["contact_points"] = [_contact_json(point) for point in points]
        body["channels"] = self._channels_json(customer, points, consents)
        body["consents"] = [_consent_json(row) for row in rows_to_tell(consents)]
        body["possible_duplicates"] = customer.possible_duplicates
        body["source"] = _place_json(signup) if signup else None
        body["links"] = {"preferences": self._link(signup)}
        body["created_at"] = to_rfc3339(customer.created_at)
        body["updated_at"] = to_rfc3339(customer.updated_at)
        return {"customer": body, "profile": _profile_json(points)}

    def export(self, connection: Connection, customer_id: str) -> Json | None:
        """All that is held about the customer: record, consents with the words shown, signups."""
        record = self.record(connection, customer_id)
        if record is None:
            return None
        consents = consents_of(connection, customer_id)
        signups = signups_of(connection, customer_id)
        shown = {(row.wording_id, row.wording_key) for row in consents}
        texts = texts_of(connection, shown)
        return {
            **record,
            "consent_history": [
                {
                    **_consent_json(row),
                    "text": texts.get((row.wording_id, row.wording_key)),
                }
                for row in consents
            ],
            "signups": [_signup_json(row) for row in signups],
            "former_handles": [
                {"handle": row.normalized, "until": to_rfc3339(row.until)}
                for row in former_handles_of(connection, customer_id)
            ],
        }

    def _link(self, signup: SignupRow | None) -> str | None:
        if signup is None:
            return None
        token = preferences_token(self._secret_key, signup.id, signup.revocations)
        return self.preferences_url(token)

    def _channels_json(
        self,
        customer: CustomerRow,
        points: Sequence[ContactRow],
        consents: Sequence[ConsentRow],
    ) -> Json:
        states = states_of(consents)
        primary = {Kind(point.kind): point for point in points if point.is_primary}
        ranks: list[str] = customer.preferred_channels
        return {
            channel.value: _channel_json(
                channel,
                ranks.index(channel.value) + 1 if channel.value in ranks else None,
                primary.get(CHANNELS[channel].kind),
                states,
            )
            for channel in self._channels
        }


def _customer_json(customer: CustomerRow) -> Json:
    ranked = customer.preferred_channels
    return {
        "id": customer.id,
        "external_id": customer.external_id,
        "version": customer.version,
        "status": customer.status,
        "given_name": customer.given_name,
        "family_name": customer.family_name,
        "locale": customer.locale,
        "preferred_channel": ranked[0] if ranked else None,
        "preferred_channels": ranked,
        "topics": customer.topics,
        "interests": customer.interests,
    }


def _contact_json(point: ContactRow) -> Json:
    return {
        "id": point.id,
        "kind": point.kind,
        "value": point.value,
        "normalized": point.normalized,
        "url": point.url,
        "platform_user_id": point.platform_user_id,
        "verdict": point.verdict,
        "ownership": point.ownership,
        "checked_at": to_rfc3339(point.checked_at) if point.checked_at else None,
        "is_primary": point.is_primary,
    }


def _channel_json(
    channel: Channel,
    rank: int | None,
    point: ContactRow | None,
    states: Mapping[Question, State],
) -> Json:
    reasons = {
        purpose.value: _reason_against(point, states.get((purpose, channel)))
        for purpose in CONTACT_PURPOSES
    }
    return {
        "rank": rank,
        "contact_point_id": point.id if point else None,
        "delivery": CHANNELS[channel].delivery.value if point else None,
        "allowed_for": sorted(name for name, why in reasons.items() if why is None),
        "blocked": {name: why for name, why in reasons.items() if why is not None},
    }


def _reason_against(point: ContactRow | None, state: State | None) -> str | None:
    """Why a purpose is blocked, the first reason that applies; None when it is allowed."""
    if point is None:
        return "no_contact_point"
    if state is State.WITHDRAWN:
        return "withdrawn"
    undeliverable = KINDS[Kind(point.kind)].undeliverable_verdicts
    if point.verdict and Verdict(point.verdict) in undeliverable:
        return "undeliverable"
    if state is State.PENDING:
        return "pending_consent"
    return None if state is State.GRANTED else "no_consent"


def _consent_json(row: ConsentRow) -> Json:
    wording = {
        "id": row.wording_id,
        "key": row.wording_key,
        "sha256": row.wording_sha256,
    }
    return {
        "id": row.id,
        "purpose": row.purpose,
        "channel": row.channel,
        "state": row.state,
        "legal_basis": row.legal_basis,
        "method": row.method,
        "rendered_by": row.rendered_by,
        "occurred_at": to_rfc3339(row.occurred_at),
        "recorded_at": to_rfc3339(row.recorded_at),
        "wording": wording if row.wording_id else None,
    }


def _place_json(signup: SignupRow) -> Json:
    return {
        "surface": signup.surface,
        "site_id": signup.site_id,
        "order_id": signup.order_id,
        "order_verified": signup.order_verified,
        "device_id": signup.device_id,
        "page_url": signup.page_url,
    }


def _signup_json(signup: SignupRow) -> Json:
    return {
        "id": signup.id,
        "at": to_rfc3339(signup.created_at),
        **_place_json(signup),
        "channels": signup.channels,
        "handle": signup.handle,
        "verdict": signup.verdict,
    }


def _profile_json(points: Sequence[ContactRow]) -> Json | None:
    for point in points:
        if point.is_primary and point.profile is not None:
            profile: Json = point.profile
            return profile
    return None


def changed_pointers(before: Json, after: Json) -> list[str]:
    """JSON Pointers (RFC 6901) below ``data`` of what differs, as deep as both sides agree."""
    return [
        pointer
        for pointer in _differences("", before, after)
        if pointer not in _NEVER_NEWS
    ]


def _differences(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            if name in before and name in after:
                yield from _differences(f"{path}/{name}", before[name], after[name])
            else:
                yield f"{path}/{name}"
    elif (
        isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
    ):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}/{index}", old, new)
    else:
        yield path
