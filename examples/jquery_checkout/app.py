"""A checkout built as WooCommerce's classic one: jQuery sends it, and parts of it are swapped.

    regulars site snippet Shop --json > fields.json
    SHOP_FIELDS=fields.json SHOP_REGULARS_URL=http://127.0.0.1:8000 SHOP_REGULARS_KEY=sk_… \\
        SHOP_JQUERY=jquery.min.js python examples/jquery_checkout/app.py

The fields are the WTForms mixin, drawn by the server: each time the order is reviewed the
part that holds them is drawn anew with what was typed, and the element takes it up again.
"""

import argparse
import json
import logging
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, jsonify, render_template, request
from werkzeug.datastructures import MultiDict
from wtforms import Form, StringField
from wtforms.validators import InputRequired

from regulars.ask.fields import Offer, RegularsFields
from regulars.ask.questions import Questions

log = logging.getLogger("shop")

# Where the two parts that the review swaps stand on the page.
CONTACT, REVIEW = "#regulars", ".order-review"
SHIPPING = {"pickup": "$33.00", "bike": "$36.50"}
OURS = ("site", "x_handle", "contact_", "consent_")

Tell = Callable[[str, dict[str, list[str]]], object]


class Checkout(RegularsFields, Form):
    """The shop's own form; `create_app` gives it the questions."""

    name = StringField(validators=[InputRequired()])


def teller(url: str, key: str) -> Tell:
    """Hands an answer on after the sale, from server to server, in a thread of its own."""
    later = ThreadPoolExecutor(2)

    def tell(order_id: str, fields: dict[str, list[str]]) -> None:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": order_id}
        data = {**fields, "order_id": order_id}
        try:
            requests.post(
                f"{url}/v1/signups", data=data, headers=headers, timeout=4
            ).raise_for_status()
        except requests.RequestException as error:
            log.warning("order %s: not told (%s)", order_id, type(error).__name__)

    return lambda order_id, fields: later.submit(tell, order_id, fields)


def create_app(
    questions: Questions, regulars_url: str, jquery: str, tell: Tell
) -> Flask:
    """The shop as an application; *jquery* is the library's own text."""
    app = Flask(__name__)

    class Ours(Checkout):
        """The form with the questions of this shop."""

        regulars_questions = questions
        regulars_offer = Offer(channels=questions.offered)

    def fragment(name: str, form: Form) -> str:
        total = SHIPPING[shipping(request.form)]
        return render_template(f"{name}.html", form=form, total=total)

    @app.get("/")
    def checkout() -> str:
        """The page, empty."""
        script = {"url": regulars_url}
        return render_template(
            "checkout.html", form=Ours(), total=SHIPPING["pickup"], regulars=script
        )

    @app.post("/update_order_review")
    def update_order_review() -> Response:
        """The parts that another way of shipping changes, and all that stands near them."""
        form = Ours(request.form)
        parts = {CONTACT: fragment("contact", form), REVIEW: fragment("review", form)}
        return jsonify(fragments=parts)

    @app.post("/place_order")
    def place_order() -> Response:
        """Take the order; what cannot be used of the fields is shown at them."""
        form = Ours(request.form)
        if not form.validate():
            parts = {CONTACT: fragment("contact", form)}
            return jsonify(result="failure", fragments=parts)
        order_id = secrets.token_hex(8)
        sent = request.form.to_dict(flat=False)
        # The order is safe from here on; only then is Regulars told.
        tell(order_id, {name: sent[name] for name in sent if name.startswith(OURS)})
        return jsonify(result="success", redirect=f"/order-received/{order_id}")

    @app.get("/order-received/<order_id>")
    def received(order_id: str) -> str:
        """The confirmation."""
        return render_template("received.html")

    @app.get("/jquery.js")
    def library() -> Response:
        """The shop's own jQuery: in a WordPress it is at /wp-includes/js/jquery/."""
        return Response(jquery, mimetype="text/javascript")

    return app


def shipping(form: MultiDict[str, str]) -> str:
    """The way of shipping that was chosen."""
    chosen = form.get("shipping_method", "")
    return chosen if chosen in SHIPPING else "pickup"


def main() -> None:
    """Serve until it is stopped."""
    parser = argparse.ArgumentParser(description="A jQuery checkout with the fields.")
    parser.add_argument("--port", type=int, default=8004)
    options = parser.parse_args()
    told: Any = json.loads(Path(os.environ["SHOP_FIELDS"]).read_text("utf-8"))
    url, key = os.environ["SHOP_REGULARS_URL"], os.environ["SHOP_REGULARS_KEY"]
    jquery = Path(os.environ["SHOP_JQUERY"]).read_text("utf-8")
    app = create_app(Questions.from_json(told), url, jquery, teller(url, key))
    app.run("127.0.0.1", options.port)


if __name__ == "__main__":
    main()
