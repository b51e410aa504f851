"""How good a model is on the held-out rows, and whether a difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration import calibration
from tuning import entities
from tuning.conditions import LOWER_IS_BETTER
from tuning.interval import Counts, Interval, paired_proportions, resampled, sign_test

SIGNIFICANCE = 0.05

Outputs = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """What two models' answers to the same rows say of them."""

    outcome: str
    """"better", "worse" or "not distinguishable": the new model, against the old."""
    verdict: str
    """The same as a sentence with its figures."""
    difference: dict[str, Any]
    """metric, old, new, difference (new - old), low, high, confidence, method, rows, seed; for a text
    classification also p_value, gained and lost (rows that only the new, only the old model has right), f1_macro
    (the same of F1), and most_frequent (the accuracy of always naming the most frequent label). JSON-safe."""


def measure(
    labels: Sequence[Any] | npt.NDArray[Any],
    outputs: Outputs,
    names: Sequence[str],
    task: str = "text-classification",
    lengths: Sequence[int] | None = None,
) -> dict[str, Any]:
    """The metrics of a model's `outputs` against the true `labels`; JSON-safe.

    text-classification: `outputs` are logits (rows, labels). Keys: accuracy, loss (mean cross entropy, nats),
    precision, recall and f1 as `_macro` and `_weighted`, per_class (name -> precision, recall, f1, rows),
    confusion_matrix (true label by row, predicted by column), ece, brier, calibration. A label that no row has
    counts with zeros in the macro averages.
    token-classification: logits (words, labels), the rows one after another, `lengths` words each; the keys of
    `entities.measure`, and accuracy, loss, ece and brier over the words.
    regression: numbers (rows,). Keys: mae, mse, rmse, r2, spearman (None where the numbers do not differ).
    """
    if task == "regression":
        return _quantities(np.asarray(labels, dtype=np.float64), np.asarray(outputs, dtype=np.float64).reshape(-1))
    truth = np.asarray(labels, dtype=np.int64)
    measured: dict[str, Any] = {
        "accuracy": float(np.mean(outputs.argmax(axis=1) == truth)),
        "loss": _cross_entropy(truth, outputs),
    }
    if task == "token-classification":
        measured |= entities.measure(truth, outputs.argmax(axis=1), names, _lengths(lengths, truth))
        return measured | {key: value for key, value in calibration(truth, outputs).items() if key != "calibration"}
    return measured | _classes(truth, outputs.argmax(axis=1), names) | calibration(truth, outputs)


def compare(
    labels: Sequence[Any] | npt.NDArray[Any],
    old: Outputs,
    new: Outputs,
    names: Sequence[str] = (),
    task: str = "text-classification",
    lengths: Sequence[int] | None = None,
    seed: int = 42,
) -> Comparison:
    """Whether the new model is better, worse or not distinguishable; both answered the same rows.

    The judge is accuracy with Newcombe's interval and McNemar's exact test, which must agree; for
    token-classification f1 over entities, and for regression the mean absolute error, with a paired bootstrap.
    A difference counts where the 95 % interval excludes 0. Arguments as in `measure`.
    """
    if task == "regression":
        return _compare_quantities(np.asarray(labels, dtype=np.float64), old.reshape(-1), new.reshape(-1), seed)
    truth = np.asarray(labels, dtype=np.int64)
    before, after = old.argmax(axis=1), new.argmax(axis=1)
    if task == "token-classification":
        rows = _lengths(lengths, truth)
        interval = entities.difference(truth, before, after, names, rows, seed)
        measured = [entities.measure(truth, guess, names, rows)["f1"] for guess in (before, after)]
        return _decided("f1", "entity F1", measured, interval, len(rows), seed)
    gained, lost = int(np.sum((after == truth) & (before != truth))), int(np.sum((before == truth) & (after != truth)))
    both, neither = int(np.sum((before == truth) & (after == truth))), int(np.sum((before != truth) & (after != truth)))
    interval = paired_proportions(both, gained, lost, neither)
    measured = [float(np.mean(guess == truth)) for guess in (before, after)]
    p_value = sign_test(gained, lost)
    decided = _decided("accuracy", "accuracy", measured, interval, len(truth), seed, chance=p_value)
    f1 = _f1_interval(truth, before, after, old.shape[1], seed).as_dict()
    decided.difference.update(
        {
            "method": "Newcombe's interval for paired proportions; McNemar's exact test",
            "p_value": p_value,
            "gained": gained,
            "lost": lost,
            "f1_macro": {**f1, "method": "paired bootstrap"},
            "most_frequent": float(np.bincount(truth).max() / len(truth)),
        }
    )
    return decided


