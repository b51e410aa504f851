"""Old names are translated or explained, text becomes values, and what no training takes is refused."""

import dataclasses

import pytest
import transformers

from tuning import BadRequest, arguments

KNOWN = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}


def test_every_argument_passes_with_its_default() -> None:
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(transformers.TrainingArguments)
        if field.default not in (dataclasses.MISSING, None, "none") and field.name != "output_dir"
    }
    translated, notes = arguments.translate(defaults)
    assert notes == []
    assert {name: str(value) for name, value in translated.items()} == {
        name: str(value) for name, value in defaults.items()
    }
    as_text = {name: str(getattr(value, "value", value)) for name, value in defaults.items()}
    again, _ = arguments.translate(as_text)
    for name, value in again.items():
        assert getattr(value, "value", value) == getattr(defaults[name], "value", defaults[name]), name


def test_every_new_name_exists_and_every_old_one_is_gone() -> None:
    new = {*arguments.RENAMED.values(), *(name for name, _ in arguments.RESHAPED.values()), *arguments.REFUSED}
    old = {*arguments.RENAMED, *arguments.RESHAPED, *arguments.GONE}
    assert new <= KNOWN
    assert not old & KNOWN


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"evaluation_strategy": "steps"}, {"eval_strategy": "steps"}),
        ({"per_gpu_train_batch_size": "4"}, {"per_device_train_batch_size": 4}),
        ({"no_cuda": "true"}, {"use_cpu": True}),
        ({"warmup_ratio": 0.1}, {"warmup_steps": 0.1}),
        ({"group_by_length": True}, {"train_sampling_strategy": "group_by_length"}),
        ({"group_by_length": "false"}, {"train_sampling_strategy": "random"}),
        ({"adafactor": "True"}, {"optim": "adafactor"}),
        ({"include_inputs_for_metrics": 1}, {"include_for_metrics": ["inputs"]}),
        ({"split_batches": True}, {"accelerator_config": {"split_batches": True}}),
    ],
)
def test_old_names_are_translated(given: dict[str, object], expected: dict[str, object]) -> None:
    translated, notes = arguments.translate(given)
    assert translated == expected
    assert len(notes) == 1
    assert next(iter(given)) in notes[0]


@pytest.mark.parametrize("name", sorted(arguments.GONE))
def test_names_that_are_gone_are_explained_and_left_out(name: str) -> None:
    translated, (note,) = arguments.translate({name: True})
    assert translated == {}
    assert note.startswith(f"{name} is gone")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("learning_rate", "1e-4", 1e-4),
        ("num_train_epochs", "2", 2),
        ("max_steps", 10.0, 10),
        ("bf16", "false", False),
        ("bf16", 1, True),
        ("run_name", "5", "5"),
        ("run_name", 5, "5"),
        ("report_to", '["wandb"]', ["wandb"]),
        ("lr_scheduler_type", "cosine", "cosine"),
        ("lr_scheduler_kwargs", '{"num_cycles": 2}', {"num_cycles": 2}),
        ("eval_steps", "0.1", 0.1),
    ],
)
def test_text_becomes_the_value_it_means(name: str, text: object, value: object) -> None:
    translated, _ = arguments.translate({name: text})
    assert translated == {name: value}
    assert type(translated[name]) is type(value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learning_rat": 1}, "Did you mean learning_rate"),
        ({"colums": "a,b"}, "Did you mean columns"),
        ({"xyzzy": 1}, "no training takes"),
        ({"learning_rate": "fast"}, "Give a number"),
        ({"learning_rate": -1}, "above 0"),
        ({"learning_rate": float("nan")}, "Give a number"),
        ({"learning_rate": True}, "Give a number"),
        ({"num_train_epochs": 0}, "above 0"),
        ({"per_device_train_batch_size": 0}, "at least 1"),
        ({"per_device_train_batch_size": 2.5}, "Give a whole number"),
        ({"max_steps": 0}, "at least 1, or -1"),
        ({"warmup_ratio": -0.1}, "0 or more"),
        ({"label_smoothing_factor": 1}, "below 1"),
        ({"evaluation_strategy": "sometimes"}, "Choose one of no, steps, epoch"),
        ({"train_sampling_strategy": "longest"}, "Choose one of random"),
        ({"bf16": "perhaps"}, "Give true or false"),
        ({"parallelism_config": "{}"}, "leave it out"),
        ({"enable_jit_checkpoint": True}, "signal handler"),
        ({"do_predict": True}, "none besides"),
        ({"prediction_loss_only": "true"}, "need the predictions"),
        ({"eval_strategy": "no", "evaluation_strategy": "steps"}, "given twice"),
    ],
)
def test_what_cannot_be_used_is_refused_with_advice(given: dict[str, object], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        arguments.translate(given, own_names=("columns", "table"))


def test_a_value_of_null_counts_as_absent() -> None:
    assert arguments.translate({"seed": None, "eval_steps": "null"}) == ({}, [])
