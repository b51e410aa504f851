"""What /openapi.json says of all operations alike: the sign-in, the role each needs, the errors that any may answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from irislite.web.roles import needed

_SIGN_IN = {"type": "http", "scheme": "basic", "description": "A user of the portal: name and password."}
_OPEN = ("/healthz", "/readyz")
# Answered before a route is reached, or by any of them.
_ERRORS = {
    400: "The request cannot be read.",
    401: "No sign-in, or a wrong one.",
    403: "The user's role does not allow it.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    421: "The server does not answer for this host.",
    429: "Too many wrong passwords: try again later.",
    500: "The runtime met an error; the sentence says which.",
    501: "The runtime does not have this of IRIS.",
    503: "Too many requests are being waited for.",
    504: "The item did not answer in time.",
}


def describe(app: FastAPI) -> None:
    """Let the app's description say so; `x-role` is the role that an operation needs."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        description = plain()
        description["components"]["securitySchemes"] = {"sign-in": _SIGN_IN}
        for context in iter_route_contexts(app.routes):
            operations = description["paths"].get(context.path_format, {})
            for method in context.methods or ():
                if method.lower() in operations and context.path_format not in _OPEN:
                    role = needed(context.endpoint, method)
                    _complete(operations[method.lower()], role.word)
        return description

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(operation: dict[str, Any], role: str) -> None:
    operation["x-role"] = role
    operation["security"] = [{"sign-in": []}]
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    for status, sentence in _ERRORS.items():
        operation["responses"].setdefault(str(status), {"description": sentence, "content": content})
