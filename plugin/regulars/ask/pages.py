"""The hosted pages: how they are rendered, and the signup with its thanks."""

import logging
import secrets
from dataclasses import replace

import segno
from flask import Blueprint, Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from regulars.ask.decoys import Told, is_decoy
from regulars.ask.fields import SignupForm, SubmittedData
from regulars.ask.frame import Frame
from regulars.ask.links import link_urls
from regulars.ask.look import Look
from regulars.ask.preferences_page import PreferencesPage
from regulars.ask.receipts import read_receipt
from regulars.ask.submissions import (
    idempotency_key,
    page_url,
    read_form,
    read_form_body,
    take,
)
from regulars.keep.consents import language_of_signup
from regulars.keep.idempotency import fingerprint_of
from regulars.keep.signups import find_by_token
from regulars.keep.sites import Site, find_site, list_sites
from regulars.signup import Submission
from regulars.values.contact import Channel
from regulars.values.languages import N_
from regulars.web.foreign_posts import refuse_foreign_posts
from regulars.web.house import House
from regulars.web.problems import ProblemError
from regulars.web.visitors import PUBLIC_RATE, visitor
from regulars_webhooks.errors import OrderLinkRefused
from regulars_webhooks.order_link import read_order

log = logging.getLogger(__name__)


def pages_blueprint(house: House) -> Blueprint:
    """The pages that people open, working for *house*."""
    blueprint = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )
    blueprint.add_app_template_filter(link_urls, "link_urls")

    look = Look(house.settings)
    look.add_to(blueprint)
    frame = Frame(house, look)
    limited = house.limiter.limit(PUBLIC_RATE, key_func=visitor)
    signup = _SignupPage(house, frame)
    blueprint.add_url_rule("/", view_func=signup.root)
    blueprint.add_url_rule("/signup", "get_signup", signup.get)
    blueprint.add_url_rule(
        "/signup", "post_signup", limited(signup.post), methods=["POST"]
    )
    blueprint.add_url_rule(
        "/signup/thanks/<token>", "get_thanks", limited(signup.thanks)
    )
    own = PreferencesPage(house, frame)
    blueprint.add_url_rule("/p/<token>", "get_preferences", limited(own.get))
    blueprint.add_url_rule(
        "/p/<token>", "post_preferences", limited(own.post), methods=["POST"]
    )
    return blueprint


class _SignupPage:
    """``/signup`` and the page after it."""

    def __init__(self, house: House, frame: Frame) -> None:
        self._house = house
        self._frame = frame

    def root(self) -> BaseResponse:
        """The oldest site's signup: what somebody who opens the bare address means."""
        with self._house.database.reading() as connection:
            sites = list_sites(connection)
        if not sites:
            raise ProblemError(
                404, "There is no site yet: make one with 'regulars site add NAME'."
            )
        site, chosen = sites[0].publishable_key, self._frame.chosen()
        return redirect(url_for("pages.get_signup", site=site, lang=chosen))

    def get(self) -> Response:
        """The empty form."""
        site = self._site(request.args.get("site", ""))
        return self._render(site, self._form(None), request.args.get("order", ""))

    def post(self) -> BaseResponse:
        """Take the form in and go on to the thanks, or show it again with what is wrong."""
        refuse_foreign_posts(self._house)
        fields = read_form_body()
        site = self._site(fields.get("site", ""))
        form = self._form(fields)
        token = fields.get("order", "")
        if not form.validate():
            return self._render(site, form, token, status=422)
        order_id = self._signed_order(site, token)
        answer = form.answer()
        submission = Submission(
            answer=replace(answer, order_id=order_id) if order_id else answer,
            site_id=site.id,
            has_secret_key=False,
            rendered_by="regulars",
            page_url=page_url(),
            has_signed_order=order_id is not None,
            checked=read_receipt(site, answer, self._house.clock()),
        )
        key = idempotency_key(fields)
        if key is not None:
            # Who goes back, corrects a slip and presses again sends another body with
            # the same page's key in it: that is a new signup, nothing to be refused.
            secret_key = self._house.settings.secret_key
            key = fingerprint_of(secret_key, request.get_data())
        told = take(self._house, fields, submission, f"page:{site.id}", key)
        chosen = self._frame.chosen()
        if told is None:
            key = site.publishable_key
            again = url_for("pages.get_signup", site=key, lang=chosen)
            return redirect(again, code=303)
        token = str(told["preferences_url"]).rpartition("/")[2]
        thanks = url_for("pages.get_thanks", token=token, lang=chosen)
        return redirect(thanks, code=303)

    def thanks(self, token: str) -> Response:
        """What was said of the handle, and the way to the customer's own page."""
        told, made_in = self._told(token)
        own_page = url_for("pages.get_preferences", token=token)
        return self._frame.page(
            "thanks.html",
            language=self._frame.language(made_in),
            handle=told.handle,
            verdict=told.verdict,
            show_follow=Channel.X.value in told.channels,
            preferences_url=url_for(
                "pages.get_preferences", token=token, lang=self._frame.chosen()
            ),
            qr=_drawn(self._house.settings.base_url + own_page),
        )

    def _told(self, token: str) -> tuple[Told, str | None]:
        """What the signup of *token* was told, and the language of its sentences."""
        with self._house.database.reading() as connection:
            signup = find_by_token(connection, token)
            if signup is not None:
                told = Told(signup.handle, signup.verdict, tuple(signup.channels))
                made_in = language_of_signup(connection, signup.customer_id, signup.id)
                return told, made_in
        if is_decoy(self._house, token):
            return Told(), None
        raise ProblemError(404, N_("There is nothing behind this link any more."))

    def _site(self, publishable_key: str) -> Site:
        with self._house.database.reading() as connection:
            site = find_site(connection, publishable_key)
        if site is None:
            raise ProblemError(
                404,
                N_("This link names no place of ours: ask the shop for a new one."),
            )
        return site

    def _signed_order(self, site: Site, token: str) -> str | None:
        """The order that the shop signed into the link; None without one to believe."""
        if not token:
            return None
        try:
            return read_order(token, site.receipt_secret, now=self._house.clock())
        except OrderLinkRefused as refused:
            # The person came to leave an address: what is wrong with the link is not theirs.
            log.debug("order link refused", extra={"code": refused.code.value})
            return None

    def _form(self, fields: SubmittedData | None) -> SignupForm:
        return read_form(
            self._house, fields, has_secret_key=False, default_surface="signup_page"
        )

    def _render(
        self, site: Site, form: SignupForm, token: str, status: int = 200
    ) -> Response:
        order_id = self._signed_order(site, token)
        language = self._frame.language()
        return self._frame.page(
            "signup.html",
            language=language,
            status=status,
            site=site.publishable_key,
            order_id=order_id,
            order=token if order_id else None,
            form=form,
            problems=form.problems(),
            wordings=self._house.wordings(language),
            # A fresh one for each page: pressing the button twice is one signup.
            idempotency_key=secrets.token_urlsafe(16),
            js_url=url_for("pages.static", filename="signup.js"),
            action_url=url_for("pages.post_signup", lang=self._frame.chosen()),
        )


def _drawn(url: str) -> Markup:
    """*url* as a QR code, black on white whatever the page's colours: cameras want it so."""
    code = segno.make_qr(url, error="m")
    return Markup(code.svg_inline(border=4, dark="black", light="white", omitsize=True))  # noqa: S704
