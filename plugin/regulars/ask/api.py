"""``POST /v1/signups``: what a shop's page or server sends."""

import json

from flask import Blueprint, Response, request

from regulars.ask.receipts import read_receipt
from regulars.ask.submissions import (
    authorize,
    idempotency_key,
    ignored_names,
    page_url,
    read_fields,
    read_form,
    refusal_of,
    take,
)
from regulars.signup import Submission
from regulars.web.house import House
from regulars.web.visitors import limited_by_caller


def api_blueprint(house: House) -> Blueprint:
    """The public API, working for *house*."""
    blueprint = Blueprint("api", __name__)

    @blueprint.post("/v1/signups")
    @limited_by_caller(house)
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
        headers = ignored_names(fields, form) if credential.has_secret_key else {}
        if not form.validate():
            raise refusal_of(form, headers=headers)
        answer = form.answer()
        submission = Submission(
            answer=answer,
            site_id=credential.site.id if credential.site else None,
            has_secret_key=credential.has_secret_key,
            rendered_by="shop",
            page_url=page_url(),
            checked=read_receipt(credential.site, answer, house.clock()),
        )
        key = idempotency_key(fields)
        told = take(house, fields, submission, credential.scope, key)
        if told is None:
            return Response(status=204, headers=headers)
        return Response(json.dumps(told), 201, headers, mimetype="application/json")

    return blueprint
