"""Requests to models that nobody would send, thousands over all tasks: is each answered or told clearly what is wrong?

    python benchmarks/bad_inputs.py [--requests 5000] [--through 1000] [--seed 1]

Tiny models of every task, asked from four threads at once (`inference.pipeline.run`); the last `--through` requests go
through a whole production instead, an `MLOperation` for each task. Counts as a finding: an error that is none of ours
or has no words, an answer that is no JSON, a good request that is not answered, a thread or an item that does not live
on, a request that takes longer than --patience seconds, and memory that does not come back to its level: the first
third of the direct requests fills what caches there are, and the memory before is that after it. The process may hold
--memory-gb, so that a request that wants all of the machine's memory does not harm others. The last line is JSON.
"""

import argparse
import ctypes
import gc
import json
import os
import re
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")  # else it fills for long: every length is a new shape

from parts import machine

import bad_requests
import tiny_models

OURS = re.compile(r"^(?:inference\.errors|paths)\.(\w+): ", re.MULTILINE)
THREADS = 4
BOUND_MB = 128  # four threads' heaps go up and down by some 80; torch keeps 0.2 for each text that VITS speaks


class Report:
    """What became of the requests; safe to write from any thread."""

    def __init__(self, patience_s: float) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.errors: Counter[str] = Counter()
        self.findings: list[str] = []
        self.slowest_s = 0.0
        self.slowest = ""
        self._patience_s = patience_s
        self._lock = threading.Lock()

    def take(self, request: bad_requests.Request, outcome: str, error: str, words: str, seconds: float) -> None:
        with self._lock:
            self.counts[request.kind][outcome] += 1
            self.errors[error] += bool(error)
            if seconds > self.slowest_s:
                self.slowest_s, self.slowest = seconds, f"{request.task}, {request.kind}"
        if outcome == "fault":
            self.find(request, f"{error}: {words[-600:]}")
        elif outcome != "answered" and (len(words) < 15 or " " not in words):
            self.find(request, f"{error} says only {words!r}")
        elif request.kind == "good" and outcome != "answered":
            self.find(request, f"a good request was not answered: {words[:300]}")
        if seconds > self._patience_s:
            self.find(request, f"took {seconds:.1f} s")

    def find(self, request: bad_requests.Request, what: str) -> None:
        fields = {name: repr(value)[:120] for name, value in request.fields.items()}
        with self._lock:
            self.findings.append(f"{request.task}, {request.kind}, {fields}: {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--through", type=int, default=1_000, help="so many of them through a whole production")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=20.0)
    parser.add_argument("--memory-gb", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="300 requests, 100 of them through the production")
    options = parser.parse_args()
    count, through = (300, 100) if options.quick else (options.requests, options.through)
    resource.setrlimit(resource.RLIMIT_DATA, (options.memory_gb << 30, options.memory_gb << 30))
    began, report = time.monotonic(), Report(options.patience)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for kind in dict.fromkeys(model for model, _, _ in bad_requests.GOOD.values()):
            tiny_models.build(kind, root / kind)
        requests = list(bad_requests.generated(count, options.seed))
        before_mb, after_mb = ask_directly(root, requests[: count - through], report)
        ask_production(root, requests[count - through :], report)
    seconds = time.monotonic() - began
    if after_mb - before_mb > BOUND_MB:
        report.findings.append(f"memory grew from {before_mb:.0f} to {after_mb:.0f} MB; allowed are {BOUND_MB} more")
    tell(report, count, seconds, before_mb, after_mb)
    summary = {
        "benchmark": "bad_inputs", **machine.facts("transformers", "torch", "pillow", "soundfile", "av"),
        "requests": count, "through_production": through, "tasks": len(bad_requests.GOOD), "seconds": round(seconds, 1),
        "outcomes": dict(sum(report.counts.values(), Counter())), "findings": len(report.findings),
        "slowest_s": round(report.slowest_s, 2), "memory_before_mb": round(before_mb),
        "memory_after_mb": round(after_mb), "memory_bound_mb": BOUND_MB,
    }  # fmt: skip
    print(json.dumps(summary))
    sys.exit(1 if report.findings else 0)


