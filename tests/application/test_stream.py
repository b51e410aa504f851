"""The stream in the production: with a real Redis; one message for a batch; nothing lost, whatever dies."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import bo
import bp
import bs
import msg
import sentiment
from acceptance.running import PROJECT
from irislite.errors import RequestFailed
from irislite.testing import Running
from irislite.testing import running as production_of
from real_redis import RedisServer
from waiting import eventually

FILE = Path(__file__).with_name("stream_production.py")
POSTS, RESULTS, DEAD = (f"evergreen:sentiment:{name}" for name in ("posts", "results", "dead"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path_factory.mktemp("redis"))
    made.start()
    os.environ["SENTIMENT_REDIS_URL"] = made.url
    yield made
    del os.environ["SENTIMENT_REDIS_URL"]
    made.kill()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    """Redis, with nothing that was labelled, laid aside or seen before."""
    with redis.Redis.from_url(server.url, decode_responses=True) as made:
        made.delete(RESULTS, DEAD, *made.keys("evergreen:sentiment:seen:*"))
        yield made


@pytest.fixture(scope="module")
def stream(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with production_of(FILE, home=tmp_path_factory.mktemp("stream")) as running:
        yield running


def send(client: Any, *posts: dict[str, Any], stream: str = POSTS) -> None:
    with client.pipeline() as pipe:
        for post in posts:
            pipe.xadd(stream, {"post": json.dumps(post)})
        pipe.execute()


def test_posts_come_out_labelled_with_one_message_for_a_batch(stream: Running, client: Any) -> None:
    with client.pubsub() as listening:
        listening.subscribe("stream", "STREAM")
        send(
            client,
            *({"id": number, "text": f"a {'good' if number % 2 else 'bad'} day {number}"} for number in range(40)),
        )
        eventually(lambda: client.xlen(RESULTS) == 40)
        heard = []
        while (message := listening.get_message(ignore_subscribe_messages=True, timeout=0.5)) or len(heard) < 80:
            if message:
                heard.append((message["channel"], json.loads(message["data"])))
    assert Counter(channel for channel, _ in heard) == {"stream": 40, "STREAM": 40}
    assert all(told["sentiment"] == ("good" in told["tweet"]) and told["returns"] == 1 for _, told in heard)
    eventually(lambda: client.xpending(POSTS, "labellers")["pending"] == 0)
    stream.wait_idle()
    asked = [arrow for arrow in stream.trace if arrow.kind == "request"]
    batches = [arrow for arrow in asked if arrow.target == "Python.SentimentProcess"]
    assert 2 <= len(batches) <= 10 and sum(int(arrow.description.split()[0]) for arrow in batches) == 40
    assert [arrow.target for arrow in stream.trace_of(batches[0].session) if arrow.kind == "request"] == [
        "Python.SentimentProcess", "Python.MLOperation", "Python.SentimentDelivery",
    ]  # fmt: skip
    answer = next(arrow for arrow in stream.trace_of(batches[0].session) if arrow.target == "Python.SentimentService")
    assert answer.body.published == len(batches[0].body.batch["posts"]) and answer.body.failed == []


def test_texts_typed_by_hand(stream: Running, client: Any) -> None:
    answer = stream.send("Python.SentimentProcess", msg.SentimentRequest(texts=["a good day", "a bad one"]))
    assert (answer.published, answer.already) == (2, 0)
    assert [fields["sentiment"] for _, fields in client.xrange(RESULTS)] == ["1", "0"]


def test_what_is_no_post_is_a_dead_letter(stream: Running, client: Any) -> None:
    client.xadd(POSTS, {"post": "no JSON"})
    send(client, {"id": 1, "text": "a good day"})
    eventually(lambda: client.xlen(RESULTS) == 1 and client.xlen(DEAD) == 1)
    assert "no JSON" in client.xrange(DEAD)[0][1]["reason"]
    eventually(lambda: any("1 dead letters" in entry.text for entry in stream.log))


def test_a_model_that_is_away_costs_nothing(stream: Running, client: Any) -> None:
    stream.director.enable_item("Python.MLOperation", False)
    send(client, *({"id": number, "text": f"a good day {number}"} for number in range(5)))
    eventually(
        lambda: any(
            entry.config_name == "Python.SentimentService" and "MLOperation" in entry.text for entry in stream.log
        )
    )
    assert client.xlen(RESULTS) == client.xlen(DEAD) == 0
    stream.director.enable_item("Python.MLOperation", True)
    eventually(lambda: client.xlen(RESULTS) == 5)
    eventually(lambda: client.xpending(POSTS, "labellers")["pending"] == 0)
    assert client.xlen(DEAD) == 0


def test_redis_goes_and_comes_back(stream: Running, client: Any, server: RedisServer) -> None:
    send(client, {"id": 1, "text": "a good day"})
    eventually(lambda: client.xlen(RESULTS) == 1)
    server.kill()
    with pytest.raises(RequestFailed, match=r"Redis at .* start it"):
        stream.send("Python.SentimentProcess", msg.SentimentRequest(texts=["a good day"]))
    eventually(
        lambda: any("start it" in entry.text and entry.config_name == "Python.SentimentService" for entry in stream.log)
    )
    server.start()
    send(client, {"id": 2, "text": "a better day"})
    eventually(lambda: client.xlen(RESULTS) == 2)
    told = [
        entry for entry in stream.log if entry.config_name == "Python.SentimentService" and "start it" in entry.text
    ]
    assert len(told) <= 6, (
        "it is said once for each member of the pool and each kind of trouble, and not again and again"
    )


def test_the_production_is_killed_and_nothing_is_lost(client: Any, tmp_path: Path) -> None:
    posts = [{"id": number, "text": f"a good day {number}"} for number in range(2_000)]
    environment = {
        **os.environ, "PYTHONPATH": f"{PROJECT / 'src/python'}:{PROJECT / 'tests'}", "PREFIX": "killed",
    }  # fmt: skip

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, FILE, tmp_path / "home"], env=environment)

    send(client, *posts, stream="killed:posts")
    process = start()
    try:
        for share in (0.1, 0.4):
            eventually(lambda: client.xlen("killed:results") > share * len(posts))  # noqa: B023 - called at once
            process.kill()
            process.wait()
            assert client.xlen("killed:results") < len(posts), "in the middle of it"
            process = start()
        eventually(lambda: client.xlen("killed:results") >= len(posts))
        eventually(lambda: client.xpending("killed:posts", "labellers")["pending"] == 0)
    finally:
        process.kill()
        process.wait()
    found = Counter(fields["post"] for _, fields in client.xrange("killed:results"))
    assert found.keys() == {str(post["id"]) for post in posts}, "at least once"
    assert set(found.values()) == {1}, "and once, because publishing and acknowledging are one"
    assert client.xlen("killed:dead") == 0


@pytest.mark.parametrize("host", [bs.SentimentService, bp.SentimentProcess, bo.SentimentDelivery])
def test_settings_have_the_defaults_of_the_stream(host: Any) -> None:
    defaults = sentiment.Options()
    own = {"process", "model", "delivery", "timeout", "credential"}
    declared = {row[0]: row[2] for row in host._get_properties() if row[0] not in own}
    assert set(declared) <= set(sentiment.SETTINGS)
    assert sentiment.Options.parse(declared) == defaults, (
        "what an item is not told is what the pods are not told either"
    )


def test_an_address_with_a_password_is_refused(stream: Running) -> None:
    with pytest.raises(Exception, match="REDIS_PASSWORD"):
        stream.override("Python.SentimentDelivery", {"redis_url": "redis://:secret@127.0.0.1/0"})
    assert "secret" not in stream.item("Python.SentimentDelivery").reason