def _classes(truth: Ids, predicted: Ids, names: Sequence[str]) -> dict[str, Any]:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    ids = list(range(len(names)))
    measured: dict[str, Any] = {}
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, predicted, labels=ids, average=average, zero_division=0
        )
        measured |= {f"precision_{average}": float(precision), f"recall_{average}": float(recall)}
        measured[f"f1_{average}"] = float(f1)
    columns = precision_recall_fscore_support(truth, predicted, labels=ids, zero_division=0)
    measured["per_class"] = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
        for name, p, r, f, n in zip(names, *columns, strict=True)
    }
    measured["confusion_matrix"] = confusion_matrix(truth, predicted, labels=ids).tolist()
    return measured


def _quantities(truth: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> dict[str, Any]:
    errors = predicted - truth
    mse, spread = float(np.mean(errors**2)), float(np.var(truth))
    ranks = [_ranks(numbers) for numbers in (truth, predicted)]
    ordered = all(np.ptp(rank) > 0 for rank in ranks)
    return {
        "mae": float(np.mean(np.abs(errors))),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "loss": mse,
        "r2": 1 - mse / spread if spread > 0 else None,
        "spearman": float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if ordered else None,
    }


def _ranks(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 for the smallest; equal numbers share the mean of their places."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[places])


def _compare_quantities(truth: npt.NDArray[np.float64], old: Outputs, new: Outputs, seed: int) -> Comparison:
    errors = [np.abs(guess.astype(np.float64) - truth) for guess in (old, new)]
    gaps = errors[1] - errors[0]

    def score(drawn: Counts) -> npt.NDArray[np.float64]:
        return np.asarray(drawn @ gaps / len(gaps))

    interval = resampled(np.ones(len(gaps), dtype=np.int64), score, seed)
    measured = [float(error.mean()) for error in errors]
    return _decided("mae", "mean absolute error", measured, interval, len(truth), seed)


def _decided(
    metric: str, name: str, measured: list[float], interval: Interval, rows: int, seed: int, chance: float = 0.0
) -> Comparison:
    """The comparison; `chance` is the p value of a test that has a say beside the interval."""
    outcome = "not distinguishable"
    if interval.excludes_zero and chance < SIGNIFICANCE:
        outcome = "better" if (interval.difference > 0) != (metric in LOWER_IS_BETTER) else "worse"
    figures = (
        f"{name} {measured[0]:.3f} before and {measured[1]:.3f} after, on {rows} held-out rows "
        f"(95 % interval of the difference: {interval.low:+.3f} to {interval.high:+.3f})"
    )
    if outcome == "not distinguishable":
        sentence = f"The new model is not distinguishable from the old: {figures}."
    else:
        sentence = f"The new model is {outcome} by {abs(interval.difference):.3f} {name}: {figures}."
    told = {"metric": metric, "old": measured[0], "new": measured[1], **interval.as_dict()}
    return Comparison(outcome, sentence, {**told, "method": "paired bootstrap", "rows": rows, "seed": seed})


def _f1_interval(truth: Ids, old: Ids, new: Ids, labels: int, seed: int) -> Interval:
    """New minus old F1 macro; rows with the same truth and the same two answers are drawn as one case."""
    cases, weights = np.unique((truth * labels + old) * labels + new, return_counts=True)
    true, before, after = cases // labels**2, cases // labels % labels, cases % labels
    hits = {
        name: (ids[:, np.newaxis] == np.arange(labels)).astype(np.float64)
        for name, ids in (("true", true), ("old", before), ("new", after))
    }

    def f1_macro(drawn: Counts, name: str) -> npt.NDArray[np.float64]:
        right, there = drawn @ (hits["true"] * hits[name]), drawn @ hits["true"] + drawn @ hits[name]
        return np.asarray((2 * right / np.maximum(there, 1)).mean(axis=1))

    return resampled(weights, lambda drawn: f1_macro(drawn, "new") - f1_macro(drawn, "old"), seed)


def _lengths(lengths: Sequence[int] | None, words: Ids) -> Sequence[int]:
    return lengths if lengths is not None else [len(words)]


def _cross_entropy(labels: Ids, logits: Outputs) -> float:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(labels)), labels]))
