"""A model in a process that all members of a pool share, beside a copy in each: memory, the cost of a call, a kill.

    python benchmarks/isolation.py [--members 4] [--calls 300] [--seconds 10]

Members are processes, as on IRIS, that run MiniLM with five labels. Memory is what all of them hold together (PSS, in
which shared pages count once). The cost of a call is the difference of the medians, one caller, one after the other,
the two ways in turns. At last the members ask for so many seconds while the model's process is killed again and again:
every request must be answered. The last line is JSON.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from parts import machine, paths

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as bo.py does, before torch is loaded

from inference import bundled, isolation, pipeline

TEXT = "The food was cold and the waiter was rude, but the view over the lake made up for it."
OPTIONS = {"num_labels": "5", "backend": "torch", "dtype": "float32"}
MEMBER = """
import json, sys, time
from inference import isolation, pipeline
way = {"isolation": isolation, "pipeline": pipeline}[sys.argv[1]]
model = way.open(sys.argv[3], "text-classification", path=sys.argv[2], options=json.loads(sys.argv[4]))
way.run(model, {"inputs": sys.argv[5]})
print("ready", flush=True)
sys.stdin.readline()
asked = answered = 0
end_s = time.monotonic() + float(sys.argv[6])
while time.monotonic() < end_s:
    asked += 1
    answered += bool(way.run(model, {"inputs": sys.argv[5]}).output)
print(json.dumps([asked, answered]), flush=True)
"""


def members(way: str, root: Path, name: str, count: int, seconds: float) -> list["subprocess.Popen[str]"]:
    """Processes that have the model open and answered once."""
    environment = {**os.environ, "PYTHONPATH": str(paths.PROJECT / "src" / "python")}
    arguments = [sys.executable, "-c", MEMBER, way, str(root), name, json.dumps(OPTIONS), TEXT, str(seconds)]
    started = [
        subprocess.Popen(  # noqa: S603 - our own code
            arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    for member in started:
        assert member.stdout is not None and member.stdout.readline() == "ready\n", "a member did not start"  # noqa: S101
    return started


def ended(started: list["subprocess.Popen[str]"]) -> tuple[int, int]:
    """Let the members ask, and wait for what they say: how often they asked, and were answered."""
    told = [json.loads(member.communicate("\n")[0]) for member in started]
    return sum(asked for asked, _ in told), sum(answered for _, answered in told)


def servers(room: str) -> list[int]:
    """The processes of models whose sockets lie in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"inference.isolation.server" in command and room.encode() in command:
            found.append(int(entry.name))
    return found


def held_mb(processes: list[int]) -> float:
    """What these processes hold together."""
    lines = [Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() for process in processes]
    return sum(int(line.split()[1]) for one in lines for line in one if line.startswith("Pss:")) / 1024


def memory(root: Path, name: str, count: int, room: str) -> dict[str, float]:
    """What one member and `count` of them hold, each way."""
    found: dict[str, float] = {}
    for way in ("pipeline", "isolation"):
        for number in (1, count):
            started = members(way, root, name, number, 0.0)
            found[f"{way}_{number}_mb"] = round(held_mb([*(one.pid for one in started), *servers(room)]), 0)
            ended(started)
    return found


def cost(root: Path, name: str, calls: int) -> dict[str, float]:
    """The medians of one call each way, in milliseconds."""
    here = pipeline.open(name, "text-classification", path=str(root), options=OPTIONS)
    apart = isolation.open(name, "text-classification", path=str(root), options=OPTIONS)
    times_ms: dict[str, list[float]] = {"pipeline": [], "isolation": []}
    for number in range(calls + 10):
        for way, run in (("pipeline", lambda: pipeline.run(here, {"inputs": TEXT})),
                         ("isolation", lambda: isolation.run(apart, {"inputs": TEXT}))):  # fmt: skip
            began_s = time.perf_counter()
            run()
            if number >= 10:
                times_ms[way].append((time.perf_counter() - began_s) * 1000)
    pipeline.close(here)
    isolation.close(apart)
    medians = {f"{way}_p50_ms": round(statistics.median(times), 2) for way, times in times_ms.items()}
    return {**medians, "overhead_ms": round(medians["isolation_p50_ms"] - medians["pipeline_p50_ms"], 2)}


def kills(root: Path, name: str, count: int, seconds: float, room: str) -> dict[str, int]:
    """Ask from all members, and kill the process a second after it answers, again and again."""
    watcher = isolation.open(name, "text-classification", path=str(root), options=OPTIONS)
    started = members("isolation", root, name, count, seconds)
    for member in started:
        assert member.stdin is not None  # noqa: S101
        member.stdin.write("\n")
        member.stdin.flush()
    killed, end_s = 0, time.monotonic() + seconds - 1
    while time.monotonic() < end_s:
        isolation.run(watcher, {"inputs": TEXT})  # it is there again
        time.sleep(1.0)
        for process in servers(room):
            os.kill(process, signal.SIGKILL)
            killed += 1
    asked, answered = ended(started)
    isolation.close(watcher)
    return {"killed": killed, "asked": asked, "answered": answered}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isolation-") as folder:
        root, room = Path(folder) / "models", Path(folder) / "run"
        os.environ.update(EVERGREEN_RUN=str(room), EVERGREEN_LINGER_S="1")
        name = bundled.install(root, lambda line: None).name
        result: dict[str, Any] = {
            "memory": memory(root, name, options.members, str(room)),
            "cost": cost(root, name, options.calls),
            "kills": kills(root, name, options.members, options.seconds, str(room)),
        }
    for kind, figures in result.items():
        print(f"  {kind:8}", ", ".join(f"{figure} {value:,}" for figure, value in figures.items()))
    print(json.dumps({"benchmark": "isolation", **vars(options), **machine.facts("torch", "transformers"), **result}))
    if result["kills"]["asked"] != result["kills"]["answered"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
