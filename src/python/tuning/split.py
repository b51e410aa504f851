"""Divide rows into those to train on and those to hold out."""

from typing import Any

import numpy as np
import numpy.typing as npt


def divide(values: list[Any], train_share: float, seed: int, classes: bool) -> tuple[list[int], list[int]]:
    """Row numbers to train on and to hold out, shuffled, at least one each.

    Each label is divided in the same proportion, as nearly as whole rows allow (largest remainder). A label with
    a single row is trained on rather than held out: nobody can be right about what was never seen.
    """
    generator = np.random.default_rng(seed)
    train_rows = min(max(round(len(values) * train_share), 1), len(values) - 1)
    ids = np.asarray(values if classes else [0] * len(values), dtype=np.int64)
    counts = np.bincount(ids)
    quotas = _quotas(counts, train_rows)
    sides: tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.int64]]] = ([], [])
    order = np.argsort(ids, kind="stable")
    for rows, quota in zip(np.split(order, np.cumsum(counts)[:-1]), quotas, strict=True):
        shuffled = generator.permutation(rows)
        sides[0].append(shuffled[:quota])
        sides[1].append(shuffled[quota:])
    train, held_out = (generator.permutation(np.concatenate(side)).tolist() for side in sides)
    return train, held_out


def _quotas(counts: npt.NDArray[np.int64], train_rows: int) -> npt.NDArray[np.int64]:
    """How many rows of each label to train on, `train_rows` together; one at least of each, where that is possible."""
    exact = counts * (train_rows / counts.sum())
    quotas: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    if train_rows >= np.count_nonzero(counts):
        quotas = np.maximum(quotas, np.minimum(counts, 1))
    while (short := train_rows - int(quotas.sum())) != 0:
        step = 1 if short > 0 else -1
        open_ones = (quotas < counts) & (counts > 0) if short > 0 else quotas > 1
        owed = np.where(open_ones, (exact - quotas) * step, -np.inf)
        quotas[int(owed.argmax())] += step
    return quotas
