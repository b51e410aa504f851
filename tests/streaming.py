"""Chaos for the stream: workers killed, Redis killed and started again, the network cut, while posts pour in.

`run` does it, with real processes and a real Redis, and counts what came of every accepted post. Run as a script it is
one of the workers.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sentiment
from real_redis import Cable, RedisServer
from sentiment.receiving import Intake

PREFIX = "chaos"
SOURCES = os.pathsep.join((str(Path(sentiment.__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)))
_AT_ONCE = 200
_LONGEST_S = 240.0
_CUT_S = 0.4


@dataclass
class Verdict:
    """What came of the accepted posts."""

    accepted: int = 0
    resent: int = 0
    """Sent once more, because no answer came: Redis may have them twice."""
    results: int = 0
    lost: int = 0
    doubled: int = 0
    """In the stream of results more than once."""
    wrong: int = 0
    dead: int = 0
    heard: int = 0
    """Messages on the channel; what was published while nobody could listen is not among them."""
    heard_twice: int = 0
    kills: int = 0
    restarts: int = 0
    cuts: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def options_for(url: str) -> sentiment.Options:
    return sentiment.Options.parse(
        {"source": "stream", "redis_url": url, "prefix": PREFIX, "claim_idle_s": 1, "max_age_s": 0.05,
         "max_deliveries": 6, "keep_results": 1_000_000, "backlog_limit": 20_000}
    )  # fmt: skip


def label(texts: list[str]) -> list[str]:
    """A model that anyone can check."""
    time.sleep(0.002)
    return ["positive" if verdict_of(text) else "negative" for text in texts]


def verdict_of(text: str) -> int:
    return hashlib.blake2b(text.encode()).digest()[0] % 2


def work(url: str) -> None:
    """A worker, for ever."""
    options = options_for(url)
    sentiment.Worker(options, sentiment.connect(options), label, lambda _: None).run(threading.Event())


@dataclass
class Chaos:
    """One run: `kills` of workers, `restarts` of Redis after a SIGKILL, `cuts` of the network."""

    folder: Path
    posts: int
    kills: int
    restarts: int
    cuts: int
    workers: int = 2
    seed: int = 1
    told: Callable[[str], None] = lambda _: None
    verdict: Verdict = field(default_factory=Verdict)

    def run(self) -> Verdict:
        began_s = time.monotonic()
        self.server = RedisServer(self.folder)
        self.server.start()
        self.cable = Cable(self.server.port)
        self.running = [self._started() for _ in range(self.workers)]
        heard: Counter[str] = Counter()
        listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        listener.start()
        producer = threading.Thread(target=self._produce, daemon=True)
        producer.start()
        try:
            self._disturb()
            producer.join(_LONGEST_S)
            self._finish()
            self._judge(heard)
        finally:
            for one in self.running:
                one.kill()
                one.wait()
            self.cable.close()
            self.server.kill()
        self.verdict.seconds = round(time.monotonic() - began_s, 1)
        return self.verdict

    def _started(self) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "PYTHONPATH": SOURCES}
        return subprocess.Popen([sys.executable, __file__, self.cable.url], env=environment)

    def _produce(self) -> None:
        """Post everything; what was not answered is sent again, until it is accepted."""
        options = options_for(self.cable.url)
        intake = Intake(options, sentiment.connect(options))
        for start in range(0, self.posts, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, self.posts))
            body = json.dumps([{"id": number, "text": text_of(number)} for number in numbers]).encode()
            while True:
                try:
                    self.verdict.accepted += int(intake.take(body)["accepted"])
                    break
                except sentiment.RedisUnreachable as error:
                    self.verdict.resent += len(numbers) * ("wait" not in str(error))
                    time.sleep(0.05)

    def _disturb(self) -> None:
        """Each disturbance when a random share of the posts is accepted, in a random order."""
        rng = random.Random(self.seed)
        deeds = [self._kill] * self.kills + [self._restart] * self.restarts + [self._cut] * self.cuts
        rng.shuffle(deeds)
        moments = sorted(rng.uniform(0.05, 0.95) * self.posts for _ in deeds)
        for moment, deed in zip(moments, deeds, strict=True):
            until_s = time.monotonic() + _LONGEST_S
            while self.verdict.accepted < moment and time.monotonic() < until_s:
                time.sleep(0.01)
            deed(rng)

    def _kill(self, rng: random.Random) -> None:
        place = rng.randrange(len(self.running))
        self.running[place].kill()
        self.running[place].wait()
        self.running[place] = self._started()
        self.verdict.kills += 1

    def _restart(self, rng: random.Random) -> None:
        self.server.kill()
        time.sleep(rng.uniform(0.05, 0.3))
        self.server.start()
        self.verdict.restarts += 1

    def _cut(self, rng: random.Random) -> None:
        self.cable.cut()
        time.sleep(rng.uniform(0.1, _CUT_S))
        self.cable.mend()
        self.verdict.cuts += 1

    def _finish(self) -> None:
        """Wait until nothing waits."""
        overview = self._overview()
        until_s = time.monotonic() + _LONGEST_S
        while time.monotonic() < until_s:
            state = overview.state()
            self.told(f"{state['results']:,} results, {state['lag']:,} unread, {state['pending']:,} pending")
            if not state["lag"] and not state["pending"]:
                return
            time.sleep(0.2)
        self.verdict.problems.append("Posts were still waiting at the end.")

    def _listen(self, heard: Counter[str]) -> None:
        """What a listener of the channel hears, directly at the server."""
        import redis

        while True:
            try:
                with redis.Redis(port=self.server.port) as client, client.pubsub() as channel:
                    channel.subscribe(sentiment.CHANNELS[0])
                    for message in channel.listen():
                        if message["type"] == "message":
                            heard[json.loads(message["data"])["tweet"]] += 1
            except redis.RedisError:
                time.sleep(0.05)

    def _overview(self) -> sentiment.Overview:
        options = options_for(self.server.url)
        return sentiment.Overview(sentiment.connect(options), options)

    def _judge(self, heard: Counter[str]) -> None:
        """Hold the results against what was accepted."""
        options = options_for(self.server.url)
        names = sentiment.Names(options.prefix)
        results: Counter[int] = Counter()
        with sentiment.connect(options).reached() as redis:
            after = "-"
            while found := redis.xrange(names.results, after, "+", 5_000):
                for _, fields in found:
                    results[int(fields[b"post"])] += 1
                    told = json.loads(fields[b"message"])
                    self.verdict.wrong += told["sentiment"] != verdict_of(told["tweet"])
                after = f"({found[-1][0].decode()}"
            self.verdict.dead = redis.xlen(names.dead)
        verdict = self.verdict
        verdict.results = results.total()
        verdict.lost = len(set(range(self.posts)) - set(results))
        verdict.doubled = sum(many - 1 for many in results.values())
        verdict.heard = heard.total()
        verdict.heard_twice = sum(many - 1 for many in heard.values())
        for name, wanted in (("lost", 0), ("wrong", 0), ("dead", 0), ("accepted", self.posts)):
            if getattr(verdict, name) != wanted:
                verdict.problems.append(f"{name} is {getattr(verdict, name):,} and should be {wanted:,}.")


def text_of(number: int) -> str:
    return f"Post number {number} says that all is well"


if __name__ == "__main__":
    work(sys.argv[1])
