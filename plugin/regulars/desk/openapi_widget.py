"""What shops' pages load, in the OpenAPI document."""

from regulars.desk.openapi_parts import Json, path_parameter, problems

_TEXT: Json = {"type": "string"}
_ADDRESS_TYPES = ("email", "tel", "text")


def widget_paths() -> Json:
    """The widget's files, their hashes, and the fields as a snippet."""
    return {
        "/w/{version}/{name}": {
            "get": {
                "operationId": "getWidgetFile",
                "summary": "A file of the widget",
                "description": "Of a whole version (1.0.0) it never changes; a major version alone (1) is its newest for now.",
                "parameters": [path_parameter("version"), path_parameter("name")],
                "responses": {
                    "200": {
                        "description": "The file, packed as Accept-Encoding allows",
                        "content": {"text/javascript": {}, "text/css": {}},
                    },
                    "304": {"description": "Unchanged"},
                    **problems(404),
                },
            }
        },
        "/w/integrity.json": {
            "get": {
                "operationId": "getIntegrity",
                "summary": "The hash of each file of each version, for the attribute integrity",
                "responses": {
                    "200": {
                        "description": "By version and file",
                        "content": {"application/json": {"schema": _HASHES}},
                    },
                    "304": {"description": "Unchanged"},
                },
            }
        },
        "/v1/snippet": {
            "get": {
                "operationId": "getSnippet",
                "summary": "The fields for a form, with the wordings in force",
                "description": "HTML, or with Accept: application/json what it is made of.",
                "parameters": [
                    {**_query("site", "The publishable key."), "required": True},
                    _query(
                        "language",
                        "BCP 47; the nearest that there is, else the request's.",
                    ),
                    _query("lang", "The same, as the element sends it."),
                ],
                "responses": {
                    "200": {
                        "description": "The fields",
                        "content": {
                            "text/html": {},
                            "application/json": {"schema": _questions()},
                        },
                    },
                    "304": {"description": "Unchanged"},
                    **problems(404, 429, 503),
                },
            }
        },
    }


_HASHES: Json = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {"type": "string", "pattern": "^sha384-"},
    },
}


def _query(name: str, text: str) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": _TEXT}


def _object(**properties: Json) -> Json:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def _questions() -> Json:
    sentence = _object(key=_TEXT, text=_TEXT)
    choice = _object(value=_TEXT, label=_TEXT)
    detail = _object(
        **{"for": {"type": "array", "items": _TEXT}},
        field={"type": ["string", "null"]},
        label={"type": ["string", "null"]},
        type={"enum": [*_ADDRESS_TYPES, None]},
        autocomplete={"type": ["string", "null"]},
        maxlength={"type": ["integer", "null"]},
        consents={
            "type": "array",
            "items": _object(channel=_TEXT, key=_TEXT, text=_TEXT),
        },
    )
    return _object(
        site=_TEXT,
        language=_TEXT,
        dir={"enum": ["ltr", "rtl"]},
        endpoint=_TEXT,
        invite=_TEXT,
        handle=_object(label=_TEXT, statement=sentence, conversation=sentence),
        channels=_object(
            legend=_TEXT,
            statement=sentence,
            choices={"type": "array", "items": choice},
            details={"type": "array", "items": detail},
        ),
        texts={"type": "object", "additionalProperties": _TEXT},
    )
