"""What a browser would post of a page."""

from html.parser import HTMLParser


class Form(HTMLParser):
    """What a browser would post of a page's only form, when nobody touched it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.offered: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag != "input" or name is None:
            return
        self.offered.setdefault(name, []).append(value)
        if given.get("type") not in {"radio", "checkbox"}:
            self.fields[name] = value
