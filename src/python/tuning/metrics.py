"""How good a classifier is on the held-out rows, and whether a difference is more than chance."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SIGNIFICANCE = 0.05


def measure(labels: Sequence[int], logits: npt.NDArray[np.float32], names: Sequence[str]) -> dict[str, Any]:
    """The metrics of `logits` (rows, labels) against the true `labels`; JSON-safe.

    Keys: accuracy, loss (mean cross entropy, nats), precision, recall and f1 as `_macro` and
    `_weighted`, per_class (name -> precision, recall, f1, rows), confusion_matrix (true label by
    row, predicted by column). A label that no row has counts with zeros in the macro averages.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    ids = list(range(len(names)))
    predicted = logits.argmax(axis=1)
    metrics: dict[str, Any] = {
        "accuracy": float(np.mean(predicted == np.asarray(labels))),
        "loss": _cross_entropy(np.asarray(labels), logits),
    }
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            labels, predicted, labels=ids, average=average, zero_division=0
        )
        metrics |= {f"precision_{average}": float(precision), f"recall_{average}": float(recall)}
        metrics[f"f1_{average}"] = float(f1)
    columns = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0)
    metrics["per_class"] = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
        for name, p, r, f, n in zip(names, *columns, strict=True)
    }
    metrics["confusion_matrix"] = confusion_matrix(labels, predicted, labels=ids).tolist()
    return metrics


def verdict(
    labels: Sequence[int], old_logits: npt.NDArray[np.float32], new_logits: npt.NDArray[np.float32]
) -> tuple[str, str]:
    """Whether the new model is "better", "worse" or "not distinguishable", and the sentence that says so.

    Both models saw the same rows, so an exact sign test on the rows where only one of them is
    right (McNemar's) tells a difference from chance, at the 5 % level.
    """
    truth = np.asarray(labels)
    old, new = old_logits.argmax(axis=1) == truth, new_logits.argmax(axis=1) == truth
    gained, lost = int(np.sum(new & ~old)), int(np.sum(old & ~new))
    figures = f"accuracy {old.mean():.3f} before and {new.mean():.3f} after, on {len(truth)} held-out rows"
    if _sign_test(gained, lost) >= SIGNIFICANCE:
        return "not distinguishable", f"The new model is not distinguishable from the old: {figures}."
    word = "better" if gained > lost else "worse"
    difference = abs(gained - lost) / len(truth)
    return word, f"The new model is {word} by {difference:.3f} accuracy: {figures}."


def _cross_entropy(labels: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> float:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(labels)), labels]))


def _sign_test(gained: int, lost: int) -> float:
    """The probability that a fair coin is at least as uneven as `gained` against `lost`."""
    trials = gained + lost
    if gained == lost:
        return 1.0
    # In logarithms: 2 ** trials overflows a float at about 1,000 rows.
    terms = (_log_binomial(trials, count) - trials * math.log(2) for count in range(min(gained, lost) + 1))
    return min(1.0, 2 * math.fsum(math.exp(term) for term in terms))


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
