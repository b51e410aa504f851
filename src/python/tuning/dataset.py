"""From rows to a data set: usable rows, labels as ids, a shuffled and stratified split."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tuning import labels as labelling
from tuning import split
from tuning.errors import BadRows
from tuning.files import Unusable
from tuning.texts import Texts, Words, digest

MINIMUM_ROWS = 5
NAMED_ROWS = 5
"""How many of the rows that were skipped for one reason are named by their number."""


@dataclass(frozen=True)
class Examples:
    """Texts and their labels, side by side; `texts[3]` is a text, `texts[3:9]` a list of them.

    The labels are ids (0 to number of labels - 1); numbers for regression; for token classification each row
    is a list of words, and its label a list of ids, one a word.
    """

    texts: Texts | Words
    labels: list[Any]
    pairs: Texts | None = None
    """The second texts, if the rows are pairs of texts."""

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def sha256(self) -> str:
        """Of the texts and labels in their order."""
        return digest(self.texts, self.pairs, more=self.labels)

    @cached_property
    def texts_sha256(self) -> str:
        """Of the texts alone: what the token ids depend on."""
        return digest(self.texts, self.pairs)


@dataclass(frozen=True)
class Dataset:
    """The two sides of the split, and what is known of the rows they came from."""

    train: Examples
    held_out: Examples
    label_names: tuple[str, ...]
    """The label of each id, as the rows spell it: ("1", "2", ...) or ("bad", "good"); none for regression."""
    rows_read: int
    skipped: dict[str, int]
    """Rows that could not be used: reason -> how many."""
    stratified: bool
    """Whether both sides have every label, in the same proportions; False when some label is too rare."""
    skipped_rows: dict[str, list[int]] = field(default_factory=dict)
    """Reason -> the numbers of the first few of these rows, counted from 1 in the order they were read."""
    notes: tuple[str, ...] = ()
    """What one should know before one believes the outcome, a sentence each."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where the rows came from: table, file or dataset, and columns."""

    @cached_property
    def sha256(self) -> str:
        """Of both sides in their order: the same rows, seed and share give the same."""
        return digest(more=(self.train.sha256, self.held_out.sha256, self.label_names))

    def described(self) -> dict[str, Any]:
        """What the report says of the rows; JSON-safe."""
        known = {"read": self.rows_read, "skipped": self.skipped, "train": len(self.train)}
        told = {"skipped_rows": self.skipped_rows, "notes": list(self.notes)}
        return {**self.origin, **known, "held_out": len(self.held_out)} | {
            key: said for key, said in told.items() if said
        }

    def lines(self) -> Iterator[str]:
        """The same for people, a line at a time."""
        source = next(
            (str(self.origin[key]) for key in ("table", "file", "dataset") if key in self.origin), "the source"
        )
        drawn = ", drawn at random" if self.origin.get("drawn") else ""
        skipped = "".join(f", {count} skipped ({reason})" for reason, count in self.skipped.items())
        names = self.label_names
        labels = f"; labels {_named(names)}" if names else ""
        yield (
            f"{self.rows_read} rows of {source} read{drawn}{skipped}: "
            f"{len(self.train)} to train on, {len(self.held_out)} held out{labels}."
        )
        for reason, numbers in self.skipped_rows.items():
            more = ", ..." if self.skipped[reason] > len(numbers) else ""
            yield f"Skipped for {reason}: row{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}{more}."
        yield from self.notes


def prepare(
    rows: Iterable[Sequence[object] | Unusable],
    num_labels: int,
    train_share: float,
    seed: int,
    *,
    task: str = "text-classification",
    paired: bool = False,
    known: Sequence[str] = (),
    numbers: Sequence[int] | None = None,
) -> Dataset:
    """The data set that `rows`, each a label and then one text or several, make.

    Labels are whole numbers, counted from 0 or from 1, or words; `known` are the names that the model to be
    tuned has for them, which decide where the rows leave a choice. Several texts are joined to one, unless
    `paired`. Rows that cannot be used are skipped and counted; `numbers` are what to call the rows, if not 1, 2, 3.
    Raises `BadRows` for labels that cannot be meant, and where there is too little to train on.
    """
    usable = _Usable(task, paired)
    read = 0
    for read, row in enumerate(rows, start=1):
        usable.take(row, numbers[read - 1] if numbers is not None else read)
    found = usable.reader.found(num_labels, known)
    for place, refusal in found.refused.items():
        usable.skipped.add(refusal, usable.numbers[place])
    kept = [place for place in range(len(found.values)) if place not in found.refused]
    values = [found.values[place] for place in kept]
    _check_enough(values, found.names, read, usable.skipped.counts)
    rows_of_sides = split.divide(values, train_share, seed, classes=task == "text-classification")
    train, held_out = (
        usable.choose([kept[row] for row in side], [values[row] for row in side]) for side in rows_of_sides
    )
    if task == "text-classification":
        _check_seen(train.labels, held_out.labels, found.names)
    stratified = task != "text-classification" or set(train.labels) == set(held_out.labels)
    return Dataset(
        train=train,
        held_out=held_out,
        label_names=found.names,
        rows_read=read,
        skipped=dict(usable.skipped.counts),
        stratified=stratified,
        skipped_rows=usable.skipped.rows,
        notes=(*found.notes, *_notes(train, held_out, found.names, stratified, task)),
    )


