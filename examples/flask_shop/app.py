"""Tony's take-away: a shop whose checkout asks its customers how they like to be reached.

    regulars site snippet "Tony's" > fields.html
    SHOP_FIELDS=fields.html SHOP_REGULARS_URL=http://127.0.0.1:8000 SHOP_REGULARS_KEY=sk_… \\
        python examples/flask_shop/app.py

To put Regulars into a shop of your own, copy four things: the line of
templates/checkout.html that includes the fields, `Regulars` below, the call of it after
the order is safe, and the two lines of the Content-Security-Policy that let the script of
the fields in. Orders are kept in memory: yours are in your database.
"""

import argparse
import logging
import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as BaseResponse

log = logging.getLogger("shop")

# The script comes from /w/ and checks the handle under /v1/; without it the fields post too.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none';"
    " script-src {regulars}/w/; connect-src {regulars}/v1/"
)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody ordered, and for whom it is; *id* is not to be guessed."""

    id: str
    name: str
    email: str

    @property
    def number(self) -> str:
        """What is called out at the counter."""
        return self.id[:4].upper()


class Outcome(StrEnum):
    """What came of telling Regulars."""

    SAVED = "saved"
    NOTHING_SAID = "nothing_said"
    REFUSED = "refused"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Told:
    """The answer of Regulars; *problems* are sentences for the customer."""

    outcome: Outcome
    handle: str = ""
    verdict: str = ""
    preferences_url: str = ""
    problems: tuple[str, ...] = ()


# Which address a channel needs. The page hides the others, and what is not seen is not sent.
ADDRESS = {
    "x": "x_handle",
    "email": "contact_email",
    "sms": "contact_phone",
    "phone": "contact_phone",
    "whatsapp": "contact_phone",
    "facebook": "contact_facebook",
}
ALWAYS_SEEN = {
    "site",
    "x_handle",
    "x_handle_receipt",
    "consent_x_link",
    "consent_conversation_x",
    "contact_channel",
    "contact_wording",
}


def fields_of(form: MultiDict[str, str], order: Order) -> list[tuple[str, str]]:
    """What of the checkout's *form* is for Regulars, as names and values."""
    channel = form.get("contact_channel", "")
    seen = ALWAYS_SEEN | {ADDRESS.get(channel, ""), f"consent_offers_{channel}"}
    sent = [(name, value) for name, value in form.items(multi=True) if name in seen]
    if channel == "email" and not form.get("contact_email"):
        # The checkout asks for it anyway: nobody likes to type an address twice.
        sent.append(("contact_email", order.email))
    return [*sent, ("given_name", order.name), ("order_id", order.number)]


@dataclass(frozen=True, slots=True)
class Regulars:
    """Regulars, as the shop's server talks to it."""

    url: str
    secret_key: str
    timeout_s: float = 3.0

    def sign_up(self, order: Order, fields: list[tuple[str, str]]) -> Told:
        """Send *fields*; whatever goes wrong is an outcome, never an error: the sale is made."""
        try:
            answer = requests.post(
                f"{self.url}/v1/signups",
                data=fields,
                headers={
                    "Authorization": f"Bearer {self.secret_key}",
                    # Sent twice, by a retry or a second press, it is one signup.
                    "Idempotency-Key": order.id,
                },
                timeout=self.timeout_s,
                allow_redirects=False,
            )
            return _read(answer)
        except (requests.RequestException, LookupError, TypeError, ValueError) as error:
            # The type alone: what was sent is personal and belongs in no log.
            log.warning("regulars was not told: %s", type(error).__name__)
            return Told(Outcome.DOWN)


