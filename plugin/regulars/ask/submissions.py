"""From a request to a submission: who may send, what the body holds, and the one form."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

from flask import request
from werkzeug.datastructures import MultiDict

from regulars.ask.decoys import LEAVE_EMPTY, is_filled_by_a_program, leave_aside
from regulars.ask.fields import (
    FormData,
    Offer,
    SignupForm,
    SubmittedData,
    fields_from_json,
)
from regulars.keep import idempotency
from regulars.keep.sites import find_site
from regulars.signup import Accepted, Submission
from regulars.values.messages import hint, sentence
from regulars.web.house import House
from regulars.web.languages import current_language
from regulars.web.problems import FieldError, ProblemError
from regulars.web.visitors import Credential, count_addresses, key_id

FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_PAGE_URL_KEPT = 2000
_NAMES_SHOWN, _NAME_SHOWN = 20, 60
_NONE: Mapping[str, str] = MappingProxyType({})
# https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_fields() -> SubmittedData:
    """What the body holds, form-encoded or JSON.

    Raises:
        ProblemError: 415 for another content type, 400 for a body that cannot be read.
    """
    if request.mimetype == FORM:
        return read_form_body()
    if request.mimetype != _JSON:
        raise ProblemError(415, f"Send {FORM} or {_JSON}.")
    try:
        payload = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        # A deeply nested body exhausts the parser: that is the sender's mistake too.
        raise _refused(400, "", "json.invalid") from error
    return fields_from_json(payload)


def read_form_body() -> MultiDict[str, str]:
    """The fields of a form-encoded body.

    Raises:
        ProblemError: 400, it is not UTF-8: the parser would drop all of it or garble
            names in silence.
    """
    try:
        unquote_to_bytes(request.get_data()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(400, "", "form.not_utf8") from error
    return request.form


def _site_key(fields: SubmittedData) -> str:
    values = [value for value in fields.getlist("site") if isinstance(value, str)]
    return values[0].strip() if values else ""


def authorize(house: House, fields: SubmittedData) -> Credential:
    """By what right these fields are sent to the API.

    Raises:
        ProblemError: 401 or 403 where there is none, 422 for an unknown site under a key.
    """
    key, site_key = key_id(house), _site_key(fields)
    with house.database.reading() as connection:
        site = find_site(connection, site_key) if site_key else None
    if site_key and site is None:
        raise _refused(422 if key else 401, "site", "site.unknown")
    if key is not None:
        return Credential(f"key:{key}", True, site)
    if site is None:
        raise _refused(401, "site", "site.missing")
    origin = request.headers.get("Origin")
    if origin is None or origin == "null":
        raise _refused(403, "", "origin.missing")
    if origin not in site.origins:
        raise _refused(403, "", "origin.not_allowed")
    return Credential(f"site:{site.id}", False, site)


_REFUSALS = {
    "json.invalid": "The body is not JSON.",
    "form.not_utf8": "The form is not in UTF-8.",
    "origin.missing": (
        "A public request must come from a page: it has no Origin. A server sends"
        " 'Authorization: Bearer sk_…' instead."
    ),
    "origin.not_allowed": (
        "This page's origin is not one of the site's. Allow it with"
        " 'regulars site allow NAME URL'."
    ),
}


def _refused(status: int, field: str, code: str) -> ProblemError:
    text = _REFUSALS.get(code) or sentence(code, current_language())
    # The sentence is the customer's; on the API it is the shop's developer who reads.
    is_api = request.path.startswith("/v1/")
    detail = (hint(code) if is_api else None) or text
    return ProblemError(status, detail, [FieldError(field, code, text)])


def read_form(
    house: House,
    fields: SubmittedData | None,
    *,
    has_secret_key: bool,
    default_surface: str,
) -> SignupForm:
    """The one form, filled with *fields*; not validated yet."""

    def is_known_wording(wording_id: str, key: str) -> bool:
        return house.wording_book.find(wording_id, key) is not None

    return SignupForm(
        fields,
        offer=Offer(
            channels=house.settings.channels,
            default_country=house.settings.default_country,
            language=current_language(),
            default_surface=default_surface,
        ),
        is_known_wording=is_known_wording,
        may_send_external_id=has_secret_key,
    )


def refusal_of(
    form: SignupForm,
    *,
    names: Mapping[str, str] = _NONE,
    headers: Mapping[str, str] = _NONE,
) -> ProblemError:
    """Why *form*, which is not valid, is refused; *names* are those that its sender knows."""
    return ProblemError(
        422,
        "Some fields cannot be used as they are.",
        [
            FieldError(names.get(p.field, p.field), p.code, p.message)
            for p in form.problems()
        ],
        dict(headers),
    )


def ignored_names(fields: SubmittedData, form: SignupForm) -> dict[str, str]:
    """A header with the names in *fields* that mean nothing to *form*, for who misspelt one."""
    mistyped = fields.mistyped if isinstance(fields, FormData) else ()
    known = {"", "idempotency_key", LEAVE_EMPTY, *(field.name for field in form)}
    ignored = sorted({*fields, *mistyped} - known)
    if not ignored:
        return {}
    # A header takes visible ASCII alone, and a proxy not too much of it.
    shown = [quote(name[:_NAME_SHOWN], safe="") for name in ignored[:_NAMES_SHOWN]]
    return {"Regulars-Ignored": ", ".join(shown)}


def page_url() -> str | None:
    """The page that the request came from, without its query."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
        host = parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    url = urlunsplit((parts.scheme, host + port, parts.path, "", ""))
    return url if len(url) <= _PAGE_URL_KEPT and url.isprintable() else None