class _Usable:
    """Takes rows one by one, and keeps those that can be used."""

    def __init__(self, task: str, paired: bool) -> None:
        self.reader = labelling.READERS[task]()
        self.skipped = _Skipped()
        self.numbers = array("q")
        self._texts: Texts | Words = Words() if task == "token-classification" else Texts()
        self._pairs = Texts() if paired else None

    def take(self, row: Sequence[object] | Unusable, number: int) -> None:
        """A label and its texts, or why there are none."""
        if isinstance(row, Unusable):
            self.skipped.add(row.reason, number)
            return
        label, *parts = row
        text, second = _texts(parts, self._pairs is not None, isinstance(self._texts, Words))
        if labelling.is_absent(label):
            self.skipped.add("no label", number)
        elif not text:
            self.skipped.add("no text", number)
        elif self._pairs is not None and not second:
            self.skipped.add("no second text", number)
        elif (refusal := self.reader.add(label, text)) is not None:
            self.skipped.add(refusal, number)
        else:
            self._texts.append(text)
            self.numbers.append(number)
            if self._pairs is not None:
                self._pairs.append(second)

    def choose(self, places: Sequence[int], labels: list[Any]) -> Examples:
        """The texts at these places, with their labels."""
        pairs = self._pairs.choose(places) if self._pairs is not None else None
        return Examples(self._texts.choose(places), labels, pairs)


class _Skipped:
    """Counts the rows that cannot be used, and keeps the numbers of the first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[int]] = {}

    def add(self, reason: str, number: int) -> None:
        self.counts[reason] += 1
        named = self.rows.setdefault(reason, [])
        if len(named) < NAMED_ROWS:
            named.append(number)


def _texts(parts: Sequence[object], paired: bool, in_words: bool) -> tuple[Any, str]:
    """The text of a row, or its words, and its second text; empty if there is none."""
    if in_words:
        return labelling.words(parts[0]), ""
    cleaned = [_text(part) for part in parts]
    if paired:
        return cleaned[0], cleaned[1]
    return "\n".join(text for text in cleaned if text), ""


def _text(value: object) -> str:
    if value is None or value != value:  # NaN is what some readers make of an empty cell
        return ""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", errors="replace").strip()
    return str(value).strip()


def _check_enough(values: list[Any], names: tuple[str, ...], rows_read: int, skipped: Counter[str]) -> None:
    if len(values) < MINIMUM_ROWS:
        reasons = "".join(f", {count} skipped with {reason}" for reason, count in skipped.items())
        raise BadRows(
            f"{len(values)} usable rows are too few to train and to evaluate ({rows_read} read{reasons}). "
            f"Give at least {MINIMUM_ROWS}: load more rows, or raise limit."
        )
    distinct = {label for value in values for label in (value if isinstance(value, list) else [value])}
    if len(distinct) < 2:
        only = distinct.pop()
        raise BadRows(
            f"All {len(values)} rows have the label {names[only] if names else only}, so there is nothing to tell "
            "apart. Give rows with at least two labels: raise limit, or name another column."
        )


def _check_seen(trained: list[int], judged: list[int], names: tuple[str, ...]) -> None:
    """A split trains on each label if it can; where it cannot, there are fewer rows to train on than labels."""
    unseen = sorted(set(judged) - set(trained))
    if unseen:
        raise BadRows(
            f"{len(trained)} rows to train on cannot hold every label, and a label never seen in training "
            f"({_named([names[label] for label in unseen])}) is one the model gets wrong. "
            "Give more rows to train on: raise p_of_train or limit, or load more rows."
        )


def _notes(train: Examples, held_out: Examples, names: tuple[str, ...], stratified: bool, task: str) -> Iterator[str]:
    if task == "text-classification":
        seen, judged = set(train.labels), set(held_out.labels)
        nowhere = [name for label, name in enumerate(names) if label not in seen | judged]
        if nowhere:
            yield f"No row has the label {_named(nowhere)}: the model cannot learn it."
        if not stratified:
            yield "Some label has too few rows for a stratified split: not every label is on both sides."
    repeated = _repeated(train, held_out)
    if repeated:
        yield (
            f"{repeated} of {len(held_out)} held-out rows have a text that is also trained on: "
            "the metrics flatter the new model. Remove the duplicates."
        )


def _repeated(train: Examples, held_out: Examples) -> int:
    """How many held-out rows have a text, or a pair of them, that is among those to train on."""

    def keys(side: Examples) -> Iterator[int]:
        texts = side.texts.joined if isinstance(side.texts, Words) else side.texts
        for row in range(len(texts)):
            yield hash((texts.raw(row), side.pairs.raw(row) if side.pairs is not None else None))

    # Eight bytes a row: of a million texts, two different ones share a hash with a probability of one in a million.
    trained = np.sort(np.fromiter(keys(train), dtype=np.int64, count=len(train)))
    judged = np.fromiter(keys(held_out), dtype=np.int64, count=len(held_out))
    places = np.searchsorted(trained, judged).clip(max=len(trained) - 1)
    return int(np.sum(trained[places] == judged))


def _named(names: Sequence[str]) -> str:
    """The names, or the first and the last if there are many."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"
