"""``GET /v1/snippet``: the fields of one site, as HTML or as what the HTML is made of.

It says what everybody reads on the shop's page, and nothing else of the site.
"""

import json

from flask import Blueprint, Response, request

from regulars.ask.snippet import questions_of, render_snippet
from regulars.ask.widget.sharing import ANY_PAGE, MINUTES, shared
from regulars.keep.sites import Site, find_site
from regulars.values.languages import closest_language
from regulars.values.messages import hint, sentence
from regulars.web.house import House
from regulars.web.languages import current_language
from regulars.web.problems import FieldError, ProblemError
from regulars.web.visitors import PUBLIC_RATE, visitor

_JSON, _HTML = "application/json", "text/html"


def snippet_blueprint(house: House) -> Blueprint:
    """The snippet of each site of *house*."""
    blueprint = Blueprint("snippet", __name__)

    @blueprint.get("/v1/snippet")
    @house.limiter.limit(PUBLIC_RATE, key_func=visitor)
    def get_snippet() -> Response:
        site = _site(house, request.args.get("site", ""))
        asked_for, offered = request.args.get("language", ""), house.settings.languages
        # The element asks as our own pages do, by ?lang=.
        language = closest_language(asked_for, offered) or current_language()
        if request.accept_mimetypes.best_match([_HTML, _JSON]) == _JSON:
            told = questions_of(house, site, language).as_json()
            body, kind = json.dumps(told, ensure_ascii=False), _JSON
        else:
            body, kind = render_snippet(house, site, language), _HTML
        response = Response(body, mimetype=kind)
        response.content_language.add(language)
        response.vary.update(("Accept", "Accept-Language"))
        return shared(response, MINUTES)

    return blueprint


def _site(house: House, publishable_key: str) -> Site:
    with house.database.reading() as connection:
        site = find_site(connection, publishable_key)
    if site is None:
        code = "site.unknown" if publishable_key else "site.missing"
        text = sentence(code, current_language())
        raise ProblemError(
            404, hint(code) or text, [FieldError("site", code, text)], ANY_PAGE
        )
    return site
