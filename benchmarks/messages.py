"""Messages per second beside the task queues people know: huey, dramatiq, celery, rq, taskiq.

    python benchmarks/messages.py [--quick] [--rounds 5] [--messages 20000] [--only irislite huey]

The same work for all: a no-op message with a small JSON payload, from the first send until the
last one is done, with one worker. Every system runs in processes of its own, in rotation, so that
noise hits all alike; figures are medians over the rounds. Redis is started on a free port with
its packaged persistence. The table is for people; the last line is JSON.
"""

import argparse
import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from parts import machine

HERE = Path(__file__).resolve().parent  # where Python finds `parts` and `peers`
SOURCES = HERE.parent / "src" / "python"

START_TIMEOUT_S = 60
PHASE_TIMEOUT_S = 180
SENDERS = (1, 16)
LIMIT = "limit: iop, bare SQLite"


@dataclass(frozen=True)
class System:
    """One way to send a message. `weight` is its share of the messages: slow ones get fewer."""

    name: str
    module: str
    weight: float
    environment: dict[str, str] = field(default_factory=dict)
    needs_redis: bool = True
    counts: bool = True  # as a peer that is compared with


SYSTEMS = (
    System("irislite NORMAL", "irislite_queue", 1, {"BENCH_SYNCHRONOUS": "NORMAL"}, False, False),
    System("irislite FULL", "irislite_queue", 1, {"BENCH_SYNCHRONOUS": "FULL"}, False, False),
    System(
        "irislite NORMAL, dataclass",
        "irislite_queue",
        1,
        {"BENCH_SYNCHRONOUS": "NORMAL", "BENCH_MESSAGE": "SlowPing"},
        False,
        False,
    ),
    System(LIMIT, "limit_queue", 1, {}, False, False),
    System("huey", "huey_queue", 0.5, {}, False),
    System("huey, worker thread", "huey_thread_queue", 0.5, {}, False),
    System("huey, fsync", "huey_queue", 0.2, {"BENCH_FSYNC": "1"}, False),
    System("huey, fsync, worker thread", "huey_thread_queue", 0.2, {"BENCH_FSYNC": "1"}, False),
    System("taskiq", "taskiq_queue", 0.15),
    System("celery, solo", "celery_queue", 0.1),
    System("dramatiq", "dramatiq_queue", 0.1),
    System("rq, simple", "rq_queue", 0.03),
    System("rq, forking", "rq_queue", 0.01, {"BENCH_FORK": "1"}),
)
PACKAGES = ("iris-pex-embedded-python", "huey", "dramatiq", "celery", "rq", "taskiq", "taskiq-redis", "redis")


# -- one system, in a process of its own ---------------------------------------------------


def measure(module: str, messages: int, calls: int) -> dict[str, Any]:
    """Throughput with each number of senders, and round trips, of the queue in `peers.<module>`."""
    queue = importlib.import_module(f"peers.{module}")
    work = importlib.import_module("peers.work")
    worker = subprocess.Popen(queue.WORKER, cwd=HERE, stdin=subprocess.DEVNULL) if queue.WORKER else None  # noqa: S603
    try:
        if hasattr(queue, "open"):
            queue.open()
        queue.ask(0)  # the worker is up
        result: dict[str, Any] = {}
        _send(queue, work, min(200, messages), SENDERS[-1])  # connections and caches are warm
        for senders in SENDERS:
            cpu_s, began = _cpu_s(worker), time.perf_counter()
            accepted_s = _send(queue, work, messages, senders)
            wall_s = time.perf_counter() - began
            result[f"{senders}"] = {
                "per_s": messages / wall_s,
                "per_cpu_s": messages / (_cpu_s(worker) - cpu_s),
                "accepted_per_s": messages / accepted_s,
            }
        times_ms = [_timed_ms(queue, number) for number in range(calls)]
        result["p50_ms"] = statistics.median(times_ms)
        result["p99_ms"] = statistics.quantiles(times_ms, n=100)[98]
        if hasattr(queue, "check"):
            queue.check()
    finally:
        if hasattr(queue, "close"):
            queue.close()
        if worker is not None:
            _end(worker)
    return result


def _send(queue: Any, work: Any, messages: int, senders: int) -> float:
    """Send and wait until all are done. Returns the seconds until the last one was accepted."""
    before, began = work.handled.value, time.perf_counter()
    if hasattr(queue, "send_all"):
        queue.send_all(messages, senders)
    else:
        work.in_threads(messages, senders, queue.send)
    accepted_s = time.perf_counter() - began
    if hasattr(queue, "wait_done"):
        queue.wait_done(before + messages)
    else:
        deadline = began + PHASE_TIMEOUT_S
        while work.handled.value < before + messages:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{work.handled.value - before} of {messages} messages were handled: use fewer.")
            time.sleep(0.001)
    return accepted_s


def _timed_ms(queue: Any, number: int) -> float:
    began = time.perf_counter()
    if queue.ask(number) is None:
        raise AssertionError("A round trip brought no answer.")
    return (time.perf_counter() - began) * 1000


