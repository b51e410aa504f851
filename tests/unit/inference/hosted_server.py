"""A local server that speaks what Hugging Face's router and hub speak, and what goes wrong with them."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from unit.inference.local_server import Request


@dataclass
class Reply:
    """An answer; `chunks` come one by one, each number among them a pause in seconds, None hangs up."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Iterable[bytes | float | None] | None = None
    delay_s: float = 0.0
    reason: str | None = None


Answer = Callable[[Request], Reply]


@dataclass
class Provider:
    """`models` is what the hub says of each model, `answer` what the router answers; `requests` holds what came."""

    url: str
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    answer: Answer = lambda _: Reply(404)
    requests: list[Request] = field(default_factory=list)

    def serve(self, model: str, task: str, *providers: str, tag: str | None = None, status: str = "live") -> None:
        """Let the hub say that `providers` serve a model for a task."""
        self.models[model] = {
            "pipeline_tag": tag or task,
            "tags": [task],
            "inferenceProviderMapping": {
                name: {"status": status, "providerId": f"{name}-id/{model}", "task": task} for name in providers
            },
        }

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def reply(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        if request.method == "GET" and path.startswith("/api/models/"):
            return self._model(path.removeprefix("/api/models/"), request.path)
        return self.answer(request)

    def _model(self, name: str, path: str) -> Reply:
        known = self.models.get(name)
        if known is None:
            return as_json({"error": "Repository not found"}, 404, **{"X-Error-Code": "RepoNotFound"})
        asked = "expand=inferenceProviderMapping" in path
        said = {"id": name, "modelId": name, "tags": known["tags"], "pipeline_tag": known["pipeline_tag"]}
        return as_json({**said, "inferenceProviderMapping": known["inferenceProviderMapping"]} if asked else said)


def as_json(content: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})


def as_events(*events: Any, pause_s: float = 0.0, done: bool = True) -> Reply:
    """Server-sent events, a chunk each; without `done` the connection ends as if all were well."""
    chunks: list[bytes | float | None] = []
    for event in events:
        chunks += [b": a comment\n\n", f"data: {json.dumps(event)}\n\n".encode(), pause_s]
    return Reply(
        headers={"Content-Type": "text/event-stream"}, chunks=[*chunks, *([b"data: [DONE]\n\n"] if done else [])]
    )


def one_by_one(*replies: Reply) -> Answer:
    """The replies in turn, the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider on a free port of this machine, stopped at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.title(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            served.requests.append(request)
            reply = served.reply(request)
            time.sleep(reply.delay_s)
            with suppress(ConnectionError):  # the client may have had enough
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status, reply.reason)
            length = {"Transfer-Encoding": "chunked"} if reply.chunks else {"Content-Length": str(len(reply.body))}
            for name, value in {**length, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.chunks is None:
                self.wfile.write(reply.body)
                return
            for chunk in reply.chunks:
                if chunk is None:
                    self.close_connection = True
                    return
                if isinstance(chunk, bytes):
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                    self.wfile.flush()
                else:
                    time.sleep(chunk)
            self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_HEAD = _reply

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    listener.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    served = Provider(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    listener.shutdown()
    listener.server_close()
