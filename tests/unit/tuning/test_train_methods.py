"""Other ways to train than every weight on whole texts: LoRA, the head alone, tags of words, numbers, several processes."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

import tuning
from unit.tuning.training import MODEL, run, two_stars


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def changed(root: Path) -> set[str]:
    old, new = weights(root / MODEL), weights(root / f"temp-{MODEL}")
    return {name for name in new if name not in old or not torch.equal(old[name], new[name])}


def test_lora_is_merged_so_that_the_model_needs_no_peft(reviews: Callable[..., Any], models: Path) -> None:
    pytest.importorskip("peft")
    report = run(reviews(two_stars(80)), models, method="lora", lora_rank="4", num_train_epochs=6)
    assert report["outcome"] == "better"
    assert report["method"] == "lora"
    candidate = models / f"temp-{MODEL}"
    assert not any("lora" in name for name in weights(candidate))
    assert not list(candidate.glob("adapter*"))
    assert "bert.embeddings.word_embeddings.weight" not in changed(models)
    assert "bert.encoder.layer.0.output.dense.weight" in changed(models)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(candidate)
    assert model.config.id2label == {0: "0", 1: "1"}


def test_lora_without_peft_says_what_to_install(
    reviews: Callable[..., Any], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(tuning.MethodMissing, match=r"pip install 'evergreen\[lora\]'"):
        run(reviews(two_stars(40)), models, method="lora")


def test_pooler_and_last_layer_can_have_a_learning_rate_of_their_own(reviews: Callable[..., Any], models: Path) -> None:
    asked: dict[str, Any] = {"learning_rate": 1e-9, "max_steps": 3}
    report = run(reviews(two_stars(80)), models, head_learning_rate="0.5", **asked)
    assert report["arguments"]["head_learning_rate"] == 0.5
    new, inner = weights(models / f"temp-{MODEL}"), "bert.encoder.layer.0.output.dense.weight"
    for name in ("bert.pooler.dense.weight", "classifier.weight"):  # the folder has neither: they began around 0.02
        assert float(new[name].abs().max()) > 0.1, name
    assert float((new[inner] - weights(models / MODEL)[inner]).abs().max()) < 1e-7


def test_a_new_head_learns_faster_unless_a_learning_rate_is_named(reviews: Callable[..., Any], models: Path) -> None:
    new = run(reviews(two_stars(80)), models, max_steps=1, learning_rate=None)
    assert new["arguments"]["head_learning_rate"] == pytest.approx(10 * new["arguments"]["learning_rate"])
    named = run(reviews(two_stars(80)), models, max_steps=1, learning_rate=1e-4)
    assert "head_learning_rate" not in named["arguments"]
    tuning.promote(models, MODEL)
    known = run(reviews(two_stars(80)), models, max_steps=1, learning_rate=None)
    assert "head_learning_rate" not in known["arguments"]


def test_the_head_alone_is_trained_on_features_computed_once(reviews: Callable[..., Any], models: Path) -> None:
    first = run(reviews(two_stars(80)), models, method="head")
    assert first["outcome"] == "better"
    assert changed(models) == {"classifier.weight", "classifier.bias"} | {
        name for name in weights(models / f"temp-{MODEL}") if name not in weights(models / MODEL)
    }
    computed = set((models / ".cache-tuning").iterdir())
    again = run(reviews(two_stars(80)), models, method="head", weight_decay=0.1)
    assert set((models / ".cache-tuning").iterdir()) == computed
    assert again["old_metrics"] == first["old_metrics"]
    tuning.promote(models, MODEL)
    full = run(reviews(two_stars(80)), models, max_steps=1, bf16=False)
    assert full["old_metrics"]["accuracy"] == again["new_metrics"]["accuracy"], "the saved model is what was measured"


def test_the_head_of_a_decoder_reads_its_last_token(
    reviews: Callable[..., Any], models: Path, tiny: Callable[[str], Path]
) -> None:
    shutil.copytree(tiny("gpt2"), models / "gpt2")
    fields = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "bf16": False}
    head = tuning.train(reviews(two_stars(40)), models, "gpt2", 2, {**fields, "method": "head"}, lambda _: None)
    tuning.promote(models, "gpt2")
    full = tuning.train(reviews(two_stars(40)), models, "gpt2", 2, {**fields, "max_steps": 1}, lambda _: None)
    assert full["old_metrics"]["accuracy"] == head["new_metrics"]["accuracy"]


def test_training_stops_when_nothing_gets_better(reviews: Callable[..., Any], models: Path) -> None:
    report = run(
        reviews(two_stars(40)),
        models,
        early_stopping_patience="2",
        num_train_epochs=40,
        learning_rate=1e-12,
        bf16=False,
    )
    assert report["steps"] < 40 * 5
    assert report["arguments"]["eval_strategy"] == "epoch"
    assert any("chose the best model" in note for note in report["notes"])


def test_two_processes_train_as_one(reviews: Callable[..., Any], models: Path) -> None:
    lines: list[str] = []
    one = run(reviews(two_stars(40)), models, bf16=False, learning_rate=1e-3, eval_strategy="epoch")
    borne_s: list[float] = []
    two = run(
        reviews(two_stars(40)), models, log=lines.append, bear=borne_s.append, processes=2, bf16=False,
        learning_rate=1e-3, eval_strategy="epoch",
    )  # fmt: skip
    assert borne_s[0] > 1, "two processes have loaded torch at least"
    assert two["steps"] == one["steps"]
    assert one["arguments"]["per_device_train_batch_size"] == 2 * two["arguments"]["per_device_train_batch_size"]
    assert sum("in 2 processes" in line for line in lines) == 1, "only the first one speaks"
    assert sum(line.startswith("evaluation at") for line in lines) == 3
    assert two["old_metrics"] == one["old_metrics"]
    assert abs(two["new_metrics"]["loss"] - one["new_metrics"]["loss"]) < 0.2
    assert not list(models.glob(".training-*/job-*"))


def test_a_process_that_dies_is_an_error_with_its_last_words(
    reviews: Callable[..., Any], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.launch._SECRETS", "PYTHONHOME")  # a Python that cannot start
    with pytest.raises(tuning.TrainingFailed, match="Their last words"):
        run(reviews(two_stars(40)), models, processes=2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"method": "magic"}, "Choose one of full, lora, head"),
        ({"task": "translation"}, "Choose one of text-classification"),
        ({"early_stopping_patience": 0}, "whole number from 1"),
        ({"lora_rank": 8}, "Set method to lora"),
        ({"method": "lora", "head_learning_rate": 1e-3}, "Set method to full"),
        ({"head_learning_rate": 0}, "Give a number above 0"),
        ({"method": "head", "processes": 2}, "Leave processes out"),
        ({"resume": "perhaps"}, "true or false"),
    ],
)
def test_options_that_cannot_be(
    reviews: Callable[..., Any], models: Path, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(tuning.BadRequest, match=words):
        run(reviews(two_stars(40)), models, **fields)


def test_the_libraries_are_loaded_beside_the_work() -> None:
    code = (
        "import sys, time, tuning\n"
        "tuning.warming._AFTER_S = 0.5\n"
        "timer = tuning.warm(); assert tuning.warm() is timer\n"
        "assert 'torch' not in sys.modules\n"
        "timer.join(); assert 'tuning.trainer' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=120)
    subprocess.run(
        [sys.executable, "-c", "import tuning; tuning.warming._AFTER_S = 600; tuning.warm()"],
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        timeout=120,  # nobody waits for it to end
    )


def tagged(rows: int) -> list[tuple[object, object]]:
    """Sentences with a person in them, tagged word by word."""
    return [("O O B-PER O", f"we met {('George', 'Anna')[number % 2]} today") for number in range(rows)]


@pytest.mark.parametrize("method", ["full", "head", "lora"])
def test_words_are_tagged(reviews: Callable[..., Any], models: Path, method: str) -> None:
    report = run(reviews(tagged(60)), models, task="token-classification", method=method, num_train_epochs=4)
    assert report["task"] == "token-classification"
    assert report["labels"] == ["O", "B-PER"] or set(report["labels"]) == {"O", "B-PER"}
    assert report["new_metrics"]["accuracy"] >= 0.75
    tagger = transformers.AutoModelForTokenClassification.from_pretrained(models / f"temp-{MODEL}")
    assert set(tagger.config.id2label.values()) == {"O", "B-PER"}


@pytest.mark.parametrize("method", ["full", "head"])
def test_numbers_are_learned(reviews: Callable[..., Any], models: Path, method: str) -> None:
    rows = [(2.5 if "good" in str(text) else -1.5, text) for _, text in two_stars(80)]
    report = run(
        reviews(rows), models, task="regression", method=method, num_train_epochs=20, eval_strategy="epoch", bf16=False
    )
    assert report["outcome"] == "better"
    assert report["new_metrics"]["mae"] < report["old_metrics"]["mae"]
    model = transformers.AutoModelForSequenceClassification.from_pretrained(models / f"temp-{MODEL}")
    assert model.config.problem_type == "regression"
    assert model.config.num_labels == 1