def _cpu_s(worker: subprocess.Popen[bytes] | None) -> float:
    """CPU seconds that this process, its worker and Redis have used so far."""
    watched = [psutil.Process()]
    if worker is not None:
        process = psutil.Process(worker.pid)
        watched += [process, *process.children(recursive=True)]
    if os.environ.get("BENCH_REDIS_PID"):
        watched.append(psutil.Process(int(os.environ["BENCH_REDIS_PID"])))
    total = 0.0
    for process in watched:
        try:
            total += sum(process.cpu_times()[:4] if process.pid != os.getpid() else process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue  # a fork that has ended: its parent has its time
    return total


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End a worker and what it started."""
    family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    worker.terminate()
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        process.kill()
    worker.wait()


# -- all of them, in rotation -----------------------------------------------------------------


@contextmanager
def redis_server() -> Iterator[tuple[str, int]]:
    """A Redis of this benchmark's own on a free port: its URL and process id."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        try:
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        except FileNotFoundError:
            sys.exit("redis-server is missing: `make bench` installs it, or `apt-get install redis-server`.")
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except ConnectionRefusedError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0", server.pid
        finally:
            server.terminate()
            server.wait()


def run(system: System, messages: int, calls: int) -> dict[str, Any]:
    """One round of one system, in a process and a folder of its own."""
    count = max(20, int(messages * system.weight))
    command = [sys.executable, __file__, "--measure", system.module, "--messages", str(count)]
    command += ["--calls", str(calls if system.weight >= 0.1 else max(50, calls // 10))]
    with tempfile.TemporaryDirectory() as folder:
        paths = os.pathsep.join([str(HERE), str(SOURCES)])
        environment = {**os.environ, **system.environment, "BENCH_FOLDER": folder, "PYTHONPATH": paths}
        if not system.needs_redis:
            return _output(command, environment)
        with redis_server() as (url, pid):
            return _output(command, {**environment, "BENCH_REDIS": url, "BENCH_REDIS_PID": str(pid)})


def _output(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: its words are above.")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def median(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    flat = [
        {
            **{f"{name}_{senders}": one[str(senders)][name] for senders in SENDERS for name in one[str(senders)]},
            "p50_ms": one["p50_ms"],
            "p99_ms": one["p99_ms"],
        }
        for one in rounds
    ]
    return {name: round(statistics.median(one[name] for one in flat), 3) for name in flat[0]}


def compare(results: dict[str, dict[str, float]]) -> dict[str, Any]:
    """What irislite is measured by: ratios to the fastest peer, to every other, and to huey with fsync."""
    peers = {system.name: results[system.name] for system in SYSTEMS if system.counts and system.name in results}
    without = {name: figures for name, figures in peers.items() if "fsync" not in name}
    others = {name: figures for name, figures in without.items() if not name.startswith("huey")}
    synced = {name: figures for name, figures in peers.items() if "fsync" in name}
    ratios: dict[str, Any] = {}
    for name in ("irislite NORMAL", "irislite FULL"):
        mine = results.get(name)
        if mine is None or not without:
            continue
        ratios[name] = found = {}
        for senders in SENDERS:
            key = f"per_s_{senders}"
            if LIMIT in results:
                found[f"to_limit_{senders}"] = mine[key] / results[LIMIT][key]
            found[f"to_fastest_{senders}"] = mine[key] / max(figures[key] for figures in without.values())
            if others:
                found[f"to_fastest_but_huey_{senders}"] = mine[key] / max(figures[key] for figures in others.values())
            if synced:
                found[f"to_huey_fsync_{senders}"] = mine[key] / max(figures[key] for figures in synced.values())
        found["p50_to_fastest"] = mine["p50_ms"] / min(figures["p50_ms"] for figures in without.values())
        ratios[name] = {key: round(value, 2) for key, value in found.items()}
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="of the fastest systems; slower ones get a share")
    parser.add_argument("--calls", type=int, default=1_000, help="synchronous round trips")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], help="systems whose name begins so")
    parser.add_argument("--quick", action="store_true", help="one small round: does everything work?")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.messages, options.calls)))
        return
    if options.quick:
        options.messages, options.calls, options.rounds = 2_000, 100, 1
    chosen = [one for one in SYSTEMS if not options.only or any(one.name.startswith(name) for name in options.only)]
    rounds: dict[str, list[dict[str, Any]]] = {system.name: [] for system in chosen}
    for number in range(options.rounds):
        for system in chosen[number % len(chosen) :] + chosen[: number % len(chosen)]:
            print(f"round {number + 1}: {system.name}", file=sys.stderr, flush=True)
            rounds[system.name].append(run(system, options.messages, options.calls))
    results = {name: median(figures) for name, figures in rounds.items()}
    ratios = compare(results)

    titles = ("1 sender", "16 senders", "1, /cpu-s", "16, /cpu-s")
    print(f"{'system':28} {' '.join(f'{title:>10}' for title in titles)} {'p50 ms':>8} {'p99 ms':>8}")
    for name, figures in results.items():
        print(
            f"{name:28} {figures['per_s_1']:10,.0f} {figures['per_s_16']:10,.0f} {figures['per_cpu_s_1']:10,.0f} "
            f"{figures['per_cpu_s_16']:10,.0f} {figures['p50_ms']:8.2f} {figures['p99_ms']:8.2f}"
        )
    for name, found in ratios.items():
        print(f"{name}: {', '.join(f'{key} {value:g}' for key, value in found.items())}")
    print(
        json.dumps(
            {
                "benchmark": "messages", **machine.facts(*PACKAGES), "messages": options.messages,
                "calls": options.calls, "rounds": options.rounds, "results": results, "ratios": ratios,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
