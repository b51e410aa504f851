"""Experiments in a production: each step a message of one trace, a winner that is handed over, a run that is stopped."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from iop import Production

import bo
import bp
import msg
import tiny_models
from irislite.errors import RequestFailed
from irislite.testing import Running, running
from unit.experiment.folders import MODELS, QUICK, set_keys, write_models

PROJECT = Path(__file__).parents[3]
NAME, DEPLOYED = "EXP-1-reviews", "reviews"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    models = folder / "src" / "model"
    write_models(models)
    tiny_models.build("bert-classifier", models / DEPLOYED)
    config = models / DEPLOYED / "config.json"
    known = json.loads(config.read_text())
    known["id2label"] = {str(number): str(number + 1) for number in range(5)}
    known["label2id"] = {label: int(number) for number, label in known["id2label"].items()}
    config.write_text(json.dumps(known))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_ROOT", str(folder))
        patch.setenv("EVERGREEN_ENERGY_BOOK", str(folder / "book.db"))
        yield folder


@pytest.fixture(scope="module")
def production(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Production("Experiments.Production")
    made.process("Process", bp.ExperimentProcess, settings={"Experiments": "Steps"})
    made.operation("Steps", bo.ExperimentOperation, pool_size=2, settings={"%settings": f"candidate_of={DEPLOYED}"})
    made.operation(
        "Tuning", bo.TuningOperation, settings={"%settings": f"model_name={DEPLOYED}\nnum_labels=5"}
    )  # fmt: skip
    made.operation(
        "Model", bo.MLOperation, settings={"%settings": f"name={DEPLOYED}\ntask=text-classification\nbackend=torch"}
    )
    with running(made, home=tmp_path_factory.mktemp("home"), check=False) as started:
        rows = (PROJECT / "misc" / "reviews.csv").read_text().splitlines(keepends=True)[:240]
        (root / "rows.csv").write_text("".join(rows))
        started.tables.load_csv("iris.Review", root / "rows.csv", mode="append")
        yield started


def ask(production: Running, action: str = "start", **fields: Any) -> msg.MLResponse:
    answer = production.send("Process", msg.ExperimentRequest(experiment=NAME, action=action, **fields), timeout=120)
    assert isinstance(answer, msg.MLResponse)
    return answer


@pytest.fixture(scope="module")
def finished(production: Running, root: Path) -> msg.MLResponse:
    """The answer to a run, from nothing."""
    made = ask(production, "new", table="iris.Review", columns="ReviewLabel,ReviewText")
    folder = root / "src" / "experiments" / NAME
    assert made.output == {"folder": str(folder)}
    set_keys(folder, **QUICK | {"MODEL_NAMES": "nowhere"})
    assert "nowhere" in "\n".join(ask(production, "validate").output["problems"])
    with pytest.raises(RequestFailed, match="nowhere"):
        ask(production)
    assert ask(production, "status").output == {"runs": []}, "nothing was started"
    set_keys(folder, **QUICK)
    assert ask(production, "validate").output == {"problems": []}
    return ask(production)


def test_every_step_is_a_message_of_one_trace(production: Running, finished: msg.MLResponse) -> None:
    asked = [arrow for arrow in production.trace if isinstance(arrow.body, msg.ExperimentStep)]
    arrows = [arrow for arrow in asked if arrow.session == asked[-1].session]  # not those of the start that was refused
    steps = [arrow.body.step for arrow in arrows]
    trained = [f"{step}/{model}" for step in ("preparation", "training", "inference") for model in MODELS]
    assert steps[0] == "validation" and steps[-2:] == ["comparison", "candidate"]
    assert set(trained) < set(steps) and "reconciliation" in steps
    assert {arrow.status for arrow in arrows} == {"Completed"}
    assert finished.output["run"] == 1 and finished.output["comparison"]["winner"] in MODELS
    assert finished.output["steps"].keys() == set(steps[1:-2])
    assert finished.note.startswith(finished.output["comparison"]["sentence"])


def test_the_winner_is_a_candidate_that_leads_back_to_its_run(
    production: Running, finished: msg.MLResponse, root: Path
) -> None:
    winner = finished.output["comparison"]["winner"]
    handed = finished.output["candidate"]
    assert (handed["name"], handed["model"]) == (f"{NAME}-run_1-{winner}", DEPLOYED)
    report = json.loads((root / "src" / "model" / f"temp-{DEPLOYED}" / "report.json").read_text())
    assert (report["name"], report["experiment"], report["run"]) == (handed["name"], NAME, 1)
    assert report["candidate_id"] == handed["id"]
    statistics = finished.output["comparison"]["models"]
    own = next(one for one in statistics if one["model"] == winner)
    assert report["new_metrics"]["accuracy"] == pytest.approx(own["accuracy"])
    assert {"accuracy", "f1_macro"} <= report["old_metrics"].keys(), "the champion was asked about the same records"
    assert handed["name"] in (root / "src" / "model" / f"temp-{DEPLOYED}" / "README.md").read_text()


def test_it_is_promoted_by_the_known_message_and_answers(
    production: Running, finished: msg.MLResponse, root: Path
) -> None:
    handed = finished.output["candidate"]
    with pytest.raises(RequestFailed, match="not the expected"):
        production.send("Tuning", msg.OverrideRequest(expect="0123456789abcdef"))
    better = production.send(
        "Tuning", msg.OverrideRequest(metric="accuracy", min_improvement=-1.0, expect=handed["id"])
    )
    assert handed["name"] in better.output["history"]["new"]["trained"]
    question = msg.MLRequest()
    question.inputs = "It was very good."  # type: ignore[attr-defined]
    answer = production.send("Model", question, timeout=60)
    assert answer.output[0]["label"] in {"1", "2", "3", "4", "5"}
    config = json.loads((root / "src" / "model" / DEPLOYED / "config.json").read_text())
    assert set(config["id2label"].values()) == {"1", "2", "3", "4", "5"}


def test_a_run_that_is_asked_for_again_has_nothing_to_do(production: Running, finished: msg.MLResponse) -> None:
    again = ask(production)
    assert all(step.get("reused") for step in again.output["steps"].values())
    assert again.output["comparison"]["winner"] == finished.output["comparison"]["winner"]


def test_runs_are_told_of(production: Running, finished: msg.MLResponse) -> None:
    runs = ask(production, "status").output["runs"]
    assert (runs[0]["number"], runs[0]["state"]) == (1, "done")
    assert ask(production, "compare", run=1).output["winner"] == finished.output["comparison"]["winner"]
    other = next(model for model in MODELS if model != finished.output["comparison"]["winner"])
    handed = ask(production, "candidate", run=1, model=other).output
    assert handed["name"] == f"{NAME}-run_1-{other}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"action": "stop"}, "There is no action 'stop' here. Write new, validate"),
        ({"action": "status", "experiment": "../model"}, "cannot name an experiment"),
        ({"action": "status", "experiment": "EXP-2"}, "There is no experiment"),
        ({"action": "compare", "run": 7}, "7"),
        ({"action": "new", "experiment": "EXP-3", "table": "iris.Review"}, "needs a table and its columns"),
        ({"action": "candidate", "run": 1, "candidate_of": "../x"}, "no name of a model folder"),
        ({"action": "cancel"}, "(?i)nothing to cancel|not running|no run"),
    ],
    ids=["action", "path", "name", "run", "columns", "model", "idle"],
)
def test_what_makes_no_sense_is_refused(
    production: Running, finished: msg.MLResponse, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestFailed, match=words):
        production.send("Process", msg.ExperimentRequest(**{"experiment": NAME, **fields}), timeout=30)


def test_a_run_is_stopped_and_goes_on(production: Running, finished: msg.MLResponse, root: Path) -> None:
    folder = root / "src" / "experiments" / "EXP-2-stopped"
    shutil.copytree(folder.with_name(NAME), folder, ignore=shutil.ignore_patterns("run_*", "data"))
    set_keys(folder, EPOCHS="400", MODEL_NAMES=MODELS[0])
    answers: list[msg.MLResponse] = []

    def send(action: str) -> msg.MLResponse:
        return production.send("Process", msg.ExperimentRequest("EXP-2-stopped", action), timeout=120)

    worker = threading.Thread(target=lambda: answers.append(send("start")))
    worker.start()
    until_s = time.monotonic() + 60
    while not any(step["name"] == "training" and step["state"] == "running" for step in _steps(send)):
        assert time.monotonic() < until_s and worker.is_alive(), answers
        time.sleep(0.05)
    production.override("Steps", enabled=False)
    assert worker.is_alive(), "the message waits for the item"
    production.override("Steps", enabled=True)
    while send("status").output["runs"][0]["state"] != "running":
        assert time.monotonic() < until_s and worker.is_alive(), answers
        time.sleep(0.05)
    assert send("cancel").output == {"cancelling": 1}
    worker.join(60)
    assert answers[0].output["cancelled"] is True and "candidate" not in answers[0].output
    assert send("status").output["runs"][0]["state"] == "cancelled"
    assert [step["state"] for step in _steps(send) if step["name"] == "reconciliation"] == ["done"]


def _steps(send: Any) -> list[dict[str, Any]]:
    runs = send("status").output["runs"]
    return runs[0]["steps"] if runs else []
