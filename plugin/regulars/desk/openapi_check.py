"""The check of a handle in the OpenAPI document."""

from regulars.desk.openapi_parts import FORM, Json, json_answer, problems
from regulars.values.verdict import Verdict


def check_paths() -> Json:
    """What a page asks while a handle is being typed."""
    question = {
        "type": "object",
        "properties": {
            "site": {"type": "string", "description": "The site's publishable key."},
            "handle": {
                "type": "string",
                "description": "As people type or paste it.",
            },
            "consent_x_link": {
                "type": "string",
                "description": "The key of the sentence beside the field; without it X is not asked.",
            },
        },
    }
    return {
        "/v1/check": {
            "post": {
                "operationId": "checkHandle",
                "summary": "Whether an account of this handle exists",
                "description": "From a page of the site's allowed origins with the publishable key alone, or with a secret key. Form-encoded, so that a browser asks nothing beforehand.",
                "security": [{"secret_key": []}, {}],
                "requestBody": {
                    "required": True,
                    "content": {FORM: {"schema": question}},
                },
                "responses": {
                    "200": json_answer("Checked", "The verdict"),
                    **problems(400, 401, 403, 413, 415, 422, 429, 503),
                },
            }
        }
    }


def checked_schema() -> Json:
    """The answer to a check."""
    return {
        "type": "object",
        "required": ["verdict", "handle", "receipt"],
        "additionalProperties": False,
        "properties": {
            "verdict": {"enum": [verdict.value for verdict in Verdict]},
            "handle": {
                "type": "string",
                "description": "As it was typed, without @.",
            },
            "receipt": {
                "type": ["string", "null"],
                "description": "To be sent on as x_handle_receipt; null where X gave no verdict.",
            },
        },
    }
