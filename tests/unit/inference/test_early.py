"""Answers before the pipeline is loaded: to the last digit the pipeline's, and whatever needs it waits for it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import inference
import tiny_models
from inference import pipeline, plaintext
from inference.backends import early, samples
from inference.backends.shelf import FOLDER, Shelf
from inference.errors import InputRefused, OptionUnknown

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")

PATIENCE_S = 60.0
TEXTS = (
    *tiny_models.LINES,
    "a",
    "  spaces   and\ttabs\nand lines\r\n",
    "SHOUTED, Éclairs à la crème, naïve Ångström",
    "[CLS] marks [SEP] of [MASK] the [PAD] tokenizer [UNK]",
    "一二三 Привет \U0001f600 \u200bnothing",
    "9" * 300,
    "a b " * 200,
)


@pytest.fixture(scope="module")
def converted(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose model was run with OpenVINO before, in fp32 and as the processor likes it; not to be changed."""
    folder = Path(shutil.copytree(model_root / "bert-classifier", tmp_path_factory.mktemp("early") / "champion"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "CALIBRATING", 16)
        patch.setattr(samples, "JUDGING", 32)
        patch.setattr("inference.backends.agreement.REQUIRED", {"openvino": 0.0})
        for dtype in ("float32", "bfloat16"):
            model = started(folder.parent, dtype=dtype)
            assert model._settling is not None
            model._settling.join(PATIENCE_S)
            assert model.backend == "openvino"
            pipeline._models.clear()
    return folder.parent


@pytest.fixture
def root(converted: Path, tmp_path: Path) -> Path:
    """A copy of that root, in which nothing was loaded yet."""
    return Path(shutil.copytree(converted, tmp_path / "root"))


@pytest.fixture(autouse=True)
def only_when_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No model is open, and no pipeline loads by itself."""
    monkeypatch.setattr(pipeline, "_models", type(pipeline._models)())
    monkeypatch.setattr(early, "ASKED_S", 3600.0)
    monkeypatch.setattr(early, "UNASKED_S", 3600.0)
    yield
    for model in pipeline._models.values():
        if model._early is not None and model._early._timer is not None:
            model._early._timer.cancel()


def started(root: Path, log: Callable[[str], None] = lambda _: None, **options: Any) -> pipeline.Model:
    chosen = {"backend": "openvino", "dtype": "float32", **options}
    return pipeline.open("champion", "text-classification", path=str(root), options=chosen, log=log)


def asked(model: pipeline.Model, text: Any, **options: Any) -> Any:
    return pipeline.run(model, {"inputs": text, **options})


def followed(model: pipeline.Model) -> None:
    """The pipeline is loaded, as it would be by the timer."""
    pipeline._follow(model, lambda _: None, lambda _: None)
    assert model._loaded is not None
    assert model._early is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_answers_are_the_pipelines_to_the_last_digit(root: Path, dtype: str) -> None:
    model = started(root, dtype=dtype)
    assert model.backend == "openvino"
    ready = model._early
    assert ready is not None
    answers = [ready.answer({"inputs": text}) for text in TEXTS]
    assert dtype != "float32" or None not in answers
    followed(model)
    for text, answer in zip(TEXTS, answers, strict=True):
        assert answer is None or answer == asked(model, text), text


@pytest.mark.parametrize(
    "fields",
    [
        {"inputs": [*tiny_models.LINES]},
        {"inputs": {"text": "one", "text_pair": "another"}},
        {"inputs": tiny_models.LINES[0], "top_k": None},
        {"inputs": tiny_models.LINES[0], "top_k": 1},
        {"inputs": tiny_models.LINES[0], "function_to_apply": "none"},
        {"inputs": "a b " * 400, "truncation": True},
        {"text": tiny_models.LINES[0]},
    ],
)
def test_whatever_else_is_asked_loads_the_pipeline(root: Path, fields: dict[str, Any]) -> None:
    model = started(root)
    found = pipeline.run(model, fields)
    assert model._loaded is not None
    assert model._early is None
    assert found == pipeline.run(model, fields)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"inputs": ""}, InputRefused),
        ({"inputs": "half a \ud800 letter"}, InputRefused),
        ({"inputs": 5}, InputRefused),
        ({}, InputRefused),
        ({"inputs": "a b " * 400}, InputRefused),
        ({"inputs": "text", "topk": 1}, OptionUnknown),
    ],
)
def test_errors_are_the_same(root: Path, fields: dict[str, Any], error: type[Exception]) -> None:
    model = started(root)
    with pytest.raises(error) as first:
        pipeline.run(model, fields)
    if model._early is not None:
        followed(model)
    with pytest.raises(error) as second:
        pipeline.run(model, fields)
    assert str(first.value) == str(second.value)


def test_a_close_decision_waits_for_the_pipeline(root: Path) -> None:
    shelf = Shelf(root / "champion", "text-classification", {})
    shelf.note_margin("openvino-float32", 1e9)
    model = started(root)
    assert model._early is not None
    assert model._early.answer({"inputs": TEXTS[0]}) is None
    found = asked(model, TEXTS[0])
    assert model._loaded is not None
    assert found == asked(model, TEXTS[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "champion" / "config.json").touch(),
        lambda root: [file.unlink() for file in (root / FOLDER).glob("*-early-*")],
        lambda root: [shutil.rmtree(folder) for folder in (root / FOLDER).glob("*-openvino")],
        lambda root: [file.unlink() for file in (root / FOLDER).glob("*-margin.json")],
        lambda root: [file.unlink() for file in (root / FOLDER).glob("*/tokenizer.json")],
        lambda root: [file.write_text("{}") for file in (root / FOLDER).glob("*/tokenizer.json")],
        lambda root: [file.write_text("<net") for file in (root / FOLDER).glob("*/model.xml")],
    ],
    ids=["model", "note", "conversion", "margin", "no tokenizer", "another tokenizer", "damaged"],
)
def test_what_does_not_hold_any_more_is_not_used(
    root: Path, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.choice, "settle", lambda *_: None)  # converts nothing anew
    change(root)
    model = started(root)
    assert model._early is None
    assert model._loaded is not None


@pytest.mark.parametrize("options", [{"top_k": 2}, {"backend": "torch"}, {"batch_size": 2}])
def test_an_item_that_was_not_started_so_before_has_the_pipeline(root: Path, options: dict[str, Any]) -> None:
    model = started(root, **options)
    assert model._loaded is not None
    assert model._early is None


def test_what_is_kept_is_written_once(root: Path) -> None:
    """And again once it is gone."""
    (note,) = [file for file in (root / FOLDER).glob("*early*") if "openvino-float32" in file.read_text()]
    before = note.stat().st_mtime_ns
    followed(started(root))
    assert note.stat().st_mtime_ns == before
    note.unlink()
    pipeline._models.clear()
    assert started(root)._early is None
    assert note.is_file()


def test_what_cannot_be_kept_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    lines: list[str] = []
    for note in (root / FOLDER).glob("*early*"):
        note.unlink()
    monkeypatch.setattr(Shelf, "note_early", full)
    assert started(root, lines.append).backend == "openvino"
    assert any(line.startswith("The next start answers no sooner") for line in lines)


def test_what_auto_has_picked_since_counts(root: Path) -> None:
    name = "openvino-float32"
    options = {"backend": "auto"}
    shelf = Shelf(root / "champion", "text-classification", options)
    (note,) = [json.loads(file.read_text()) for file in (root / FOLDER).glob("*early*") if name in file.read_text()]
    shelf.note_early(options, note)
    assert early.find(root, "champion", "text-classification", options) is None
    shelf.remember({"backend": "openvino"})
    assert early.find(root, "champion", "text-classification", options) is not None
    shelf.remember({"backend": "torch"})
    assert early.find(root, "champion", "text-classification", options) is None


def test_a_promotion_is_seen(root: Path) -> None:
    model = started(root)
    before = asked(model, TEXTS[0])
    (root / "champion").rename(root / "previous-champion")
    assert asked(model, TEXTS[0]) == before  # while it is away the copy in memory answers
    tiny_models.build("bert-classifier", root / "champion", seed=7)
    after = asked(model, TEXTS[0])
    assert model._loaded is not None
    assert after.output != before.output
    if model._settling is not None:
        model._settling.join(PATIENCE_S)


def test_the_pipeline_follows_the_first_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "ASKED_S", 0.05)
    lines: list[str] = []
    model = started(root, lines.append)
    time.sleep(0.2)
    assert model._loaded is None
    first = asked(model, TEXTS[0])
    deadline_s = time.monotonic() + PATIENCE_S
    while model._early is not None and time.monotonic() < deadline_s:
        assert asked(model, TEXTS[0]) == first
    assert model._loaded is not None
    assert asked(model, TEXTS[0]) == first
    assert lines[0] == "champion answers with openvino; its pipeline is loaded behind that."
    assert "Loaded champion for text-classification." in lines


def test_the_pipeline_is_loaded_once_for_all_who_wait(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = pipeline.load

    def counted(*arguments: Any) -> Any:
        loads.append("")
        time.sleep(0.1)
        return load(*arguments)

    monkeypatch.setattr(pipeline, "load", counted)
    model = started(root)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(asked(model, [TEXTS[0]]))) for _ in range(4)]
    threads.append(threading.Thread(target=followed, args=[model]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(loads) == 1
    assert found == [found[0]] * 4


def test_what_openvino_fails_at_is_the_pipelines(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("no kernel")

    model = started(root)
    assert model._early is not None
    monkeypatch.setattr(model._early._compiled, "infer", broken)
    assert asked(model, TEXTS[0]).output
    assert model._loaded is not None


def test_nobody_has_it_open_any_more_so_nothing_is_loaded(root: Path) -> None:
    model = started(root)
    pipeline.close(model)
    pipeline._follow(model, lambda _: None, lambda _: None)
    assert model._loaded is None
    again = started(root)
    assert again is model
    assert asked(again, TEXTS[0])
    followed(again)


def test_a_pipeline_that_cannot_be_loaded_is_told(root: Path) -> None:
    told: list[str] = []
    model = started(root)
    first = asked(model, TEXTS[0])
    weights = root / "champion" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    pipeline._follow(model, told.append, told.append)
    (line,) = told
    assert "answers plain texts alone, since its pipeline cannot be loaded" in line
    assert asked(model, TEXTS[0]) == first


@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_scores_are_those_of_transformers(function: str) -> None:
    import numpy as np
    from transformers.pipelines import text_classification

    logits = np.random.default_rng(3).normal(0, 4, (64, 5)).astype(np.float32)
    expected = getattr(text_classification, function)(logits)
    assert np.array_equal(plaintext.scored(logits, function), expected)


_FIRST = """
import json, sys, threading
from inference import pipeline
from inference.backends import early
early.ASKED_S = {asked_s}
options = {{"backend": "openvino", "dtype": "float32"}}
model = pipeline.open("champion", "text-classification", path={root!r}, options=options)
answer = pipeline.run(model, {{"inputs": "It was fine."}}).output
print(json.dumps([answer, [name for name in ("torch", "transformers") if name in sys.modules]]))
{then}
"""


def in_a_process(root: Path, then: str = "", asked_s: float = 3600.0) -> tuple[Any, subprocess.CompletedProcess[str]]:
    """What the first answer of a process is, with the heavy libraries that were loaded by then; and how it ended."""
    code = _FIRST.format(root=str(root), then=then, asked_s=asked_s)
    environment = {**os.environ, "PYTHONPATH": str(Path(inference.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[0]), done


def test_a_first_answer_loads_neither_torch_nor_transformers(root: Path) -> None:
    then = 'pipeline.run(model, {"inputs": ["It was fine."]})\nprint("torch" in sys.modules, model.backend)'
    (answer, heavy), done = in_a_process(root, then)
    assert heavy == []
    assert answer[0]["label"].startswith("LABEL_")
    assert done.stdout.splitlines()[1] == "True openvino"


@pytest.mark.parametrize("then", ["", "while 'transformers' not in sys.modules: pass"], ids=["waiting", "loading"])
def test_an_end_while_the_pipeline_is_loaded_is_a_clean_one(root: Path, then: str) -> None:
    _, done = in_a_process(root, then, asked_s=0.0 if then else 3600.0)
    assert done.stderr == ""
