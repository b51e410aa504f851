"""What a fast backend is in doubt about is asked of fp32: which rows, and nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from inference.backends import doubt


class Scores:
    """A model whose logits are a table's rows, by the first number of each input; notes what it is asked."""

    config, dtype, device = SimpleNamespace(num_labels=3, problem_type=None), torch.float32, torch.device("cpu")

    def __init__(self, *table: list[float], dtype: torch.dtype = torch.float32) -> None:
        self._table = torch.tensor(table, dtype=dtype)
        self.asked: list[list[list[int]]] = []

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        self.asked.append(inputs["input_ids"].tolist())
        return {"logits": self._table[inputs["input_ids"][:, 0]]}

    forward = __call__


def batch(*rows: list[int]) -> dict[str, torch.Tensor]:
    ids = torch.tensor(rows)
    return {"input_ids": ids, "attention_mask": (ids >= 0).long()}


EXACT = ([3.0, 1.0, 0.0], [1.0, 1.05, 0.0], [0.0, 0.9, 1.0])
FAST = ([3.1, 1.0, 0.0], [1.06, 1.02, 0.0], [0.0, 0.96, 0.95])


def test_rows_in_doubt_have_the_logits_of_fp32_and_the_others_their_own() -> None:
    exact, fast = Scores(*EXACT), Scores(*FAST, dtype=torch.bfloat16)
    found = doubt.Assured(fast, exact, 0.2)(**batch([0, 7, 7, -1], [1, 7, -1, -1], [2, -1, -1, -1]))["logits"]
    assert found.dtype == torch.float32
    assert found.argmax(-1).tolist() == [0, 1, 2]
    assert found[1:].tolist() == torch.tensor(EXACT[1:]).tolist()
    assert found[0].tolist() == pytest.approx(FAST[0], abs=0.01)
    assert exact.asked == [[[1, 7], [2, -1]]], "without the padding that only the first row needed"


def test_nothing_is_asked_where_nothing_is_in_doubt() -> None:
    exact = Scores(*EXACT)
    doubt.Assured(Scores(*FAST), exact, 0.2)(**batch([0]))
    assert exact.asked == []


def test_rows_that_begin_with_padding_are_left_whole() -> None:
    exact = Scores(*EXACT)
    inputs = {"input_ids": torch.tensor([[1, 0, 0]]), "attention_mask": torch.tensor([[0, 0, 1]])}
    doubt.Assured(Scores(*FAST), exact, 0.2)(**inputs)
    assert exact.asked == [[[1, 0, 0]]]


def test_the_margin_is_beyond_the_largest_change_of_a_lead() -> None:
    """In the rows: 2.0 becomes 2.1, -0.05 becomes 0.04, -0.1 becomes 0.01; each by the labels that lead now."""
    found = doubt.margin(Scores(*EXACT), Scores(*FAST), [batch([0], [1]), batch([2])])
    assert found == pytest.approx(1.5 * 0.11)


def test_where_not_all_labels_must_be_equal_the_largest_changes_do_not_count() -> None:
    found = doubt.margin(Scores(*EXACT), Scores(*FAST), [batch([0], [1]), batch([2])], all_but=0.5)
    assert found == pytest.approx(0.1)


def test_equal_but_for_rounding_needs_no_doubt() -> None:
    nearly = [[number + 1e-6 for number in row] for row in EXACT]
    assert doubt.margin(Scores(*EXACT), Scores(*nearly), [batch([0], [1], [2])]) == 0.0


def test_a_backend_that_gives_no_numbers_is_always_in_doubt() -> None:
    broken = Scores([float("nan")] * 3, EXACT[1], EXACT[2])
    assert doubt.margin(Scores(*EXACT), broken, [batch([0], [1])]) == float("inf")


@pytest.mark.parametrize(
    ("task", "labels", "problem", "expected"),
    [
        ("text-classification", 5, None, True),
        ("text-classification", 2, "single_label_classification", True),
        ("image-classification", 1000, None, True),
        ("text-classification", 5, "multi_label_classification", False),
        ("text-classification", 1, None, False),
        ("token-classification", 9, None, False),
        ("feature-extraction", 2, None, False),
    ],
)
def test_where_it_can_be_told(task: str, labels: int, problem: str | None, expected: bool) -> None:
    assert doubt.settles(SimpleNamespace(num_labels=labels, problem_type=problem), task) is expected
