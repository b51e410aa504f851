"""The requests of docs/promotion.md, in a production that runs on models of the real architecture."""

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from iop import Production

import bo
import msg
import tiny_models
from irislite.errors import RequestFailed
from irislite.testing import Running, running
from tuning import registry
from waiting import eventually

NAME = "bert"
TEXT = "This was a really bad experience"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classifiers that answer differently."""
    folder = tmp_path_factory.mktemp("built")
    for seed in (0, 1):
        tiny_models.build("bert-classifier", folder / str(seed), seed=seed)
    return folder


@pytest.fixture
def root(tmp_path: Path, built: Path) -> Path:
    """The models' folder: the first is the champion, the second the candidate."""
    root = tmp_path / "model"
    shutil.copytree(built / "0", root / NAME)
    report = {"verdict": "better", "old_metrics": {"accuracy": 0.5}, "new_metrics": {"accuracy": 0.6}}
    registry.save_candidate(root, NAME, lambda folder: _copy(built / "1", folder), report)
    return root


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)


@pytest.fixture
def production(root: Path, tmp_path: Path) -> Iterator[Running]:
    made = Production("Promotion.Production")
    answering = f"name={NAME}\npath={root}\ntask=text-classification\nbackend=torch\nenergy=false\nshadow_percent=50"
    made.operation("Labels", bo.MLOperation, settings={"%settings": answering}, pool_size=2)
    made.operation(
        "Tuning", bo.TuningOperation, settings={"%settings": f"path={root}\nmodel_name={NAME}\nnum_labels=5"}
    )
    with running(made, home=tmp_path / "home") as started:
        yield started


def ask(production: Running) -> tuple[str, float]:
    (best,) = production.send("Labels", _request()).output
    return best["label"], round(best["score"], 5)


def _request() -> Any:
    request = msg.MLRequest()
    request.inputs = TEXT  # type: ignore[attr-defined]
    return request


def test_items_take_the_new_model_without_losing_a_message(production: Running) -> None:
    old = ask(production)
    answers: list[tuple[str, float]] = []
    failures: list[Exception] = []
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            try:
                answers.append(ask(production))
            except RequestFailed as error:
                failures.append(error)

    asking = [threading.Thread(target=keep_asking) for _ in range(2)]
    for thread in asking:
        thread.start()
    answer = production.send("Tuning", msg.OverrideRequest())
    new = ask(production)
    assert new != old
    assert answer.note == f"{NAME} is now the model of the last training; the one before is kept as previous-{NAME}."
    assert answer.output["history"]["by"] == "EnsLib.Testing.Service"
    answer = production.send("Tuning", msg.RollbackRequest())
    assert answer.output["rolled_back"] == NAME
    assert ask(production) == old
    production.send("Tuning", msg.OverrideRequest(expect=answer.output["history"]["old"]["id"]))
    assert ask(production) == new
    over.set()
    for thread in asking:
        thread.join(60)
    assert failures == []
    assert len(answers) > 3
    assert set(answers) <= {old, new}
    told = [entry.text for entry in production.log if entry.config_name == "Labels"]
    assert sum("Another model is in" in line for line in told) == 3
    acts = production.send("Tuning", msg.HistoryRequest()).output
    assert [entry["act"] for entry in acts] == ["promotion", "rollback", "promotion"]


def test_the_user_of_a_test_page_is_in_the_history(production: Running) -> None:
    production.director.test("Tuning", "msg.OverrideRequest", "{}", user="SuperUser")
    (entry,) = production.send("Tuning", msg.HistoryRequest()).output
    assert entry["by"] == "EnsLib.Testing.Service (sent by SuperUser)"


@pytest.mark.parametrize("example", [msg.OverrideRequest.EXAMPLE, *msg.OverrideRequest.EXAMPLES.values()])
def test_the_examples_of_an_override(production: Running, root: Path, example: dict[str, Any]) -> None:
    if "metric" in example:
        example = {**example, "metric": "accuracy"}
    if "expect" in example:
        report = json.loads((root / f"temp-{NAME}" / "report.json").read_text())
        with pytest.raises(RequestFailed, match="another training has replaced it"):
            production.send("Tuning", msg.OverrideRequest(**example))
        example = {"expect": report["candidate_id"]}
    assert production.send("Tuning", msg.OverrideRequest(**example)).output["promoted"] == NAME


