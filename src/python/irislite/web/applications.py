"""Applications that a production brings along: ASGI applications, each for the addresses below a path.

A settings file names them, as it names the production in `PRODUCTIONS`: `APPLICATIONS = {"/api/v1": "api.app:create"}`.
What stands behind the colon is called without arguments and returns the application, once for all its paths. An
application sees whole paths, and says itself who may use it: see `irislite.web.guard`.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from irislite.errors import ProductionError

_OWN = ("/api/iop", "/api/irislite", "/api/atelier", "/csp", "/healthz", "/readyz", "/openapi.json")


def applications_of(settings_file: Path) -> dict[str, ASGIApp]:
    """The applications that a settings file names, by path, once the file is loaded.

    Raises `ProductionError` where one cannot be had, or takes a path that is another's.
    """
    made: dict[str, ASGIApp] = {}
    found: dict[str, ASGIApp] = {}
    for path, name in getattr(sys.modules.get(settings_file.stem), "APPLICATIONS", {}).items():
        if (
            not path.startswith("/")
            or path.endswith("/")
            or any(_below(own, path) or _below(path, own) for own in _OWN)
        ):
            raise ProductionError(
                f"{settings_file} names the path {path!r}, which cannot be an application's: write it as in /api/v1."
            )
        if name not in made:
            module, _, function = name.partition(":")
            try:
                made[name] = getattr(importlib.import_module(module), function)()
            except (ImportError, AttributeError, ValueError, OSError) as error:
                raise ProductionError(
                    f"{settings_file} names the application {name!r}, which cannot be had: {error}. Correct "
                    "APPLICATIONS: each name is that of a module and its function, as in api.app:create."
                ) from error
        found[path] = made[name]
    return found


class Applications:
    """Middleware that gives requests below their paths to applications, and all others to the app behind it."""

    def __init__(self, app: ASGIApp, applications: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] in ("http", "websocket"):
            below = (path for path in self._applications if _below(scope["path"], path))
            app = self._applications.get(max(below, key=len, default=""), app)
        await app(scope, receive, send)


def _below(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/")
