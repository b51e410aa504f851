"""The same run elsewhere: in processes that accelerate launches, with its storage on S3, with trackers that listen."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

import experiment
from experiment import bases, conduct, journal, launching, tracking
from experiment.errors import Cancelled, LaunchFailed, StepFailed
from experiment.records import Step
from experiment.settings import Settings
from experiment.storage import Store
from unit.experiment.folders import set_keys
from unit.experiment.trials_of_words import MODELS, make, write_models


@pytest.fixture(scope="module")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, models_root: Path) -> Path:
    """A run in this process."""
    folder = make(tmp_path_factory.mktemp("alone") / "EXP-4-places", models_root, MODEL_NAMES="tiny-one")
    experiment.run(folder)
    return folder


def test_two_processes_come_to_what_one_comes_to(alone: Path, models_root: Path, tmp_path: Path) -> None:
    folder = make(tmp_path / "EXP-4-places", models_root, MODEL_NAMES="tiny-one", LAUNCHER="accelerate", PROCESSES="2",
                  RUN_INFERENCE="no")  # fmt: skip
    lines: list[str] = []
    started = experiment.start(folder)
    for step in started.steps:
        # The launcher is for what is shared; the rest needs no process of its own here.
        launcher = None if step.name == "training" else _Here()
        experiment.run_step(folder, started.number, step, launcher=launcher, told=lines.append)
    record = experiment.record(folder, 1, "training/tiny-one")
    other = experiment.record(alone, 1, "training/tiny-one")
    assert record["metrics"]["processes"] == 2
    for name in ("loss", "accuracy", "f1_macro"):
        # The order in which numbers are added up differs, and nothing else.
        expected = pytest.approx(other["metrics"][f"validation_{name}"], abs=0.02)
        assert record["metrics"][f"validation_{name}"] == expected
    # Only the first process wrote: every point is there once, and every line was told once.
    assert [point["step"] for point in experiment.curve(folder, 1, "tiny-one")] == [
        point["step"] for point in experiment.curve(alone, 1, "tiny-one")
    ]
    assert len([line for line in lines if line.startswith("epoch 1:")]) == 1
    curves = zip(experiment.curve(folder, 1, "tiny-one"), experiment.curve(alone, 1, "tiny-one"), strict=True)
    assert all(one["loss"] == pytest.approx(two["loss"], abs=0.02) for one, two in curves)


class _Here:
    """Does a step in this process, as LAUNCHER = process does."""

    def launch(self, job: launching.Job, told: Any, stop_asked: Any) -> None:
        from experiment import performing

        address, number, key = job.command[3:]
        performing.perform(Store(address), int(number), Step.parse(key), told=told, check=lambda: None)


def test_a_process_that_fails_says_why(alone: Path, models_root: Path, tmp_path: Path) -> None:
    folder = make(tmp_path / "EXP-5", models_root, MODEL_NAMES="tiny-one", LAUNCHER="accelerate")
    started = experiment.start(folder)
    with pytest.raises(StepFailed, match="reconciliation is not done"):  # the step before it was left out
        experiment.run_step(folder, started.number, "preparation/tiny-one")
    job = launching.Job(
        "a", "inference", ["python", "-c", "import time; print('evergreen: hello', flush=True); time.sleep(60)"]
    )
    with pytest.raises(Cancelled):
        launching.Local().launch(job, lambda line: None, lambda: True)
    with pytest.raises(LaunchFailed, match=r"(?s)code 3.*deep trouble"):
        launching.Local().launch(
            launching.Job("a", "inference", ["python", "-c", "print('deep trouble'); raise SystemExit(3)"]), print, bool
        )


def test_a_run_on_s3(aws: Any, models_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_EXPERIMENT_CACHE", str(tmp_path / "here"))
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="experiments", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    folder = make(tmp_path / "EXP-6-s3", models_root, MODEL_NAMES="tiny-one", EPOCHS="1", ROOT="s3://experiments/all")
    file = folder / "settings.ini"
    file.write_text(file.read_text().replace("ENDPOINT_URL =", f"ENDPOINT_URL = {aws.url}", 1))
    s3.put_object(Bucket="experiments", Key="raw/rows.csv", Body=(tmp_path / "EXP-6-s3.csv").read_bytes())
    set_keys(folder, FILES="s3://experiments/raw/*.csv")
    found = experiment.run(folder)
    assert found["comparison"]["winner"] == "tiny-one"
    assert {path.name for path in folder.iterdir()} == {".gitignore", "docker", "run.sh", "settings.ini", "src"}
    listed = s3.list_objects_v2(Bucket="experiments", Prefix="all/EXP-6-s3/")["Contents"]
    keys = {one["Key"].removeprefix("all/EXP-6-s3/") for one in listed}
    assert {"run_1/run.json", "run_1/training/tiny-one/complete", "run_1/training/tiny-one/model/model.safetensors",
            "run_1/inference/tiny-one/statistics.json", "run_1/comparison.json", "run_1/tracking.jsonl"} <= keys  # fmt: skip
    assert any(key.startswith("models/") for key in keys)  # a machine elsewhere has no folder of ours
    # Another machine, which has no copies, sees the same, and finds nothing to do.
    monkeypatch.setenv("EVERGREEN_EXPERIMENT_CACHE", str(tmp_path / "there"))
    assert experiment.run(folder)["continued"]
    assert experiment.winner(folder).folder.joinpath("model.safetensors").is_file()
    assert experiment.curve(folder, 1, "tiny-one") and experiment.log(folder, 1)


def test_a_number_is_taken_once_on_s3(aws: Any) -> None:
    aws.client("s3").create_bucket(Bucket="numbers", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    one, other = (Store("s3://numbers/EXP-7", aws.url) for _ in range(2))
    assert one.claim("run_1")
    assert not other.claim("run_1") and not one.claim("run_1")
    assert other.claim("run_2")
    assert journal.numbers(one) == [1, 2]


def test_trackers_hear_of_a_run_without_a_network(
    alone: Path, models_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    folder = make(tmp_path / "EXP-8-tracked", models_root, TRACKERS="wandb, mlflow")
    settings = Settings.load(folder)
    store = conduct.store_of(settings)
    number = journal.take(store, settings)
    journal.begin(store, settings, number, {"settings": "", "code": "", "data": ""}, "ann", 0.0)
    step = Step("training", MODELS[0])
    with tracking.opened(journal.opened(store, number), step) as trackers:
        trackers.point(1, {"loss": 0.5})
        trackers.point(2, {"loss": 0.25})
        trackers.end({"accuracy": 0.75})
    (kept,) = (folder / "run_1" / "wandb").glob("wandb/offline-run-*/*.wandb")
    words = (b"EXP-8-tracked", b"run_1", b"training/tiny-one")  # group, job type, name
    deadline_s = time.monotonic() + 30  # a process of wandb's writes the file, and may be a moment behind
    while not all(word in kept.read_bytes() for word in words):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    base = sqlite3.connect(folder / "mlflow.db")
    try:
        assert base.execute("SELECT name FROM experiments WHERE name LIKE 'EXP%'").fetchall() == [("EXP-8-tracked",)]
        values = base.execute("SELECT key, value, step FROM metrics ORDER BY key, step").fetchall()
        assert values == [("accuracy", 0.75, 0), ("loss", 0.5, 1), ("loss", 0.25, 2)]
        tags = dict(base.execute("SELECT key, value FROM tags").fetchall())
        assert (tags["group"], tags["job_type"]) == ("EXP-8-tracked", "run_1")
    finally:
        base.close()
    lines = [json.loads(line) for line in (folder / "run_1" / "tracking.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "point", "point", "end"]


def test_a_name_of_layers(models_root: Path) -> None:
    assert bases.split("all-MiniLM-L6-v2:3") == ("all-MiniLM-L6-v2", 3)
    assert bases.split("all-MiniLM-L6-v2") == ("all-MiniLM-L6-v2", None)
