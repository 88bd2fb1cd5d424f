"""``POST /v1/check``: whether a handle exists, for the page where it is being typed.

The answer has our own words alone: a verdict, the handle as it was typed, and a receipt
that spares the signup a second look-up. Nothing in it tells who is known to the shop;
how soon it comes can, for what X said lately is not asked for again.
"""

import json

from flask import Blueprint, Response, request

from regulars.ask.fields import FormData, SubmittedData
from regulars.ask.receipts import give_receipt
from regulars.ask.submissions import (
    FORM,
    authorize,
    read_form,
    read_form_body,
    refusal_of,
)
from regulars.check.lookup import Answer, NotAsked, verdict_of
from regulars.values.contact import Kind
from regulars.values.handle import Handle, HandleCode
from regulars.values.messages import sentence
from regulars.web.house import House
from regulars.web.languages import current_language
from regulars.web.problems import FieldError, ProblemError
from regulars.web.visitors import count_check, limited_by_caller

# The one form reads the handle as a signup's; the page calls the two fields so.
_NAMES = {"x_handle": "handle", "consent_x_link": "consent_x_link"}


def check_blueprint(house: House) -> Blueprint:
    """The public check, working for *house*."""
    blueprint = Blueprint("check", __name__)

    @blueprint.post("/v1/check")
    @limited_by_caller(house)
    def post_check() -> Response:
        if request.mimetype != FORM:
            raise ProblemError(415, f"Send {FORM}.")
        fields = read_form_body()
        credential = authorize(house, fields)
        if credential.site is not None and not credential.has_secret_key:
            count_check(house, credential.site)
        handle, has_consent = _read(house, fields)
        now = house.clock()
        said: Answer = NotAsked()
        if has_consent:
            said = house.check_lookup.look_up(
                [handle], timeout_s=house.settings.x_timeout_s, now=now
            )[handle.key]
        verdict = verdict_of(said)
        house.counts.check(verdict)
        told = {
            "verdict": verdict.value,
            "handle": handle.text,
            "receipt": give_receipt(credential.site, handle, said, now),
        }
        return Response(json.dumps(told), mimetype="application/json")

    return blueprint


def _read(house: House, fields: SubmittedData) -> tuple[Handle, bool]:
    """The handle, and whether the sentence beside it was agreed to.

    Raises:
        ProblemError: 422, it is no handle, or the sentence was never on a screen.
    """
    given = FormData({name: fields.getlist(ours) for name, ours in _NAMES.items()})
    form = read_form(house, given, has_secret_key=False, default_surface="checkout")
    if not form.validate():
        raise refusal_of(form, names=_NAMES)
    answer = form.answer()
    address = answer.address(Kind.X_ACCOUNT)
    if address is None:
        text = sentence(HandleCode.EMPTY, current_language())
        raise ProblemError(422, text, [FieldError("handle", HandleCode.EMPTY, text)])
    return Handle(address.value), answer.x_link is not None
