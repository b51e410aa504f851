"""The parts of `stream.py`, each in a process of its own: python -m parts.streamed PART FOLDER [--quick]

`worker` and `fixed` are the processes that are measured: ours, and the original's way, which sends the model batches of
exactly twenty, padded to one length, one call at a time, and publishes message after message.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from parts.paths import PROJECT

import sentiment
from real_redis import RedisServer
from sentiment.cleaning import clean
from sentiment.delivery import message_of

PREFIX = "bench"
FIXED_BATCH, FIXED_TOKENS = 20, 128
BATCH = 64
_DEADLINE_S = 300.0

Label = Callable[[list[str]], list[Any]]


# -- the model ----------------------------------------------------------------------------------


def make_model(folder: Path) -> Path:
    """MiniLM with a head for two labels that nobody trained: its speed is that of a trained one."""
    import transformers

    from inference.bundled import original

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    target = folder / "model" / "sentiment"
    names = {0: "negative", 1: "positive"}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(original(), num_labels=2, id2label=names)
    model.save_pretrained(target)
    transformers.AutoTokenizer.from_pretrained(original()).save_pretrained(target)
    return target


def of_the_production(folder: Path) -> Label:
    """The label function that an MLOperation is: batches sorted by length, cut at the model's length."""
    import torch

    from inference import pipeline

    torch.set_num_threads(1)
    model = pipeline.open(folder.name, "text-classification", path=str(folder.parent), options={"backend": "torch"})
    return lambda texts: pipeline.run(model, {"inputs": texts, "truncation": True}).output


def bare(folder: Path, fixed: bool = False) -> Label:
    """Tokenizer and model, and nothing else; `fixed`: padded to one length, as a served signature wants it."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    padding = {"padding": "max_length", "max_length": FIXED_TOKENS} if fixed else {"padding": True}

    @torch.inference_mode()
    def label(texts: list[str]) -> list[Any]:
        inputs = tokenizer(texts, truncation=True, return_tensors="pt", **padding)
        return [model.config.id2label[one] for one in model(**inputs).logits.argmax(-1).tolist()]

    return label


# -- the processes that are measured ---------------------------------------------------------------


def options_for(url: str, **changed: Any) -> sentiment.Options:
    told = {"source": "stream", "redis_url": url, "prefix": PREFIX, "batch_size": BATCH, "keep_results": 20_000}
    return sentiment.Options.parse({**told, "duplicate_window_s": 60, "backlog_limit": 20_000, **changed})


def _when_told() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def worker(url: str, folder: Path) -> None:
    """Ours."""
    options, label = options_for(url), of_the_production(folder)
    label(["Warm up."] * BATCH)
    _when_told()
    sentiment.Worker(options, sentiment.connect(options), label, print).run(threading.Event())


def fixed(url: str, folder: Path) -> None:
    """The original's way. What does not fill a batch waits for the next post."""
    options, label = options_for(url), bare(folder, fixed=True)
    label(["Warm up."] * FIXED_BATCH)
    names, link = sentiment.Names(options.prefix), sentiment.connect(options)
    _when_told()
    with link.reached() as redis:
        redis.xgroup_create(names.posts, options.group, "0", mkstream=True)
        waiting: list[tuple[bytes, str]] = []
        while True:
            room = FIXED_BATCH - len(waiting)
            found = redis.xreadgroup(options.group, "one", {names.posts: ">"}, count=room, block=1_000)
            for _, entries in found:
                waiting += [(one, clean(json.loads(fields[b"post"])["text"])) for one, fields in entries]
            if len(waiting) == FIXED_BATCH:
                for (one, text), name in zip(waiting, label([text for _, text in waiting]), strict=True):
                    post = sentiment.Post(one.decode(), "", text, text, "None", "", 0)
                    message = message_of(sentiment.Result(post, int(name == "positive"), name))
                    for channel in sentiment.CHANNELS:
                        redis.publish(channel, message)
                    redis.xack(names.posts, options.group, one)
                waiting = []


