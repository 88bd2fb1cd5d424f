"""The frame of the hosted pages: the shop's name and look, and the language they speak."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request, url_for

from regulars.ask.look import Look
from regulars.values.languages import NAMES, direction, translate
from regulars.web.house import House
from regulars.web.languages import chosen_language, language_of, speaking

# What of a page's query its other languages keep.
_KEPT = ("site", "order")


class Frame:
    """Renders the pages of one shop."""

    def __init__(self, house: House, look: Look) -> None:
        self._house = house
        self._look = look

    def language(self, made_in: str | None = None) -> str:
        """The language of the page asked for: chosen, else the one that the signup was *made_in*."""
        offered = self._house.settings.languages
        chosen = chosen_language(request, offered)
        if chosen is None and made_in in offered:
            return made_in
        return chosen or language_of(request, offered)

    def chosen(self) -> str | None:
        """The language that was chosen on the page, to be carried on; None where none was."""
        return chosen_language(request, self._house.settings.languages)

    def page(
        self,
        template: str,
        *,
        language: str,
        status: int = 200,
        **context: Any,
    ) -> Response:
        """*template* in *language* as the answer to the request."""
        settings = self._house.settings
        with speaking(language):
            body = render_template(
                f"regulars/{template}",
                shop_name=settings.shop_name,
                shop_x_username=settings.shop_x_username or None,
                privacy_url=settings.privacy_url or None,
                invite_text=translate(settings.invite_text, language),
                language=language,
                direction=direction(language),
                languages=self._links(),
                css_url=url_for("pages.static", filename="page.css"),
                **self._look.urls,
                **context,
            )
        response = Response(body, status)
        response.content_language.add(language)
        response.vary.add("Accept-Language")
        return response

    def _links(self) -> list[dict[str, str]]:
        """The same page in each language; none where there is one alone, or something was sent."""
        offered = self._house.settings.languages
        if len(offered) < 2 or request.method == "POST":
            return []
        kept = [(name, request.args[name]) for name in _KEPT if request.args.get(name)]
        return [
            {
                "tag": tag,
                "name": NAMES[tag],
                "url": f"?{urlencode([*kept, ('lang', tag)])}",
            }
            for tag in offered
        ]
