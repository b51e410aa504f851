"""Statistics of answers, against what is known of them."""

import math

import numpy as np
import pytest

from calibration import calibration, shares_of
from experiment import scores

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, 400)
LOGITS = RNG.normal(size=(400, 3)).astype(np.float32) + 2 * np.eye(3, dtype=np.float32)[TRUTH]


def test_the_figures_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    found = scores.full(TRUTH, LOGITS, ["a", "b", "c"], 0.95, 500, 1)
    guessed = LOGITS.argmax(axis=1)
    assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(TRUTH, guessed))
    for average in ("macro", "weighted"):
        assert found[f"f1_{average}"]["value"] == pytest.approx(metrics.f1_score(TRUTH, guessed, average=average))
    assert found["confusion_matrix"] == metrics.confusion_matrix(TRUTH, guessed).tolist()
    assert found["loss"] == pytest.approx(metrics.log_loss(TRUTH, shares_of(LOGITS)))
    assert found["precision_macro"] == pytest.approx(metrics.precision_score(TRUTH, guessed, average="macro"))
    assert scores.brief(TRUTH, LOGITS)["f1_macro"] == pytest.approx(found["f1_macro"]["value"])
    assert found["f1_macro"]["low"] < found["f1_macro"]["value"] < found["f1_macro"]["high"]


def test_a_label_that_no_row_has() -> None:
    found = scores.full(np.array([0, 0, 1]), np.eye(3, dtype=np.float32), ["a", "b", "c"], 0.95, 100, 1)
    assert found["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 0}


def test_wilson() -> None:
    low, high = scores.wilson(8, 10, 0.95)  # as Newcombe (1998) has it
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert scores.wilson(10, 10, 0.95)[1] == 1.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        right = int(rng.binomial(200, 0.7))
        low, high = scores.wilson(right, 200, 0.9)
        held += low <= 0.7 <= high
    assert 0.85 < held / 400 < 0.95


def test_a_difference_must_be_more_than_chance() -> None:
    truth = np.zeros(100, dtype=np.int64)
    one, other = truth.copy(), truth.copy()
    one[:30] = 1
    found = scores.difference(truth, one, other, 0.95, 1000, 1)
    assert (found["outcome"], found["difference"], found["gained"], found["lost"]) == ("better", 0.3, 30, 0)
    assert found["p_value"] == pytest.approx(2 * 0.5**30)
    one[:30], one[:2] = 0, 1
    assert scores.difference(truth, one, other, 0.95, 1000, 1)["outcome"] == "not distinguishable"
    assert scores.sign_test(0, 0) == 1.0


def test_calibration_of_a_model_that_is_always_sure() -> None:
    logits = np.array([[100.0, 0.0]] * 4, dtype=np.float32)
    found = calibration(np.array([0, 0, 0, 1]), logits)
    assert found["ece"] == pytest.approx(0.25) and found["brier"] == pytest.approx(0.5)
    assert not math.isnan(found["ece"])
