"""``/desk``: the owner's page. It shows; it changes nothing but its own session."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from regulars.check.gate import find_trouble
from regulars.desk.owner_rows import card_of, days_of
from regulars.desk.owner_session import PATH, is_signed_in, sign_in, sign_out
from regulars.desk.owner_state import (
    deliveries_line,
    endpoint_row,
    trouble_row,
    x_line,
)
from regulars.desk.owner_words import moment_words
from regulars.keep.contact_points import count_pending
from regulars.keep.customers import ERASED, find_customer
from regulars.keep.owner import find_owner
from regulars.keep.recent_signups import count_arrivals, list_arrivals
from regulars.keep.signups import find_signup
from regulars.keep.sites import list_sites
from regulars.tell.waiting import backlog, list_waiting
from regulars.web.foreign_posts import refuse_foreign_posts
from regulars.web.house import House
from regulars.web.problems import ProblemError
from regulars.web.visitors import visitor

PER_PAGE = 50
DAYS = 7
# Guesses that one address may make, and all together: more than an owner ever needs,
# and far too few for twelve characters. Were both five, anybody could lock the owner out.
RATE_PER_ADDRESS = "5 per minute"
RATE_OF_ALL = "30 per minute"

View = Callable[..., BaseResponse | str]


def owner_blueprint(house: House) -> Blueprint:
    """The owner's page of *house*, behind its login."""
    blueprint = Blueprint(
        "owner",
        __name__,
        url_prefix=PATH,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )
    pages = _OwnerPages(house)
    limit = house.limiter
    tried = limit.limit(RATE_PER_ADDRESS, key_func=visitor)(
        limit.shared_limit(RATE_OF_ALL, scope="owner", key_func=lambda: "all")(
            pages.post_login
        )
    )
    rules: list[tuple[str, str, str, View]] = [
        ("", "home", "GET", pages.guarded(pages.home)),
        ("/login", "get_login", "GET", pages.get_login),
        ("/login", "post_login", "POST", tried),
        ("/logout", "post_logout", "POST", pages.guarded(pages.post_logout)),
        ("/customers/<customer_id>", "card", "GET", pages.guarded(pages.card)),
    ]
    for path, name, method, view in rules:
        blueprint.add_url_rule(path, name, view, methods=[method])
    return blueprint


class _OwnerPages:
    """The pages and the two forms."""

    def __init__(self, house: House) -> None:
        self._house = house

    def guarded(self, view: View) -> View:
        """*view* for the owner alone; whoever else is led to the login."""

        @wraps(view)
        def only_for_the_owner(**arguments: Any) -> BaseResponse | str:
            if not is_signed_in(self._house):
                return redirect(url_for("owner.get_login"), code=303)
            return view(**arguments)

        return only_for_the_owner

    def get_login(self) -> BaseResponse | str:
        """The question for the password, or which command sets one."""
        if is_signed_in(self._house):
            return redirect(url_for("owner.home"), code=303)
        return self._login(is_wrong=False)

    def post_login(self) -> BaseResponse | str:
        """Begin a session, or ask again."""
        refuse_foreign_posts(self._house)
        if not sign_in(self._house, request.form.get("password", "")):
            return Response(self._login(is_wrong=True), 403)
        return redirect(url_for("owner.home"), code=303)

    def post_logout(self) -> BaseResponse:
        """End the owner's sessions on every device."""
        refuse_foreign_posts(self._house)
        sign_out(self._house)
        return redirect(url_for("owner.get_login"), code=303)

    def home(self) -> str:
        """Who signed up in the last days, and what has not gone out."""
        house, before = self._house, request.args.get("before")
        now = house.clock()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        first_day = today - timedelta(days=DAYS - 1)
        with house.database.reading() as connection:
            found = list_arrivals(
                connection, since=first_day, before=before, limit=PER_PAGE + 1
            )
            shown = found[:PER_PAGE]
            people = {
                "days": days_of(shown, _site_names(connection), now),
                "older": shown[-1].signup.id if len(found) > PER_PAGE else None,
                "is_first": before is None,
                "today": count_arrivals(connection, today),
                "week": count_arrivals(connection, first_day),
            }
            state = self._state(connection, now)
        return self._page("home.html", at=moment_words(now), **people, **state)

    def _state(self, connection: Connection, now: datetime) -> dict[str, Any]:
        waiting = list_waiting(connection, now)
        trouble, pending = find_trouble(connection), count_pending(connection)
        return {
            "lines": (
                deliveries_line(waiting, backlog(connection), now),
                x_line(trouble, pending, self._house.settings.x_mode),
            ),
            "endpoints": [endpoint_row(one, now) for one in waiting],
            "trouble": trouble_row(trouble, pending, now),
        }

    def card(self, customer_id: str) -> str:
        """All about one person."""
        house = self._house
        with house.database.reading() as connection:
            row = find_customer(connection, customer_id)
            if row is None or row.status == ERASED:
                raise ProblemError(404, "There is no such customer any more.")
            record = house.recorder.record(connection, row.id) or {}
            signup = find_signup(connection, row.last_signup_id or "")
            card = card_of(record, signup, _site_names(connection))
        return self._page("card.html", card=card, customer_id=row.id)

    def _login(self, *, is_wrong: bool) -> str:
        with self._house.database.reading() as connection:
            has_password = find_owner(connection) is not None
        return self._page("login.html", has_password=has_password, is_wrong=is_wrong)

    def _page(self, template: str, **context: Any) -> str:
        return render_template(
            f"owner/{template}", shop_name=self._house.settings.shop_name, **context
        )


def _site_names(connection: Connection) -> dict[str, str]:
    return {site.id: site.name for site in list_sites(connection)}
