"""Workers as they run: with Redis gone and back, the model gone and back, as a command with probes and metrics."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import real_redis
import sentiment
import streaming
from sentiment import __main__ as command
from sentiment.errors import ModelFailed
from sentiment.overview import Overview
from sentiment.remote import RemoteModel
from waiting import eventually

Put = Callable[..., list[str]]


class Model(http.server.ThreadingHTTPServer):
    """A server that speaks the Open Inference Protocol; `broken` makes it fail."""

    daemon_threads = True
    broken = False
    asked: list[Any]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v2/models/tiny"


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Model

    def do_GET(self) -> None:
        self._answer(503 if self.server.broken else 200, {"ready": True})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((asked, self.headers.get("Authorization")))
        texts = asked["inputs"][0]["data"]
        labels = ["POSITIVE" if "good" in text else "NEGATIVE" for text in texts]
        outputs = [
            {"name": "label", "shape": [len(texts)], "datatype": "BYTES", "data": labels},
            {"name": "score", "shape": [len(texts)], "datatype": "FP64", "data": [0.9] * len(texts)},
        ]
        self._answer(500 if self.server.broken else 200, {"outputs": outputs})

    def _answer(self, status: int, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def model() -> Iterator[Model]:
    server = Model()
    yield server
    server.shutdown()
    server.server_close()


def test_a_worker_waits_for_its_model_and_loses_nothing(made, put: Put) -> None:
    options, link = made(max_age_s=0.01)
    broken = threading.Event()
    broken.set()

    def label(texts: list[str]) -> list[str]:
        if broken.is_set():
            raise OSError("out of memory")
        return ["positive"] * len(texts)

    said: list[str] = []
    worker = sentiment.Worker(options, link, label, said.append)
    stopping = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stopping,))
    thread.start()
    put(*(f"post {number}" for number in range(10)))
    eventually(lambda: bool(said))
    time.sleep(0.2)
    overview = Overview(link, options)
    assert overview.state()["results"] == 0
    broken.clear()
    eventually(lambda: overview.state()["results"] == 10)
    assert overview.state()["consumers"][0]["alive"]
    stopping.set()
    thread.join()
    assert said == [said[0], "It goes on."]
    assert "out of memory" in said[0]
    assert (overview.state()["dead"], overview.state()["consumers"]) == (0, [])
    figures = worker.figures()
    assert (figures["labelled"], figures["kept"], figures["in_hand"]) == (10, 10, 0)


def test_a_stop_while_the_model_is_away_leaves_the_posts_to_others(made, put: Put) -> None:
    options, link = made(max_age_s=0.01)

    def label(texts: list[str]) -> list[str]:
        raise OSError("out of memory")

    said: list[str] = []
    worker = sentiment.Worker(options, link, label, said.append)
    stopping = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stopping,))
    thread.start()
    put("one")
    eventually(lambda: bool(said))
    stopping.set()
    thread.join(60)
    state = Overview(link, options).state()
    assert (state["pending"], state["results"], state["dead"]) == (1, 0, 0)
    assert [one["name"] for one in state["consumers"]] == [worker.consumer]  # with it its pending post would be gone


def test_none_is_lost(tmp_path: Path) -> None:
    """The small form of `benchmarks/stream.py --durability`."""
    verdict = streaming.Chaos(tmp_path, posts=3_000, kills=2, restarts=1, cuts=1, seed=3).run()
    assert not verdict.problems
    assert (verdict.kills, verdict.restarts, verdict.cuts) == (2, 1, 1)
    assert verdict.results == 3_000 + verdict.doubled
    assert verdict.heard > 0


def test_the_remote_model(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_API_KEY", "egk_known")
    remote = RemoteModel(sentiment.Options(model_url=model.url))
    assert remote(["a good one", "ünd"]) == [{"label": "POSITIVE", "score": 0.9}, {"label": "NEGATIVE", "score": 0.9}]
    asked, key = model.asked[0]
    assert key == "Bearer egk_known"
    assert asked["inputs"][1] == {"name": "truncation", "shape": [1], "datatype": "BOOL", "data": [True]}
    assert remote.ready()
    model.broken = True
    assert not remote.ready()
    with pytest.raises(ModelFailed, match="answers 500"):
        remote(["a"])
    nobody = RemoteModel(sentiment.Options(model_url=f"http://127.0.0.1:{real_redis.free_port()}/v2/models/x"))
    assert not nobody.ready()
    with pytest.raises(ModelFailed, match="correct model_url"):
        nobody(["a"])
    with pytest.raises(sentiment.BadSetting, match="give that of a model"):
        RemoteModel(sentiment.Options(model_url="file:///etc/passwd"))


def test_a_worker_of_a_cluster(made, put: Put, model: Model) -> None:
    options, link = made()
    port = real_redis.free_port()
    environment = {
        **os.environ, "PYTHONPATH": streaming.SOURCES, "SENTIMENT_REDIS_URL": options.redis_url,
        "SENTIMENT_PREFIX": options.prefix, "SENTIMENT_MODEL_URL": model.url,
        "SENTIMENT_HEALTH_PORT": str(port), "SENTIMENT_MAX_AGE_S": "0.01",
    }  # fmt: skip
    worker = subprocess.Popen([sys.executable, "-m", "sentiment", "worker", "--threads", "2"], env=environment)
    at = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _status(f"{at}/healthz/startup") == 200)
        assert _status(f"{at}/healthz/live") == _status(f"{at}/healthz/ready") == 200
        put("a good one", "another", b"not JSON")
        overview = Overview(link, options)
        eventually(lambda: overview.state()["results"] == 2 and overview.state()["dead"] == 1)
        told = requests.get(f"{at}/metrics.json", timeout=60).json()
        assert (told["ready"], told["stream"]["results"], len(told["here"])) == (True, 2, 2)
        assert sum(one.get("labelled", 0) for one in told["here"]) == 2
        text = requests.get(f"{at}/metrics", timeout=60).text
        assert "evergreen_sentiment_waiting 0\n" in text
        assert "evergreen_sentiment_dead 1\n" in text
        assert 'outcome="labelled"}' in text
        model.broken = True
        assert (_status(f"{at}/healthz/ready"), _status(f"{at}/healthz/live")) == (503, 200)
        assert _status(f"{at}/healthz/startup") == 200
        model.broken = False
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        assert overview.state()["consumers"] == []
    finally:
        worker.kill()
        worker.wait()


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=60).status_code
    except requests.ConnectionError:
        return 0


def test_dead_letters_and_state_on_the_command_line(made, put: Put, capsys: pytest.CaptureFixture[str]) -> None:
    options, link = made()
    put(b"not JSON")
    sentiment.Gatherer(options, link, print).next(lambda: False)
    capsys.readouterr()
    where = ["--redis-url", options.redis_url, "--prefix", options.prefix]
    assert command.main(["dead", "list", *where]) == 0
    (letter,) = json.loads(capsys.readouterr().out)
    assert command.main(["dead", "drop", letter["id"], *where]) == 0
    assert json.loads(capsys.readouterr().out) == {"drop": 1}
    assert command.main(["state", *where]) == 0
    assert json.loads(capsys.readouterr().out)["dead"] == 0
    assert command.main(["dead", "put-back", "nonsense", *where]) == 1
    assert "by their ids" in capsys.readouterr().err
    assert command.main(["state", "--redis-url", f"redis://127.0.0.1:{real_redis.free_port()}"]) == 1
    assert "start it, or correct redis_url" in capsys.readouterr().err


def test_a_file_is_replayed_on_the_command_line(made, tmp_path: Path) -> None:
    options, link = made()
    file = tmp_path / "posts"
    file.write_text('{"text": "one"}\n{"text": "two"}\n')
    where = [sys.executable, "-m", "sentiment", "replay", "--redis-url", options.redis_url, "--prefix", options.prefix]
    done = subprocess.run(
        [*where, "--path", str(file), "--rate", "0"], env={**os.environ, "PYTHONPATH": streaming.SOURCES}, timeout=60,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr.split(" ", 1)[1]) == (0, "2 posts were fed.\n")
    assert Overview(link, options).state()["lag"] == 2
