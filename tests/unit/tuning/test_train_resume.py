"""A training that a crash ended: told of, kept, and gone on with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tuning
from unit.tuning.training import FIELDS, MODEL, run, two_stars

# Four rows a step, so 32 rows make 8 steps an epoch.
EVERY_SECOND_STEP: dict[str, object] = {
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "per_device_train_batch_size": 4,
    "num_train_epochs": 1,
    "bf16": False,
}


def crash(root: Path, step: int, fields: dict[str, object], *limit_bytes: str) -> str:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "unit.tuning.crashing_training", str(root), str(step), json.dumps(fields)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([tests, *sys.path]),
        "EVERGREEN_ROOT": str(root.parents[1]),
    }
    ended = subprocess.run([*command, *limit_bytes], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == (0 if limit_bytes else -9), ended.stderr
    return ended.stdout


def rounded(value: Any) -> Any:
    """The same with six decimals: threads of two processes add up floating-point numbers in different orders."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value


def test_a_killed_training_is_told_of_and_gone_on_with(reviews: Callable[..., Any], models: Path) -> None:
    whole = run(reviews(two_stars(40)), models, **EVERY_SECOND_STEP)
    crash(models, 5, EVERY_SECOND_STEP)

    (told,) = tuning.unfinished(models, MODEL)
    assert "step 4 of 8" in told
    assert '{"resume": true}' in told
    assert tuning.unfinished(models, MODEL) == [told], "it stays there"

    with pytest.raises(tuning.BadRequest, match="the rows are others"):
        run(reviews(two_stars(42)), models, resume=True, **EVERY_SECOND_STEP)
    with pytest.raises(tuning.BadRequest, match="other arguments"):
        run(reviews(two_stars(40)), models, resume=True, **{**EVERY_SECOND_STEP, "weight_decay": 0.5})

    lines: list[str] = []
    resume = dict.fromkeys(FIELDS)
    report = run(reviews(two_stars(40)), models, log=lines.append, resume=True, **resume)
    assert report["resumed_from_step"] == 4
    assert report["steps"] == 8
    assert any("from step 4 of 8" in line for line in lines)
    assert not any(line.startswith("step 4 ") for line in lines)
    assert rounded(report["new_metrics"]) == rounded(whole["new_metrics"]), "as if nothing had happened"
    assert tuning.unfinished(models, MODEL) == []


def test_the_same_request_goes_on_by_itself_and_another_begins_anew(reviews: Callable[..., Any], models: Path) -> None:
    crash(models, 5, EVERY_SECOND_STEP)
    lines: list[str] = []
    report = run(reviews(two_stars(40)), models, log=lines.append, **{**EVERY_SECOND_STEP, "max_steps": 3})
    assert report["resumed_from_step"] is None
    assert any("is given up" in line for line in lines)
    assert tuning.unfinished(models, MODEL) == []

    crash(models, 5, EVERY_SECOND_STEP)
    assert run(reviews(two_stars(40)), models, **EVERY_SECOND_STEP)["resumed_from_step"] == 4
    crash(models, 5, EVERY_SECOND_STEP)
    assert run(reviews(two_stars(40)), models, **EVERY_SECOND_STEP, resume=False)["resumed_from_step"] is None


def test_a_training_that_died_before_its_first_checkpoint_is_told_of_once(
    reviews: Callable[..., Any], models: Path
) -> None:
    crash(models, 1, EVERY_SECOND_STEP)
    (told,) = tuning.unfinished(models, MODEL)
    assert "before its first checkpoint" in told
    assert tuning.unfinished(models, MODEL) == []
    assert not list(models.glob(".training-*/run-*")) and not list(models.glob(".training-*/base-*"))
    with pytest.raises(tuning.BadRequest, match="without resume"):
        run(reviews(two_stars(40)), models, resume=True)
    with pytest.raises(tuning.BadRequest, match="no unfinished training"):
        tuning.train(reviews(two_stars(40)), models, MODEL, 2, {"resume": "true"}, print)


def test_a_disk_that_fills_while_a_checkpoint_is_saved_loses_nothing(reviews: Callable[..., Any], models: Path) -> None:
    run(reviews(two_stars(40)), models, max_steps=1)
    before = {path.name: path.read_bytes() for path in (models / f"temp-{MODEL}").iterdir()}
    told = crash(models, 5, EVERY_SECOND_STEP, "10000")
    assert "NoSpace: There is no room" in told
    assert "make room, and send the request again" in told
    assert {path.name: path.read_bytes() for path in (models / f"temp-{MODEL}").iterdir()} == before
    assert run(reviews(two_stars(40)), models, **EVERY_SECOND_STEP)["resumed_from_step"] == 4


def test_a_disk_that_fills_while_the_candidate_is_saved_loses_nothing(
    reviews: Callable[..., Any], models: Path
) -> None:
    told = crash(models, 7, {**EVERY_SECOND_STEP, "save_steps": 6}, "10000")
    assert "NoSpace: There is no room" in told
    assert not list(models.glob("temp-*"))
    assert run(reviews(two_stars(40)), models, **{**EVERY_SECOND_STEP, "save_steps": 6})["resumed_from_step"] == 6
