"""``GET /v1/customers``: the record as events carry it, for a shop that missed some."""

import json

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from regulars.keep.contact_points import Finding, Sent, holders
from regulars.keep.customers import ERASED, find_by_external_id, find_customer
from regulars.keep.record import Json
from regulars.tell.events import erased_data
from regulars.values.contact import KINDS, InvalidContact, Kind
from regulars.values.handle import InvalidHandle
from regulars.values.messages import sentence
from regulars.web.house import House
from regulars.web.languages import current_language
from regulars.web.problems import FieldError, ProblemError
from regulars.web.visitors import KEY_RATE, key_id, require_key

_BY_ADDRESS = {
    "email": Kind.EMAIL_ADDRESS,
    "phone": Kind.PHONE_NUMBER,
    "handle": Kind.X_ACCOUNT,
}
_BY = (*_BY_ADDRESS, "external_id")


def customers_blueprint(house: House) -> Blueprint:
    """The shop's own reading of what *house* keeps, under a secret key."""
    blueprint = Blueprint("customers", __name__)
    limited = house.limiter.limit(
        KEY_RATE, key_func=lambda: key_id(house) or "none", methods=["GET"]
    )

    @blueprint.get("/v1/customers/<customer_id>")
    @limited
    def get_customer(customer_id: str) -> Response:
        require_key(house)
        with house.database.reading() as connection:
            found = _told(house, connection, customer_id)
        if found is None:
            raise ProblemError(404, "There is no such customer.")
        return _answer(found)

    @blueprint.get("/v1/customers")
    @limited
    def find() -> Response:
        require_key(house)
        name, text = _question()
        with house.database.reading() as connection:
            ids = _find(house, connection, name, text)
            found = [_told(house, connection, customer_id) for customer_id in ids]
        return _answer({"customers": found})

    return blueprint


def _answer(value: Json) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), mimetype="application/json")


def _question() -> tuple[str, str]:
    """The one thing that is asked for.

    Raises:
        ProblemError: 422, it is none or more than one.
    """
    asked = [(name, request.args[name]) for name in _BY if request.args.get(name)]
    if len(asked) != 1:
        text = f"Ask by exactly one of {', '.join(_BY)}."
        raise ProblemError(422, text, [FieldError("", "query.one", text)])
    return asked[0]


def _find(house: House, connection: Connection, name: str, text: str) -> list[str]:
    if name == "external_id":
        found = find_by_external_id(connection, text)
        return [found] if found else []
    try:
        address = KINDS[_BY_ADDRESS[name]].parse(text, house.settings.default_country)
    except (InvalidContact, InvalidHandle) as error:
        message = sentence(error.code, current_language(), **error.data)
        raise ProblemError(
            422, message, [FieldError(name, error.code, message)]
        ) from error
    return holders(connection, Sent(address, Finding()))


def _told(house: House, connection: Connection, customer_id: str) -> Json | None:
    """``{"customer", "profile"}`` as an event has them; of the erased, that they are."""
    row = find_customer(connection, customer_id)
    if row is not None and row.status == ERASED:
        data = erased_data(customer_id, row.version)
        return {"customer": data["customer"], "profile": None}
    return house.recorder.record(connection, customer_id)
