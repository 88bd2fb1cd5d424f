"""``GET /openapi.json``: the whole HTTP surface as OpenAPI 3.1, events included.

https://spec.openapis.org/oas/v3.1.0
"""

from importlib.metadata import version
from typing import Any

from regulars.desk.openapi_check import check_paths, checked_schema
from regulars.desk.openapi_pages import page_paths
from regulars.desk.openapi_parts import (
    FORM,
    Json,
    json_answer,
    path_parameter,
    problems,
    ref,
)
from regulars.desk.openapi_widget import widget_paths
from regulars.values.contact import Channel
from regulars.values.verdict import Verdict
from regulars_webhooks.events import EVENT_TYPES, schema

_KEY: list[Json] = [{"secret_key": []}]

_TEXT: Json = {"type": ["string", "null"]}
_TEXTS: Json = {"type": ["string", "array", "null"], "items": {"type": "string"}}


def openapi(base_url: str, channels: tuple[Channel, ...]) -> Json:
    """The document for the service at *base_url* that offers *channels*."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Regulars",
            "version": version("regulars"),
            "description": "Asks a shop's customers how to reach them and tells the shop's own system.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base_url}],
        "paths": {
            **_api_paths(channels),
            **check_paths(),
            **page_paths(),
            **widget_paths(),
            **_machine_paths(),
        },
        "webhooks": {name: _webhook(name) for name in EVENT_TYPES},
        "components": {
            "schemas": {
                "Problem": _problem_schema(),
                "Accepted": _accepted_schema(),
                "Checked": checked_schema(),
                "Record": _record_schema(),
            },
            "securitySchemes": {
                "secret_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of 'regulars key add', for the shop's own server.",
                }
            },
        },
    }


def _api_paths(channels: tuple[Channel, ...]) -> Json:
    body = {"schema": _signup_schema(channels)}
    return {
        "/v1/signups": {
            "post": {
                "operationId": "signUp",
                "summary": "Take one submission in",
                "description": "With a secret key, or from a page of the site's allowed origins with the site's publishable key alone. Under a secret key the header Regulars-Ignored names what was sent and means nothing here.",
                "security": [*_KEY, {}],
                "parameters": [
                    {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "description": "1 to 255 visible ASCII characters; kept for 30 days.",
                        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
                    }
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": body, FORM: body},
                },
                "responses": {
                    "201": json_answer("Accepted", "Accepted"),
                    "204": {"description": "The form was empty: nothing is kept."},
                    **problems(400, 401, 403, 409, 413, 415, 422, 429, 503),
                },
            }
        },
        "/v1/customers": {
            "get": {
                "operationId": "findCustomers",
                "summary": "Find customers by exactly one of these",
                "security": _KEY,
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "string"}}
                    for name in ("email", "phone", "handle", "external_id")
                ],
                "responses": {
                    "200": {
                        "description": "The customers, oldest first; none is an empty list.",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["customers"],
                                    "properties": {
                                        "customers": {
                                            "type": "array",
                                            "items": ref("Record"),
                                        }
                                    },
                                }
                            }
                        },
                    },
                    **problems(401, 422, 429, 503),
                },
            }
        },
        "/v1/customers/{id}": {
            "get": {
                "operationId": "getCustomer",
                "summary": "One record as events carry it",
                "security": _KEY,
                "parameters": [path_parameter("id")],
                "responses": {
                    "200": json_answer("Record", "The record"),
                    **problems(401, 404, 429, 503),
                },
            }
        },
    }


def _machine_paths() -> Json:
    def get(operation: str, media: str, *refusals: int, **more: Any) -> Json:
        answer = {"description": "OK", "content": {media: {}}}
        return {
            "get": {
                "operationId": operation,
                "responses": {"200": answer, **problems(*refusals)},
                **more,
            }
        }

    ready = get("ready", "application/json")
    ready["get"]["responses"]["503"] = {
        "description": "The queue is stalled",
        "content": {"application/json": {}},
    }
    return {
        "/healthz": get("alive", "text/plain"),
        "/readyz": ready,
        "/metrics": get("metrics", "text/plain"),
        "/openapi.json": get("openapi", "application/json"),
        "/.well-known/regulars": get(
            "selfCheck",
            "application/json",
            404,
            429,
            parameters=[
                {
                    "name": "nonce",
                    "in": "query",
                    "description": "A question of this installation's own doctor.",
                    "schema": {"type": "string"},
                }
            ],
        ),
        "/schemas/{type}.json": get(
            "schema",
            "application/schema+json",
            404,
            parameters=[path_parameter("type")],
        ),
    }


def _signup_schema(channels: tuple[Channel, ...]) -> Json:
    names = [
        "site",
        "x_handle",
        "x_handle_receipt",
        "contact_wording",
        "contact_email",
        "contact_phone",
        "contact_facebook",
        "given_name",
        "family_name",
        "external_id",
        "order_id",
        "surface",
        "locale",
        "consent_x_link",
        "consent_conversation_x",
        "idempotency_key",
    ]
    offers = [f"consent_offers_{channel.value}" for channel in channels]
    return {
        "type": "object",
        "description": "The form fields; consent_* and contact_wording are the keys of the wordings that were shown.",
        "properties": {
            **{name: _TEXT for name in [*names, *offers]},
            **{name: _TEXTS for name in ("contact_channel", "topic", "interest")},
        },
    }


def _accepted_schema() -> Json:
    handle = {
        "type": ["object", "null"],
        "required": ["value", "verdict"],
        "properties": {
            "value": {"type": "string"},
            "verdict": {"enum": [verdict.value for verdict in Verdict]},
        },
    }
    customer = {
        "type": "object",
        "description": "Under a secret key only.",
        "required": ["id", "version", "preferred_channel"],
        "properties": {
            "id": {"type": "string"},
            "version": {"type": "integer"},
            "preferred_channel": _TEXT,
        },
    }
    return {
        "type": "object",
        "required": ["id", "handle", "preferences_url"],
        "properties": {
            "id": {"type": "string", "pattern": "^sgn_"},
            "handle": handle,
            "preferences_url": _TEXT,
            "customer": customer,
        },
    }


def _record_schema() -> Json:
    return {
        "type": "object",
        "required": ["customer", "profile"],
        "properties": {
            "customer": {"type": "object", "required": ["id", "version", "status"]},
            "profile": {"type": ["object", "null"]},
        },
    }


def _problem_schema() -> Json:
    field_error = {
        "type": "object",
        "required": ["field", "code", "message"],
        "properties": {
            name: {"type": "string"} for name in ("field", "code", "message")
        },
    }
    return {
        "type": "object",
        "description": "RFC 9457; codes are stable.",
        "required": ["type", "title", "status", "detail", "errors"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": field_error},
        },
    }


def _webhook(event_type: str) -> Json:
    told = schema(event_type)
    content = {"application/json": {"schema": told}}
    return {
        "post": {
            "summary": told.get("title", event_type),
            "description": "Signed as Standard Webhooks say: https://www.standardwebhooks.com",
            "requestBody": {"required": True, "content": content},
            "responses": {"2XX": {"description": "Taken; anything else is retried."}},
        }
    }
