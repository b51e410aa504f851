"""A production with tiny models, served by `irislite run` in a process of its own, and a hub on this machine."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, StorageState

import tiny_models
from acceptance.running import PROJECT, free_port
from tuning import registry
from unit.inference.hub_server import LocalHub, hub_of

USERNAME, PASSWORD = "SuperUser", "tea & <biscuits>"
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"
LABELS = ["awful", "bad", "fine", "good", MARKUP]
HUB_NAME = "someone/tiny-ner"


@dataclass
class House:
    """The running production, its models, its hub."""

    url: str
    root: Path
    hub: LocalHub
    output: list[str] = field(default_factory=list)

    @property
    def models(self) -> Path:
        return self.root / "src" / "model"

    def call(self, method: str, path: str, **values: Any) -> requests.Response:
        return requests.request(method, self.url + path, auth=(USERNAME, PASSWORD), timeout=60, **values)


def signed_in(browser: Browser, house: House, username: str = USERNAME) -> StorageState:
    """The cookies of a user who signed in; all have the same password."""
    context = browser.new_context(base_url=house.url)
    form = {"username": username, "password": PASSWORD, "next": "/log"}
    assert context.request.post("/signin", form=form, max_redirects=0).status == 303
    found = context.storage_state()
    context.close()
    return found


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """Build the models, start the server, stop it."""
    root = folder / "root"
    models = root / "src" / "model"
    shutil.copytree(PROJECT / "misc", root / "misc")
    tiny_models.build("bert-classifier", models / "bert")
    tiny_models.build("bert-classifier", folder / "candidate", seed=1)
    (models / "bert" / "README.md").write_text(f"---\nlicense: mit\n---\n# A card\n\n{MARKUP}\n\n[out](javascript:x)\n")
    shutil.copytree(PROJECT / "tests" / "browser", folder / "code", ignore=shutil.ignore_patterns("test_*", "conf*"))
    tiny_models.build("detr-resnet-50", models / "cats")
    ner = tiny_models.build("camembert-ner", folder / "ner")
    files = {path.name: path.read_bytes() for path in ner.iterdir()}
    with hub_of(HUB_NAME, files) as hub, _serving(root, folder, hub) as served:
        yield served


def save_candidate(house: House, folder: Path) -> None:
    """A candidate as a training leaves one, with a report."""
    matrix = [[7 if row == column else 1 for column in range(5)] for row in range(5)]
    metrics = {"accuracy": 0.64, "f1_macro": 0.61, "loss": 0.9, "confusion_matrix": matrix}
    report = {
        "verdict": "The new model is better by 0.140 accuracy.", "outcome": "better", "labels": LABELS,
        "old_metrics": metrics | {"accuracy": 0.5, "f1_macro": 0.62}, "new_metrics": metrics, "data": "sha256:0123456789abcdef",
        "rows": {"held_out": 55, "train": 220}, "method": "full", "task": "text-classification",
        "created": "2026-11-21T10:00:00+00:00", "duration_s": 12.0,
        "energy": {"joules": 80.0, "low": 40.0, "high": 160.0, "method": "estimated-tdp"},
        "curve": [
            {"step": step, "of": 40, "loss": 1.6 - step / 30, **({"eval_accuracy": step / 60, "eval_loss": 1.2} if step % 20 == 0 else {})}
            for step in range(2, 42, 2)
        ],
    }  # fmt: skip
    registry.save_candidate(
        house.models, "bert", lambda to: shutil.copytree(folder, to, dirs_exist_ok=True) and None, report
    )


@contextmanager
def _serving(root: Path, folder: Path, hub: LocalHub) -> Iterator[House]:
    port = free_port()
    environment = {
        **os.environ, "EVERGREEN_ROOT": str(root), "IRISLITE_HOME": str(folder / "home"), "PORT": str(port),
        "PYTHONPATH": str(PROJECT / "src" / "python"), "PYTHONUNBUFFERED": "1", "HF_ENDPOINT": hub.hub.url,
        "IRISUSERNAME": USERNAME, "IRISPASSWORD": PASSWORD, "OMP_NUM_THREADS": "1", "IRISLITE_SYNCHRONOUS": "NORMAL",
        "EVERGREEN_ENERGY_BOOK": str(folder / "book.db"),
    }  # fmt: skip
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "irislite.cli", "run", str(folder / "code" / "house_production.py")]
    ready, made = threading.Event(), House(f"http://localhost:{port}", root, hub)
    with subprocess.Popen(
        command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:

        def read() -> None:
            for line in process.stdout or ():
                made.output.append(line)
                if "Ctrl-C" in line:
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        try:
            assert ready.wait(90) and process.poll() is None, "".join(made.output)
            yield made
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:  # a library that is being loaded does not hear of it
                process.kill()
