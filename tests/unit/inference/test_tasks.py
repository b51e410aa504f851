"""The names of tasks and options are those of the installed transformers."""

import pytest
from transformers import pipelines

from inference import tasks
from inference.errors import OptionUnknown

EVERY_TASK = pipelines.PIPELINE_REGISTRY.get_supported_tasks()


@pytest.mark.parametrize("name", EVERY_TASK)
def test_every_task_of_transformers_is_known(name: str) -> None:
    task = tasks.lookup(name)
    assert task.kind in ("text", "image", "audio", "video", "table", "free")
    assert task.input_names[0] == "inputs"
    assert {"dtype", "device", "revision", "batch_size", "model_kwargs"} <= task.load_options
    assert not {"self", "task", "model", "kwargs", "args", "pipeline_class"} & (task.load_options | task.call_options)
    assert "num_workers" not in task.call_options


@pytest.mark.parametrize(
    ("name", "at_load", "at_call", "never"),
    [
        ("text-generation", {"temperature", "return_full_text"}, {"max_new_tokens", "stop_sequence"}, {"threshold"}),
        ("ner", {"aggregation_strategy", "stride"}, {"ignore_labels"}, {"max_length", "top_k"}),
        ("fill-mask", {"top_k"}, {"targets"}, {"truncation"}),
        ("text-classification", {"top_k", "truncation"}, {"function_to_apply", "padding"}, {"temperature"}),
        ("zero-shot-classification", {"hypothesis_template"}, {"candidate_labels", "multi_label"}, {"top_k"}),
        ("object-detection", {"threshold"}, {"threshold", "timeout"}, {"mask_threshold"}),
        ("image-segmentation", {"subtask"}, {"mask_threshold", "overlap_mask_area_threshold"}, {"top_k"}),
        ("zero-shot-object-detection", {"threshold"}, {"candidate_labels"}, {"subtask"}),
        ("automatic-speech-recognition", {"chunk_length_s"}, {"return_timestamps", "num_beams"}, {"top_label"}),
        ("document-question-answering", {"max_answer_len"}, {"question", "word_boxes"}, {"threshold"}),
        ("image-text-to-text", {"max_new_tokens", "temperature"}, {"text", "generate_kwargs"}, {"temperatur"}),
    ],
)
def test_what_a_task_takes(name: str, at_load: set[str], at_call: set[str], never: set[str]) -> None:
    task = tasks.lookup(name)
    assert at_load <= task.load_options
    assert at_call <= task.call_options
    assert not never & (task.load_options | task.call_options)


def test_an_alias_is_its_task() -> None:
    assert tasks.lookup("ner").name == "token-classification"
    assert tasks.lookup("sentiment-analysis").name == "text-classification"


def test_the_first_wrong_name_is_told() -> None:
    with pytest.raises(OptionUnknown, match=r"'tresholds'.*Did you mean threshold"):
        tasks.check_load(tasks.lookup("object-detection"), ["threshold", "tresholds"])
