"""What the tests of the front serve behind it: an application that says what it was given.

Run as a program with a port, it serves with a short deadline and little room.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, request

from regulars.cli.front import Front, web_server
from regulars.web.problems import ProblemError, problem_response

THREADS = 2
MAX_BODY_BYTES = 1024
BODY_WITHIN_S = 3.0
BODIES_WAITING = 4
LARGE = 20_000_000


def application() -> Front:
    """The factory that the server's worker calls."""
    app = Flask("echoing")
    app.register_error_handler(ProblemError, problem_response)

    @app.post("/size")
    def size() -> str:
        return str(len(request.get_data()))

    @app.get("/large")
    def large() -> Response:
        return Response(iter([b"x" * 1_000_000] * (LARGE // 1_000_000)))

    def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] in {"/size", "/large"}:
            return app(environ, start_response)
        told = {name: value for name, value in environ.items() if name.isupper()}
        body = environ["wsgi.input"].read().decode("latin-1")
        start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=é")])
        told |= {"body": body, "scheme": environ["wsgi.url_scheme"]}
        return [json.dumps(told).encode()]

    return Front(
        echo,
        threads=THREADS,
        max_body_bytes=MAX_BODY_BYTES,
        body_within_s=BODY_WITHIN_S,
        bodies_waiting=BODIES_WAITING,
    )


if __name__ == "__main__":
    target = "tests.acceptance.echoing:application"
    web_server(target, host="127.0.0.1", port=int(sys.argv[1]), stop_within_s=5).serve()