@contextmanager
def started(kind: str, url: str, folder: Path, count: int = 1) -> "Iterator[list[subprocess.Popen[str]]]":
    """So many processes, all loaded and let go at once, each with one thread of torch."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "parts.streamed", kind, str(folder), "--url", url]
    running = [
        subprocess.Popen(  # noqa: S603
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    try:
        for one in running:
            while (line := one.stdout.readline()) and line != "ready\n":
                pass
        for one in running:
            one.stdin.write("go\n")
            one.stdin.flush()
        yield running
    finally:
        for one in running:
            one.kill()
            one.wait()


# -- what is sent, and what is heard -------------------------------------------------------------------


def texts(count: int) -> list[str]:
    """Posts of misc/, each with a number, so that each is heard for itself."""
    lines = (PROJECT / "misc" / "posts.jsonl").read_text().splitlines()
    whole = [line for line in lines if '"text": ' in line and line.endswith("}") and "RT @" not in line]
    found = [json.loads(line)["text"] for line in whole]
    return [f"{found[number % len(found)]} n{number}" for number in range(count)]


class Ear:
    """Listens to the channel from its making on: when each post was heard first."""

    def __init__(self, server: RedisServer) -> None:
        import redis

        self.heard_s: dict[str, float] = {}
        self._client = redis.Redis(port=server.port, protocol=2)
        self._channel = self._client.pubsub(ignore_subscribe_messages=True)
        self._channel.subscribe(sentiment.CHANNELS[0])
        self._channel.get_message(timeout=5)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        import redis

        with contextlib.suppress(redis.RedisError):  # the server is gone: the part is over
            for message in self._channel.listen():
                self.heard_s.setdefault(json.loads(message["data"])["tweet"], time.monotonic())

    def wait(self, count: int, longest_s: float = _DEADLINE_S) -> bool:
        """Until so many were heard; False if it takes too long."""
        until_s = time.monotonic() + longest_s
        while len(self.heard_s) < count and time.monotonic() < until_s:
            time.sleep(0.01)
        return len(self.heard_s) >= count


def send(url: str, posts: Sequence[str], rate: float = 0.0) -> dict[str, float]:
    """Put posts into the stream, at a rate; when each was accepted."""
    options = options_for(url)
    names, sent_s = sentiment.Names(options.prefix), {}
    began_s = time.monotonic()
    with sentiment.connect(options).reached() as redis:
        step = 1 if rate else 500
        for start in range(0, len(posts), step):
            if rate:
                time.sleep(max(0.0, began_s + start / rate - time.monotonic()))
            with redis.pipeline(transaction=False) as pipe:
                for number, text in enumerate(posts[start : start + step], start):
                    pipe.xadd(names.posts, {"post": json.dumps({"id": number, "text": text})})
                pipe.execute()
            now_s = time.monotonic()
            sent_s.update((clean(text), now_s) for text in posts[start : start + step])
    return sent_s


@contextmanager
def redis_in(folder: Path) -> Iterator[RedisServer]:
    """A Redis that syncs every second, as most do."""
    place = folder / f"redis-{time.monotonic_ns()}"
    place.mkdir()
    server = RedisServer(place, "--appendfsync", "everysec")
    server.start()
    try:
        yield server
    finally:
        server.kill()


# -- the parts -------------------------------------------------------------------------------------


def per_second(kind: str, folder: Path, count: int, workers: int = 1) -> float:
    """Posts a second from the first one's acceptance until nine tenths of a full stream are heard."""
    with redis_in(folder) as server:
        ear = Ear(server)
        with started(kind, server.url, folder / "model" / "sentiment", workers):
            began_s = time.monotonic()
            send(server.url, texts(count))
            if not ear.wait(int(count * 0.9)):
                raise SystemExit(f"{kind} took longer than {_DEADLINE_S:.0f} s for {count} posts.")
            times = list(ear.heard_s.values())
            return len(times) / (max(times) - began_s)


