"""A run from `new` to its comparison; run again with nothing changed, with something changed, and after kills."""

import json
from pathlib import Path
from typing import Any

import pytest

import experiment
from experiment import conduct, journal
from experiment.errors import BadRequest, Cancelled, FunctionWrong, RecordsUnusable, RunBusy, SettingsInvalid
from experiment.functions import FILE
from unit.experiment.dying import PROCESSES, run_and_die
from unit.experiment.folders import set_keys
from unit.experiment.trials_of_words import MODELS, make, write_models, write_rows


@pytest.fixture(scope="module")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def folder(tmp_path: Path, models_root: Path) -> Path:
    return make(tmp_path / "EXP-1-words", models_root)


def states(folder: Path, number: int) -> dict[str, bool]:
    """The steps of a run, and whether each was taken over."""
    (found,) = [one for one in experiment.runs(folder) if one["number"] == number]
    assert found["state"] == "done"
    return {step["key"]: step["reused"] for step in found["steps"]}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, models_root: Path) -> Path:
    """An experiment with one run that is done; tests that change it take a copy of their own."""
    folder = make(tmp_path_factory.mktemp("done") / "EXP-2-words", models_root)
    experiment.run(folder, by="ann")
    return folder


@pytest.fixture
def again(done: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(done.parent, tmp_path / "copy")
    return tmp_path / "copy" / done.name


def test_from_records_to_a_comparison(done: Path) -> None:
    found = experiment.comparison(done)
    assert [row["model"] for row in found["models"]] == list(MODELS)
    assert found["winner"] in MODELS
    assert max(row["accuracy"] for row in found["models"]) > 0.9
    for row in found["models"]:
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        assert row["f1_low"] <= row["f1_macro"] <= row["f1_high"]
        assert row["parameters"] > 0 and row["training_s"] > 0 and row["seconds_per_row"] > 0
    assert [(gap["one"], gap["other"]) for gap in found["differences"]] == [MODELS]
    assert 0 < found["seconds"]["share_not_training"] < 1
    statistics = experiment.statistics(done, 1, MODELS[0])
    assert sum(map(sum, statistics["confusion_matrix"])) == statistics["rows"] == found["rows"]
    assert statistics["labels"] == ["bad", "good"] == list(statistics["per_class"])


def test_what_is_kept_of_a_run(done: Path) -> None:
    state = experiment.runs(done)[0]
    assert (state["number"], state["state"], state["by"]) == (1, "done", "ann")
    assert [step["key"] for step in state["steps"]] == [
        "reconciliation", *(f"{step}/{model}" for step in ("preparation", "training", "inference") for model in MODELS)
    ]  # fmt: skip
    record = experiment.record(done, 1, "training/tiny-one")
    folder = done / record["place"]
    assert {file["name"] for file in record["files"]} >= {"model/model.safetensors", "model/config.json", "curve.jsonl"}
    assert not (folder / "checkpoints").exists()
    assert record["inputs"]["base"] and record["inputs"]["data"] and record["versions"]["torch"]
    curve = experiment.curve(done, 1, "tiny-one")
    assert curve[-1]["step"] == curve[-1]["of"] and "eval_f1_macro" in curve[-1]
    assert any("training/tiny-one begins" in line for line in experiment.log(done, 1))
    tracked = [json.loads(line) for line in (done / "run_1" / "tracking.jsonl").read_text().splitlines()]
    assert {line["event"] for line in tracked} == {"start", "point", "end"}
    predictions = [json.loads(line) for line in (done / "run_1/inference/tiny-one/predictions.jsonl").open()]
    assert all(abs(sum(line["shares"]) - 1) < 1e-4 for line in predictions)
    assert experiment.experiments(done.parent)[0]["best"]["model"] == experiment.comparison(done)["winner"]


def test_the_winner_can_be_taken_over(done: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    winner = experiment.winner(done)
    assert winner.name == f"EXP-2-words-run_1-{winner.model}"
    model = AutoModelForSequenceClassification.from_pretrained(winner.folder)
    reader = AutoTokenizer.from_pretrained(winner.folder)
    answer = model(**reader("the food was great and kind", return_tensors="pt")).logits.argmax().item()
    assert model.config.id2label[answer] == "good"
    assert winner.report["rows_test"] == len(list(experiment.test_records(done)))


def test_nothing_changed(again: Path) -> None:
    lines: list[str] = []
    found = experiment.run(again, told=lines.append)
    assert (found["run"], found["continued"]) == (1, True)
    assert found["comparison"] == experiment.comparison(again, 1)
    assert len([line for line in lines if "unchanged" in line]) == 7
    assert [one["number"] for one in experiment.runs(again)] == [1]


def test_only_the_inference_changed(again: Path) -> None:
    set_keys(again, CONFIDENCE="0.9")
    assert experiment.run(again)["run"] == 2
    assert {key for key, reused in states(again, 2).items() if not reused} == {f"inference/{name}" for name in MODELS}
    assert experiment.differences(again, 1, 2) == [{"key": "inference.CONFIDENCE", "one": "0.95", "other": "0.9"}]


def test_only_one_function_changed(again: Path) -> None:
    file = again / FILE
    file.write_text(file.read_text().replace("return list(encoding.KEYS)", "return ['input_ids', 'attention_mask']"))
    experiment.run(again)
    assert [key.partition("/")[0] for key, reused in states(again, 2).items() if reused] == [
        "reconciliation", "preparation", "preparation",
    ]  # fmt: skip


def test_a_comment_is_no_change(again: Path) -> None:
    file = again / FILE
    file.write_text(file.read_text().replace("def load_model", "# a comment\ndef load_model"))
    assert experiment.run(again)["run"] == 1


def test_a_model_more(again: Path, models_root: Path) -> None:
    set_keys(again, MODEL_NAMES="tiny-one, tiny-two, tiny-two:1", RUN_INFERENCE="false")
    experiment.run(again)
    assert [key for key, reused in states(again, 2).items() if not reused] == ["training/tiny-two:1"]
    assert (again / "run_2" / "training" / "tiny-two-1" / "model").is_dir()
    one = experiment.record(again, 2, "training/tiny-two:1")["metrics"]["parameters"]
    assert one < experiment.record(again, 2, "training/tiny-two")["metrics"]["parameters"]


def test_the_data_changed(again: Path) -> None:
    before = dict(experiment.test_records(again))
    write_rows(again.parent / "EXP-2-words.csv", 140)
    set_keys(again, RUN_TRAINING="false", RUN_INFERENCE="false")
    experiment.run(again)
    assert [key for key, reused in states(again, 2).items() if reused] == ["preparation/tiny-two"]  # read as tiny-one
    after = dict(experiment.test_records(again))
    assert len(set(before) & set(after)) >= 0.8 * len(before)  # most of them stay where they were


def test_inference_alone_uses_the_last_training(again: Path) -> None:
    set_keys(again, RUN_RECONCILIATION="no", RUN_PREPARATION="no", RUN_TRAINING="no", CONFIDENCE="0.8")
    experiment.run(again)
    assert states(again, 2) == {f"inference/{name}": False for name in MODELS}
    assert experiment.comparison(again, 2)["winner"] == ""


def test_a_number_that_is_taken(again: Path) -> None:
    set_keys(again, RUN_NUM="1")
    with pytest.raises(SettingsInvalid, match="run 1 exists"):
        experiment.run(again)
    set_keys(again, RUN_NUM="5", CONFIDENCE="0.9", RUN_INFERENCE="false", RUN_TRAINING="false")
    assert experiment.run(again)["run"] == 5


def _take(folder: Path, answers: Any) -> None:
    settings = experiment.Settings.load(folder)
    answers.put([journal.take(conduct.store_of(settings), settings) for _ in range(20)])


def test_no_two_starts_share_a_number(folder: Path) -> None:
    answers = PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_take, args=(folder, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    numbers = [number for _ in workers for number in answers.get(timeout=30)]
    for worker in workers:
        worker.join()
    assert sorted(numbers) == list(range(1, 81))


KILLS = {
    "reconciliation, while it writes": ("experiment.reconciliation", "in_order", 1, True, "reconciliation"),
    "reconciliation, as it begins": ("experiment.records", "versions", 2, True, "reconciliation"),
    "preparation, in a batch": ("experiment.preparation", "encoded", 4, True, "preparation/tiny-one"),
    "training, after its second checkpoint": ("experiment.checkpoints", "keep", 2, False, "training/tiny-one"),
    "training, before its model is whole": ("experiment.models", "save", 2, True, "training/tiny-two"),
    "inference, before its statistics": ("experiment.judging", "_write_predictions", 1, True, "inference/tiny-one"),
}


@pytest.mark.parametrize("case", KILLS)
def test_a_killed_run_goes_on(folder: Path, done: Path, case: str) -> None:
    place, name, times, before, step = KILLS[case]
    run_and_die(folder, place, name, times, before)
    (state,) = experiment.runs(folder)
    assert state["state"] == "interrupted"
    assert next(one["key"] for one in state["steps"] if one["state"] != "done") == step
    finished = [one["key"] for one in state["steps"] if one["state"] == "done"]
    lines: list[str] = []
    found = experiment.run(folder, told=lines.append)
    assert (found["run"], found["continued"]) == (1, True)
    assert all(f"{key}: unchanged" in "\n".join(lines) for key in finished)
    if case.startswith("training, after"):
        assert any("goes on at step" in line for line in lines)
    # Killed or not, the same numbers come out.
    expected, rows = experiment.comparison(done), found["comparison"]["models"]
    for row, other in zip(rows, expected["models"], strict=True):
        assert row["validation"] == pytest.approx(other["validation"], abs=1e-6)
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-4)


def tune(folder: Path, search: str, axis: str, **keys: str) -> None:
    set_keys(folder, MODEL_NAMES="tiny-one", RUN_TRAINING="no", RUN_TUNING="yes", SEARCH=search, EPOCHS="1", **keys)
    file = folder / "settings.ini"
    file.write_text(file.read_text().replace("[inference]", f"[space]\n{axis}\n[inference]", 1))


@pytest.mark.parametrize(
    ("search", "axis"),
    [
        ("grid", "LEARNING_RATE = 1e-5, 3e-3"),
        ("random", "LEARNING_RATE = 1e-4 .. 1e-2 log\nBATCH_ROWS = 8, 16"),
        ("optuna", "LEARNING_RATE = 1e-4 .. 1e-2 log\nEPOCHS = 1 .. 2"),
    ],
)
def test_a_tuning_keeps_its_best_trial(folder: Path, search: str, axis: str) -> None:
    tune(folder, search, axis, TRIALS="2")
    experiment.run(folder)
    tried = [json.loads(line) for line in (folder / "run_1/tuning/tiny-one/trials.jsonl").open()]
    assert [trial["number"] for trial in tried] == [1, 2]
    record = experiment.record(folder, 1, "tuning/tiny-one")
    assert record["metrics"]["validation_f1_macro"] == max(trial["best"] for trial in tried)
    assert experiment.winner(folder).report["training_s"] == pytest.approx(
        sum(one["seconds"] for one in tried), abs=0.01
    )


def test_a_killed_tuning_goes_on_with_the_next_trial(folder: Path) -> None:
    tune(folder, "grid", "LEARNING_RATE = 3e-3, 1e-3, 1e-5")
    run_and_die(folder, "experiment.trials.Search", "add", 2, True)
    lines: list[str] = []
    experiment.run(folder, told=lines.append)
    assert not any(line.startswith("trial 1 of") for line in lines)
    assert any(line.startswith("trial 2 of 3") for line in lines) and any(
        line.startswith("trial 3 of") for line in lines
    )


def test_a_cancelled_run_goes_on(folder: Path) -> None:
    def told(line: str) -> None:
        if line.startswith("epoch 1"):
            assert experiment.cancel(folder) == 1

    with pytest.raises(Cancelled, match="run it again to go on"):
        experiment.run(folder, told=told, stop_asked=lambda: (folder / "run_1" / "cancel").exists())
    assert experiment.runs(folder)[0]["state"] == "cancelled"
    with pytest.raises(BadRequest, match="nothing to cancel"):
        experiment.cancel(folder)
    assert experiment.run(folder)["run"] == 1


def test_a_run_that_goes_on_is_left_alone(folder: Path) -> None:
    refused: list[str] = []

    def told(line: str) -> None:
        if line.startswith("epoch 1") and not refused:
            with pytest.raises(RunBusy):
                experiment.run(folder)
            refused.append(line)

    experiment.run(folder, told=told)
    assert refused


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return encoding.encode(batch, config)", "return 1 / 0", "encode_data raised ZeroDivisionError"),
        ("return encoding.encode(batch, config)", "return {'labels': [0]}", "lacks attention_mask"),
        ("return encoding.encode(batch, config)", "return None", "encode_data returned nothing"),
        ("return encoding.features(config)", "return {}", "let it return a datasets.Features"),
        ("return list(encoding.KEYS)", "return ['pixels']", "names pixels, which the encoded rows do not have"),
        ("return list(encoding.KEYS)", "return []", "gave no names"),
        ("return models.load(config, model_name, num_labels, id2label)", "return 'a model'", "let it return a torch.nn"),
        ("return models.load(config, model_name, num_labels, id2label)",
         "return models.load(config, model_name, 7, {n: str(n) for n in range(7)})", "must return logits, (2, 2)"),
        ("return sources.records(config)", "return ['a text']", "give each {"),
        ("return sources.records(config)", "return None", "reconcile returned nothing"),
        ("return sources.records(config)", "return []", "fewer than two records"),
    ],
)  # fmt: skip
def test_functions_are_tried_before_anything_is_launched(folder: Path, old: str, new: str, message: str) -> None:
    file = folder / FILE
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(SettingsInvalid) as refused:
        experiment.start(folder)
    assert message in str(refused.value)
    assert not (folder / "run_1").exists() and not (folder / "data").exists()


