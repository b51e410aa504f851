"""Named entities in tags of words: where they are, and how many a model finds.

An entity counts as found when its type, its first and its last word are right, as in CoNLL's shared tasks: E. F. Tjong
Kim Sang and F. De Meulder, "Introduction to the CoNLL-2003 shared task" (2003).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuning.interval import Counts, Interval, resampled

Entity = tuple[str, int, int]
_PREFIXES = {"B", "I", "E", "S", "L", "U"}


def entities(tags: Sequence[str]) -> set[Entity]:
    """The entities in one row's tags, each as type, first word and last word.

    `B-PER I-PER` is one entity and `O` none; BIO, BIOES and BILOU are understood, and where tags have no such
    prefixes, words that follow each other with one tag are one entity.
    """
    found: set[Entity] = set()
    kind, first = "", 0
    for place, tag in enumerate([*tags, "O"]):
        prefix, named = _parts(tag)
        if kind and (prefix in ("B", "S", "U") or named != kind):
            found.add((kind, first, place - 1))
            kind = ""
        if named and not kind:
            kind, first = named, place
        if kind and prefix in ("E", "L", "S", "U"):
            found.add((kind, first, place))
            kind = ""
    return found


def measure(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], names: Sequence[str], lengths: Sequence[int]
) -> dict[str, Any]:
    """Precision, recall and f1 over all entities, f1_macro and f1_weighted over their types, and per_class.

    `labels` and `predicted` are (words,), the rows one after another; `lengths` says how many words a row has.
    """
    counts: dict[str, npt.NDArray[np.int64]] = {}
    for truth, guess in _rows(labels, predicted, names, lengths):
        for group, column in ((truth & guess, 0), (guess, 1), (truth, 2)):
            for kind, *_ in group:
                counts.setdefault(kind, np.zeros(3, dtype=np.int64))[column] += 1
    total = sum(counts.values(), np.zeros(3, dtype=np.int64))
    per_class = {kind: {**_figures(*count), "rows": int(count[2])} for kind, count in sorted(counts.items())}
    weights = [kind["rows"] for kind in per_class.values()]
    scores = [kind["f1"] for kind in per_class.values()]
    return {
        **_figures(*total),
        "f1_macro": float(np.mean(scores)) if scores else 0.0,
        "f1_weighted": float(np.average(scores, weights=weights)) if sum(weights) else 0.0,
        "per_class": per_class,
        "entities": int(total[2]),
    }


def difference(
    labels: npt.NDArray[np.int64],
    old: npt.NDArray[np.int64],
    new: npt.NDArray[np.int64],
    names: Sequence[str],
    lengths: Sequence[int],
    seed: int,
) -> Interval:
    """New minus old f1; whole rows are resampled, since the words of one row hang together."""
    counts = np.array(
        [
            (len(truth & before), len(before), len(truth & after), len(after), len(truth))
            for (truth, before), (_, after) in zip(
                _rows(labels, old, names, lengths), _rows(labels, new, names, lengths), strict=True
            )
        ],
        dtype=np.float64,
    )

    def score(drawn: Counts) -> npt.NDArray[np.float64]:
        old_right, old_found, new_right, new_found, there = (drawn @ counts).T
        return _f1(new_right, new_found, there) - _f1(old_right, old_found, there)

    return resampled(np.ones(len(counts), dtype=np.int64), score, seed)


def _f1(right: Counts, found: Counts, there: Counts) -> Counts:
    return 2 * right / np.maximum(found + there, 1)


def _rows(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], names: Sequence[str], lengths: Sequence[int]
) -> Iterator[tuple[set[Entity], set[Entity]]]:
    ends = np.cumsum(lengths)
    for length, end in zip(lengths, ends, strict=True):
        row = slice(int(end) - length, int(end))
        yield entities([names[tag] for tag in labels[row]]), entities([names[tag] for tag in predicted[row]])


def _parts(tag: str) -> tuple[str, str]:
    """The prefix and the type: ("B", "PER"), ("", "PER"), ("O", "")."""
    if tag == "O":
        return "O", ""
    prefix, dash, kind = tag.partition("-")
    return (prefix, kind) if dash and prefix in _PREFIXES else ("", tag)


def _figures(right: int, found: int, there: int) -> dict[str, float]:
    precision, recall = float(right / max(found, 1)), float(right / max(there, 1))
    return {"precision": precision, "recall": recall, "f1": float(2 * right / max(found + there, 1))}
