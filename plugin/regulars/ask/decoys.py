"""How a form is answered that only a program can have filled in.

The field ``leave_empty`` is on our pages, out of sight, with a label that says what its
name says. Who fills it in is answered as everybody is and kept nowhere: the answer has
an id, a verdict and a link that opens, all of them made up.
"""

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass

from regulars.ask.fields import SubmittedData
from regulars.keep.record import Json
from regulars.preferences import Preferences
from regulars.signup import Accepted
from regulars.values.answer import Answer
from regulars.values.contact import Kind
from regulars.values.ids import new_id
from regulars.values.verdict import Verdict
from regulars.web.house import House

log = logging.getLogger(__name__)

LEAVE_EMPTY = "leave_empty"

_RANDOM_BYTES = 8


def is_filled_by_a_program(fields: SubmittedData) -> bool:
    """Whether something stands in the field that nobody can see."""
    return any(str(value).strip() for value in fields.getlist(LEAVE_EMPTY))


def leave_aside(house: House, answer: Answer) -> Json | None:
    """What the sender of *answer* is told, and nothing is done; None as for an empty form."""
    if answer.is_empty_but_for_external_id:
        return None
    house.counts.left_aside()
    log.info("signup left aside")
    address = answer.address(Kind.X_ACCOUNT)
    is_asked = house.settings.x_mode == "lookup" and answer.x_link is not None
    verdict = Verdict.PENDING if is_asked else Verdict.UNCHECKED
    token = _token(house.settings.secret_key, secrets.token_bytes(_RANDOM_BYTES))
    accepted = Accepted(
        signup_id=new_id("sgn", house.clock()),
        handle=address.value if address else None,
        verdict=verdict if address else None,
        preferences_url=house.recorder.preferences_url(token),
        customer_id="",
        version=1,
        preferred_channel=None,
    )
    return accepted.told(has_secret_key=False)


def is_decoy(house: House, token: str) -> bool:
    """Whether the link with *token* was made up here; nobody without our key can tell."""
    try:
        raw = base64.urlsafe_b64decode(token + "==")
    except ValueError:
        return False
    ours = _token(house.settings.secret_key, raw[:_RANDOM_BYTES])
    return hmac.compare_digest(ours.encode(), token.encode())


@dataclass(frozen=True, slots=True)
class Told:
    """What the page after a signup shows of it; of a form that was left aside, nothing."""

    handle: str | None = None
    verdict: str | None = None
    channels: tuple[str, ...] = ()


def decoy_preferences(house: House, token: str) -> Preferences | None:
    """The page behind a made-up link: of today, and bare; None where the link is no such."""
    if not is_decoy(house, token):
        return None
    return Preferences(
        given_at=house.clock(), language=None, points=(), channels=(), permissions=()
    )


def _token(secret_key: str, random: bytes) -> str:
    """As long as a true one; its second half says, to us alone, that there is nothing behind it."""
    proof = hmac.digest(secret_key.encode(), b"decoy:" + random, hashlib.sha256)
    raw = random + proof[:_RANDOM_BYTES]
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