def test_what_a_training_reports_is_what_a_promotion_goes_by(production: Running, root: Path) -> None:
    production.tables.execute("CREATE TABLE iris.Review (ReviewLabel INTEGER, ReviewText VARCHAR(500))")
    for number in range(40):
        production.tables.execute("INSERT INTO iris.Review VALUES (?, ?)", [number % 5, f"{TEXT} {number}"])
    request = msg.TrainRequest(columns="ReviewLabel,ReviewText", table="iris.Review")
    request.max_steps = 2  # type: ignore[attr-defined]
    report = production.send("Tuning", request, timeout=120).output
    fields = {"expect": report["candidate_id"], "metric": "loss", "min_improvement": -100}
    entry = production.send("Tuning", msg.OverrideRequest(**fields)).output["history"]
    assert entry["new"]["id"] == report["candidate_id"]
    assert entry["old"]["id"] == report["base"]
    assert entry["new"]["trained"] == report["verdict"]
    assert entry["new"]["metrics"]["accuracy"] == report["new_metrics"]["accuracy"]
    assert entry["notes"] == []


def test_the_same_texts_to_both(production: Running) -> None:
    answer = production.send("Tuning", msg.CompareRequest(**msg.CompareRequest.EXAMPLE), timeout=60)
    output = answer.output
    assert output["texts"] == 2
    assert [row["text"] for row in output["rows"]] == msg.CompareRequest.EXAMPLE["texts"]
    first = output["rows"][0]
    assert (first["champion"]["label"], round(first["champion"]["score"], 3)) == (
        ask(production)[0],
        round(ask(production)[1], 3),
    )
    assert output["agreement"] == sum(row["agree"] for row in output["rows"]) / 2
    assert output["champion"]["id"] != output["candidate"]["id"]
    production.send("Tuning", msg.OverrideRequest())
    with pytest.raises(RequestFailed, match=r"no candidate .* to compare with, run a training first"):
        production.send("Tuning", msg.CompareRequest(texts=[TEXT]))


def test_rows_of_a_table_to_both(production: Running) -> None:
    production.tables.execute("CREATE TABLE iris.Review (ReviewLabel INTEGER, ReviewText VARCHAR(500))")
    for number in range(30):
        production.tables.execute("INSERT INTO iris.Review VALUES (?, ?)", [number % 5, f"{TEXT} {number}"])
    fields = {**msg.CompareRequest.EXAMPLES["rows of a table"], "limit": 10}
    output = production.send("Tuning", msg.CompareRequest(**fields), timeout=60).output
    assert output["texts"] == 10
    assert 0 <= output["champion"]["accuracy"] <= 1
    assert all(row["label"] in {"0", "1", "2", "3", "4"} for row in output["rows"])
    with pytest.raises(RequestFailed, match=r"Did you mean iris\.Review"):
        production.send("Tuning", msg.CompareRequest(table="iris.Reviews", columns="ReviewText"))


def test_a_share_of_the_live_requests_goes_to_the_candidate(production: Running, root: Path) -> None:
    with pytest.raises(RequestFailed, match="Set shadow_percent"):
        production.send("Tuning", msg.CompareRequest(shadow=True))
    for _ in range(20):
        ask(production)
    record = root / f"shadow-{NAME}.jsonl"
    eventually(lambda: record.exists() and len(record.read_text().splitlines()) >= 8)
    report = production.send("Tuning", msg.CompareRequest(shadow=True)).output
    assert 8 <= report["answers"] <= 10  # half of them, less those that are on their way
    assert report["errors"] == 0
    assert report["agreement"] in (0.0, 1.0)
    line = json.loads(record.read_text().splitlines()[0])
    assert TEXT not in record.read_text()
    assert production.trace_of(int(line["session"]))[0].body.inputs == TEXT
    production.send("Tuning", msg.OverrideRequest())  # there is no candidate any more, and nothing to be recorded
    for _ in range(10):
        ask(production)
    assert len(record.read_text().splitlines()) <= 10
