"""Security headers on every answer, and CORS on those of the API."""

from flask import Flask, Response, request
from sqlalchemy.exc import SQLAlchemyError

from regulars.keep.db import Database, is_unavailable
from regulars.keep.sites import list_sites

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_ALLOWED_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key"


def register_headers(app: Flask, database: Database) -> None:
    """Put the headers on every answer of *app*."""

    @app.after_request
    def _secure(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        headers.setdefault("Cache-Control", "no-store")
        return response

    @app.after_request
    def _share(response: Response) -> Response:
        if not request.path.startswith("/v1/"):
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        # 503: the database is away, and nobody shall wait for it twice.
        if origin and response.status_code != 503 and _is_known(database, origin):
            headers = response.headers
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "Retry-After"
            headers["Timing-Allow-Origin"] = origin
            if request.method == "OPTIONS":
                headers["Access-Control-Allow-Methods"] = "POST"
                headers["Access-Control-Allow-Headers"] = _ALLOWED_REQUEST_HEADERS
                headers["Access-Control-Max-Age"] = "600"
        return response


def _is_known(database: Database, origin: str) -> bool:
    try:
        with database.reading() as connection:
            return any(origin in site.origins for site in list_sites(connection))
    except SQLAlchemyError as error:
        if is_unavailable(error):
            # The answer on its way was made without the database: it goes out as it is.
            return False
        raise
