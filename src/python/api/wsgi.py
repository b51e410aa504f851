"""The application as IRIS serves it: WSGI, each request from beginning to end in the thread that brought it.

IRIS's embedded Python may be called from the thread that IRIS called, and from no other: an adapter that runs an event
loop in a thread beside would not reach the production. So each request has a loop of its own, in its own thread, which
runs whenever the server asks for the next piece of the answer. That is how streams come in pieces here as well.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from api.app import create
from api.calls import in_place

_READ_BYTES = 65_536
_REASONS = {200: "OK", 201: "Created", 202: "Accepted"}
_PLAIN_HEADERS = ("CONTENT_TYPE", "CONTENT_LENGTH")

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Wsgi:
    """An ASGI application as a WSGI one. Paths are whole: what the server splits off in SCRIPT_NAME is put back."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None

    def __call__(self, environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if self._app is None:  # with the first request: a server may import this before the production is there
            self._app = self._make()
        exchange = _Exchange(self._app, environment)
        status, headers = exchange.head()
        start_response(f"{status} {_REASONS.get(status, 'Status')}", headers)
        return exchange


class _Exchange:
    """One request and its answer: an iterable of the body's pieces, which the server closes."""

    def __init__(self, app: ASGIApp, environment: dict[str, Any]) -> None:
        self._runner = asyncio.Runner()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._input = environment["wsgi.input"]
        self._left = int(environment.get("CONTENT_LENGTH") or 0)
        self._is_left = False  # whether the server has stopped reading
        scope = _scope(environment)
        self._task = self._runner.get_loop().create_task(self._run(app, scope))

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Work until the answer begins; its status and headers. Raises what the application raises before that."""
        first = self._next()
        if first["type"] != "http.response.start":
            self.close()
            raise RuntimeError("The application ended without an answer: report this with the request that did it.")
        return first["status"], [(name.decode("latin-1"), value.decode("latin-1")) for name, value in first["headers"]]

    def __iter__(self) -> Iterator[bytes]:
        more = True
        while more:
            message = self._next()
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body

    def close(self) -> None:
        """The server is done: an answer that goes on is cancelled."""
        self._task.cancel()
        self._runner.run(asyncio.wait([self._task]))
        self._runner.close()

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        await app(scope, self._receive, self._send)
        self._messages.put_nowait({"type": "end"})

    async def _receive(self) -> Message:
        if self._is_left:  # everything was read: whoever asks on wants to know when the client leaves
            await asyncio.Event().wait()
        body = self._input.read(min(self._left, _READ_BYTES)) if self._left else b""
        self._left = self._left - len(body) if body else 0
        self._is_left = not self._left
        return {"type": "http.request", "body": body, "more_body": bool(self._left)}

    async def _send(self, message: Message) -> None:
        self._messages.put_nowait(message)

    def _next(self) -> Message:
        """Run the loop until the application has sent the next message, or has failed."""

        async def waited() -> Message:
            got = asyncio.ensure_future(self._messages.get())
            await asyncio.wait([got, self._task], return_when=asyncio.FIRST_COMPLETED)
            if not got.done() and self._task.done() and self._messages.empty():
                got.cancel()
                self._task.result()  # raises what the application raised
                return {"type": "end"}
            return await got

        return self._runner.run(waited())


def _scope(environment: dict[str, Any]) -> Scope:
    path = environment.get("SCRIPT_NAME", "").rstrip("/") + environment.get("PATH_INFO", "")
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in environment.items()
        if name.startswith("HTTP_") or (name in _PLAIN_HEADERS and value)
    ]
    port = environment.get("SERVER_PORT") or 80
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": environment.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environment["REQUEST_METHOD"].upper(),
        "scheme": environment.get("wsgi.url_scheme", "http"),
        "path": path.encode("latin-1").decode("utf-8", "replace"),
        "raw_path": path.encode("latin-1"),
        "query_string": environment.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": (environment.get("REMOTE_ADDR", ""), 0),
        "server": (environment.get("SERVER_NAME", ""), int(port)),
    }


application = Wsgi(lambda: create(in_place))
