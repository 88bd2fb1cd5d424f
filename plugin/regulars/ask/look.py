"""The shop's own look on the hosted pages: its colour as a style sheet, and its logo."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, request

from regulars.settings import Settings
from regulars.values.colour import palette_of
from regulars.values.picture import type_of_picture
from regulars.web.problems import ProblemError

_KEPT = "public, max-age=86400"
# Inline styles are against the pages' own policy, so the colours come as a file.
_SHEET = """\
:root {{
  --brand: {p.brand};
  --brand-strong: {p.brand_strong};
  --on-brand: {p.on_brand};
  --accent: {p.accent_on_light};
  --accent-strong: {p.strong_on_light};
}}

@media (prefers-color-scheme: dark) {{
  :root {{
    --accent: {p.accent_on_dark};
    --accent-strong: {p.strong_on_dark};
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class _File:
    """What is served at one address; *tag* is of its content, so that a changed one is fetched."""

    data: bytes
    mimetype: str
    tag: str


def _file(data: bytes, mimetype: str | None) -> _File | None:
    if mimetype is None:
        return None
    return _File(data, mimetype, hashlib.sha256(data).hexdigest()[:12])


class Look:
    """The files of the shop's look, read once, and where they are."""

    def __init__(self, settings: Settings) -> None:
        self._sheet = self._logo = None
        if settings.shop_color:
            sheet = _SHEET.format(p=palette_of(settings.shop_color))
            self._sheet = _file(sheet.encode(), "text/css")
        if settings.shop_logo:
            data = Path(settings.shop_logo).read_bytes()
            self._logo = _file(data, type_of_picture(data))

    def add_to(self, blueprint: Blueprint) -> None:
        """Serve the files from *blueprint*."""
        blueprint.add_url_rule(
            "/look/shop.css", "get_look", lambda: _answer(self._sheet)
        )
        blueprint.add_url_rule("/look/logo", "get_logo", lambda: _answer(self._logo))

    @property
    def urls(self) -> dict[str, str | None]:
        """The addresses as the pages' frame wants them; None for what the shop did not give."""
        return {
            "look_url": f"/look/shop.css?v={self._sheet.tag}" if self._sheet else None,
            "logo_url": f"/look/logo?v={self._logo.tag}" if self._logo else None,
        }


def _answer(file: _File | None) -> Response:
    if file is None:
        raise ProblemError(404, "The shop has set none.")
    response = Response(file.data, mimetype=file.mimetype)
    response.headers["Cache-Control"] = _KEPT
    response.set_etag(file.tag)
    response.make_conditional(request)
    return response
