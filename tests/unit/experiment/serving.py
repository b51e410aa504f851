"""Servers on this machine that run a step's container as a process: what SageMaker and Kubernetes do, as far as we ask."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Container:
    """A process in the place of a container; its lines with the times at which they came."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        own = [sys.executable if word == "python" else word for word in command]
        self.lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            own, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.lines.append((time.time(), line.rstrip("\n")))

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._reader.join(60)
        return code

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's `answer(method, path, query, body, headers)` -> (status, JSON or text)."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        status, content = self.server.answer(self.command, self.path, body, self.headers)  # type: ignore[attr-defined]
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PUT = _answer

    def log_message(self, *_: Any) -> None:
        """Nothing is written."""


@contextmanager
def listening(service: Any) -> Iterator[str]:
    """Serve `service.answer`; the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer = service.answer  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def moment(at_s: float) -> str:
    """A time as Kubernetes writes it: with nanoseconds, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