def _read(answer: requests.Response) -> Told:
    if answer.status_code == 204:
        return Told(Outcome.NOTHING_SAID)
    if answer.status_code == 422:
        errors = answer.json()["errors"]
        return Told(
            Outcome.REFUSED, problems=tuple(str(it["message"]) for it in errors)
        )
    if answer.status_code != 201:
        log.error("regulars answered %d", answer.status_code)
        return Told(Outcome.DOWN)
    body = answer.json()
    handle = body["handle"] or {"value": "", "verdict": ""}
    return Told(
        Outcome.SAVED, handle["value"], handle["verdict"], body["preferences_url"]
    )


class Shop:
    """The shop's pages; *fields* is the HTML that `regulars site snippet NAME` printed."""

    def __init__(self, regulars: Regulars, fields: str) -> None:
        self.regulars = regulars
        self.fields = Markup(fields)  # noqa: S704 - our own file, no visitor's words
        site = re.search(r'name="site" value="([\w-]+)"', fields)
        self.again_url = f"{regulars.url}/signup?site={site[1]}" if site else ""
        self.orders: dict[str, Order] = {}
        self.told: dict[str, Told] = {}

    def checkout(self) -> str:
        """The empty form. Its order has an id already: pressed twice, it is one order."""
        empty = Order(secrets.token_hex(8), "", "")
        return render_template("checkout.html", fields=self.fields, order=empty)

    def place_order(self) -> BaseResponse | tuple[str, int]:
        """Take the order, then tell Regulars what was said of being reached."""
        order = read_order(request.form)
        if not order.name or "@" not in order.email:
            page = {"fields": self.fields, "order": order, "wrong": True}
            return render_template("checkout.html", **page), 422
        if order.id not in self.orders:
            self.orders[order.id] = order
            # The order is safe from here on; only then is Regulars told.
            fields = fields_of(request.form, order)
            self.told[order.id] = self.regulars.sign_up(order, fields)
        return redirect(url_for("show_order", order_id=order.id), 303)

    def show_order(self, order_id: str) -> str:
        """The confirmation, with what Regulars answered once it has."""
        if order_id not in self.orders:
            abort(404)
        return render_template(
            "order.html",
            order=self.orders[order_id],
            told=self.told.get(order_id),
            again_url=self.again_url,
        )


def read_order(form: MultiDict[str, str]) -> Order:
    """The order in *form*; 400 when its id is none that we gave."""
    order_id = form.get("order_id", "")
    if not re.fullmatch("[0-9a-f]{16}", order_id):
        abort(400)
    name, email = form.get("name", "").strip(), form.get("email", "").strip()
    return Order(order_id, name[:100], email[:254])


def create_app(regulars: Regulars, fields: str) -> Flask:
    """The shop as an application."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    shop = Shop(regulars, fields)
    app.add_url_rule("/", "show_checkout", shop.checkout)
    app.add_url_rule("/", "place_order", shop.place_order, methods=["POST"])
    app.add_url_rule("/orders/<order_id>", "show_order", shop.show_order)
    app.add_url_rule("/privacy", "privacy", lambda: render_template("privacy.html"))

    policy = CONTENT_SECURITY_POLICY.format(regulars=regulars.url)

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


class QuietHandler(WSGIRequestHandler):
    """Says nothing of single requests."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="A shop that asks by Regulars.")
    parser.add_argument("--port", type=int, default=8001, help="0 takes any free port")
    options = parser.parse_args(arguments)
    try:
        regulars = Regulars(
            os.environ["SHOP_REGULARS_URL"], os.environ["SHOP_REGULARS_KEY"]
        )
        fields = Path(os.environ["SHOP_FIELDS"]).read_text("utf-8")
    except (KeyError, OSError) as error:
        print(f"shop: {error} is missing: see the top of {__file__}", file=sys.stderr)
        return 2
    server = make_server(
        "127.0.0.1",
        options.port,
        create_app(regulars, fields),
        threaded=True,
        request_handler=QuietHandler,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # shutdown() waits for the loop that this handler interrupts, hence the thread.
        signal.signal(
            number, lambda *_: threading.Thread(target=server.shutdown).start()
        )
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
