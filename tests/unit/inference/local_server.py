"""A local HTTP server that tests tell what to answer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    """Send only so many bytes of the body, then hang up."""
    stall_s: float = 0.0
    """With `cut_at`: send nothing for so long before hanging up."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names as in Content-Type
    body: bytes


@dataclass
class Server:
    """A local HTTP server: `answer` is called for every request, `requests` holds what came."""

    url: str
    answer: Callable[[Request], Reply] = lambda _: Reply(404)
    requests: list[Request] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine, stopped at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(
                self.command, self.path, {name.title(): value for name, value in self.headers.items()}, body
            )
            served.requests.append(request)
            reply = served.answer(request)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                with suppress(ConnectionError):  # the client may have had enough
                    self.wfile.write(reply.body[: reply.cut_at])
            if reply.cut_at is not None:
                time.sleep(reply.stall_s)
                self.close_connection = True

        do_GET = do_POST = do_HEAD = _reply

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    served = Server(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    listener.shutdown()
    listener.server_close()
