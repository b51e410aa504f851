"""Full load for minutes: do memory, threads or file handles grow?

    python benchmarks/soak.py [--minutes 10]

Threads send to an operation and to a process without a pause, others wait for answers or read
the REST service, and what is older than a tenth of the run is purged meanwhile. The verdict is
the slope after the warm-up, the first quarter. The last line is JSON.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from parts import machine, paths
from parts.serving import Client, served

from irislite.director import Director
from irislite.purge import purge

SAMPLES = 120
WARM_UP = 0.25
BACKLOG = 2_000  # messages in a queue before its senders wait
BARS = "▁▂▃▄▅▆▇█"


@dataclass
class Load:
    """What runs until `stopping` is set; the first error of a thread is kept."""

    director: Director
    client: Client
    stopping: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    purged: int = 0

    def start(self, purge_after_s: float) -> list[threading.Thread]:
        """Start all threads."""
        jobs: list[Callable[[], None]] = [
            *[lambda: self._send("Noop")] * 8, *[lambda: self._send("Relay")] * 2, *[self._ask] * 2,
            self._read, lambda: self._purge(purge_after_s),
        ]  # fmt: skip
        threads = [threading.Thread(target=self._guarded, args=(job,), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        return threads

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - raised again at the end
            self.errors.append(error)
            self.stopping.set()

    def _send(self, target: str) -> None:
        import noop_production

        handle, queue, number = self.director.create_service("Door"), self.director.router.queue(target), 0
        while not self.stopping.is_set():
            number += 1
            handle.ForceSessionId()
            handle.component.send_request_async(target, noop_production.Ping(number=number, text="a small message"))
            while queue.count > BACKLOG and not self.stopping.is_set():
                time.sleep(0.001)

    def _ask(self) -> None:
        import noop_production

        while not self.stopping.is_set():
            handle = self.director.create_service("Door")  # a new one each time: a handle must not be kept
            for target in ("Noop", "Relay"):
                handle.ForceSessionId()
                handle.component.send_request_sync(target, noop_production.Ping(number=1, text=""), timeout=60)

    def _read(self) -> None:
        while not self.stopping.is_set():
            newest = self.client.get("/api/irislite/messages", {"limit": 50})
            if newest:
                self.client.call("GET", f"/api/irislite/sessions/{newest[0]['session_id']}")
            self.client.get("/api/irislite/items")
            self.client.get("/api/iop/log", {"top": 20})
            self.stopping.wait(0.2)

    def _purge(self, after_s: float) -> None:
        while not self.stopping.wait(after_s / 2):
            self.purged += purge(self.director._database, after_s / 86_400).messages


def sample(director: Director, folder: Path) -> dict[str, float]:
    """What is watched, now."""
    process = psutil.Process()
    return {
        "rss_mb": process.memory_info().rss / 2**20,
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "store_mb": sum(file.stat().st_size for file in (folder / "home").glob("messages.db*")) / 2**20,
        "handled": sum(item.processed for item in director.items()),
    }


def judge(samples: list[dict[str, float]], seconds: float) -> dict[str, dict[str, float]]:
    """The growth of each watched thing over the time after the warm-up, by its slope, and what is allowed."""
    kept = samples[int(len(samples) * WARM_UP) :]
    moments = [seconds * number / len(samples) for number in range(len(kept))]
    found = {}
    for name in ("rss_mb", "threads", "files"):
        values = [one[name] for one in kept]
        middle = statistics.median(values)
        growth = statistics.linear_regression(moments, values).slope * (moments[-1] - moments[0])
        allowed = max(8.0, 0.05 * middle) if name == "rss_mb" else 2.0
        found[name] = {"median": round(middle, 1), "growth": round(growth, 2), "allowed": round(allowed, 1)}
    return found


def sparkline(values: list[float], width: int = 60) -> str:
    """The values as a line of bars, the lowest to the highest."""
    step = max(1, -(-len(values) // width))
    shown = [statistics.mean(values[start : start + step]) for start in range(0, len(values), step)]
    low, high = min(shown), max(shown)
    return "".join(BARS[int((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--quick", action="store_true", help="a quarter of a minute")
    options = parser.parse_args()
    seconds = 15.0 if options.quick else options.minutes * 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        director = Director(folder / "home")
        director.load(paths.NOOP_PRODUCTION)
        director.start()
        samples: list[dict[str, float]] = []
        with served(director) as client:
            load = Load(director, client)
            threads, began = load.start(seconds / 10), time.monotonic()
            while (passed_s := time.monotonic() - began) < seconds and not load.stopping.is_set():
                samples.append(sample(director, folder))
                if sys.stderr.isatty():
                    print(f"\r{passed_s:6.0f} s {samples[-1]}", end="", file=sys.stderr, flush=True)
                load.stopping.wait(seconds / SAMPLES)
            took_s = time.monotonic() - began
            load.stopping.set()
            for thread in threads:
                thread.join(60)
        director.close()
    if load.errors:
        raise load.errors[0]

    verdict = judge(samples, took_s)
    grown = [name for name, found in verdict.items() if found["growth"] > found["allowed"]]
    handled = samples[-1]["handled"]
    print(f"{handled:,.0f} messages in {took_s:.0f} s, {handled / took_s:,.0f} a second; {load.purged:,} were purged")
    for what in ("rss_mb", "threads", "files", "store_mb"):
        values = [one[what] for one in samples]
        told = verdict.get(what)
        slope = f"  growth after the warm-up {told['growth']:g}, allowed {told['allowed']:g}" if told else ""
        print(f"  {what:9} {min(values):8.1f} to {max(values):8.1f}  {sparkline(values)}{slope}")
    print(f"It grows: {', '.join(grown)}." if grown else "Nothing grows.")
    result: dict[str, Any] = {
        "benchmark": "soak", **machine.facts(), "seconds": round(took_s), "handled": int(handled),
        "per_s": round(handled / took_s), "purged": load.purged, "verdict": verdict, "grows": grown,
    }  # fmt: skip
    print(json.dumps(result))
    sys.exit(1 if grown else 0)


if __name__ == "__main__":
    main()