def test_an_error_in_a_function_names_its_line(folder: Path) -> None:
    file = folder / FILE
    file.write_text(file.read_text().replace("    return encoding.encode(batch, config)", "    return batch['body']"))
    line = file.read_text().splitlines().index("    return batch['body']") + 1
    with pytest.raises(SettingsInvalid, match=rf"KeyError: 'body' \(line {line}\)"):
        experiment.start(folder)


def test_a_step_that_fails_says_so_and_goes_on(folder: Path) -> None:
    file = folder / FILE
    text = file.read_text()
    broken = "    if config.run:\n        raise RuntimeError('no disk')\n    return models.load"
    file.write_text(text.replace("    return models.load", broken))
    with pytest.raises(FunctionWrong, match="no disk"):
        experiment.run(folder)
    (state,) = experiment.runs(folder)
    assert state["state"] == "failed" and "no disk" in state["error"]
    assert [one["state"] for one in state["steps"]][3] == "failed"
    file.write_text(text)
    experiment.run(folder)
    assert [key for key, reused in states(folder, 2).items() if reused] == [
        "reconciliation", "preparation/tiny-one", "preparation/tiny-two",
    ]  # fmt: skip


def test_records_that_are_all_alike(tmp_path: Path, models_root: Path) -> None:
    folder = make(tmp_path / "EXP-3", models_root, LABEL_COLUMN="text", TEXT_COLUMN="label")
    with pytest.raises(RecordsUnusable):
        experiment.run(folder)
