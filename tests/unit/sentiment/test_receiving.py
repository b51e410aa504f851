"""POST /posts: what is answered with 202 is in the stream; what is wrong is refused with its reason."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from starlette.applications import Starlette

import real_redis
import sentiment
from sentiment.health import Health, app
from sentiment.overview import Overview
from sentiment.receiving import Door, Intake, Served, routes, token_for


@pytest.fixture
def address(made) -> Iterator[str]:
    options, link = made(longest_text=100, backlog_limit=5)
    intake = Intake(options, link)
    health = Health(Overview(link, options), lambda: [{"consumer": "receiver", "accepted": intake.accepted}])
    served = Served(app(health, routes(intake, "")), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{served.port}"
    served.stop()


def bodies(made) -> list[bytes]:
    options, link = made()
    with link.reached() as redis:
        return [fields[b"post"] for _, fields in redis.xrange(sentiment.Names(options.prefix).posts)]


def test_one_a_list_and_lines(made, address: str) -> None:
    one = requests.post(f"{address}/posts", data='{"text": "grüße", "colour": 1}'.encode(), timeout=60)
    assert (one.status_code, one.json()["accepted"], one.json()["ignored"]) == (202, 1, ["colour"])
    several = requests.post(f"{address}/posts", json=[{"text": "a"}, {"text": "b"}], timeout=60)
    assert (several.status_code, len(several.json()["ids"])) == (202, 2)
    lines = requests.post(f"{address}/posts", data=b'{"text": "c"}\n{"text": "d"}\n', timeout=60)
    assert (lines.status_code, lines.json()["accepted"]) == (202, 2)
    assert [json.loads(body)["text"] for body in bodies(made)] == ["grüße", "a", "b", "c", "d"]
    full = requests.post(f"{address}/posts", json={"text": "e"}, timeout=60)
    assert (full.status_code, full.headers["Retry-After"]) == (503, "5")
    assert "come again later" in full.json()["error"]
    assert requests.get(f"{address}/healthz/ready", timeout=60).status_code == 200
    assert requests.get(f"{address}/metrics.json", timeout=60).json()["here"][0]["accepted"] == 5


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "empty"),
        (b"not JSON", 400, "no JSON"),
        (b'{"text": "\xff"}', 400, "no UTF-8"),
        (b'[{"text": "\xff"}]', 400, "no JSON in UTF-8"),
        (b"{}", 400, "no text"),
        (b'{"txt": "a"}', 400, "no text"),
        (b"[]", 400, "send 1 to 1,000"),
        (b'[{"text": "a"}, 5]', 400, "Post 2: It is a int"),
        (b'{"text": "a"}\n{"text": ""}', 400, "Post 2: It has no text"),
        (b'{"text": "%s"}' % (b"x" * 1_000), 400, "1,000 characters"),
        (b'{"text": "%s"}' % (b"x" * 1_100_000), 413, "send fewer"),
        (b"[" * 1_000_000, 400, "no JSON"),
    ],
    ids=range(12),
)
def test_what_is_wrong_is_refused_whole(made, address: str, body: bytes, status: int, told: str) -> None:
    answer = requests.post(f"{address}/posts", data=body, timeout=60)
    assert (answer.status_code, told in answer.json()["error"]) == (status, True), answer.text[:200]
    assert bodies(made) == []


def test_methods_and_paths(address: str) -> None:
    assert requests.get(f"{address}/posts", timeout=60).status_code == 405
    assert requests.post(f"{address}/other", timeout=60).status_code == 404


def test_a_token(made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTIMENT_TOKEN", raising=False)
    assert token_for("127.0.0.1") == ""
    with pytest.raises(sentiment.BadSetting, match="set SENTIMENT_TOKEN"):
        token_for("0.0.0.0")
    monkeypatch.setenv("SENTIMENT_TOKEN", "hidden")
    options, link = made()
    served = Served(Starlette(routes=routes(Intake(options, link), token_for("0.0.0.0"))), "127.0.0.1", 0)
    try:
        at = f"http://127.0.0.1:{served.port}/posts"
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "hidden"},
            {"Authorization": "Bearer é"},
        ):
            sent = {name: value.encode() for name, value in headers.items()}
            assert requests.post(at, json={"text": "a"}, headers=sent, timeout=60).status_code == 401
        good = {"Authorization": "Bearer hidden"}
        assert requests.post(at, json={"text": "a"}, headers=good, timeout=60).status_code == 202
    finally:
        served.stop()


def test_without_redis_nothing_is_accepted(tmp_path: Path) -> None:
    server = real_redis.RedisServer(tmp_path)
    options = sentiment.Options.parse({"redis_url": server.url})
    served = Served(Starlette(routes=routes(Intake(options, sentiment.connect(options)), "")), "127.0.0.1", 0)
    at = f"http://127.0.0.1:{served.port}/posts"
    try:
        server.start()
        assert requests.post(at, json={"text": "a"}, timeout=60).status_code == 202
        server.kill()
        away = requests.post(at, json={"text": "b"}, timeout=60)
        assert (away.status_code, "start it" in away.json()["error"]) == (503, True)
        server.start()
        assert requests.post(at, json={"text": "c"}, timeout=60).status_code == 202
        state = Overview(sentiment.connect(options), options).state()
        assert state["length"] == 2
    finally:
        served.stop()
        server.kill()


def test_one_of_several_doors_opens(made) -> None:
    port = real_redis.free_port()
    options, link = made(source="http", port=port)
    said: list[str] = []
    stop = threading.Event()
    doors = [threading.Thread(target=Door(options, link, said.append).run, args=(stop.wait,)) for _ in range(2)]
    for door in doors:
        door.start()
    try:
        for _ in range(100):
            try:
                answer = requests.post(f"http://127.0.0.1:{port}/posts", json={"text": "a"}, timeout=60)
                break
            except requests.ConnectionError:
                stop.wait(0.05)
        assert answer.status_code == 202
        assert said == [f"Posts are taken at http://127.0.0.1:{port}/posts."]
    finally:
        stop.set()
        for door in doors:
            door.join()
