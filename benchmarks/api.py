"""The application API under load: 64 connections that each send the next request as soon as they have an answer.

    python benchmarks/api.py [--seconds 20] [--connections 64] [--model all-MiniLM-L6-v2]

Every request is a message with its trace, kept on disk (IRISLITE_SYNCHRONOUS=FULL), sent with a key. The server is a
process of its own, this one is the client. First an operation that answers at once, so that the API and the engine are
what is measured, by `predict` and by the Open Inference Protocol; with `--model` the production as it is shipped, too.
An acceptance run takes `--seconds 300`. Errors, requests a second, the median and the 99th percentile; whether the key
is in anything that the server wrote or printed. The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parts import load, machine, paths

from api.keys import Keys

INSTANT = paths.BENCHMARKS / "parts" / "production" / "instant.py"
TEXT = "The food was cold and the waiter was rude, but the view over the lake made up for it."
START_S = 180


@dataclass
class Server:
    """A server in a process of its own, its folder, and a key for it."""

    port: int
    folder: Path
    key: str
    printed: Path

    def holders(self) -> list[str]:
        """The names of the files that have the secret part of the key in them."""
        secret = self.key[17:].encode()
        return [file.name for file in self.folder.rglob("*") if file.is_file() and secret in file.read_bytes()]


@dataclass
class Outcome:
    """What became of the requests of a run."""

    statuses: Counter[str] = field(default_factory=Counter)
    times_ms: list[float] = field(default_factory=list)

    def figures(self, seconds: float) -> dict[str, Any]:
        errors = sum(count for status, count in self.statuses.items() if status != "200")
        return {
            "requests": sum(self.statuses.values()),
            "errors": errors,
            **({"statuses": dict(self.statuses)} if errors else {}),
            "per_s": round(len(self.times_ms) / seconds, 1),
            **{name: round(value, 1) for name, value in load.percentiles(self.times_ms).items()},
            "max_ms": round(max(self.times_ms), 1),
        }


@contextmanager
def served(module: str, *arguments: str) -> Iterator[Server]:
    """A server with the command `module arguments` in a project root of its own, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="api-") as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        (folder / "root" / "src" / "model").mkdir(parents=True)
        (folder / "root" / "misc").symlink_to(paths.PROJECT / "misc")
        os.environ.update(EVERGREEN_ROOT=str(folder / "root"), EVERGREEN_DATA=str(folder / "data"))
        keys = Keys.open()
        server = Server(port, folder, keys.create("benchmark", "operator")[1], folder / "printed")
        keys.close()
        variables = {
            **os.environ, "PORT": str(port), "IRISLITE_HOME": str(folder / "home"),
            "EVERGREEN_RUN": str(folder / "run"), "EVERGREEN_API_RATE": "0", "EVERGREEN_DEMO": "0",
            "PYTHONPATH": str(paths.PROJECT / "src" / "python"), "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        with server.printed.open("wb") as printed:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", module, *arguments], env=variables, stdout=printed, stderr=printed
            )
            try:
                wait_for(server, process)
                yield server
            finally:
                process.terminate()
                process.wait(60)


def wait_for(server: Server, process: "subprocess.Popen[bytes]") -> None:
    """Until the server answers."""
    deadline_s = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            if "Stop      Ctrl-C" in server.printed.read_text(errors="replace"):
                return
    raise SystemExit(f"The server did not start:\n{server.printed.read_text(errors='replace')}")


async def load_with(server: Server, path: str, body: Any, connections: int, seconds: float) -> Outcome:
    """Load one route for so long."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {server.key}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    outcome, end_s = Outcome(), time.perf_counter() + seconds
    callers = [connection(server.port, head.encode() + content, end_s, outcome) for _ in range(connections)]
    await asyncio.gather(*callers)
    return outcome


async def connection(port: int, request: bytes, end_s: float, outcome: Outcome) -> None:
    """One connection, kept as long as the server keeps it."""
    reader = writer = None
    while time.perf_counter() < end_s:
        began_s = time.perf_counter()
        try:
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            status = await answer(reader)
        except (OSError, EOFError, ValueError) as error:
            outcome.statuses[type(error).__name__] += 1
            reader = writer = None
            continue
        outcome.statuses[status] += 1
        outcome.times_ms.append((time.perf_counter() - began_s) * 1000)
    if writer is not None:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> str:
    """Read an answer whole; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head[9:12].decode()


def measure(server: Server, model: str, options: argparse.Namespace) -> dict[str, Any]:
    """The two ways to ask a model."""
    tensor = {"name": "input", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
    ways = {
        "predict": (f"/api/v1/models/{model}/predict", {"inputs": [TEXT]}),
        "open inference protocol": (f"/v2/models/{model}/infer", {"inputs": [tensor]}),
    }
    found = {}
    for name, (path, body) in ways.items():
        asyncio.run(load_with(server, path, body, options.connections, min(3.0, options.seconds)))  # warm
        outcome = asyncio.run(load_with(server, path, body, options.connections, options.seconds))
        found[name] = outcome.figures(options.seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each measurement (20)")
    parser.add_argument("--connections", type=int, default=64, help="that ask at the same time (64)")
    parser.add_argument("--model", default="", help="measure the shipped production with this model as well")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    leaks: list[str] = []
    with served("irislite.cli", "run", str(INSTANT)) as server:
        result["instant"] = measure(server, "instant", options)
        leaks += server.holders()
    if options.model:
        with served("evergreen", "run") as server:
            result[options.model] = measure(server, options.model, options)
            leaks += server.holders()
    print(f"  {'':44} {'requests':>9} {'errors':>7} {'per s':>8} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    for model, ways in result.items():
        for way, figures in ways.items():
            print(
                f"  {f'{model}, {way}':44} {figures['requests']:9,} {figures['errors']:7,} {figures['per_s']:8,.0f} "
                f"{figures['p50_ms']:8,.1f} {figures['p99_ms']:8,.1f} {figures['max_ms']:8,.1f}"
            )
    print(f"files with the key in them: {', '.join(leaks) or 'none'}")
    about = machine.facts("fastapi", "uvicorn", "iris-pex-embedded-python")
    print(json.dumps({"benchmark": "api", **vars(options), **about, "result": result, "leaks": leaks}))
    if leaks or any(figures["errors"] for ways in result.values() for figures in ways.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
