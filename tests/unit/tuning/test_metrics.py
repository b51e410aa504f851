"""The figures are those of a calculation by hand."""

import json
import math

import numpy as np
import pytest

from tuning import metrics


def logits(*predicted: int, labels: int = 3) -> np.ndarray:
    return np.eye(labels, dtype=np.float32)[list(predicted)] * 2


def test_figures_by_hand() -> None:
    measured = metrics.measure([0, 0, 1, 1], logits(0, 1, 1, 1), ["bad", "good", "never"])
    assert measured["accuracy"] == 0.75
    assert measured["per_class"]["bad"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "rows": 2}
    assert measured["per_class"]["never"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 0}
    assert measured["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 3)
    assert measured["f1_weighted"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert measured["confusion_matrix"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    right, wrong = math.log(math.e**2 + 2) - 2, math.log(math.e**2 + 2)
    assert measured["loss"] == pytest.approx((3 * right + wrong) / 4)
    json.dumps(measured, allow_nan=False)


def test_a_difference_must_be_more_than_chance() -> None:
    truth = [0] * 20
    wrong, right = logits(*[1] * 20), logits(*[0] * 20)
    assert metrics.verdict(truth, wrong, right)[0] == "better"
    assert metrics.verdict(truth, right, wrong)[0] == "worse"
    assert metrics.verdict(truth, right, right)[0] == "not distinguishable"
    assert metrics.verdict(truth[:4], wrong[:4], right[:4])[0] == "not distinguishable"  # four coins agree in 1 of 8
    outcome, sentence = metrics.verdict(truth, logits(*[1] * 10, *[0] * 10), right)
    assert outcome == "better"
    assert (
        sentence
        == "The new model is better by 0.500 accuracy: accuracy 0.500 before and 1.000 after, on 20 held-out rows."
    )


def test_many_rows_do_not_overflow() -> None:
    truth = [0] * 5_000
    assert metrics.verdict(truth, logits(*[1] * 5_000), logits(*[0] * 2_500, *[1] * 2_500))[0] == "better"
