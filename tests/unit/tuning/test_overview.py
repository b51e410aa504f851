"""What an operator sees of a model that is tuned, from what trainings and promotions leave in the folders."""

import fcntl
import json
from pathlib import Path

import pytest

from tuning import curve, registry
from tuning.errors import BadRequest
from tuning.overview import names, overview
from unit.tuning.champions import NAME, put

OLD, NEW = {"accuracy": 0.5, "loss": 1.2}, {"accuracy": 0.8, "loss": 0.7, "confusion_matrix": [[8, 2], [2, 8]]}
REPORT = {
    "verdict": "better", "old_metrics": OLD, "new_metrics": NEW, "labels": ["bad", "good"], "data": "sha256:rows",
    "rows": {"held_out": 20}, "method": "full", "task": "text-classification", "created": "2026-11-21T10:00:00+00:00",
    "duration_s": 3.5, "curve": [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}], "energy": {"joules": 5.0},
}  # fmt: skip


def test_side_by_side_on_the_same_rows(tmp_path: Path) -> None:
    put(tmp_path / NAME, "champion")
    registry.save_candidate(tmp_path, NAME, lambda folder: put(folder, "candidate"), REPORT)
    found = overview(tmp_path, NAME)
    champion, candidate = found.standings
    assert (champion.role, champion.metrics, champion.judged_on) == ("champion", OLD, "sha256:rows")
    assert (candidate.metrics, candidate.rows, candidate.method) == ({"accuracy": 0.8, "loss": 0.7}, 20, "full")
    assert candidate.confusion == [[8, 2], [2, 8]] and candidate.id.startswith("sha256:") and len(candidate.curve) == 2
    assert (found.training, found.history, found.shadow, found.unfinished) == (None, [], None, [])
    assert names(tmp_path) == [NAME]


def test_after_a_promotion_and_a_rollback(tmp_path: Path) -> None:
    put(tmp_path / NAME, "champion")
    registry.save_candidate(tmp_path, NAME, lambda folder: put(folder, "candidate"), REPORT)
    registry.promote(tmp_path, NAME, {}, "olga")
    found = overview(tmp_path, NAME)
    assert [standing.role for standing in found.standings] == ["champion", "previous"]
    assert found.standings[0].metrics["accuracy"] == 0.8 and found.standings[1].metrics == {}
    registry.roll_back(tmp_path, NAME, "olga")
    found = overview(tmp_path, NAME)
    assert [(entry["act"], entry["by"]) for entry in found.history] == [("rollback", "olga"), ("promotion", "olga")]
    assert {standing.role for standing in found.standings} == {"champion", "candidate"}


def test_a_training_at_work_is_seen_with_its_curve(tmp_path: Path) -> None:
    put(tmp_path / NAME, "champion")
    folder = tmp_path / f".training-{NAME}"
    folder.mkdir()
    checkpoints = tmp_path / "checkpoints"
    record = {
        "id": "abc", "began": "now", "fields": {"method": "head"}, "checkpoints": str(checkpoints),
        "plan": {"data": "", "base": "", "arguments": ""},
    }  # fmt: skip
    (folder / "run-abc.json").write_text(json.dumps(record))
    (folder / "current").write_text("abc")
    assert overview(tmp_path, NAME).training is None, "its process is gone"
    curve.add(checkpoints, 5, 20, 0.5, {"loss": 0.9, "learning_rate": 1e-3, "grad_norm": 3.0})
    curve.add(checkpoints, 5, 20, 0.5, {"eval_loss": 0.8, "eval_accuracy": 0.7})
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        training = overview(tmp_path, NAME).training
    assert training is not None and (training.method, training.step, training.of) == ("head", 5, 20)
    assert training.curve == [
        {"step": 5, "of": 20, "epoch": 0.5, "loss": 0.9, "learning_rate": 1e-3, "eval_loss": 0.8, "eval_accuracy": 0.7}
    ]


def test_a_name_that_is_none(tmp_path: Path) -> None:
    for name in ("../x", "temp-x", ""):
        with pytest.raises(BadRequest):
            overview(tmp_path, name)
    assert overview(tmp_path, "nothing").standings[0].metrics == {}


def test_a_curve_goes_on_after_a_crash(tmp_path: Path) -> None:
    for step in range(1, 6):
        curve.add(tmp_path, step, 10, None, {"loss": 1.0 / step})
    (tmp_path / curve.NAME).open("a").write('{"step": 6, "lo')
    (tmp_path / curve.NAME).open("a").write("\n")
    curve.add(tmp_path, 4, 10, None, {"loss": 0.3})  # resumed from the checkpoint of step 3
    assert [(point["step"], point["loss"]) for point in curve.read(tmp_path)][-2:] == [(3, 1 / 3), (4, 0.3)]
    curve.add(tmp_path, 5, 10, None, {"loss": float("nan"), "epoch": 1})
    assert curve.read(tmp_path)[-1]["step"] == 4, "no figure, no point"


def test_a_long_curve_is_thinned_but_keeps_its_evaluations(tmp_path: Path) -> None:
    with (tmp_path / curve.NAME).open("w") as file:
        for step in range(5_000):
            file.write(json.dumps({"step": step, "loss": 1.0, **({"eval_loss": 1.0} if step == 4_321 else {})}) + "\n")
    found = curve.read(tmp_path)
    assert len(found) <= curve.MOST_POINTS + 2 and found[-1]["step"] == 4_999
    assert [point["step"] for point in found if "eval_loss" in point] == [4_321]
