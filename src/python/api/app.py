"""The application: middleware, routes, and how errors are answered."""

import logging
import os
from http import HTTPStatus
from logging.handlers import RotatingFileHandler
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

import paths
from api import administration, events, inference_protocol, limits, routes
from api.access import Rates
from api.calls import Calls, in_thread
from api.engine import Engine
from api.errors import ApiError
from api.keys import Keys

VERSION = "1.0.0"
DESCRIPTION = "Use a production from an application: predict, search, train, promote, follow. See docs/api.md."
_LOG_BYTES, _LOGS = 10_000_000, 3


def create(calls: Calls = in_thread) -> FastAPI:
    """The application over the production of this process.

    `calls` says how what blocks is called. `EVERGREEN_API_RATE` (requests a second and key, 0: no limit),
    `EVERGREEN_API_PLACES` (requests at a time) and `EVERGREEN_API_BODY_MB` are its limits; keys and log lie in
    `paths.data_root() / "api"`.
    """
    folder = paths.data_root() / "api"
    app = FastAPI(
        title="Evergreen",
        description=DESCRIPTION,
        version=VERSION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages load scripts from the internet
        redoc_url=None,
    )
    app.state.engine = Engine()
    app.state.calls = calls
    app.state.keys = Keys.open()
    app.state.rates = Rates(_number("EVERGREEN_API_RATE", 100.0))
    app.include_router(administration.router)
    app.include_router(events.router)
    app.include_router(routes.router)
    app.include_router(inference_protocol.router)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _wrong_input)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(
        limits.Limits,
        places=int(_number("EVERGREEN_API_PLACES", 128)),
        largest_body=int(_number("EVERGREEN_API_BODY_MB", 16) * 1024 * 1024),
    )
    _log_to(folder / "api.log")
    return app


def _number(name: str, default: float) -> float:
    """A limit from the environment. Raises `ValueError` for what is none."""
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ValueError(f"{name} is {text!r}: set it to a number of 0 or more.")
    return value


def _log_to(file: Path) -> None:
    """Write a line for every request into a file; the newest application of the process has the log."""
    for handler in list(limits.log.handlers):
        limits.log.removeHandler(handler)
        handler.close()
    limits.log.addHandler(RotatingFileHandler(file, maxBytes=_LOG_BYTES, backupCount=_LOGS, delay=True))
    limits.log.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    limits.log.setLevel(logging.INFO)
    limits.log.propagate = False


def _answer(
    request: Request, status: int, text: str, headers: dict[str, str] | None = None, session_id: int = 0
) -> JSONResponse:
    request_id = request.scope.get("state", {}).get("request_id", "")
    whole = text.encode("utf-8", "replace").decode()  # half a character, quoted from the request, cannot be sent
    body = {"error": whole, "request_id": request_id, **({"session_id": session_id} if session_id else {})}
    return JSONResponse(body, status, headers)


async def _api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for it
    headers = {}
    if error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _answer(request, error.status, str(error), headers, error.session_id)


async def _wrong_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    problems = error.errors()
    for problem in problems:
        if problem["type"] == "json_invalid":
            reason = problem.get("ctx", {}).get("error", "")
            return _answer(request, 400, f"The body is no valid JSON ({reason}): correct it and send it again.")
    told = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'][1:]) or problem['loc'][0]}: {problem['msg']}"
        for problem in problems
    )
    return _answer(request, 422, f"The request is not as it must be: {told}. /api/v1/openapi.json describes it.")


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    text = str(error.detail)
    if text == HTTPStatus(error.status_code).phrase:  # Starlette's own: say what it means here
        text = f"{request.method} {request.url.path}: {text}. /api/v1/openapi.json lists what there is."
    return _answer(request, error.status_code, text, dict(error.headers or {}))
