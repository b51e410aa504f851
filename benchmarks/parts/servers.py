"""The servers of the inference benchmark: the product as `evergreen run` starts it, and the peers; one at a time.

A server has one core and one torch thread; who asks it has the other core.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import requests
from parts.load import CALLERS, Door
from parts.paths import BENCHMARKS, PROJECT, SOURCES
from parts.reviews import AUTO_MODEL, MODEL, Work

START_TIMEOUT_S = 180
PASSWORD = "benchmark"  # noqa: S105 - of a server that lives as long as the benchmark
USER = "SuperUser"
ITEM = "Python.MLOperation"


_allowed = sorted(os.sched_getaffinity(0))
MEASURED, ASKING = {_allowed[0]}, set(_allowed[1:2] or _allowed)
"""The core of what is measured, and that of who asks; one and the same on a machine with one."""


@dataclass(frozen=True)
class Server:
    """A way to serve the model. `backend` is set for the product's own; `environment` names a peer's virtual one.

    In `command`, what follows the interpreter, and in `settings`, its environment variables, `{port}` stands for the
    port to serve on, `{other}` for another free one.
    """

    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    backend: str = ""
    path: str = "/predict"
    ask: Callable[[str], Any] = lambda text: {"inputs": text}
    label: Callable[[Any], str] = lambda answer: answer["label"]

    @property
    def fp32(self) -> bool:
        """Whether the model computes as the peers' stock body does."""
        return not self.backend and "BENCH_DTYPE" not in self.settings


def _infer_request(text: str) -> Any:
    parameters = {"content_type": "str"}
    return {
        "inputs": [{"name": "texts", "shape": [1, 1], "datatype": "BYTES", "parameters": parameters, "data": [text]}]
    }


def _message(text: str | list[str]) -> Any:
    return {"target": ITEM, "classname": "msg.MLRequest", "body": {"inputs": text}, "restart": False}


def _of_message(answer: Any) -> str:
    label: str = json.loads(answer["body"])["output"][0]["label"]
    return label


_LENGTHS = {"BENCH_BODY": "lengths"}
_LITSERVE = {"command": ("-m", "peers.litserve_server")}
_BENTOML: dict[str, Any] = {
    "command": ("-m", "bentoml", "serve", "peers.bentoml_server:Sentiment", "--host", "127.0.0.1", "--port", "{port}"),
    "environment": "bentoml", "ask": lambda text: {"inputs": [text]},
    "label": lambda answer: answer[0]["label"],
}  # fmt: skip
_RAY = {"command": ("-m", "peers.ray_server")}
_MLSERVER: dict[str, Any] = {
    "command": ("-m", "mlserver.cli.main", "start", "peers/mlserver"), "environment": "mlserver",
    "path": "/v2/models/sentiment/infer", "ask": _infer_request,
    "label": lambda answer: answer["outputs"][0]["data"][0],
}  # fmt: skip
_PORTS = {"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{other}"}
_OURS: dict[str, Any] = {
    "command": ("-m", "evergreen", "run"),
    "path": "/api/iop/test",
    "ask": _message,
    "label": _of_message,
}

BACKENDS = ("auto", "torch", "torch-bf16", "openvino", "openvino-int8")
SERVERS = (
    *(Server(f"evergreen {backend}", backend=backend, **_OURS) for backend in BACKENDS),
    Server("fastapi", ("-m", "peers.fastapi_server")),
    Server("litserve, no batches", settings={"BENCH_BATCH": "1"}, **_LITSERVE),
    Server("litserve, batch 32", **_LITSERVE),
    Server("litserve, by length", settings=_LENGTHS, **_LITSERVE),
    Server("litserve, by length, bf16", settings={**_LENGTHS, "BENCH_DTYPE": "bfloat16"}, **_LITSERVE),
    Server("bentoml, adaptive", **_BENTOML),
    Server("bentoml, by length", settings=_LENGTHS, **_BENTOML),
    Server("ray serve, batch 32", **_RAY),
    Server("ray serve, by length", settings=_LENGTHS, **_RAY),
    Server("mlserver, adaptive", settings=_PORTS, **_MLSERVER),
    Server("mlserver, by length", settings={**_LENGTHS, **_PORTS}, **_MLSERVER),
)


@dataclass(frozen=True)
class Running:
    """A server that has answered: its door, its processes, and the seconds from start to first answer."""

    door: Door
    process: psutil.Process
    first_answer_s: float

    def usage(self) -> tuple[float, float]:
        """CPU seconds so far and resident megabytes, of all its processes; shared pages count for each of them."""
        cpu_s = memory = 0.0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                cpu_s += sum(process.cpu_times()[:2])
                memory += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return cpu_s, memory / 1e6


