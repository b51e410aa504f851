"""A production that is started as a user starts it, in a project root and a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

import tiny_models

PROJECT = Path(__file__).parents[2]
TINY = ("gpt2", "camembert-ner", "bert-base-uncased", "bert-base-cased", "detr-resnet-50", "detr-resnet-50-panoptic")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`evergreen run` in a process of its own, and a REST client for it."""

    def __init__(self, root: Path, demo: bool) -> None:
        self.root = root
        self.home = root / "home"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.environment = {
            **os.environ,
            "EVERGREEN_ROOT": str(root),
            "EVERGREEN_DEMO": "1" if demo else "0",
            "EVERGREEN_ALLOW_PRIVATE_URLS": "1",
            "IRISLITE_HOME": str(self.home),
            "PORT": str(self.port),
            "PYTHONPATH": str(PROJECT / "src" / "python"),
            "PYTHONUNBUFFERED": "1",
            "HF_HUB_OFFLINE": "1",
        }
        self.environment.pop("IRISPASSWORD", None)
        self.output: list[str] = []
        self.started_s = 0.0

    def start(self) -> "Server":
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evergreen", "run"],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.root,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("Stop      Ctrl-C", 120)
        self.started_s = time.monotonic() - began
        return self

    def _read(self) -> None:
        self.output.extend(self.process.stdout)

    def wait_for(self, words: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not any(words in line for line in list(self.output)):
            text = "".join(self.output)
            assert self.process.poll() is None, f"the server has stopped:\n{text}"
            assert time.monotonic() < deadline, f"{words!r} did not come:\n{text}"
            time.sleep(0.1)

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(60)

    @property
    def models(self) -> Path:
        return self.root / "src" / "model"

    @property
    def auth(self) -> tuple[str, str]:
        return "SuperUser", (self.home / "password").read_text().strip()

    def call(self, method: str, path: str, **values: Any) -> requests.Response:
        return requests.request(method, self.url + path, auth=self.auth, timeout=120, **values)

    def test(self, target: str, classname: str, body: Any, **options: Any) -> Any:
        """Send a request as the test page does; the answer's JSON."""
        fields = {"target": target, "classname": classname, "body": body, "restart": False, **options}
        answer = self.call("POST", "/api/iop/test", json=fields)
        assert answer.ok, answer.text
        return answer.json()

    def refusal(self, target: str, classname: str, body: Any) -> str:
        """The words with which a request is refused."""
        fields = {"target": target, "classname": classname, "body": body, "restart": False}
        answer = self.call("POST", "/api/iop/test", json=fields)
        assert not answer.ok, answer.text
        return answer.json()["error"]

    def configure(self, item: str, text: str) -> None:
        """Type a `%settings` text on an item, and enable it."""
        settings = {"settings": [{"target": "Host", "name": "%settings", "value": text}]}
        answer = self.call("PUT", f"/api/irislite/items/{quote(item)}/settings", json=settings)
        assert answer.ok, answer.text
        answer = self.call("POST", "/api/iop/component/start", json={"component": item})
        assert answer.ok, answer.text

    def iop(self, *arguments: str) -> str:
        """The stock `iop` command line, against this server."""
        user, password = self.auth
        environment = {
            **os.environ, "IOP_URL": self.url, "IOP_USERNAME": user, "IOP_PASSWORD": password,
            "IOP_NAMESPACE": "IRISAPP",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "iop", *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def served(root: Path, demo: bool = False, **environment: str) -> Iterator[Server]:
    """A production that runs meanwhile, with these in its environment besides."""
    server = Server(root, demo)
    server.environment |= environment
    try:
        yield server.start()
    finally:
        server.process.kill()


def make_root(folder: Path) -> Path:
    """A project root with the shipped data and tiny models in the folders that users' settings name."""
    shutil.copytree(PROJECT / "misc", folder / "misc")
    models = folder / "src" / "model"
    for kind in TINY:
        tiny_models.build(kind, models / kind)
    return folder
