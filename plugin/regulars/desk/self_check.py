"""``GET /.well-known/regulars``: the doctor's question whether this is its own installation.

Without a question that this very database knows, and that nobody has answered yet,
there is nothing at the address: a stranger learns not even that it is Regulars.
"""

import json

from flask import Blueprint, Response, request

from regulars.keep.challenges import answer, is_open, proof_of
from regulars.web.house import House
from regulars.web.problems import ProblemError
from regulars.web.visitors import PUBLIC_RATE, visitor


def self_check_blueprint(house: House) -> Blueprint:
    """The answer of *house* to its own doctor."""
    blueprint = Blueprint("self_check", __name__)

    @blueprint.get("/.well-known/regulars")
    @house.limiter.limit(PUBLIC_RATE, key_func=visitor)
    def self_check() -> Response:
        nonce, now = request.args.get("nonce", ""), house.clock()
        with house.database.reading() as connection:
            stands = is_open(connection, nonce, now)
        if stands:
            with house.database.transaction() as connection:
                stands = answer(connection, nonce)
        if not stands:
            raise ProblemError(404, "There is nothing at this address.")
        told = {
            "proof": proof_of(house.settings.secret_key, nonce),
            "visitor": request.remote_addr,
            "forwarded_for": len(_forwarded_for()),
        }
        return Response(json.dumps(told), mimetype="application/json")

    return blueprint


def _forwarded_for() -> list[str]:
    """The addresses that proxies, or the visitor, put into the header."""
    text = ",".join(request.headers.getlist("X-Forwarded-For"))
    return [part for part in text.split(",") if part.strip()]
