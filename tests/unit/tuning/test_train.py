"""A training from request to candidate, with tiny models of the real architectures."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

import tuning

# What users type, letter by letter.
SETTINGS = {"path": "/irisdev/app/src/model/", "model_name": "bert-base-cased", "num_labels": "5"}
REQUEST = """{"columns":"ReviewLabel,ReviewText","table":"iris.Review","limit":20,"p_of_train":0.8,
     "output_dir":"/irisdev/app/src/model/checkpoints","evaluation_strategy":"steps",
     "learning_rate":0.01,"num_train_epochs":1}"""

GOOD, BAD = (
    "This was a really good experience, the food was great.",
    "This was a really bad experience, never come back.",
)
FIELDS = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "learning_rate": 0.01, "num_train_epochs": 3}


def five_stars(rows: int) -> list[tuple[object, object]]:
    return [(number % 5 + 1, f"{GOOD if number % 5 > 2 else BAD} {number}") for number in range(rows)]


def two_stars(rows: int) -> list[tuple[object, object]]:
    return [(number % 2, f"{GOOD if number % 2 else BAD} {number}") for number in range(rows)]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def run(connection: Any, root: Path, num_labels: int = 2, lines: list[str] | None = None, **fields: object) -> Any:
    log = (lines if lines is not None else []).append
    return tuning.train(connection, root, "bert-base-cased", num_labels, {**FIELDS, **fields}, log)


def test_the_request_users_type_trains_and_the_model_answers(reviews: Callable[..., Any], models: Path) -> None:
    before, lines = hashes(models / "bert-base-cased"), []
    report = tuning.train(
        reviews(five_stars(40)),
        SETTINGS["path"],
        SETTINGS["model_name"],
        SETTINGS["num_labels"],
        json.loads(REQUEST),
        lines.append,
    )
    candidate = models / "temp-bert-base-cased"
    assert report["candidate"] == str(candidate)
    assert (
        report["rows"].items()
        >= {
            "table": "iris.Review",
            "columns": ["ReviewLabel", "ReviewText"],
            "read": 20,
            "skipped": {},
            "train": 16,
            "held_out": 4,
        }.items()
    )
    assert report["outcome"] == "not distinguishable"
    assert "untrained" in report["old_metrics"]["note"]
    assert "note" not in report["new_metrics"]
    assert len(report["new_metrics"]["confusion_matrix"]) == 5
    assert json.loads((candidate / "report.json").read_text()) == json.loads(json.dumps(report, allow_nan=False))
    assert hashes(models / "bert-base-cased") == before
    told = "\n".join(lines)
    for words in ("20 rows of iris.Review", "eval_strategy", "untrained", "training begins: 2 steps", "evaluation at"):
        assert words in told

    tuning.promote(models, "bert-base-cased")
    answer = transformers.pipeline("text-classification", model=str(models / "bert-base-cased"))(BAD, top_k=None)
    assert {label["label"] for label in answer} == {"1", "2", "3", "4", "5"}
    assert hashes(models / "previous-bert-base-cased") == before


def test_a_training_learns_repeats_itself_and_goes_on_from_the_champion(
    reviews: Callable[..., Any], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    first = run(reviews(two_stars(60)), models, lines=lines, bf16=False)
    assert first["outcome"] == "better"
    assert first["new_metrics"]["accuracy"] == 1.0
    assert first["labels"] == ["0", "1"]
    steps = [line for line in lines if line.startswith("step ")]
    assert 3 <= len(steps) <= 21
    assert all("loss" in line and "learning rate" in line and "left" in line for line in steps)

    environment = dict(os.environ)
    found: list[Any] = []
    worker = threading.Thread(target=lambda: found.append(run(reviews(two_stars(60)), models, bf16=False)))
    worker.start()
    worker.join(timeout=60)
    assert found[0]["new_metrics"] == first["new_metrics"]
    assert found[0]["old_metrics"] == first["old_metrics"]

    tuning.promote(models, "bert-base-cased")
    second = run(reviews(two_stars(60)), models, bf16=False)
    assert second["old_metrics"] == first["new_metrics"]
    assert second["outcome"] == "not distinguishable"
    assert run(reviews(two_stars(60)), models, bf16=True, use_cpu=True)["arguments"]["bf16"] is True
    assert dict(os.environ) == environment


def test_rows_that_cannot_be_used_are_named(reviews: Callable[..., Any], models: Path) -> None:
    lines: list[str] = []
    report = run(reviews([*two_stars(10), (1, None), (None, "x")]), models, lines=lines, max_steps=1)
    assert report["rows"]["skipped"] == {"no text": 1, "no label": 1}
    assert any("1 skipped (no text), 1 skipped (no label)" in line for line in lines)


def test_a_head_of_another_size_is_replaced_and_said_so(
    reviews: Callable[..., Any], models: Path, tiny: Callable[[str], Path]
) -> None:
    shutil.rmtree(models / "bert-base-cased")
    shutil.copytree(tiny("bert-classifier"), models / "bert-base-cased")
    assert "untrained" in run(reviews(two_stars(10)), models, max_steps=1)["old_metrics"]["note"]
    same_size = run(reviews(five_stars(20)), models, num_labels=5, max_steps=1)
    assert "LABEL_0" in same_size["old_metrics"]["note"]
    assert "by position" in same_size["old_metrics"]["note"]


def test_a_model_without_a_padding_token(
    reviews: Callable[..., Any], models: Path, tiny: Callable[[str], Path]
) -> None:
    shutil.copytree(tiny("gpt2"), models / "gpt2")
    report = tuning.train(reviews(two_stars(10)), models, "gpt2", 2, {**FIELDS, "max_steps": 2}, lambda _: None)
    assert report["steps"] == 2
    assert (models / "temp-gpt2" / "model.safetensors").is_file()


def test_a_second_training_waits_for_the_first(reviews: Callable[..., Any], models: Path) -> None:
    running, go_on = threading.Event(), threading.Event()
    waiting = threading.Event()
    order: list[str] = []

    def first_log(line: str) -> None:
        if line.startswith("training begins"):
            running.set()
            assert go_on.wait(timeout=60)

    def second_log(line: str) -> None:
        if "waits" in line:
            waiting.set()

    def training(name: str, log: Callable[[str], None]) -> threading.Thread:
        def work() -> None:
            tuning.train(reviews(two_stars(10)), models, "bert-base-cased", 2, {**FIELDS, "max_steps": 1}, log)
            order.append(name)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    first = training("first", first_log)
    assert running.wait(timeout=60)
    second = training("second", second_log)
    assert waiting.wait(timeout=60)
    go_on.set()
    first.join(timeout=60)
    second.join(timeout=60)
    assert order == ["first", "second"]


def test_the_best_model_of_all_evaluations_can_be_kept(reviews: Callable[..., Any], models: Path) -> None:
    report = run(reviews(two_stars(40)), models, eval_strategy="steps", load_best_model_at_end="true")
    assert report["arguments"]["save_strategy"] == "steps"
    curve = report["curve"]
    assert curve[-1]["step"] == report["steps"] == curve[-1]["of"]
    assert any("loss" in point for point in curve) and any("eval_accuracy" in point for point in curve)
    assert "chose the best model" in report["notes"][-1]
    assert not list((models / "checkpoints").glob("*"))
    kept = run(reviews(two_stars(40)), models, save_strategy="epoch")
    assert list(Path(kept["arguments"]["output_dir"]).glob("checkpoint-*"))
    with pytest.raises(tuning.BadRequest, match="set eval_strategy"):
        run(reviews(two_stars(40)), models, load_best_model_at_end=True)


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"table": "iris.Reviews"}, tuning.TableNotFound, "Did you mean iris.Review"),
        ({"columns": "Stars,ReviewText"}, tuning.ColumnNotFound, "Its columns are ReviewLabel, ReviewText"),
        ({"columns": "ReviewLabel,ReviewText FROM x"}, tuning.BadRequest, "no name of a column"),
        ({"columns": "ReviewText,ReviewLabel"}, tuning.BadRows, "no whole numbers"),
        ({"limit": 2}, tuning.BadRows, "2 usable rows are too few"),
        ({"p_of_train": 1}, tuning.BadRequest, "above 0 and below 1"),
        ({"output_dir": "/tmp/elsewhere"}, PermissionError, "outside the allowed folders"),
        ({"num_labels": 2}, tuning.BadRows, "num_labels=2"),
        ({"num_labels": "many"}, tuning.BadRequest, "num_labels"),
        ({"model_name": "nothing"}, tuning.ModelUnusable, "The models there are bert-base-cased"),
        ({"model_name": "../model"}, tuning.BadRequest, "model_name"),
        ({"fp16": True, "bf16": True}, tuning.BadRequest, "fp16 and bf16"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau"}, tuning.BadRequest, "requires an eval strategy"),
        ({"report_to": "nobody"}, tuning.BadRequest, "nobody"),
        ({"learning_rate": 1e38, "num_train_epochs": 2}, tuning.TrainingFailed, "lower learning_rate"),
    ],
)
def test_a_training_that_cannot_be_is_an_error_and_leaves_no_candidate(
    reviews: Callable[..., Any], models: Path, fields: dict[str, object], error: type[Exception], words: str
) -> None:
    chosen: dict[str, Any] = {**FIELDS, **fields}
    name, num_labels = chosen.pop("model_name", "bert-base-cased"), chosen.pop("num_labels", 5)
    with pytest.raises(error, match=words):
        tuning.train(reviews(five_stars(30)), models, name, num_labels, chosen, lambda _: None)
    assert not list(models.glob("temp-*"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}"),
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        lambda folder: (folder / "config.json").write_text('{"model_type": "detr"}'),
        lambda folder: (folder / "config.json").write_text("{"),
    ],
)
def test_a_champion_that_cannot_be_loaded(
    reviews: Callable[..., Any], models: Path, damage: Callable[[Path], object]
) -> None:
    damage(models / "bert-base-cased")
    with pytest.raises(tuning.ModelUnusable, match="Put a whole model"):
        run(reviews(two_stars(10)), models)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'sklearn', 'scipy', 'pandas'}"
    code = f"import sys, tuning; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
