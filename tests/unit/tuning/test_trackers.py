"""Trackers: what a training reports where `report_to` says so, and what is said when a package is missing."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tuning
from tuning import trackers
from unit.tuning.training import MODEL, run, two_stars


@pytest.mark.parametrize(("name", "package"), [("trackio", "trackio"), ("tensorboard", "tensorboardX")])
def test_a_tracker_whose_package_is_missing_is_told_with_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(tuning.BadRequest, match=f"pip install {package}.*leave {name} out of report_to"):
        trackers.prepare([name])


def test_wandb_without_a_key_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(os, "environ", {})
    trackers.prepare(["wandb", "nobody"])
    assert os.environ == {"WANDB_MODE": "offline"}


def test_tensorboard_keeps_what_was_reported(reviews: Callable[..., Any], models: Path) -> None:
    pytest.importorskip("tensorboardX")
    out = models / "out"
    run(
        reviews(two_stars(40)), models, report_to="tensorboard", output_dir=str(out), logging_steps=1,
        num_train_epochs=1,
    )  # fmt: skip
    (folder,) = (out / "runs").iterdir()
    assert folder.name.startswith(f"{MODEL}-")
    (events,) = folder.glob("events.out.*")
    content = events.read_bytes()
    assert b"train/loss" in content and b"train/learning_rate" in content
    assert [entry.name for entry in out.iterdir()] == ["runs"], "the checkpoints are gone"