@contextmanager
def running(server: Server, work: Work, home: Path) -> Iterator[Running]:
    """Start a server on the core for servers and wait for its first right answer; end all its processes at the end.

    `home` is the product's data folder, which it finds again at its second start.
    """
    with tempfile.TemporaryDirectory(prefix="b") as folder, (Path(folder) / "output").open("wb+") as output:
        port = _free_port()
        door = Door(port, server.path, server.ask, server.label, _headers(server))
        command = [interpreter(server), *(part.format(port=port) for part in server.command)]
        environment = _environment(server, work, home, folder, port)
        began_s = time.monotonic()
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=BENCHMARKS, preexec_fn=stay_on_core,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while not _answers(door, work.texts[0]):
                if process.poll() is not None or time.monotonic() - began_s > START_TIMEOUT_S:
                    output.seek(0)
                    said = output.read().decode(errors="replace")[-3000:]
                    raise RuntimeError(f"{server.name} does not answer. It said:\n{said}")
                time.sleep(0.02)
            yield Running(door, psutil.Process(process.pid), time.monotonic() - began_s)
        finally:
            _end(process)


def configure(server: Server, work: Work, home: Path) -> None:
    """Give the product's item the backend and a pool, as an operator does; they are kept in `home`."""
    with running(server, work, home) as it:
        name = AUTO_MODEL if server.backend == "auto" else MODEL
        lines = f"name={name}\ntask=text-classification\nbackend={server.backend}"
        change = {"settings": [{"name": "%settings", "value": lines}], "pool_size": CALLERS}
        url = f"http://127.0.0.1:{it.door.port}/api/irislite/items/{ITEM}/settings"
        answer = requests.put(url, json=change, auth=(USER, PASSWORD), timeout=START_TIMEOUT_S)
        if not answer.ok:
            raise RuntimeError(f"The settings of {ITEM} were refused: {answer.text}")


def settle(it: Running, text: str) -> None:
    """Wait until the product has loaded all that it serves with: its first answers come before the pipeline, which a
    list needs."""
    url = f"http://127.0.0.1:{it.door.port}{it.door.path}"
    answer = requests.post(url, json=_message([text]), auth=(USER, PASSWORD), timeout=START_TIMEOUT_S)
    if not answer.ok:
        raise RuntimeError(f"A list was refused: {answer.text}")


def said(it: Running) -> str:
    """What the newest line of the product's event log on it says of the backend."""
    url = f"http://127.0.0.1:{it.door.port}/api/iop/log?top=200"
    return backend_line(line["text"] for line in requests.get(url, auth=(USER, PASSWORD), timeout=60).json())


def backend_line(lines: Iterable[str]) -> str:
    """Of lines of the event log, newest first, the first that tells which backend is at work, or ''."""
    return next((line for line in lines if "runs with" in line or "stays with" in line), "")


def stay_on_core() -> None:
    """Let this process, and all that it starts, have the core for what is measured."""
    os.sched_setaffinity(0, MEASURED)


def interpreter(server: Server) -> str:
    """The Python that has the server's packages: this one, or that of a peer's own environment (scripts/setup.sh)."""
    own = Path(sys.prefix) / "peers" / server.environment / "bin" / "python"
    return str(own) if server.environment else sys.executable


def _environment(server: Server, work: Work, home: Path, folder: str, port: int) -> dict[str, str]:
    return {
        **os.environ, **environment(work), "PYTHONUNBUFFERED": "1", "PORT": str(port), "IRISLITE_HOME": str(home),
        "IRISPASSWORD": PASSWORD, "EVERGREEN_DEMO": "0", "BENCH_PORT": str(port), "BENCH_FOLDER": folder,
        "BENCH_MODEL": str(work.folder()),
        **{name: value.format(port=port, other=_free_port()) for name, value in server.settings.items()},
    }  # fmt: skip


def environment(work: Work) -> dict[str, str]:
    """What every process that is measured finds in its environment: one thread, no network, this work's root."""
    return {
        "PYTHONPATH": os.pathsep.join(SOURCES), "PYTHONSAFEPATH": "1", "EVERGREEN_ROOT": str(work.root),
        "EVERGREEN_ALLOWED_PATHS": str(PROJECT / "misc"), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


def _headers(server: Server) -> dict[str, str]:
    if not server.backend:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}


def _answers(door: Door, text: str) -> bool:
    connection = door.connect()
    try:
        return bool(door.send(connection, text))
    except (OSError, RuntimeError, HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it started."""
    if process.poll() is not None:
        return  # it has failed by itself
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=10)
    for one in alive:
        one.kill()
    psutil.wait_procs(alive, timeout=5)
    process.wait()


def versions() -> dict[str, str]:
    """The versions of the peers that have environments of their own."""
    found = {}
    for name in sorted({server.environment for server in SERVERS} - {""}):
        folders = [str(path) for path in (Path(sys.prefix) / "peers" / name).glob("lib/python*/site-packages")]
        found |= {one.name: one.version for one in metadata.distributions(name=name, path=folders)}
    return found
