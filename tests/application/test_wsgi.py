"""The application as IRIS serves it: WSGI, every call of the engine in the thread of the request."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.validate import validator

import httpx
import pytest

from api.app import create
from api.calls import in_place
from api.wsgi import Wsgi
from application.conftest import Site


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class OneByOne(WSGIServer):
    """As a process of IRIS does, it works on one request at a time, in one thread."""


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[tuple[str, set[int]]]:
    """The URL, and the threads from which the engine was called."""
    callers: set[int] = set()

    async def noted(function: Any, /, *args: Any, **kwargs: Any) -> Any:
        callers.add(threading.get_ident())
        return await in_place(function, *args, **kwargs)

    server = make_server("127.0.0.1", 0, validator(Wsgi(lambda: create(noted))), OneByOne, Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", callers
    server.shutdown()
    server.server_close()
    assert callers == {thread.ident}


@pytest.fixture
def client(site: Site, served: tuple[str, set[int]]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {site.keys['administrator']}"}
    with httpx.Client(base_url=served[0], headers=headers, timeout=30) as client:
        yield client


def test_a_message_and_its_trace(client: httpx.Client) -> None:
    answer = client.post("/api/v1/models/labels/predict", json={"inputs": "gööd, a good one"})
    assert answer.status_code == 200 and answer.headers["X-Request-ID"]
    assert answer.json()["body"]["output"]["label"] == "good"
    assert client.get(f"/api/v1/sessions/{answer.json()['session_id']}").json()["finished"]


def test_errors_have_their_status(client: httpx.Client) -> None:
    assert client.post("/api/v1/models/labels/predict", json={"inputs": "raise"}).status_code == 502
    assert client.get("/api/v1/nowhere").status_code == 404
    assert client.get("/api/v1/items", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.post("/api/v1/models/labels/predict", content=b"x" * 17_000_000).status_code == 413


def test_events_come_as_they_happen(client: httpx.Client) -> None:
    session = client.post("/api/v1/models/labels/train", json={}).json()
    pieces: list[tuple[str, bool]] = []
    with client.stream("GET", session["events"]) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                pieces.append((line, '"step 3 of 3"' in line))
    assert json.loads(pieces[-1][0][5:]) == {"session_id": session["session_id"]}
    assert sum(last for _, last in pieces) == 1


def test_a_reader_that_leaves_does_not_hold_the_server_up(client: httpx.Client) -> None:
    session = client.post("/api/v1/models/labels/train", json={}).json()
    with client.stream("GET", session["events"]) as stream:
        next(stream.iter_lines())
    assert client.get("/api/v1/status").status_code == 200


def test_what_the_server_splits_off_is_put_back(site: Site) -> None:
    app = Wsgi(lambda: create(in_place))
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/v2", "PATH_INFO": "/health/live", "wsgi.input": None,
        "SERVER_NAME": "iris", "SERVER_PORT": "52773", "SERVER_PROTOCOL": "HTTP/1.1",
    }  # fmt: skip

    def whole() -> bytes:
        answer = app(environ, lambda line, headers: status.append(line))
        try:
            return b"".join(answer)
        finally:
            answer.close()  # type: ignore[attr-defined]

    with ThreadPoolExecutor(1) as thread:  # a browser test may have left an event loop in this one
        assert thread.submit(whole).result() == b'{"live":true}'
    assert status == ["200 OK"]
