"""The table of contents of URLs: REST for `iop`, JSON twin, old addresses, portal."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from irislite.director import Director
from irislite.views import ItemState, ProductionStatus
from irislite.web import api, atelier, description, failures, guard, records, roles, sqltwin, system, twin, twin_items
from irislite.web.accounts import Accounts
from irislite.web.applications import Applications

if TYPE_CHECKING:
    from irislite.web.portal.layout import Room

PRODUCTION_PAGE = "/production"
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "It does not, or not yet."}}
_OLD_PRODUCTION_PAGE = re.compile(r"/csp/[^/]+/EnsPortal\.ProductionConfig\.zen", re.IGNORECASE)


def create_app(
    director: Director,
    accounts: Accounts,
    host: str = "127.0.0.1",
    rooms: Iterable["Room"] = (),
    applications: Mapping[str, ASGIApp] | None = None,
) -> FastAPI:
    """Everything that is served: REST, JSON twin and portal.

    `host` is the name or address that is bound; `rooms` and `applications` are those that the production adds.
    """
    from irislite.web import portal  # NiceGUI takes its time: REST alone does without it

    rooms = tuple(rooms)
    app = create_api(director, accounts, host, rooms=rooms, applications=applications)
    portal.mount(app, director, accounts, rooms)
    return app


def create_api(
    director: Director,
    accounts: Accounts,
    host: str = "127.0.0.1",
    largest_body: int = guard.LARGEST_BODY,
    rooms: Iterable["Room"] = (),
    applications: Mapping[str, ASGIApp] | None = None,
) -> FastAPI:
    """The same without the portal, but with the JSON twins of `rooms`. `largest_body` is in bytes."""
    app = FastAPI(
        title="irislite",
        description="The REST service of iop's command line, and the JSON twin of the portal's pages.",
        version=api.VERSION,
        docs_url=None,  # these pages load scripts from the internet
        redoc_url=None,
        dependencies=[Depends(roles.authorize, scope="function")],
    )
    app.state.director = director
    app.state.accounts = accounts
    app.add_api_route("/healthz", _health, summary="Whether the server answers", tags=["health"])
    app.add_api_route("/readyz", _ready, summary="Whether every item runs", tags=["health"], responses=_NOT_READY)
    app.add_api_route("/", _home, include_in_schema=False, response_model=None)
    app.include_router(api.router)
    app.include_router(atelier.router)
    app.include_router(twin_items.router)  # an item's name may hold a slash: its longer paths come first
    app.include_router(twin.router)
    app.include_router(sqltwin.router)
    app.include_router(system.router)
    app.include_router(records.router)
    for room in rooms:
        if room.twin is not None:
            app.include_router(room.twin, prefix=f"{twin.router.prefix}{room.path}", tags=[room.title])
    app.add_route(
        "/api/{path:path}", _nowhere, ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False
    )
    failures.register(app)
    description.describe(app)
    # The last one added is the first one asked.
    app.add_middleware(OldAddresses)
    app.add_middleware(Applications, applications=applications or {})
    app.add_middleware(failures.UnexpectedErrors, director=director)
    app.add_middleware(
        guard.Guard,
        accounts=accounts,
        audit=director.audit,
        hosts=guard.allowed_hosts(host),
        largest_body=largest_body,
        mounted=tuple(applications or ()),
    )
    return app


async def _health() -> dict[str, str]:
    """Answers without an account, as long as the server answers at all."""
    return {"status": "ok"}


def _ready(request: Request, response: Response) -> dict[str, int | bool]:
    """Answers without an account whether the production runs with all its enabled items; 503 until it does."""
    director: Director = request.app.state.director
    status = director.status()
    states = [item.state for item in director.items() if item.enabled] if status["production"] else []
    running = status["status"] == ProductionStatus.RUNNING
    waiting = sum(state is not ItemState.RUNNING for state in states)
    response.status_code = 200 if running and not waiting else 503
    return {"ready": running and not waiting, "items": len(states), "not_running": waiting}


async def _nowhere(request: Request) -> NoReturn:
    """What no route above takes is an error: the portal would send a script to its sign-in page."""
    known = any(route.matches(request.scope)[0] is Match.PARTIAL for route in request.app.routes)
    raise HTTPException(405 if known else 404)  # a known address that is asked by another method


async def _home() -> RedirectResponse:
    return RedirectResponse(PRODUCTION_PAGE)


class OldAddresses:
    """Middleware: the address under which IRIS shows a production leads to our page of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _OLD_PRODUCTION_PAGE.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        query = {name.lower(): value for name, value in parse_qsl(scope["query_string"].decode("latin-1"))}
        name = query.get("production")
        await RedirectResponse(f"{PRODUCTION_PAGE}?{urlencode({'name': name})}" if name else PRODUCTION_PAGE)(
            scope, receive, send
        )
