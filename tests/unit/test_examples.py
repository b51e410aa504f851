"""What the test page offers to start from fits the task of the item."""

import pytest

import bo
import msg


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ("text-generation", "text_inputs"), ("fill-mask", "inputs"), ("ner", "inputs"), ("text-classification", "inputs"),
        ("object-detection", "url"), ("image-segmentation", "url"), ("", "inputs"),
    ],
)  # fmt: skip
def test_the_example_fits_the_task(task: str, field: str) -> None:
    example = bo.MLOperation.examples({"task": task})[msg.MLRequest]
    assert field in example and ("[MASK]" in str(example)) == (task == "fill-mask")