def idempotency_key(fields: SubmittedData) -> str | None:
    """The key of the header, quoted or bare, or else of the field ``idempotency_key``.

    Raises:
        ProblemError: 400, it is not 1 to 255 visible ASCII characters.
    """
    text = request.headers.get("Idempotency-Key")
    if text is None:
        text = next(iter(fields.getlist("idempotency_key")), "")
        if not text:
            return None
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise _refused(400, "idempotency_key", "idempotency_key.invalid")
    return text


def take(
    house: House,
    fields: SubmittedData,
    submission: Submission,
    scope: str,
    key: str | None,
) -> dict[str, object] | None:
    """The answer to a submission, the first one again under a key that was used before.

    None when there was nothing in it. *fields* are what it was read from.

    Raises:
        ProblemError: 409 while the first request is in flight, 422 for another body,
            429 for an address that pages send too often.
    """
    is_public = not submission.has_secret_key
    if is_public and is_filled_by_a_program(fields):
        count_addresses(house, submission.answer.addresses)
        return leave_aside(house, submission.answer)
    now = house.clock()
    if key is None:
        if is_public:
            count_addresses(house, submission.answer.addresses)
        return _told(submission, house.signup_desk.take(submission, now))
    claimed = _claim(house, scope, key, now)
    if not isinstance(claimed, idempotency.Claim):
        return claimed
    accepted = None
    try:
        if is_public:
            # Not before: whoever asks for the first answer again sends nothing new.
            count_addresses(house, submission.answer.addresses)
        accepted = house.signup_desk.take(submission, now, claimed)
        return _told(submission, accepted)
    except idempotency.InFlight as error:
        raise _in_flight() from error
    finally:
        if accepted is None:
            # Nothing was kept under the key: it may be used again.
            with house.database.transaction() as connection:
                idempotency.release(connection, claimed)


def _claim(
    house: House, scope: str, key: str, now: datetime
) -> idempotency.Claim | dict[str, object]:
    """The right to answer under *key*, or the answer that was given under it."""
    fingerprint = idempotency.fingerprint_of(
        house.settings.secret_key, request.get_data()
    )
    try:
        return idempotency.claim(house.database, scope, key, fingerprint, now)
    except idempotency.InFlight as error:
        raise _in_flight() from error
    except idempotency.OtherBody as error:
        raise ProblemError(
            422,
            "This Idempotency-Key was used with another body.",
            [
                FieldError(
                    "idempotency_key",
                    "idempotency_key.other_body",
                    "Use a fresh key for each submission.",
                )
            ],
        ) from error


def _in_flight() -> ProblemError:
    text = "The first request with this Idempotency-Key is still being answered."
    return ProblemError(
        409,
        text,
        [FieldError("idempotency_key", "idempotency_key.in_flight", text)],
        {"Retry-After": "1"},
    )


def _told(
    submission: Submission, accepted: Accepted | None
) -> dict[str, object] | None:
    if accepted is None:
        return None
    return accepted.told(has_secret_key=submission.has_secret_key)
