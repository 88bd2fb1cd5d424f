"""``POST /v1/signups``: what a shop's page or server sends."""

import json

from flask import Blueprint, Response, request

from regulars.ask.submissions import (
    authorize,
    idempotency_key,
    page_url,
    read_fields,
    read_form,
    take,
)
from regulars.signup import Submission
from regulars.web.house import House
from regulars.web.problems import FieldError, ProblemError
from regulars.web.visitors import KEY_RATE, PUBLIC_RATE, key_id, visitor


def api_blueprint(house: House) -> Blueprint:
    """The public API, working for *house*."""
    blueprint = Blueprint("api", __name__)

    def rate() -> str:
        return KEY_RATE if key_id(house) else PUBLIC_RATE

    def caller() -> str:
        return key_id(house) or visitor()

    @blueprint.post("/v1/signups")
    @house.limiter.limit(rate, key_func=caller, methods=["POST"])
    def post_signup() -> Response:
        # The raw body first: the idempotency fingerprint is of what was sent.
        request.get_data()
        fields = read_fields()
        credential = authorize(house, fields)
        form = read_form(
            house,
            fields,
            has_secret_key=credential.has_secret_key,
            default_surface="checkout",
        )
        if not form.validate():
            raise ProblemError(
                422,
                "Some fields cannot be used as they are.",
                [FieldError(p.field, p.code, p.message) for p in form.problems()],
            )
        submission = Submission(
            answer=form.answer(),
            site_id=credential.site.id if credential.site else None,
            has_secret_key=credential.has_secret_key,
            rendered_by="shop",
            page_url=page_url(),
        )
        told = take(house, submission, credential.scope, idempotency_key(fields))
        if told is None:
            return Response(status=204)
        return Response(json.dumps(told), 201, mimetype="application/json")

    return blueprint
