"""The parts that the OpenAPI document is put together from."""

from typing import Any

Json = dict[str, Any]

PROBLEM = "application/problem+json"
FORM = "application/x-www-form-urlencoded"


def ref(name: str) -> Json:
    """A reference to the schema *name*."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_answer(name: str, text: str) -> Json:
    """An answer in JSON of the schema *name*."""
    return {
        "description": text,
        "content": {"application/json": {"schema": ref(name)}},
    }


def html_answer(text: str) -> Json:
    """An answer that is a page."""
    return {"description": text, "content": {"text/html": {}}}


def problems(*statuses: int) -> Json:
    """The refusals of *statuses*, as programs get them."""
    content = {PROBLEM: {"schema": ref("Problem")}}
    return {
        str(status): {"description": "Refused", "content": content}
        for status in statuses
    }


def page_problems(*statuses: int) -> Json:
    """The refusals of *statuses*, as people get them."""
    return {str(status): html_answer("A page that says why") for status in statuses}


def path_parameter(name: str) -> Json:
    """A part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