def full(folder: Path, quick: bool) -> dict[str, Any]:
    """All that comes, as fast as it goes; in rotation: ours, the original's way, models that are called directly."""
    model = make_model(folder)
    count = 640 if quick else 4_800
    direct = {"the bare model": bare(model), "the item's model": of_the_production(model)}
    cleaned = [clean(text) for text in texts(count)]
    found: dict[str, list[float]] = {name: [] for name in ("ours", "the original's way", *direct)}
    for _ in range(1 if quick else 3):
        found["ours"].append(per_second("worker", folder, count))
        found["the original's way"].append(per_second("fixed", folder, count // 4))
        for name, label in direct.items():
            began_s = time.monotonic()
            for start in range(0, count, BATCH):
                label(cleaned[start : start + BATCH])
            found[name].append(count / (time.monotonic() - began_s))
    rates: dict[str, Any] = {name: round(median(values), 1) for name, values in found.items()}
    return {
        **rates,
        "times the original's way": round(rates["ours"] / rates["the original's way"], 2),
        "share of the bare model": round(rates["ours"] / rates["the bare model"], 3),
        "share of the item's model": round(rates["ours"] / rates["the item's model"], 3),
        "rounds": {name: [round(value, 1) for value in values] for name, values in found.items()},
    }


def workers(folder: Path, quick: bool) -> dict[str, Any]:
    """One worker and two, each with one thread."""
    make_model(folder)
    count = 640 if quick else 4_800
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(1 if quick else 3):
        for number, rates in found.items():
            rates.append(per_second("worker", folder, count, number))
    one, two = (median(found[number]) for number in (1, 2))
    return {"one": round(one, 1), "two": round(two, 1), "times": round(two / one, 2)}


def delay(folder: Path, quick: bool) -> dict[str, Any]:
    """From acceptance to the channel at 10 and at 100 posts a second, and all at once: ours and the original's way."""
    make_model(folder)
    seconds = 4 if quick else 20
    found: dict[str, Any] = {}
    for rate in (10, 100, 0):
        posts = texts(rate * seconds or (400 if quick else 2_000))
        name = f"{rate} a second" if rate else f"{len(posts):,} at once"
        for way, kind in (("ours", "worker"), ("the original's way", "fixed")):
            with redis_in(folder) as server:
                ear = Ear(server)
                with started(kind, server.url, folder / "model" / "sentiment"):
                    time.sleep(0.5)
                    sent_s = send(server.url, posts, rate)
                    ear.wait(len(posts), 20.0 if kind == "fixed" else 60.0)
                    found[f"{name}: {way}"] = delays_ms(sent_s, ear.heard_s)
    return found


def delays_ms(sent_s: dict[str, float], heard_s: dict[str, float]) -> dict[str, Any]:
    delays = sorted((heard_s[text] - at_s) * 1000 for text, at_s in sent_s.items() if text in heard_s)
    if not delays:
        return {"heard": 0, "of": len(sent_s)}
    at = {"p50": delays[len(delays) // 2], "p99": delays[min(len(delays) - 1, int(len(delays) * 0.99))]}
    return {**{name: round(value) for name, value in at.items()}, "heard": len(delays), "of": len(sent_s)}


def slow(folder: Path, quick: bool) -> dict[str, Any]:
    """A slow day: one post a minute."""
    make_model(folder)
    pause_s, count = (3.0, 2) if quick else (60.0, 3)
    found: dict[str, Any] = {"one post in seconds": pause_s, "max_age_ms": options_for("redis://x").max_age_s * 1000}
    for way, kind in (("ours", "worker"), ("the original's way", "fixed")):
        with redis_in(folder) as server:
            ear = Ear(server)
            with started(kind, server.url, folder / "model" / "sentiment"):
                sent_s = send(server.url, texts(count), 1 / pause_s)
                ear.wait(count, 3.0)
                found[way] = delays_ms(sent_s, ear.heard_s)
    return found


def durability(folder: Path, quick: bool) -> dict[str, Any]:
    """Posts at full speed; workers killed, Redis killed and started again, the network cut. The model costs nothing."""
    import streaming

    chaos = streaming.Chaos(
        folder, posts=10_000 if quick else 100_000, kills=3 if quick else 20, restarts=1 if quick else 5,
        cuts=2 if quick else 10,
    )  # fmt: skip
    return dataclasses.asdict(chaos.run())


def soak(folder: Path, seconds: float) -> dict[str, Any]:
    """A worker at full speed, for long: what it and its Redis use, and how that grows after the first quarter."""
    import psutil

    make_model(folder)
    samples: list[dict[str, float]] = []
    with redis_in(folder) as server, started("worker", server.url, folder / "model" / "sentiment") as running:
        options = options_for(server.url)
        overview = sentiment.Overview(sentiment.connect(options), options)
        stop = threading.Event()
        threading.Thread(target=_pour, args=(server.url, stop), daemon=True).start()
        watched = psutil.Process(running[0].pid)
        until_s = time.monotonic() + seconds
        labelled = 0.0
        while time.monotonic() < until_s:
            time.sleep(seconds / 120)
            state = overview.state()
            labelled = max(labelled, sum(one.get("labelled", 0) for one in state["consumers"]))
            samples.append(
                {
                    "worker_mb": watched.memory_info().rss / 2**20,
                    "redis_mb": state["memory_bytes"] / 2**20,
                    "threads": watched.num_threads(),
                    "files": watched.num_fds(),
                }
            )
        stop.set()
        dead = overview.state()["dead"]
    kept = samples[len(samples) // 4 :]
    moments = [seconds * number / len(samples) for number in range(len(kept))]
    found: dict[str, Any] = {"seconds": seconds, "labelled": int(labelled), "dead": dead}
    for name in kept[0]:
        values = [one[name] for one in kept]
        growth = linear_regression(moments, values).slope * (moments[-1] - moments[0])
        allowed = max(4.0, 0.05 * median(values)) if name.endswith("_mb") else 2.0
        found[name] = {"median": round(median(values), 1), "growth": round(growth, 2), "allowed": round(allowed, 1)}
    return found


def _pour(url: str, stop: threading.Event) -> None:
    """More posts than can be labelled, as a source does it that stops at the limit."""
    options = options_for(url)
    names, number, several = sentiment.Names(options.prefix), 0, texts(2_000)
    with sentiment.connect(options).reached() as redis:
        while not stop.is_set():
            if redis.xlen(names.posts) > 4_000:
                stop.wait(0.2)
                continue
            with redis.pipeline(transaction=False) as pipe:
                for text in several[:500]:
                    pipe.xadd(names.posts, {"post": json.dumps({"id": number, "text": f"{text} {number}"})})
                    number += 1
                pipe.execute()


def main() -> None:
    parts = {"full": full, "workers": workers, "delay": delay, "slow": slow, "durability": durability}
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=[*parts, "soak", "worker", "fixed"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    if options.part in ("worker", "fixed"):
        (worker if options.part == "worker" else fixed)(options.url, options.folder)
        return
    if options.part == "soak":
        found = soak(options.folder, options.seconds)
    else:
        found = parts[options.part](options.folder, options.quick)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
