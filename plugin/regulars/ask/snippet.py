"""The fields for a shop's own form, with the wordings in force: as HTML, as JSON, as labels."""

from typing import Any

from markupsafe import Markup

from regulars.ask.asking import ask
from regulars.ask.markup import channels_markup, handle_markup, site_field
from regulars.ask.questions import Questions, Sentence
from regulars.ask.widget.files import SCRIPT, newest_version, widget_file
from regulars.keep.sites import Site
from regulars.values.contact import CHANNELS
from regulars.values.languages import translate
from regulars.values.wording import LANGUAGES
from regulars.web.house import House

_PASTE = Markup(
    "<!-- Regulars: paste inside your form; your server forwards the fields to /v1/signups. -->"
)
_SCRIPT = Markup(
    "<!-- The script checks the handle while it is typed. Without it the fields post all the same. -->\n"
    '<script type="module" src="{}" integrity="{}" crossorigin="anonymous"></script>'
)
_INVITE = Markup('<p data-part="invite">{}</p>')


def questions_of(house: House, site: Site, language: str = LANGUAGES[0]) -> Questions:
    """What is asked at *site* in *language*, with the wordings in force."""
    settings, wordings = house.settings, house.wordings(language)
    return ask(
        site.publishable_key,
        language,
        endpoint=f"{settings.base_url}/v1/check",
        invite=translate(settings.invite_text, language),
        channels=settings.channels,
        sentences=lambda name: Sentence(wordings[name].key, wordings[name].text),
    )


def render_snippet(
    house: House,
    site: Site,
    language: str = LANGUAGES[0],
    *,
    has_script: bool = True,
) -> str:
    """HTML to paste inside a form; without script it posts the fields of the API."""
    asked = questions_of(house, site, language)
    parts = [
        _PASTE,
        *([_script_tag(house)] if has_script else []),
        site_field(asked),
        _INVITE.format(asked.invite),
        handle_markup(asked),
        channels_markup(asked),
    ]
    return str(Markup("\n").join(parts))


def _script_tag(house: House) -> Markup:
    version = newest_version()
    file = widget_file(version, SCRIPT)
    url = f"{house.settings.base_url}/w/{version}/{file.name}"
    return _SCRIPT.format(url, file.integrity)


def snippet_labels(
    house: House, site: Site, language: str = LANGUAGES[0]
) -> dict[str, Any]:
    """What a platform's form needs where it shows one label a field and nothing else."""
    labels = {
        wording_id: {"key": wording.key, "text": wording.text}
        for wording_id, wording in house.labels(language).items()
    }
    channels = {c.value: CHANNELS[c].label for c in house.settings.channels}
    return {"site": site.publishable_key, **labels, "channels": channels}
