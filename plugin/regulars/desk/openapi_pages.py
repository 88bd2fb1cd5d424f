"""The pages in the OpenAPI document."""

from regulars.desk.openapi_parts import (
    FORM,
    Json,
    html_answer,
    page_problems,
    path_parameter,
    problems,
)

_LANG: Json = {
    "name": "lang",
    "in": "query",
    "description": "The language of the page (BCP 47); else that of the signup, or what the browser asks for.",
    "schema": {"type": "string"},
}


def page_paths() -> Json:
    """What customers and the owner open in a browser."""
    page = {"200": html_answer("The page"), **page_problems(404, 429)}
    return {
        "/signup": {
            "get": {
                "operationId": "getSignupPage",
                "summary": "The hosted signup page",
                "parameters": [
                    {
                        "name": "site",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "string"},
                    },
                    {
                        "name": "order",
                        "in": "query",
                        "description": "An order that the shop signed into the link; one that cannot be believed is left aside.",
                        "schema": {"type": "string"},
                    },
                    _LANG,
                ],
                "responses": {"200": html_answer("The page"), **page_problems(404)},
            },
            "post": {
                "operationId": "postSignupPage",
                "summary": "What the hosted page sends",
                "parameters": [_LANG],
                "requestBody": {
                    "required": True,
                    "content": {FORM: {"schema": {"type": "object"}}},
                },
                "responses": {
                    "303": {"description": "Taken: on to the thanks"},
                    "422": html_answer("The page again, with what is wrong"),
                    **page_problems(400, 403, 404, 409, 413, 429),
                },
            },
        },
        "/signup/thanks/{token}": {
            "get": {
                "operationId": "getThanks",
                "summary": "The page after a signup",
                "parameters": [path_parameter("token"), _LANG],
                "responses": page,
            }
        },
        "/p/{token}": {
            "get": {
                "operationId": "getPreferences",
                "summary": "What one signup sent, masked",
                "parameters": [path_parameter("token"), _LANG],
                "responses": page,
            },
            "post": {
                "operationId": "stopEverything",
                "summary": "Withdraw all that this signup agreed to",
                "parameters": [path_parameter("token"), _LANG],
                "responses": {
                    "303": {"description": "Stopped"},
                    **page_problems(403, 404, 413, 429),
                },
            },
        },
        **_look_paths(),
        **_desk_paths(),
    }


def _look_paths() -> Json:
    """What the pages load of the shop's own."""
    sheet = {"description": "The sheet", "content": {"text/css": {}}}
    pictures: Json = {kind: {} for kind in ("image/png", "image/jpeg", "image/webp")}
    return {
        "/look/shop.css": {
            "get": {
                "operationId": "getLook",
                "summary": "The shop's colour, as the hosted pages use it",
                "responses": {"200": sheet, **problems(404)},
            }
        },
        "/look/logo": {
            "get": {
                "operationId": "getLogo",
                "summary": "The shop's logo",
                "responses": {
                    "200": {"description": "The picture", "content": pictures},
                    **problems(404),
                },
            }
        },
    }


def _desk_paths() -> Json:
    to_login = {"303": {"description": "Not signed in: on to the login"}}
    password = {"type": "object", "properties": {"password": {"type": "string"}}}
    return {
        "/desk": {
            "get": {
                "operationId": "getOwnersPage",
                "summary": "Who signed up lately, and what waits to be delivered",
                "parameters": [
                    {
                        "name": "before",
                        "in": "query",
                        "description": "The id of a signup: who signed up before it.",
                        "schema": {"type": "string"},
                    }
                ],
                "responses": {"200": html_answer("The page"), **to_login},
            }
        },
        "/desk/customers/{id}": {
            "get": {
                "operationId": "getOwnersCard",
                "summary": "One person",
                "parameters": [path_parameter("id")],
                "responses": {
                    "200": html_answer("The card"),
                    **to_login,
                    **page_problems(404),
                },
            }
        },
        "/desk/login": {
            "get": {
                "operationId": "getLogin",
                "summary": "The question for the owner's password",
                "responses": {
                    "200": html_answer("The page"),
                    "303": {"description": "Signed in already"},
                },
            },
            "post": {
                "operationId": "logIn",
                "summary": "Begin the owner's session",
                "requestBody": {
                    "required": True,
                    "content": {FORM: {"schema": password}},
                },
                "responses": {
                    "303": {"description": "Signed in"},
                    **page_problems(403, 413, 429),
                },
            },
        },
        "/desk/logout": {
            "post": {
                "operationId": "logOut",
                "summary": "End the owner's sessions on every device",
                "responses": {
                    "303": {"description": "Signed out"},
                    **page_problems(403, 413),
                },
            }
        },
    }
