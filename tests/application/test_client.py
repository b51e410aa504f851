"""The Python client against a real server, and against one that refuses."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import coroutines
from application.conftest import Site
from evergreen_client import (
    AsyncEvergreen,
    Busy,
    Evergreen,
    EvergreenError,
    ItemFailed,
    KeyRefused,
    NotFound,
    TimedOut,
    Unreachable,
)


@pytest.fixture
def evergreen(site: Site) -> Iterator[Evergreen]:
    with Evergreen(site.url, site.keys["administrator"]) as client:
        yield client


def test_everything_that_a_client_can_ask(evergreen: Evergreen) -> None:
    assert evergreen.status() == {"production": "Application.Test", "status": "running"}
    assert "Labels" in {item.name for item in evergreen.items()}
    assert evergreen.models()[0].name == "labels"
    answer = evergreen.predict("labels", inputs="a good day")
    assert answer.output == {"label": "good", "score": 0.75} and answer.note == ""
    assert evergreen.send("Labels", "msg.MLRequest", {"inputs": "x"}).output["label"] == "bad"
    trace = evergreen.session(answer.session_id, bodies=True)
    assert trace.finished and trace.messages[0].body == {"inputs": "a good day"} and trace.log[0].item == "Labels"
    assert evergreen.search("a lighthouse", limit=1).output == [{"title": "a lighthouse", "limit": 1, "filter": None}]
    assert evergreen.promote("labels").output == {"promoted": "labels"}
    assert evergreen.history("labels", limit=2).output == [{"limit": 2}]


def test_a_training_is_followed(evergreen: Evergreen) -> None:
    session_id = evergreen.train("labels", table="iris.Review")
    events = list(evergreen.follow(session_id))
    assert [event.data["text"] for event in events if event.name == "log"][-1] == "step 3 of 3"
    assert events[-1].name == "end"
    last = [event.id for event in events if event.name == "log"][-1]
    assert [event.name for event in evergreen.follow(session_id, after_id=last) if event.name == "log"] == []


def test_errors_have_their_types(site: Site, evergreen: Evergreen) -> None:
    with pytest.raises(ItemFailed, match="asked to raise") as failed:
        evergreen.predict("labels", inputs="raise")
    assert failed.value.session_id and failed.value.request_id
    with pytest.raises(NotFound, match="Did you mean 'labels'"):
        evergreen.predict("label", inputs="x")
    with pytest.raises(TimedOut, match="did not answer within 1 s"):
        evergreen.predict("labels", inputs="sleep", timeout_s=1)
    with Evergreen(site.url, "egk_wrong") as stranger, pytest.raises(KeyRefused):
        stranger.models()
    with Evergreen("http://127.0.0.1:9", retries=0) as lost, pytest.raises(Unreachable, match="Is the server running"):
        lost.models()
    with Evergreen(site.url, site.keys["predictor"], retries=1) as patient, pytest.raises(Busy, match="disabled"):
        patient.predict("off", inputs="x")


def test_the_key_is_not_in_the_clients_words(site: Site) -> None:
    assert site.keys["viewer"] not in repr(Evergreen(site.url, site.keys["viewer"]))


def test_the_same_with_asyncio(site: Site) -> None:
    async def asked() -> None:
        async with AsyncEvergreen(site.url, site.keys["administrator"]) as evergreen:
            answers = await asyncio.gather(*(evergreen.predict("labels", inputs=f"good {n}") for n in range(20)))
            assert {answer.output["label"] for answer in answers} == {"good"}
            assert (await evergreen.models())[0].name == "labels"
            session_id = await evergreen.train("labels", table="iris.Review")
            events = [event async for event in evergreen.follow(session_id)]
            assert events[-1].name == "end"
            with pytest.raises(ItemFailed):
                await evergreen.predict("labels", inputs="raise")
            with pytest.raises(EvergreenError):
                [piece async for piece in evergreen.generate("labels", inputs="x", timeout_s=0.5)]

    coroutines.run(asked())


class Refusing(BaseHTTPRequestHandler):
    """Refuses twice, then answers; what was asked is counted."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1  # type: ignore[attr-defined]
        is_refused = self.server.asked <= self.server.refusals  # type: ignore[attr-defined]
        body = (
            {"error": "later", "request_id": "r"} if is_refused else {"body": {"output": 1}, "session_id": 7, "new": 1}
        )
        content = json.dumps(body).encode()
        self.send_response(self.server.status if is_refused else 200)  # type: ignore[attr-defined]
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "refusals", "retries", "asked", "succeeds"),
    [(429, 2, 4, 3, True), (503, 1, 4, 2, True), (429, 9, 1, 2, False), (500, 1, 4, 1, False), (502, 1, 4, 1, False)],
)
def test_what_was_not_done_is_tried_again(status: int, refusals: int, retries: int, asked: int, succeeds: bool) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.asked, server.refusals, server.status = 0, refusals, status  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Evergreen(f"http://127.0.0.1:{server.server_port}", "key", retries=retries) as client:
            if succeeds:
                assert client.predict("labels", inputs="x").session_id == 7
            else:
                with pytest.raises(EvergreenError, match="later"):
                    client.predict("labels", inputs="x")
        assert server.asked == asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
