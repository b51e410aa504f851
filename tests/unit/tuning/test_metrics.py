"""The figures are those of a calculation by hand."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from tuning import metrics


def verdict(truth: list[int], old: np.ndarray, new: np.ndarray) -> tuple[str, str]:
    compared = metrics.compare(truth, old, new)
    return compared.outcome, compared.verdict


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
    assert verdict(truth, wrong, right)[0] == "better"
    assert verdict(truth, right, wrong)[0] == "worse"
    assert verdict(truth, right, right)[0] == "not distinguishable"
    assert verdict(truth[:4], wrong[:4], right[:4])[0] == "not distinguishable"  # four coins agree in 1 of 8
    outcome, sentence = verdict(truth, logits(*[1] * 10, *[0] * 10), right)
    assert outcome == "better"
    assert (
        sentence
        == "The new model is better by 0.500 accuracy: accuracy 0.500 before and 1.000 after, on 20 held-out rows "
        "(95 % interval of the difference: +0.243 to +0.701)."
    )


def test_many_rows_do_not_overflow() -> None:
    truth = [0] * 5_000
    assert verdict(truth, logits(*[1] * 5_000), logits(*[0] * 2_500, *[1] * 2_500))[0] == "better"


def test_calibration_by_hand() -> None:
    sure = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], dtype=np.float32))
    measured = metrics.measure([0, 1, 1, 1], sure, ["bad", "good"])
    # Bins: 0.9 twice, right once; 0.6 wrong; 0.8 right.
    assert measured["ece"] == pytest.approx((2 * abs(0.9 - 0.5) + 0.6 + 0.2) / 4)
    assert measured["brier"] == pytest.approx(2 * (0.1**2 + 0.9**2 + 0.6**2 + 0.2**2) / 4)
    assert sum(one["rows"] for one in measured["calibration"]) == 4
    certain = metrics.measure([0, 1], np.array([[100, 0], [0, 100]], dtype=np.float32), ["bad", "good"])
    assert (certain["ece"], certain["brier"]) == (0.0, 0.0)


def test_regression_by_hand() -> None:
    truth, guess = [1.0, 2.0, 3.0, 4.0], np.array([1.0, 2.0, 3.0, 6.0], dtype=np.float32)
    measured = metrics.measure(truth, guess, (), task="regression")
    assert measured == {
        "mae": 0.5, "mse": 1.0, "rmse": 1.0, "loss": 1.0,
        "r2": pytest.approx(1 - 1 / 1.25), "spearman": pytest.approx(1.0),
    }  # fmt: skip
    ties = np.array([2, 1, 2, 5, 5], dtype=np.float32)
    measured = metrics.measure([1.0, 1.0, 2.0, 3.0, 2.5], ties[:, np.newaxis], (), task="regression")
    assert measured["spearman"] == pytest.approx(stats.spearmanr([1, 1, 2, 3, 2.5], ties).statistic)
    flat = metrics.measure([2.0, 2.0], np.array([1, 2], dtype=np.float32), (), task="regression")
    assert (flat["r2"], flat["spearman"]) == (None, None)
    json.dumps(flat, allow_nan=False)


def test_a_regression_is_better_when_its_error_is_lower() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=200)
    near, far = truth + generator.normal(0, 0.1, 200), truth + generator.normal(0, 0.5, 200)
    compared = metrics.compare(truth, far.astype(np.float32), near.astype(np.float32), task="regression", seed=3)
    assert compared.outcome == "better"
    assert compared.difference["metric"] == "mae"
    assert compared.difference["low"] < compared.difference["difference"] < compared.difference["high"] < 0
    assert "mean absolute error" in compared.verdict
    again = metrics.compare(truth, far.astype(np.float32), near.astype(np.float32), task="regression", seed=3)
    assert again == compared
    assert metrics.compare(truth, near, far, task="regression").outcome == "worse"
    assert metrics.compare(truth, near, near, task="regression").outcome == "not distinguishable"


def test_the_comparison_holds_all_that_a_reader_needs() -> None:
    truth = [0, 1, 2] * 40
    old = logits(*[label if row % 2 else 0 for row, label in enumerate(truth)])
    compared = metrics.compare(truth, old, logits(*truth), ("a", "b", "c"))
    told = compared.difference
    assert compared.outcome == "better"
    assert (told["metric"], told["rows"], told["gained"], told["lost"], told["seed"]) == ("accuracy", 120, 40, 0, 42)
    assert told["new"] - told["old"] == pytest.approx(told["difference"]) == pytest.approx(1 / 3)
    assert told["p_value"] < 1e-6
    assert 0 < told["f1_macro"]["low"] < told["f1_macro"]["difference"] < told["f1_macro"]["high"]
    old_f1 = metrics.measure(truth, old, ("a", "b", "c"))["f1_macro"]
    assert told["f1_macro"]["difference"] == pytest.approx(1 - old_f1)
    assert told["most_frequent"] == pytest.approx(1 / 3)
    json.dumps(told, allow_nan=False)


def test_words_with_entities_are_judged_by_entity() -> None:
    names = ("O", "B-PER", "I-PER")
    labels = [1, 2, 0, 1, 0] * 20
    wrong = [1, 0, 0, 1, 0] * 20  # the first entity of each row is cut short
    lengths = [5] * 20
    measured = metrics.measure(labels, logits(*wrong), names, task="token-classification", lengths=lengths)
    assert measured["accuracy"] == 0.8
    assert (measured["precision"], measured["recall"], measured["f1"]) == (0.5, 0.5, 0.5)
    assert measured["per_class"]["PER"]["rows"] == 40
    compared = metrics.compare(
        labels, logits(*wrong), logits(*labels), names, task="token-classification", lengths=lengths
    )
    assert compared.outcome == "better"
    assert compared.difference["difference"] == pytest.approx(0.5)
    json.dumps([measured, compared.difference], allow_nan=False)
