"""The work of the inference benchmark: a MiniLM whose five labels are decided, and texts that neither it nor a
calibration has seen.

Both come from one CSV file: of its shuffled rows the first are the texts that are measured, others train the model.
The product itself trains and promotes it, in a project root of the benchmark's own that is kept for the next run. The
rows that train are all the rows of that root, so that int8 is calibrated on them as well.
"""

import csv
import hashlib
import json
import random
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from parts.paths import PROJECT  # its import makes `acceptance` importable

from acceptance.running import Server

REVIEWS = PROJECT / "misc" / "reviews.csv"
MODEL = "all-MiniLM-L6-v2"
AUTO_MODEL = f"{MODEL}-auto"
"""A copy for `backend=auto`, which would take a conversion that another measurement has left in the folder."""

_SEED = 7
_TRAINED_ROWS = 1_500
_FEWEST_ROWS = 200
_TRAINING = {"num_train_epochs": 6, "learning_rate": 2e-4, "p_of_train": 0.9, "evaluation_strategy": "no"}
_READY = "ready.json"
_LAST_LINES = 40


@dataclass(frozen=True)
class Work:
    """What is measured: `texts` with the model in `root`, whose accuracy on `held_out` rows of its own was measured."""

    root: Path
    texts: list[str]
    accuracy: float
    held_out: int

    def folder(self, name: str = MODEL) -> Path:
        """A model's folder."""
        return self.root / "src" / "model" / name


def prepare(file: Path, count: int) -> Work:
    """The work made of `file` (columns ReviewLabel, ReviewText), with at most `count` texts; its model is made once."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [(row["ReviewLabel"], row["ReviewText"]) for row in csv.DictReader(stream)]
    random.Random(_SEED).shuffle(rows)  # noqa: S311 - not for secrets
    measured, apart = rows[:2_000], rows[2_000 : 2_000 + _TRAINED_ROWS]
    if len(apart) < _FEWEST_ROWS:
        sys.exit(f"{file} has {len(rows)} rows; {2_000 + _FEWEST_ROWS} are needed. Name a longer file.")
    recipe = json.dumps([apart, _TRAINING], sort_keys=True)
    root = PROJECT / "build" / "benchmarks" / f"inference-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not (root / _READY).exists():
        shutil.rmtree(root, ignore_errors=True)
        print(f"Training the model of this benchmark on {len(apart)} rows; it is kept in {root}.", file=sys.stderr)
        _write(root / "misc" / "reviews.csv", apart)
        report = _train(root)
        (root / _READY).write_text(json.dumps(report), encoding="utf-8")
    report = json.loads((root / _READY).read_text(encoding="utf-8"))
    return Work(root, [text for _, text in measured[:count]], report["accuracy"], report["held_out"])


def _write(file: Path, rows: Sequence[tuple[str, str]]) -> None:
    file.parent.mkdir(parents=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("ReviewLabel", "ReviewText"), *rows])


def _train(root: Path) -> dict[str, float]:
    """Train and promote, as a user does; what the product reports of the model."""
    server = Server(root, demo=False).start()
    try:
        request = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", **_TRAINING}
        report = _answer(server, "msg.TrainRequest", request)
        _answer(server, "msg.OverrideRequest", {})
    finally:
        server.stop()
    shutil.rmtree(root / "home")
    models = root / "src" / "model"
    for folder in models.iterdir():
        if folder.is_dir() and folder.name != MODEL:
            shutil.rmtree(folder)
    shutil.copytree(models / MODEL, models / AUTO_MODEL, copy_function=shutil.copy)  # files with times of their own
    return {"accuracy": report["new_metrics"]["accuracy"], "held_out": report["rows"]["held_out"]}


def _answer(server: Server, classname: str, body: dict[str, object]) -> Any:
    fields = {"target": "Python.TuningOperation", "classname": classname, "body": body, "restart": False}
    answer = requests.post(f"{server.url}/api/iop/test", json=fields, auth=server.auth, timeout=3_600)
    if not answer.ok:
        log = "".join(server.output[-_LAST_LINES:])
        sys.exit(f"{classname} was answered with {answer.status_code}: {answer.text}\nThe server's last words:\n{log}")
    return json.loads(answer.json()["body"])["output"]
