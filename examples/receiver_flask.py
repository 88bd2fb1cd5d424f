"""The same as receiver_stdlib.py with Flask: the blueprint verifies, you write ``handle``.

    python examples/receiver_flask.py --secret whsec_…

POST /hook takes events; GET / shows them. Keeps everything in memory: yours would
upsert the customer and remember the event's id in one transaction.
"""

import argparse
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, render_template_string
from werkzeug.serving import WSGIRequestHandler, make_server

from regulars_webhooks import Event, MemorySeenIds, Receiver, VerificationError
from regulars_webhooks.flask import webhook_blueprint

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2"><title>Events received</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
article { border-left: 4px solid #18794e; padding: .25rem 1rem; margin: 1rem 0; background: #f6f7f9 }
article.refused { border-color: #b42318 } pre { overflow-x: auto; font-size: .8rem }
</style></head><body><h1>Events received</h1>
{% for entry in entries %}
  {% if entry is string %}<article class="refused">refused: {{ entry }}</article>
  {% else %}<article>
    <h2>{{ entry.type }}</h2><p>signature verified <small>{{ entry.id }}</small></p>
    <p>{{ describe(entry.data) }}</p>
    <details><summary>data</summary><pre>{{ entry.data | tojson(indent=2) }}</pre></details></article>
  {% endif %}
{% else %}<p>Nothing yet.</p>{% endfor %}</body></html>
"""


def describe(data: Any) -> str:
    """Who it is, how they like to be reached, and what X said of the handle."""
    try:
        customer = data["customer"]
        if customer["status"] == "erased":
            return f"{customer['id']} was erased"
        words = [
            customer["given_name"] or customer["id"],
            f"prefers {customer['preferred_channel'] or 'no channel'}",
        ]
        words += [
            f"@{point['value']}: {point['verdict']}"
            for point in customer["contact_points"]
            if point["kind"] == "x_account"
        ]
    except (KeyError, TypeError):
        return str(
            data.get("message", "")
        )  # a ping, or a form that this example does not know
    return " · ".join(words)


def create_app(secrets: Sequence[str]) -> Flask:
    """The shop's application, with the events it has received (newest first) in memory.

    Raises:
        VerificationError: there is no usable secret.
    """
    app = Flask(__name__)
    entries: deque[Event | str] = deque(maxlen=50)
    hook = webhook_blueprint(
        Receiver(secrets, MemorySeenIds()), entries.appendleft, path="/hook"
    )

    @hook.after_request
    def note_refusal(response: Response) -> Response:
        if response.status_code in (400, 401):
            entries.appendleft(response.get_data(as_text=True))
        return response

    app.register_blueprint(hook)

    @app.get("/")
    def page() -> str:
        return render_template_string(PAGE, entries=list(entries), describe=describe)

    return app


class QuietHandler(WSGIRequestHandler):
    """Says nothing of single requests: the page shows them."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        description="Receive, verify and show the events of Regulars."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8009, help="0 takes any free port")
    parser.add_argument(
        "--secret",
        action="append",
        help="whsec_…, twice during a rotation (or REGULARS_WEBHOOK_SECRET)",
    )
    options = parser.parse_args(arguments)
    secrets = options.secret or os.environ.get("REGULARS_WEBHOOK_SECRET", "").split()
    try:
        app = create_app(secrets)
    except VerificationError as error:
        print(f"receiver: {error}", file=sys.stderr)
        return 2
    server = make_server(
        options.host, options.port, app, threaded=True, request_handler=QuietHandler
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # shutdown() waits for the loop that this handler interrupts, hence the thread.
        signal.signal(
            number, lambda *_: threading.Thread(target=server.shutdown).start()
        )
    print(f"http://{options.host}:{server.server_port}/", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
