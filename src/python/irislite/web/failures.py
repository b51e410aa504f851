"""Errors on the way out: the status each one gets, and the sentence that the client reads."""

import traceback
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irislite.director import Director
from irislite.errors import (
    BadRequest,
    ClassNotFound,
    Forbidden,
    IllegalMove,
    IrisliteError,
    NotSupported,
    ProductionError,
    RequestFailed,
    RequestTimeout,
    UnknownBinding,
    UnknownItem,
    UnknownProduction,
    UnknownSearch,
    UnknownSession,
)
from irislite.eventlog import LogType
from irislite.sql.desk import Stopped
from irislite.sql.errors import AlreadyExists, DatabaseFailed, InUse, NotAllowed, SqlError, TableBusy, TableNotFound
from irislite.vault import UnknownCredential
from irislite.web.users import UnknownUser

# The first that fits counts; whatever else the runtime raises is a 500 with its own words.
_STATUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int], ...] = (
    (BadRequest, 400),
    ((UnknownBinding, UnknownProduction, UnknownItem, UnknownSession, UnknownSearch, ClassNotFound), 404),
    ((UnknownCredential, UnknownUser), 404),
    (Forbidden, 403),
    (TableNotFound, 404),
    (NotAllowed, 403),
    (Stopped, 504),
    ((TableBusy, InUse, AlreadyExists), 409),
    (DatabaseFailed, 500),
    (SqlError, 400),
    ((ProductionError, IllegalMove), 409),
    (NotSupported, 501),
    (RequestTimeout, 504),
    (LookupError, 404),  # of a room that a production adds
    (ConnectionError, 503),  # of one whose data are kept elsewhere
)


class Failure(BaseModel):
    """What every error answers; the session where a request failed has a trace."""

    error: str
    session_id: int | None = None


def status_of(error: IrisliteError) -> int:
    """The HTTP status that tells best what went wrong."""
    return next((status for kinds, status in _STATUSES if isinstance(error, kinds)), 500)


def answer(status: int, text: str, headers: dict[str, str] | None = None, session_id: int = 0) -> JSONResponse:
    """An error as `iop` reads it: {"error": text}."""
    whole = text.encode("utf-8", "replace").decode()  # half a character, quoted from the request, cannot be sent
    return JSONResponse({"error": whole, **({"session_id": session_id} if session_id else {})}, status, headers)


def register(app: FastAPI) -> None:
    """Let the app answer every error it knows with a status and a sentence."""

    @app.exception_handler(IrisliteError)
    async def runtime_error(_request: Request, error: IrisliteError) -> JSONResponse:
        session_id = error.session_id if isinstance(error, RequestFailed) else 0
        return answer(status_of(error), str(error), session_id=session_id)

    @app.exception_handler(RequestValidationError)
    async def wrong_input(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _wrong_input(error)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        text = str(error.detail)
        if text == HTTPStatus(error.status_code).phrase:  # Starlette's own: say what it means here
            text = f"{request.method} {request.url.path}: {text}. /openapi.json lists what there is."
        return answer(error.status_code, text, dict(error.headers or {}))


def _wrong_input(error: RequestValidationError) -> JSONResponse:
    problems = error.errors()
    for problem in problems:
        if problem["type"] == "json_invalid":
            reason, place = problem.get("ctx", {}).get("error", ""), problem["loc"][-1]
            return answer(400, f"The body is no valid JSON: {reason} at character {place}. Correct it, send it again.")
    parts = []
    for problem in problems:
        place = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
        parts.append(f"{place or 'the body'}: {problem['msg']}")
    return answer(422, f"The request is not as it must be: {'; '.join(parts)}. /openapi.json describes it.")


class UnexpectedErrors:
    """Middleware: what no handler knows goes into the event log, and a sentence to the client."""

    def __init__(self, app: ASGIApp, director: Director) -> None:
        self._app = app
        self._director = director

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # the edge of the program: whatever it is
            name = type(error).__name__
            self._director.eventlog.add(
                LogType.ERROR, f"{scope['method']} {scope['path']} failed: {name}: {error}", "irislite.web",
                scope["path"], traceback.format_exc(),
            )  # fmt: skip
            if started:
                raise
            text = f"The runtime met an error it did not expect ({name}): see the event log, and please report it."
            await answer(500, text)(scope, receive, send)
