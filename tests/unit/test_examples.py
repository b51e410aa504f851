"""What the test page offers to start from fits the task of the item."""

from pathlib import Path

import pytest

import bo
import msg
from inference import newitem
from inference.errors import InferenceError


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ("text-generation", "text_inputs"), ("fill-mask", "inputs"), ("ner", "inputs"), ("text-classification", "inputs"),
        ("object-detection", "url"), ("image-segmentation", "url"), ("", "inputs"),
    ],
)  # fmt: skip
def test_the_first_example_fits_the_task(task: str, field: str) -> None:
    label, example = bo.MLOperation.examples({"task": task})[msg.MLRequest][0]
    assert label and field in example and ("[MASK]" in str(example)) == (task == "fill-mask")


def test_every_task_has_a_new_item_and_an_example_of_its_own() -> None:
    from transformers import pipelines

    tasks = set(pipelines.PIPELINE_REGISTRY.get_supported_tasks())
    aliases = set(pipelines.TASK_ALIASES)
    assert set(newitem.TASKS) | {"text-to-speech"} == tasks - aliases | {"decision", "text-to-speech"}
    chats = {"decision", "document-question-answering", "image-text-to-text", "any-to-any"}  # docs/tasks.md has these
    for task in set(newitem.TASKS) - chats:
        assert bo.MLOperation.examples({"task": task})[msg.MLRequest][0][1] != {}, task


def test_what_people_type_is_here() -> None:
    """The requests of the documents, as they stand."""
    bodies = [body for _, _, body in msg.MLRequest.EXAMPLES]
    for asked in (
        {"text_inputs": "Unfortunately, the outcome", "max_length": 100, "num_return_sequences": 3},
        {"text_inputs": "George Washington lived", "max_length": 30, "num_return_sequences": 3},
        {"inputs": "George Washington lived in washington"},
        {"inputs": "George Washington lived in [MASK]."},
        {"inputs": "This was a really bad experience"},
        {"url": "http://images.cocodataset.org/val2017/000000039769.jpg"},
        {"url": "/irisdev/app/misc/000000039769.jpg"},
    ):
        assert asked in bodies


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("tiny", {"name": "tiny", "task": "ner"}),
        ("https://huggingface.co/gpt2", {"name": "gpt2", "model_url": "https://huggingface.co/gpt2", "task": "ner"}),
        ("Jean-Baptiste/camembert-ner", {"name": "camembert-ner", "task": "ner",
                                         "model_url": "https://huggingface.co/Jean-Baptiste/camembert-ner"}),
        ("https://huggingface.co/a/b/tree/v2", {"name": "b", "model_url": "https://huggingface.co/a/b",
                                                "revision": "v2", "task": "ner"}),
        ("http://models.example/bert/", {"name": "bert", "model_url": "http://models.example/bert/", "task": "ner"}),
    ],
)  # fmt: skip
def test_a_new_model_in_the_words_of_people(tmp_path: Path, model: str, expected: dict[str, str]) -> None:
    (tmp_path / "tiny").mkdir()
    assert newitem.settings(model, "ner", tmp_path) == expected


@pytest.mark.parametrize(
    ("model", "task", "words"),
    [("gpt2", "ner", "paste the model's address"), ("../secret", "ner", "Give model_url"), ("tiny", "a\nb=c", "no task"),
     (".hidden", "ner", "plain name")],
)  # fmt: skip
def test_a_new_model_that_cannot_be_is_refused(tmp_path: Path, model: str, task: str, words: str) -> None:
    (tmp_path / "tiny").mkdir()
    with pytest.raises(InferenceError, match=words):
        newitem.settings(model, task, tmp_path)
