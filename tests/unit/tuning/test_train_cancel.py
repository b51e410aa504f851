"""A training that is told to stop, and a model that answers meanwhile."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

import tuning
from unit.tuning.training import BAD, MODEL, run, two_stars

LONG = {"num_train_epochs": 50, "logging_steps": 1, "bf16": False}


def cancelling(root: Path, step: int, keep_best: bool) -> Callable[[str], None]:
    def log(line: str) -> None:
        if line.startswith(f"step {step} ") or (step == 0 and line.startswith("training begins")):
            tuning.cancel(root, MODEL, keep_best=keep_best)

    return log


def test_a_cancelled_training_saves_nothing(reviews: Callable[..., Any], models: Path) -> None:
    with pytest.raises(tuning.Cancelled, match=r"cancelled at step [12] of 200\. Nothing was saved"):
        run(reviews(two_stars(40)), models, log=cancelling(models, 0, keep_best=False), **LONG)
    assert not list(models.glob("temp-*"))
    assert tuning.unfinished(models, MODEL) == []
    assert run(reviews(two_stars(40)), models, max_steps=1)["steps"] == 1, "the next one is not cancelled"


def test_what_was_learned_until_then_is_kept_if_asked(reviews: Callable[..., Any], models: Path) -> None:
    report = run(reviews(two_stars(40)), models, log=cancelling(models, 20, keep_best=True), **LONG)
    assert 20 <= report["steps"] <= 30
    assert report["stopped"] == f"by a message, at step {report['steps']}"
    saved = json.loads((models / f"temp-{MODEL}" / "report.json").read_text())
    assert saved["stopped"] == report["stopped"]


def test_there_must_be_something_to_cancel(reviews: Callable[..., Any], models: Path) -> None:
    with pytest.raises(tuning.NotTraining, match="nothing to cancel"):
        tuning.cancel(models, MODEL)
    run(reviews(two_stars(10)), models, max_steps=1)
    with pytest.raises(tuning.NotTraining):
        tuning.cancel(models, MODEL)


def test_answers_come_while_a_training_runs(reviews: Callable[..., Any], models: Path) -> None:
    run(reviews(two_stars(10)), models, max_steps=1)
    tuning.promote(models, MODEL)
    begun, answers = threading.Event(), []
    running = True

    def log(line: str) -> None:
        if line.startswith("training begins"):
            begun.set()

    def train() -> None:
        nonlocal running
        with pytest.raises(tuning.Cancelled):
            run(reviews(two_stars(400)), models, log=log, **{**LONG, "num_train_epochs": 10_000})
        running = False

    answer = transformers.pipeline("text-classification", model=str(models / MODEL))
    alone = answer(BAD)
    worker = threading.Thread(target=train)
    worker.start()
    assert begun.wait(timeout=60)
    for _ in range(20):
        answers.append(answer(BAD))
    assert running, "they came before it was over"
    tuning.cancel(models, MODEL)
    worker.join(timeout=60)
    assert not running
    assert all(one == alone for one in answers)
