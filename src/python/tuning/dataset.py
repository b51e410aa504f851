"""From rows to a data set: usable rows, labels as ids, a shuffled and stratified split."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tuning.errors import BadRows

MINIMUM_ROWS = 5


@dataclass(frozen=True)
class Examples:
    """Texts and their label ids (0 to number of labels - 1), side by side."""

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Dataset:
    """The two sides of the split, and what is known of the rows they came from."""

    train: Examples
    held_out: Examples
    label_names: tuple[str, ...]
    """The label of each id, as the table spells it: ("1", "2", ...)."""
    rows_read: int
    skipped: dict[str, int]
    """Rows that could not be used: reason -> how many."""
    stratified: bool
    """Whether both sides have the labels in the same proportions; False when some label is too rare."""


def prepare(rows: Iterable[Sequence[object]], num_labels: int, train_share: float, seed: int) -> Dataset:
    """The data set that `rows`, pairs of label and text, make.

    Labels are whole numbers, counted from 0 or from 1. Rows without a label or a text are skipped
    and counted. Raises `BadRows` for other labels, and where there is too little to train on.
    """
    labels: list[int] = []
    texts: list[str] = []
    no_numbers: list[object] = []
    skipped: Counter[str] = Counter()
    for label, text, *_ in rows:
        text = "" if text is None else str(text).strip()
        number = _whole(label)
        if label is None or str(label).strip() == "":
            skipped["no label"] += 1
        elif number is None:
            no_numbers.append(label)
        elif not text:
            skipped["no text"] += 1
        else:
            labels.append(number)
            texts.append(text)
    rows_read = len(labels) + len(no_numbers) + skipped.total()
    if no_numbers:
        raise BadRows(
            f"{len(no_numbers)} of {rows_read} labels are no whole numbers, such as {str(no_numbers[0])[:60]!r}. "
            "Labels are numbers from 0 or from 1; name the column that holds them first, then the column of the texts."
        )
    _check_enough(labels, rows_read, skipped)
    base = _base(labels, num_labels)
    ids = [label - base for label in labels]
    train, held_out, stratified = _split(ids, train_share, seed)
    return Dataset(
        train=_chosen(texts, ids, train),
        held_out=_chosen(texts, ids, held_out),
        label_names=tuple(str(label + base) for label in range(num_labels)),
        rows_read=rows_read,
        skipped=dict(skipped),
        stratified=stratified,
    )


def _whole(label: object) -> int | None:
    """The whole number a database's value means: 4, 4.0, "4" and " 4.0 " alike; None if it is none."""
    if isinstance(label, int | float | Decimal | str):
        try:
            number = float(label)
        except ValueError:
            return None
        if math.isfinite(number) and number.is_integer():
            return int(number)
    return None


def _check_enough(labels: list[int], rows_read: int, skipped: Counter[str]) -> None:
    if len(labels) < MINIMUM_ROWS:
        reasons = "".join(f", {count} skipped with {reason}" for reason, count in skipped.items())
        raise BadRows(
            f"{len(labels)} usable rows are too few to train and to evaluate ({rows_read} read{reasons}). "
            f"Give at least {MINIMUM_ROWS}: load more rows, or raise limit."
        )
    if len(set(labels)) < 2:
        raise BadRows(
            f"All {len(labels)} rows have the label {labels[0]}, so there is nothing to tell apart. "
            "Give rows with at least two labels: raise limit, or name another column."
        )


def _base(labels: list[int], num_labels: int) -> int:
    """0 or 1: the number the labels are counted from."""
    low, high = min(labels), max(labels)
    if low >= 1 and high <= num_labels:
        return 1
    if low >= 0 and high < num_labels:
        return 0
    raise BadRows(
        f"The labels run from {low} to {high}, which num_labels={num_labels} does not hold: "
        f"it allows 0 to {num_labels - 1}, or 1 to {num_labels}. Set num_labels, or correct the labels."
    )


def _split(ids: list[int], train_share: float, seed: int) -> tuple[list[int], list[int], bool]:
    """Row numbers to train on and to hold out, at least one each, and whether the split is stratified."""
    from sklearn.model_selection import train_test_split

    train_rows = min(max(round(len(ids) * train_share), 1), len(ids) - 1)
    # What scikit-learn needs for a stratified split; with less, one label would be missing on a side anyway.
    counts = Counter(ids)
    stratified = min(counts.values()) >= 2 and min(train_rows, len(ids) - train_rows) >= len(counts)
    train, held_out = train_test_split(
        range(len(ids)), train_size=train_rows, random_state=seed, stratify=ids if stratified else None
    )
    return train, held_out, stratified


def _chosen(texts: list[str], ids: list[int], rows: list[int]) -> Examples:
    return Examples([texts[row] for row in rows], [ids[row] for row in rows])
