"""The fields for a shop's own form, with the wordings in force: as plain HTML or as labels."""

from typing import Any

from flask import render_template

from regulars.ask.links import link_urls
from regulars.keep.sites import Site
from regulars.values.contact import CHANNELS
from regulars.values.wording import LANGUAGES
from regulars.web.house import House


def render_snippet(house: House, site: Site, language: str = LANGUAGES[0]) -> str:
    """HTML to paste inside a form; without script it posts the fields of the API."""
    return render_template(
        "regulars/snippet.html",
        site=site.publishable_key,
        channels=house.settings.channels,
        labels={channel: row.label for channel, row in CHANNELS.items()},
        wordings=house.wordings(language),
        invite_text=house.settings.invite_text,
        link_urls=link_urls,
    )


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
