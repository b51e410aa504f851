"""Texts labelled a second beside the serving frameworks people know: FastAPI, LitServe, BentoML, Ray Serve, MLServer.

    python benchmarks/inference.py [--quick] [--rounds 3] [--texts FILE] [--only "inside auto" litserve] [--gpu]

The same MiniLM-L6 with five trained labels and the same texts for all, fp32 where nothing else is said:
- `reference`: transformers' pipeline, one message at a time;
- `inside BACKEND`: the production, stored and traced, and the bare model in the same process;
- `evergreen BACKEND`: the product over HTTP, as `evergreen run` starts it; and the peers, each with the pipeline that
  people write and with a body that sorts by length;
- `pictures`: what of an image task is not the model.
All run in processes of their own, on one core with one torch thread (who asks over HTTP has the other core), in
rotation over the rounds; figures are medians. The tables are for people; the last line is JSON.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from parts import machine, reviews, servers, verdict
from parts.load import CALLERS, over_http, warm_up

PACKAGES = ("torch", "transformers", "openvino", "nncf", "fastapi", "uvicorn", "litserve", "ray")


# -- one of them, in a process of its own -------------------------------------------------------


def run_inside(part: str, work: reviews.Work, options: argparse.Namespace, backend: str = "") -> dict[str, Any]:
    """One round of a part, in a process on the core for what is measured."""
    command = [sys.executable, "-m", "parts.measured", part, "--backend", backend, *["--quick"] * options.quick]
    command += ["--texts", str(options.texts.resolve())]
    command += ["--count", str(options.count), "--requests", str(options.requests)]
    environment = {**os.environ, **servers.environment(work)}
    if part == "gpu":
        del environment["OMP_NUM_THREADS"]
    done = subprocess.run(  # noqa: S603
        command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        preexec_fn=None if part == "gpu" else servers.stay_on_core,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: its words are above.")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_server(server: servers.Server, work: reviews.Work, options: argparse.Namespace, homes: Path) -> dict[str, Any]:
    """One round of a server: its start, one request at a time, 32 at a time, and what it used."""
    texts = work.texts[: options.requests]
    with servers.running(server, work, homes / server.name) as it:
        if server.backend:
            servers.settle(it, texts[0])
        warm_up(it.door, work.texts, CALLERS, options.warm_s)
        one = over_http(it.door, texts[: options.calls], 1)
        before_s, _ = it.usage()
        many = over_http(it.door, texts, CALLERS)
        after_s, memory_mb = it.usage()
        said = servers.said(it) if server.backend else ""
    many_figures = {**many.figures(), "per_cpu_s": len(texts) / (after_s - before_s)}
    return {
        "first_answer_s": it.first_answer_s, "rss_mb": memory_mb, "1": one.figures(), "32": many_figures,
        "labels": many.labels, "said": said,
    }  # fmt: skip


# -- all of them, in rotation ---------------------------------------------------------------------


def jobs(work: reviews.Work, options: argparse.Namespace, homes: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is measured in every round, by name."""
    found: dict[str, Callable[[], dict[str, Any]]] = {"reference": partial(run_inside, "reference", work, options)}
    for backend in servers.BACKENDS:
        found[f"inside {backend}"] = partial(run_inside, "inside", work, options, backend)
    for server in servers.SERVERS:
        found[server.name] = partial(run_server, server, work, options, homes)
    found["pictures"] = partial(run_inside, "pictures", work, options)
    return {
        name: job
        for name, job in found.items()
        if name == "reference" or not options.only or any(name.startswith(one) for one in options.only)
    }


def prepare(names: Sequence[str], work: reviews.Work, options: argparse.Namespace, homes: Path) -> None:
    """What comes before the first measured start: conversions, settings, and one start of every server."""
    for backend in servers.BACKENDS:
        if {f"inside {backend}", f"evergreen {backend}"} & set(names):
            said = run_inside("convert", work, options, backend)["said"]
            print(f"prepared {backend}: {said or 'nothing to convert'}", file=sys.stderr, flush=True)
    for server in servers.SERVERS:
        if server.name not in names:
            continue
        if not Path(servers.interpreter(server)).exists():
            sys.exit(f"{servers.interpreter(server)} is missing: run `make bench BENCH=inference`, which makes it.")
        print(f"first start of {server.name}", file=sys.stderr, flush=True)
        if server.backend:
            servers.configure(server, work, homes / server.name)
        else:
            with servers.running(server, work, homes / server.name):
                pass


def middle(rounds: Sequence[Any]) -> Any:
    """The median of each number over the rounds, whatever it lies in; of anything else the last."""
    last = rounds[-1]
    if isinstance(last, dict):
        return {name: middle([one[name] for one in rounds]) for name in last}
    if isinstance(last, int | float) and not isinstance(last, bool):
        return round(median(rounds), 4)
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=reviews.REVIEWS, help="CSV with ReviewLabel and ReviewText")
    parser.add_argument("--count", type=int, default=2_000, help="texts for the reference and for agreement")
    parser.add_argument("--requests", type=int, default=640, help="of these, sent 32 at a time")
    parser.add_argument("--calls", type=int, default=200, help="of these, sent one at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], help="what begins so; the reference always runs")
    parser.add_argument("--gpu", action="store_true", help="the GPU alone, if torch sees one")
    parser.add_argument("--quick", action="store_true", help="one small round: does everything work?")
    options = parser.parse_args()
    options.warm_s = 5.0
    if options.quick:
        options.count, options.requests, options.calls, options.rounds, options.warm_s = 200, 64, 20, 1, 0.0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the servers are ended
    work = reviews.prepare(options.texts, options.count)
    gpu = run_inside("gpu", work, options)
    facts = {"benchmark": "inference", **machine.facts(*PACKAGES)}
    facts["versions"] |= servers.versions()
    facts |= {"file": options.texts.name, "texts": len(work.texts)}
    if options.gpu:
        print(verdict.of_gpu(gpu))
        print(json.dumps({**facts, "gpu": gpu}))
        return

    os.sched_setaffinity(0, servers.ASKING)
    with tempfile.TemporaryDirectory() as folder:
        todo = jobs(work, options, Path(folder))
        names, rounds = list(todo), {name: [] for name in todo}
        prepare(names, work, options, Path(folder))
        for number in range(options.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
                rounds[name].append(todo[name]())
    results = {name: middle(figures) for name, figures in rounds.items()}
    verdict.agree(results)
    goals = verdict.goals(results)
    print(verdict.tables(results, goals))
    print(verdict.of_gpu(gpu))
    accuracy = {"accuracy": round(work.accuracy, 4), "held_out": work.held_out}
    figures = {"model": accuracy, "results": results, "goals": goals, "gpu": gpu}
    print(
        json.dumps({**facts, "requests": options.requests, "calls": options.calls, "rounds": options.rounds, **figures})
    )


if __name__ == "__main__":
    main()
