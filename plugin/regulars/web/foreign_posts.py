"""Our own pages' forms may be sent from our own pages alone."""

from urllib.parse import urlsplit

from flask import request

from regulars.values.languages import N_
from regulars.web.house import House
from regulars.web.problems import FieldError, ProblemError

_FOREIGN = N_(
    "This form was sent from another site. Please open our page and send it there."
)


def refuse_foreign_posts(house: House) -> None:
    """Let our own pages' forms pass, and callers that are no browser.

    Raises:
        ProblemError: 403, another site's page sent this form.
    """
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        is_ours = fetched_from in {"same-origin", "none"}
    else:
        # Browsers of before 2023 send the origin alone.
        parts = urlsplit(house.settings.base_url)
        origin = request.headers.get("Origin")
        is_ours = origin is None or origin == f"{parts.scheme}://{parts.netloc}"
    if not is_ours:
        raise ProblemError(403, _FOREIGN, [FieldError("", "origin.foreign", _FOREIGN)])
