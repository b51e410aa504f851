"""How good a model is on rows that it has not seen, and how sure one may be of that."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration import calibration

Ids = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

_DRAWN = 4_000_000  # numbers at a time, to bound the memory


def brief(truth: Ids, logits: Logits) -> dict[str, float]:
    """accuracy, loss (mean cross entropy, nats), f1_macro and f1_weighted: what is measured after each epoch."""
    labels = logits.shape[1]
    table = confusion(truth, logits.argmax(axis=1), labels)
    f1, rows = _per_class(table)[2], table.sum(axis=1)
    return {
        "accuracy": float(np.trace(table) / table.sum()),
        "loss": _cross_entropy(truth, logits),
        "f1_macro": float(f1.mean()),
        "f1_weighted": float((f1 * rows).sum() / rows.sum()),
    }


def full(
    truth: Ids, logits: Logits, names: Sequence[str], confidence: float, resamples: int, seed: int
) -> dict[str, Any]:
    """Everything about a model's answers to the test set; JSON-safe.

    accuracy has Wilson's interval, F1s those of a bootstrap over the rows; a label that no row has counts with zeros in
    the macro averages. `ece` is the expected calibration error over 15 bins (C. Guo et al., 2017), `brier` the Brier
    score over all labels, 0 to 2 (G. W. Brier, 1950); `calibration` has the bins that are not empty.
    """
    predicted = logits.argmax(axis=1)
    table = confusion(truth, predicted, len(names))
    precision, recall, f1 = _per_class(table)
    rows = table.sum(axis=1)
    drawn = resampled(table, confidence, resamples, seed)
    right = int(np.trace(table))
    low, high = wilson(right, len(truth), confidence)
    return {
        "rows": len(truth),
        "labels": list(names),
        "accuracy": {"value": right / len(truth), "low": low, "high": high},
        "f1_macro": {"value": float(f1.mean()), **drawn["f1_macro"]},
        "f1_weighted": {"value": float((f1 * rows).sum() / rows.sum()), **drawn["f1_weighted"]},
        "precision_macro": float(precision.mean()),
        "recall_macro": float(recall.mean()),
        "loss": _cross_entropy(truth, logits),
        "per_class": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
            for name, p, r, f, n in zip(names, precision, recall, f1, rows, strict=True)
        },
        "confusion_matrix": table.tolist(),
        **calibration(truth, logits),
        "most_frequent": float(rows.max() / rows.sum()),
        "confidence": confidence,
    }


def confusion(truth: Ids, predicted: Ids, labels: int) -> Ids:
    """How often each label (row) was taken for each (column)."""
    return np.bincount(truth * labels + predicted, minlength=labels * labels).reshape(labels, labels)


def wilson(right: int, rows: int, confidence: float) -> tuple[float, float]:
    """E. B. Wilson's score interval of a share (1927)."""
    z = _z(confidence)
    share, unit = right / rows, z**2 / rows
    centre, half = share + unit / 2, z * math.sqrt((share * (1 - share) + unit / 4) / rows)
    return max(0.0, (centre - half) / (1 + unit)), min(1.0, (centre + half) / (1 + unit))


def resampled(table: Ids, confidence: float, resamples: int, seed: int) -> dict[str, dict[str, float]]:
    """Intervals of f1_macro and f1_weighted: rows that are alike in truth and answer are drawn as one case."""
    generator = np.random.default_rng(seed)
    labels, rows = len(table), int(table.sum())
    at_once = max(1, min(resamples, _DRAWN // table.size))
    macro, weighted = [], []
    for first in range(0, resamples, at_once):
        times = min(at_once, resamples - first)
        drawn = generator.multinomial(rows, table.reshape(-1) / rows, size=times).reshape(times, labels, labels)
        right = np.diagonal(drawn, axis1=1, axis2=2)
        there, named = drawn.sum(axis=2), drawn.sum(axis=1)
        f1 = 2 * right / np.maximum(there + named, 1)
        macro.append(f1.mean(axis=1))
        weighted.append((f1 * there).sum(axis=1) / rows)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = {}
    for name, scores in (("f1_macro", macro), ("f1_weighted", weighted)):
        low, high = np.quantile(np.concatenate(scores), ends)
        found[name] = {"low": float(low), "high": float(high)}
    return found


def difference(truth: Ids, one: Ids, other: Ids, confidence: float, resamples: int, seed: int) -> dict[str, Any]:
    """Accuracy of `other` minus that of `one` on the same rows: a paired bootstrap and McNemar's exact test.

    `outcome` is "better", "worse" or "not distinguishable": a difference counts where the interval excludes 0 and the
    test agrees.
    """
    gained, lost = int(((other == truth) & (one != truth)).sum()), int(((one == truth) & (other != truth)).sum())
    rows = len(truth)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(rows, [gained / rows, lost / rows, (rows - gained - lost) / rows], size=resamples)
    gaps = (drawn[:, 0] - drawn[:, 1]) / rows
    low, high = np.quantile(gaps, [(1 - confidence) / 2, (1 + confidence) / 2])
    p_value, value = sign_test(gained, lost), (gained - lost) / rows
    outcome = "not distinguishable"
    if (low > 0 or high < 0) and p_value < 1 - confidence:
        outcome = "better" if value > 0 else "worse"
    return {"difference": value, "low": float(low), "high": float(high), "p_value": p_value, "gained": gained,
            "lost": lost, "outcome": outcome}  # fmt: skip


def sign_test(gained: int, lost: int) -> float:
    """McNemar's exact test: how probable a fair coin is at least as uneven (Q. McNemar, 1947)."""
    trials = gained + lost
    if gained == lost:
        return 1.0
    # In logarithms: 2 ** trials overflows a float at about 1,000 rows.
    log_half = trials * math.log(2)
    whole = math.lgamma(trials + 1)
    terms = (
        math.exp(whole - math.lgamma(count + 1) - math.lgamma(trials - count + 1) - log_half)
        for count in range(min(gained, lost) + 1)
    )
    return min(1.0, 2 * math.fsum(terms))


def _per_class(table: Ids) -> tuple[Numbers, Numbers, Numbers]:
    """Precision, recall and F1 of each label; 0 where there is nothing to divide by."""
    right, there, named = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return right / np.maximum(named, 1), right / np.maximum(there, 1), 2 * right / np.maximum(there + named, 1)


def _cross_entropy(truth: Ids, logits: Logits) -> float:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(truth)), truth]))


def _z(confidence: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + confidence) / 2)
