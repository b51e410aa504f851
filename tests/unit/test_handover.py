"""How a champion is judged on the records of an experiment."""

import pytest

import handover


def test_metrics_are_those_of_the_textbook() -> None:
    true = ["a", "a", "a", "b", "b", "c"]
    found = handover.metrics_of(["a", "b", "c"], true, ["a", "a", "b", "b", "x", None])
    assert found["accuracy"] == pytest.approx(3 / 6)
    assert found["confusion_matrix"] == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    of_a, of_b = 2 * 2 / (3 + 2), 2 * 1 / (2 + 2)
    assert found["f1_macro"] == pytest.approx((of_a + of_b + 0) / 3)
    assert found["f1_weighted"] == pytest.approx((3 * of_a + 2 * of_b) / 6)
