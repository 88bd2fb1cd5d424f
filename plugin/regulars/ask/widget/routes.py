"""``/w/…``: the widget's files for the shops' pages, and their hashes."""

import json
from functools import cache

from flask import Blueprint, Response, request
from werkzeug.http import generate_etag

from regulars.ask.widget.files import (
    CODINGS,
    Coding,
    WidgetFile,
    integrity,
    newest_version,
    widget_file,
)
from regulars.ask.widget.sharing import ANY_PAGE, FOR_EVER, MINUTES, shared
from regulars.web.problems import ProblemError


def widget_blueprint() -> Blueprint:
    """The widget's files. They are in memory and cost nothing, so nobody is counted."""
    blueprint = Blueprint("widget", __name__)

    @blueprint.get("/w/<version>/<name>")
    def get_widget_file(version: str, name: str) -> Response:
        is_pinned = "." in version
        try:
            exact = version if is_pinned else newest_version(version)
            file = widget_file(exact, name)
        except LookupError:
            raise ProblemError(
                404, "There is no such version or file.", headers=ANY_PAGE
            ) from None
        return _file_response(file, FOR_EVER if is_pinned else MINUTES)

    @blueprint.get("/w/integrity.json")
    def get_integrity() -> Response:
        body = json.dumps(integrity(), indent=1)
        return shared(Response(body, mimetype="application/json"), MINUTES)

    return blueprint


def _file_response(file: WidgetFile, cache_control: str) -> Response:
    coding = _coding()
    response = Response(file.bodies[coding], content_type=file.content_type)
    if coding != "identity":
        response.content_encoding = coding
    response.vary.add("Accept-Encoding")
    response.set_etag(_etag(file.version, file.name, coding))
    return shared(response, cache_control)


@cache
def _etag(version: str, name: str, coding: Coding) -> str:
    # A strong tag names the very bytes, and each coding has others.
    return generate_etag(widget_file(version, name).bodies[coding])


def _coding() -> Coding:
    """What the browser likes best of what we have: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3."""
    accepted = request.accept_encodings
    liked = {coding: accepted.quality(coding) for coding in CODINGS}
    best = max(CODINGS, key=lambda coding: liked[coding])
    # Plain is always possible: who refuses all has it anyway.
    return best if liked[best] > 0 else "identity"
