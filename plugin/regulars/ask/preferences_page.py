"""``/p/<token>``: what one signup sent, masked, and the press that stops everything."""

from babel.dates import format_date
from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from regulars import preferences
from regulars.ask.decoys import decoy_preferences, is_decoy
from regulars.ask.frame import Frame
from regulars.preferences import Permission, Preferences
from regulars.values.contact import Kind, Purpose, channel_label
from regulars.values.languages import N_, locale_name, translate
from regulars.web.foreign_posts import refuse_foreign_posts
from regulars.web.house import House

_KIND_LABELS = {
    Kind.X_ACCOUNT: N_("X handle"),
    Kind.EMAIL_ADDRESS: N_("E-mail address"),
    Kind.PHONE_NUMBER: N_("Phone number"),
    Kind.FACEBOOK_ACCOUNT: N_("Facebook profile"),
}
_PURPOSE_LABELS = {
    Purpose.X_LINK: N_("Keep my X account in my customer record"),
    Purpose.CONVERSATION: N_("Follow me and talk with me"),
    Purpose.ORDER: N_("News about my orders"),
    Purpose.SERVICE_NEWS: N_("Important news"),
    Purpose.OFFERS: N_("Offers"),
}


class PreferencesPage:
    """The page behind the link that a signup's answer carries."""

    def __init__(self, house: House, frame: Frame) -> None:
        self._house = house
        self._frame = frame

    def get(self, token: str) -> Response:
        """Show; change nothing, because mail scanners open links."""
        found = preferences.show(self._house.database, token)
        return self._render(token, found or decoy_preferences(self._house, token))

    def post(self, token: str) -> BaseResponse:
        """Stop everything that this signup agreed to."""
        refuse_foreign_posts(self._house)
        house = self._house
        stopped = preferences.stop_everything(
            house.database, house.recorder, token, house.clock()
        )
        if not stopped and not is_decoy(house, token):
            return self._render(token, None)
        chosen = self._frame.chosen()
        shown = url_for("pages.get_preferences", token=token, lang=chosen)
        return redirect(shown, code=303)

    def _render(self, token: str, found: Preferences | None) -> Response:
        page, language = self._frame.page, self._frame.language()
        if found is None:
            return page("preferences.html", language=language, state="gone", status=404)
        language = self._frame.language(found.language)
        return page(
            "preferences.html",
            language=language,
            state="stopped" if found.is_stopped else "active",
            given_at=format_date(found.given_at, "long", locale=locale_name(language)),
            points=[
                (translate(_KIND_LABELS[kind], language), masked)
                for kind, masked in found.points
            ],
            channels=[channel_label(channel, language) for channel in found.channels],
            purposes=[
                (_sentence(given, language), _standing(given))
                for given in found.permissions
            ],
            action_url=url_for(
                "pages.post_preferences", token=token, lang=self._frame.chosen()
            ),
        )


def _sentence(given: Permission, language: str) -> str:
    label = translate(_PURPOSE_LABELS[given.purpose], language)
    if given.purpose is Purpose.X_LINK:
        return label
    return f"{label} ({channel_label(given.channel, language)})"


def _standing(given: Permission) -> str:
    if not given.stands:
        return "off"
    return "waiting" if given.is_pending else "on"
