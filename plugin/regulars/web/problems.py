"""Errors as the API says them: RFC 9457 ``application/problem+json``, one form for all.

https://www.rfc-editor.org/rfc/rfc9457
"""

import json
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, render_template, request, url_for
from flask_limiter import Limiter
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from regulars.keep.db import is_unavailable
from regulars.values.languages import N_, direction, translate
from regulars.web.languages import current_language, speaking

_PAGES = ("/signup", "/p/", "/desk")
_HOME = "/"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One reason why the request was refused; ``code`` is stable, ``message`` for people."""

    field: str
    code: str
    message: str


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def problem_response(problem: ProblemError) -> Response:
    """*problem* as the caller gets it: a page where people read, JSON elsewhere."""
    title = HTTPStatus(problem.status).phrase
    if request.path == _HOME or request.path.startswith(_PAGES):
        return _page(problem)
    code = _CODES.get(problem.status, "request.invalid")
    errors = problem.errors or [FieldError("", code, problem.detail)]
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "errors": [
            {"field": error.field, "code": error.code, "message": error.message}
            for error in errors
        ],
    }
    return Response(
        json.dumps(body, ensure_ascii=False),
        problem.status,
        problem.headers,
        mimetype="application/problem+json",
    )


def too_many(reset_at: float) -> ProblemError:
    """The refusal of whoever has no room left before *reset_at*, in Unix seconds."""
    wait = max(1, round(reset_at - time.time()))
    return ProblemError(
        429,
        f"Too many requests: try again in {wait} s.",
        headers={"Retry-After": str(wait)},
    )


# What people read above the reason.
_TITLES = {
    400: N_("We could not read that"),
    403: N_("This cannot be sent from there"),
    404: N_("Nothing to be found here"),
    413: N_("That is too much at once"),
    429: N_("One moment, please"),
    503: N_("One moment, please"),
}
_TITLE = N_("That did not work")
_SENTENCES = {
    413: N_("Please shorten what you typed and send it again."),
    429: N_("That was a lot in a short time. Please try again in a minute."),
}


def _page(problem: ProblemError) -> Response:
    """*problem* for people, in their language."""
    language = current_language()
    text = _SENTENCES.get(problem.status, problem.detail)
    with speaking(language):
        page = render_template(
            "regulars/gone.html",
            title=translate(_TITLES.get(problem.status, _TITLE), language),
            text=translate(text, language),
            language=language,
            direction=direction(language),
            css_url=url_for("pages.static", filename="page.css"),
        )
    response = Response(page, problem.status, problem.headers)
    response.content_language.add(language)
    response.vary.add("Accept-Language")
    return response


# For refusals that name no field: programs read a code, never a sentence.
_CODES = {
    404: "path.unknown",
    405: "method.not_allowed",
    413: "body.too_large",
    415: "content_type.unsupported",
    429: "rate.limited",
    500: "server.fault",
    503: "server.unavailable",
}
_DETAILS = {
    400: N_("The request could not be read."),
    404: N_("There is nothing at this address."),
    405: "This address does not take this method.",
    413: "The request is larger than 64 kB.",
    415: "Send application/x-www-form-urlencoded or application/json.",
}


def _unavailable(app: Flask, error: SQLAlchemyError) -> Response | None:
    """The answer while the database is away or busy; None: the error says something else."""
    if not is_unavailable(error):
        return None
    # The type alone: the statement's parameters are somebody's data.
    app.logger.error("database unavailable", extra={"error": type(error).__name__})
    return problem_response(
        ProblemError(
            503,
            N_("Nothing could be stored just now; nothing was lost. Try again."),
            headers={"Retry-After": "5"},
        )
    )


def register_problems(app: Flask, limiter: Limiter) -> None:
    """Let every error of *app* leave as a problem."""

    @app.errorhandler(ProblemError)
    def _problem(error: ProblemError) -> Response:
        return problem_response(error)

    @app.errorhandler(429)
    def _too_many(error: HTTPException) -> Response:
        limit = limiter.current_limit
        return problem_response(
            too_many(time.time() + 60 if limit is None else limit.reset_at)
        )

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        detail = _DETAILS.get(status, error.description or HTTPStatus(status).phrase)
        headers = {}
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return problem_response(ProblemError(status, detail, headers=headers))

    @app.errorhandler(SQLAlchemyError)
    def _database(error: SQLAlchemyError) -> Response:
        return _unavailable(app, error) or _fault(error)

    @app.errorhandler(Exception)
    def _fault(error: Exception) -> Response:
        # Where and of what kind, never the text: it may quote what was sent.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        app.logger.error(
            "request failed",
            extra={
                "error": type(error).__name__,
                "at": f"{frame.filename}:{frame.lineno}",
                "endpoint": request.endpoint,
            },
        )
        return problem_response(
            ProblemError(
                500, N_("Something went wrong on our side; nothing was stored.")
            )
        )
