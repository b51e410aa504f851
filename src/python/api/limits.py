"""What every request passes first: an id for it, a place, a sensible size; and a line of what became of it."""

import json
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.keys import FORM, PREFIX

REQUEST_ID = "X-Request-ID"
_ID_FORM = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_WAIT_S = 1  # what a client that found no place should wait

log = logging.getLogger("evergreen.api")


def refusal(status: int, text: str, request_id: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as this application answers it."""
    return JSONResponse({"error": text, "request_id": request_id}, status, headers)


class Limits:
    """Middleware. `places` is how many requests are worked on at a time, `largest_body` in bytes.

    A request's own `X-Request-ID` is kept if it is one, else one is made; the answer has it, and the log, and the
    description of the messages that the request sends.
    """

    def __init__(self, app: ASGIApp, places: int, largest_body: int) -> None:
        self._app = app
        self._places = places
        self._largest_body = largest_body
        self._taken = 0  # the event loop alone counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, began_s = Headers(scope=scope), time.monotonic()
        given = headers.get(REQUEST_ID, "")
        request_id = given if _ID_FORM.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer[REQUEST_ID] = request_id
                answer.setdefault("Cache-Control", "no-store")
                answer.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self._admit(scope, receive, told, headers, request_id)
        except Exception as error:  # the edge of the program: whatever it is
            log.exception("request %s failed", request_id)
            if status:
                raise  # the answer has begun: the server breaks it off
            text = f"The application met an error it did not expect ({type(error).__name__}): please report it."
            await refusal(500, text, request_id)(scope, receive, told)
        finally:
            _write(scope, request_id, status, time.monotonic() - began_s)

    async def _admit(self, scope: Scope, receive: Receive, send: Send, headers: Headers, request_id: str) -> None:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._largest_body:
            await refusal(413, self._too_large, request_id)(scope, receive, send)
        elif headers.get("content-encoding", "identity").lower() != "identity":
            text = "A compressed body is not taken: send it as it is."
            await refusal(415, text, request_id)(scope, receive, send)
        elif self._taken >= self._places and not scope["path"].startswith("/v2/health/"):
            text = f"{self._places} requests are worked on already: try again in {_WAIT_S} s."
            await refusal(429, text, request_id, {"Retry-After": str(_WAIT_S)})(scope, receive, send)
        else:
            self._taken += 1
            try:
                await self._app(scope, self._counted(receive), send)
            finally:
                self._taken -= 1

    @property
    def _too_large(self) -> str:
        return f"The body is larger than {self._largest_body / 1024 / 1024:.3g} MB: send less at a time."

    def _counted(self, receive: Receive) -> Receive:
        """A body that does not tell its length is measured as it comes in."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._largest_body:
                    raise HTTPException(413, self._too_large)
            return message

        return counted


def _write(scope: Scope, request_id: str, status: int, took_s: float) -> None:
    """One line of JSON. The query is left out: an application may have put anything into it."""
    identity = scope["state"].get("identity")
    line = {
        "request_id": request_id,
        "method": scope["method"],
        "path": FORM.sub(f"{PREFIX}***", scope["path"]),  # a key has no place there, but people err
        "status": status,
        "ms": round(took_s * 1000, 1),
        "by": identity.id if identity else "",
    }
    log.log(logging.INFO if 0 < status < 500 else logging.WARNING, json.dumps(line))
