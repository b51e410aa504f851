"""What must be the same on irislite and on InterSystems IRIS.

    IOP_URL=http://localhost:52795 make test    (and IOP_USERNAME, IOP_PASSWORD, IOP_NAMESPACE where they are others)

runs these tests on IRIS as well; docs/iris.md has what else only IRIS can prove.
"""

import json
import re
from typing import Any

import pytest

from acceptance.engines import Engine
from known_production import KNOWN, lines

QUESTION = {"inputs": "This was a really bad experience"}
TRAINING = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 40, "num_train_epochs": 1}


def answered(engine: Engine, target: str, classname: str, body: Any) -> dict[str, Any]:
    result = engine.test(target, classname, body)
    assert result["classname"] == "msg.MLResponse"
    return json.loads(result["body"])


def test_the_production_is_the_default_and_runs(engine: Engine) -> None:
    assert json.loads(engine.iop("--status")) == {"production": "iris.Production", "status": "running"}
    assert json.loads(engine.iop("--list"))["iris.Production"]["Status"] == "Running"
    assert engine.iop("--default").strip() == "iris.Production"


def test_the_items_are_those_that_users_know(engine: Engine) -> None:
    exported = json.loads(engine.iop("--export"))
    items = {item["@Name"]: item for item in exported["iris.Production"]["Item"]}
    assert [name for name in items if name in KNOWN] == list(KNOWN)
    for name, (classname, settings) in KNOWN.items():
        assert items[name]["@ClassName"] == classname
        rows = items[name].get("Setting", [])
        rows = rows if isinstance(rows, list) else [rows]
        text = next((row.get("#text", "") for row in rows if row["@Name"] == "%settings"), "")
        if not name.startswith("Python."):  # these are edited by other tests, and by users
            assert lines(text) == settings


def test_queues_and_log_are_there(engine: Engine) -> None:
    queues = {row["item"]: row for row in json.loads(engine.iop("--queue"))["items"]}
    assert queues["Python.MLOperation"]["count"] == 0
    assert queues["Python.MLOperation"]["exists"]
    assert "iris.Production" in engine.iop("--log", "300")


def test_the_model_answers(engine: Engine) -> None:
    answer = answered(engine, "Python.MLOperation", "msg.MLRequest", QUESTION)
    assert {"label", "score"} <= answer["output"][0].keys()
    assert answer["energy"]["joules"] is None or answer["energy"]["joules"] >= 0
    text = engine.iop("--test", "Python.MLOperation", "-C", "msg.MLRequest", "-B", json.dumps(QUESTION))
    assert "msg.MLResponse" in text
    assert "label" in text


def test_a_training_compares_and_a_promotion_takes_it_over(engine: Engine) -> None:
    report = answered(engine, "Python.TuningOperation", "msg.TrainRequest", TRAINING)["output"]
    assert report["rows"]["train"] == 32
    assert {"accuracy", "f1_macro", "loss", "confusion_matrix"} <= report["new_metrics"].keys()
    assert report["old_metrics"].keys() >= {"accuracy"}
    entries = engine.call("GET", "/api/iop/log", params={"top": 200, "namespace": "IRISAPP"}).json()
    assert any("step" in entry["text"] and "loss" in entry["text"] for entry in entries)
    if engine.models:
        assert (engine.models / "temp-all-MiniLM-L6-v2/model.safetensors").is_file()
    promoted = answered(engine, "Python.TuningOperation", "msg.OverrideRequest", {})
    assert promoted["output"]["promoted"] == "all-MiniLM-L6-v2"
    if engine.models:
        assert (engine.models / "previous-all-MiniLM-L6-v2").is_dir()
    answer = answered(engine, "Python.MLOperation", "msg.MLRequest", QUESTION)
    assert answer["output"][0]["label"] in {"1", "2", "3", "4", "5"}
    assert answer["note"] == ""
    words = engine.refusal("Python.TuningOperation", "msg.OverrideRequest", {})
    assert "No temporary model detected, run a training first." in words
    back = answered(engine, "Python.TuningOperation", "msg.RollbackRequest", {})
    assert back["output"]["rolled_back"] == "all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("target", "classname", "body", "words"),
    [
        ("Python.MLOperation", "msg.MLReqest", "{}", "MLReqest"),
        ("Python.MLOperation", "msg.MLRequest", '{"inputs": ""}', "empty"),
        ("Python.MLOperation", "msg.MLRequest", "{}", "inputs"),
        ("Python.TuningOperation", "msg.TrainRequest", {**TRAINING, "table": "iris.Reviews"}, "iris.Review"),
        ("Python.TuningOperation", "msg.TrainRequest", {**TRAINING, "learnin_rate": 1}, "learning_rate"),
        (
            "Python.TuningOperation",
            "msg.TrainRequest",
            {**TRAINING, "output_dir": "/etc"},
            "outside the allowed folders",
        ),
    ],
)
def test_a_bad_request_says_what_to_do(engine: Engine, target: str, classname: str, body: Any, words: str) -> None:
    assert re.search(words, engine.refusal(target, classname, body))
