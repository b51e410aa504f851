"""Whether a classifier is as sure as it is right."""

from typing import Any

import numpy as np
import numpy.typing as npt

_BINS = 15


def calibration(truth: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Of the ids of the true labels, (rows), and the logits, (rows, labels).

    `ece` is the expected calibration error over 15 bins of equal width (C. Guo et al., "On calibration of modern
    neural networks", 2017), `brier` the Brier score over all labels, 0 to 2 (G. W. Brier, 1950); `calibration` has
    confidence, accuracy and rows of each bin that is not empty.
    """
    shares = shares_of(logits)
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    table = [
        {"confidence": float(sure[inside].mean()), "accuracy": float(right[inside].mean()), "rows": int(inside.sum())}
        for number in range(_BINS)
        if (inside := bins == number).any()
    ]
    gaps = sum(abs(one["confidence"] - one["accuracy"]) * one["rows"] for one in table)
    # The sum over labels of (share - truth) squared, without a table of the truth.
    of_truth = shares[np.arange(len(truth)), truth]
    brier = (shares**2).sum(axis=1) - 2 * of_truth + 1
    return {"ece": float(gaps / len(truth)), "brier": float(brier.mean()), "calibration": table}


def shares_of(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Softmax: how the model divides its belief among the labels."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
