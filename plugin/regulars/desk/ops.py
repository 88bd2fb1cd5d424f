"""What machines ask: is it alive, is it ready, what do events look like."""

import json

from flask import Blueprint, Response

from regulars.check.gate import find_trouble
from regulars.desk.openapi import openapi
from regulars.tell.waiting import STALLED_S, backlog
from regulars.values.instants import to_rfc3339
from regulars.web.house import House
from regulars.web.problems import ProblemError
from regulars_webhooks.events import EVENT_TYPES, schema


def ops_blueprint(house: House) -> Blueprint:
    """Health, readiness and schemas of *house*."""
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        now = house.clock()
        with house.database.reading() as connection:
            waiting = backlog(connection)
            trouble = find_trouble(connection)
            usage = house.gate.usage(connection, now)
        is_stalled = waiting.unheeded_s(now) > STALLED_S
        state = {
            "status": "stalled" if is_stalled else "ready",
            "queue": {
                "due": waiting.due,
                "oldest_due_s": round(waiting.age_s(now), 3),
            },
            "x": {
                "mode": house.settings.x_mode,
                # In tenths: a number that moves with each handle would tell strangers,
                # who may ask here too, which ones were asked for before.
                "share_of_caps": round(usage.share, 1),
                "trouble": None
                if trouble is None
                else {
                    "reason": trouble.reason.value,
                    "needs_operator": trouble.reason.needs_operator,
                    "since": to_rfc3339(trouble.since),
                    "retry_at": to_rfc3339(trouble.retry_at),
                },
            },
        }
        return Response(
            json.dumps(state), 503 if is_stalled else 200, mimetype="application/json"
        )

    @blueprint.get("/openapi.json")
    def get_openapi() -> Response:
        settings = house.settings
        return Response(
            json.dumps(openapi(settings.base_url, settings.channels)),
            mimetype="application/json",
        )

    @blueprint.get("/schemas/<event_type>.json")
    def get_schema(event_type: str) -> Response:
        if event_type not in EVENT_TYPES:
            raise ProblemError(404, "There is no such event type.")
        return Response(
            json.dumps(schema(event_type)), mimetype="application/schema+json"
        )

    return blueprint
