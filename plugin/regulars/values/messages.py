"""The sentences of all field errors: one table from code to words, for the forms and the API alike.

A sentence says what to do, in plain words, and blames nobody. Other languages have theirs in the catalogue.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from regulars.values.languages import N_, SOURCE_LANGUAGE, translate


class FormCode(StrEnum):
    """What can be wrong with a submission apart from the grammar of one address."""

    TEXT_TOO_LONG = "text.too_long"  # needs limit
    TEXT_NOT_TEXT = "text.not_text"
    TYPE_WRONG = "type.wrong"
    X_HANDLE_REQUIRED = "x_handle.required"
    CONTACT_EMAIL_REQUIRED = "contact_email.required"
    CONTACT_PHONE_REQUIRED = "contact_phone.required"
    CONTACT_FACEBOOK_REQUIRED = "contact_facebook.required"
    CONTACT_CHANNEL_UNKNOWN = "contact_channel.unknown"  # needs offered
    WORDING_UNKNOWN = "wording.unknown"
    EXTERNAL_ID_NEEDS_KEY = "external_id.needs_key"
    SITE_UNKNOWN = "site.unknown"
    SITE_MISSING = "site.missing"
    SURFACE_INVALID = "surface.invalid"
    SURFACE_NEEDS_KEY = "surface.needs_key"
    LOCALE_INVALID = "locale.invalid"
    TOO_MANY = "too_many"  # needs limit
    IDEMPOTENCY_KEY_INVALID = "idempotency_key.invalid"


SENTENCES: Final[Mapping[str, str]] = {
    "handle.empty": N_("Please type your X handle. It looks like @name."),
    "handle.too_long": N_("That is too long: an X handle has at most 15 characters."),
    "handle.characters": N_(
        "An X handle has only the letters A to Z, digits and _. It looks like @name."
    ),
    "handle.has_spaces": N_(
        "An X handle has no spaces. Please give the @name rather than the name shown above it."
    ),
    "handle.not_a_profile": N_(
        "That is a page of X but not a profile. Please give the @name."
    ),
    "handle.not_x": N_(
        "That link does not lead to X. Please give the @name, or a link such as x.com/name."
    ),
    "handle.user_id_link": N_(
        "That link holds a number instead of a name. Please open it and give the @name shown there."
    ),
    "handle.short_link": N_(
        "That is a short link, and it does not show the name. Please give the @name."
    ),
    "handle.looks_like_email": N_(
        "That looks like an e-mail address. An X handle looks like @name."
    ),
    "handle.looks_like_phone": N_(
        "That looks like a phone number. An X handle looks like @name."
    ),
    "handle.looks_like_mastodon": N_(
        "That looks like a Mastodon address. An X handle looks like @name."
    ),
    "handle.looks_like_bluesky": N_(
        "That looks like a Bluesky handle. An X handle looks like @name."
    ),
    "handle.looks_like_instagram": N_(
        "That looks like an Instagram link. Please give your handle on X, such as @name."
    ),
    "email.invalid": N_(
        "That does not look like an e-mail address. Please check it; it looks like name@example.com."
    ),
    "email.too_long": N_("That is too long for an e-mail address. Please check it."),
    "email.no_at": N_(
        "An e-mail address has an @ in it, such as name@example.com. Please check it."
    ),
    "email.has_spaces": N_(
        "An e-mail address has no spaces. Please give one address, such as name@example.com."
    ),
    "phone.invalid": N_(
        "We could not read that phone number. Please use digits only, or start with + and the country code."
    ),
    "phone.too_long": N_(
        "That is too long for a phone number. Please give one number."
    ),
    "phone.needs_country": N_(
        "Please start the phone number with + and the country code."
    ),
    "phone.looks_like_email": N_(
        "That looks like an e-mail address. Please give a phone number here."
    ),
    "facebook.invalid": N_(
        "Please give the link to your Facebook profile, such as facebook.com/your.name."
    ),
    "facebook.too_long": N_(
        "That is too long. Please give the link to your Facebook profile, such as facebook.com/your.name."
    ),
    "facebook.has_spaces": N_(
        "Please give the link to your Facebook profile rather than your name, such as facebook.com/your.name."
    ),
    "facebook.not_facebook": N_(
        "That link does not lead to Facebook. A profile looks like facebook.com/your.name."
    ),
    "facebook.not_a_profile": N_(
        "That is a page of Facebook but not a profile. A profile looks like facebook.com/your.name."
    ),
    "facebook.looks_like_email": N_(
        "That looks like an e-mail address. A Facebook profile looks like facebook.com/your.name."
    ),
    FormCode.TEXT_TOO_LONG: N_("Please keep this to {limit} characters."),
    FormCode.TEXT_NOT_TEXT: N_(
        "There is a character in this that we cannot keep. Please type it again."
    ),
    FormCode.TYPE_WRONG: N_(
        "This has to be text, or a list of texts where the field may repeat."
    ),
    FormCode.X_HANDLE_REQUIRED: N_(
        "To hear from us on X, please give your X handle, or choose another way."
    ),
    FormCode.CONTACT_EMAIL_REQUIRED: N_(
        "To hear from us by e-mail, please give your e-mail address, or choose another way."
    ),
    FormCode.CONTACT_PHONE_REQUIRED: N_(
        "To hear from us by phone, please give your phone number, or choose another way."
    ),
    FormCode.CONTACT_FACEBOOK_REQUIRED: N_(
        "To hear from us on Facebook, please give your profile, or choose another way."
    ),
    FormCode.CONTACT_CHANNEL_UNKNOWN: N_(
        "We cannot reach you that way. Please choose one of these: {offered}."
    ),
    FormCode.WORDING_UNKNOWN: N_("This page is out of date: please reload it."),
    FormCode.EXTERNAL_ID_NEEDS_KEY: N_(
        "This page may not send a customer number. Please tell the shop."
    ),
    FormCode.SITE_UNKNOWN: N_(
        "This form is not set up correctly. Please tell the shop."
    ),
    FormCode.SITE_MISSING: N_(
        "This form is not set up correctly. Please tell the shop."
    ),
    FormCode.SURFACE_INVALID: N_(
        "This form is not set up correctly. Please tell the shop."
    ),
    FormCode.SURFACE_NEEDS_KEY: N_(
        "This form is not set up correctly. Please tell the shop."
    ),
    FormCode.LOCALE_INVALID: N_("We do not know this language. Please choose another."),
    FormCode.TOO_MANY: N_("Please give at most {limit} here."),
    FormCode.IDEMPOTENCY_KEY_INVALID: N_(
        "This page could not be sent. Please reload it and try again."
    ),
}

# What the shop's developer wants to know besides; not for customers' screens.
_HINTS: Final[Mapping[str, str]] = {
    FormCode.TYPE_WRONG: "Send each field as a string; contact_channel, topic and interest may be lists of strings.",
    FormCode.WORDING_UNKNOWN: "consent_* and contact_wording take the wording keys as rendered, such as 3.en."
    " `regulars site snippet NAME` prints the fields with the keys in force.",
    FormCode.EXTERNAL_ID_NEEDS_KEY: "external_id is taken under a secret key only: send it from the shop's server.",
    FormCode.SITE_UNKNOWN: "No site has this publishable key. `regulars site list` shows the keys.",
    FormCode.SITE_MISSING: "Send the site's publishable key in the field site, or a secret key as bearer token.",
    FormCode.SURFACE_INVALID: "surface is one of checkout, signup_page, kiosk, platform and import.",
    FormCode.SURFACE_NEEDS_KEY: "A page may say where it is, but not that it is a kiosk, a platform or an import: that takes a secret key.",
    FormCode.LOCALE_INVALID: "locale is a BCP 47 language tag such as en or pt-BR.",
    FormCode.IDEMPOTENCY_KEY_INVALID: "An idempotency key has 1 to 255 visible ASCII characters, quoted or bare.",
}


def sentence(code: str, language: str = SOURCE_LANGUAGE, **data: str) -> str:
    """Return the sentence of *code* in *language* (BCP 47), or in English where that has none.

    *data* fills the gaps of the sentence and is not read for gaps itself.

    Raises:
        KeyError: the code has no sentence, or a gap has no value: a mistake of ours that the tests find.
    """
    return translate(SENTENCES[code], language).format(**data)


def hint(code: str) -> str | None:
    """Return what the shop's developer can do about *code*, None where the sentence says it all."""
    return _HINTS.get(code)
