"""Answers that pages of any origin may load and keep: the widget's files and the snippet."""

from typing import Final

from flask import Response, request

FOR_EVER: Final = "public, max-age=31536000, immutable"
# What may be another thing tomorrow: the newest version, its hashes, the wordings in force.
MINUTES: Final = "public, max-age=300"
ANY_PAGE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}


def shared(response: Response, cache_control: str) -> Response:
    """*response* for any page that asks, or 304 for one that has it."""
    for name, value in ANY_PAGE.items():
        response.headers[name] = value
    response.headers["Cache-Control"] = cache_control
    response.add_etag()
    response.make_conditional(request)
    return response