def ask_directly(root: Path, requests: list[bad_requests.Request], report: Report) -> tuple[float, float]:
    """Ask from several threads; the memory in MB after the first third and at the end."""
    from inference import pipeline
    from inference.errors import InferenceError
    from paths import PathNotAllowed

    models = {
        task: pipeline.open(model, task, path=str(root), options=settings)
        for task, (model, settings, _) in bad_requests.GOOD.items()
    }

    def ask(request: bad_requests.Request) -> None:
        start_s, outcome, error, words = time.monotonic(), "answered", "", ""
        try:
            json.dumps(pipeline.run(models[request.task], request.fields).output, allow_nan=False)
        except (InferenceError, PathNotAllowed) as raised:
            outcome, error, words = "refused", type(raised).__name__, str(raised)
            outcome = "failed" if error == "PipelineFailed" else outcome
        except Exception as raised:  # noqa: BLE001 - what should not be is what is looked for
            outcome, error, words = "fault", type(raised).__name__, traceback.format_exc()
        report.take(request, outcome, error, words, time.monotonic() - start_s)

    third = len(requests) // 3
    _in_threads(requests[:third], ask, report)
    before_mb = memory_mb()
    _in_threads(requests[third:], ask, report)
    for task, model in models.items():
        ask(bad_requests.Request(task, "good", bad_requests.GOOD[task][2]()))
        pipeline.close(model)
    return before_mb, memory_mb()


def _in_threads(requests: list[bad_requests.Request], ask: Any, report: Report) -> None:
    waiting, lock, ended = iter(requests), threading.Lock(), [False] * THREADS

    def work(number: int) -> None:
        while True:
            with lock:
                request = next(waiting, None)
            if request is None:
                break
            ask(request)
        ended[number] = True

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(ended):
        report.findings.append(f"{ended.count(False)} of {THREADS} threads died")


def ask_production(root: Path, requests: list[bad_requests.Request], report: Report) -> None:
    """Ask the items of a production, an `MLOperation` for each task; all of them must live on."""
    if not requests:
        return
    from iop import Production

    import bo
    import msg
    from irislite.errors import RequestFailed
    from irislite.testing import running
    from settinglines import format_lines

    production = Production("Bad.Inputs")
    for task, (model, settings, _) in bad_requests.GOOD.items():
        lines = format_lines({"name": model, "task": task, "path": str(root), **settings})
        production.operation(task, bo.MLOperation, settings={"%settings": lines})

    with running(production) as live:

        def ask(request: bad_requests.Request) -> None:
            start_s, outcome, error, words = time.monotonic(), "answered", "", ""
            message = msg.MLRequest()
            for name, value in request.fields.items():
                setattr(message, name, value)
            try:
                live.send(request.task, message, timeout=60)
            except RequestFailed as raised:
                words, stack = str(raised), "\n".join(getattr(raised, "__notes__", []))
                told = OURS.findall(stack)
                error = told[-1] if told else stack.strip().rpartition("\n")[2][:80]
                outcome = ("failed" if error == "PipelineFailed" else "refused") if told or not stack else "fault"
            except Exception as raised:  # noqa: BLE001 - what cannot even be sent is refused by the runtime
                outcome, error, words = "not sent", type(raised).__name__, str(raised)
            report.take(request, outcome, error, words, time.monotonic() - start_s)

        _in_threads(requests, ask, report)
        for task in bad_requests.GOOD:
            ask(bad_requests.Request(task, "good", bad_requests.GOOD[task][2]()))
            state = str(live.item(task).state)
            if state.lower() not in ("running", "ok"):
                report.findings.append(f"the item {task} is {state}")


def memory_mb() -> float:
    """What this process holds, after what can be given back was."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tell(report: Report, count: int, seconds: float, before_mb: float, after_mb: float) -> None:
    outcomes = sorted({outcome for counts in report.counts.values() for outcome in counts})
    print(f"  {'request':14}", *(f"{outcome:>9}" for outcome in outcomes))
    for kind, counts in sorted(report.counts.items()):
        print(f"  {kind:14}", *(f"{counts[outcome]:9,}" for outcome in outcomes))
    print("  errors: " + ", ".join(f"{name} {number:,}" for name, number in report.errors.most_common()))
    print(f"{count:,} requests in {seconds:.0f} s, the slowest {report.slowest_s:.1f} s ({report.slowest}); "
          f"memory {before_mb:.0f} MB, then {after_mb:.0f} MB")  # fmt: skip
    for finding in report.findings[:200]:
        print(f"FINDING {finding}")


if __name__ == "__main__":
    main()
