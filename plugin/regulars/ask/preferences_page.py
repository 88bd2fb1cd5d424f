"""``/p/<token>``: what one signup sent, masked, and the press that stops everything."""

from collections.abc import Callable

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from regulars import preferences
from regulars.preferences import Permission, Preferences
from regulars.values.contact import CHANNELS, Kind, Purpose
from regulars.web.foreign_posts import refuse_foreign_posts
from regulars.web.house import House

_KIND_LABELS = {
    Kind.X_ACCOUNT: "X handle",
    Kind.EMAIL_ADDRESS: "E-mail address",
    Kind.PHONE_NUMBER: "Phone number",
    Kind.FACEBOOK_ACCOUNT: "Facebook profile",
}
_PURPOSE_LABELS = {
    Purpose.X_LINK: "Keep my X account in my customer record",
    Purpose.CONVERSATION: "Follow me and talk with me",
    Purpose.ORDER: "News about my orders",
    Purpose.SERVICE_NEWS: "Important news",
    Purpose.OFFERS: "Offers",
}


class PreferencesPage:
    """The page behind the link that a signup's answer carries."""

    def __init__(self, house: House, page: Callable[..., str]) -> None:
        self._house = house
        self._page = page

    def get(self, token: str) -> Response:
        """Show; change nothing, because mail scanners open links."""
        return self._render(token, preferences.show(self._house.database, token))

    def post(self, token: str) -> BaseResponse:
        """Stop everything that this signup agreed to."""
        refuse_foreign_posts(self._house)
        house = self._house
        stopped = preferences.stop_everything(
            house.database, house.recorder, token, house.clock()
        )
        if not stopped:
            return self._render(token, None)
        return redirect(url_for("pages.get_preferences", token=token), code=303)

    def _render(self, token: str, found: Preferences | None) -> Response:
        if found is None:
            return Response(self._page("preferences.html", state="gone"), 404)
        rendered = self._page(
            "preferences.html",
            state="stopped" if found.is_stopped else "active",
            given_at=f"{found.given_at.day} {found.given_at:%B %Y}",
            points=[(_KIND_LABELS[kind], masked) for kind, masked in found.points],
            channels=[CHANNELS[channel].label for channel in found.channels],
            purposes=[(_sentence(given), given.stands) for given in found.permissions],
            action_url=url_for("pages.post_preferences", token=token),
        )
        return Response(rendered)


def _sentence(given: Permission) -> str:
    label = _PURPOSE_LABELS[given.purpose]
    if given.purpose is Purpose.X_LINK:
        return label
    return f"{label} ({CHANNELS[given.channel].label})"
