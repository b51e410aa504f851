"""What the labels of the rows mean: numbers from 0 or from 1, words, quantities, or one tag a word."""

import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from tuning.errors import BadRows

STRAY_SHARE = 0.05
"""Up to this share of labels may be no numbers in a column of numbers: these rows are skipped."""
MOST_LABELS = 10_000
_SHOWN = 30
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Found:
    """The labels of all rows that were added."""

    values: list[Any]
    names: tuple[str, ...]
    refused: dict[int, str] = field(default_factory=dict)
    """Rows, counted from 0 as they were added, that turned out to be unusable: row -> reason."""
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """Takes labels one by one; says afterwards what they are."""

    def add(self, label: object, text: Any) -> str | None:
        """Take a row's label; or the reason why the row cannot be used."""

    def found(self, num_labels: int, known: Sequence[str]) -> Found:
        """What the labels were. Raises `BadRows`."""


def is_absent(label: object) -> bool:
    """Whether a database's value says nothing: NULL, an empty text, NaN."""
    return (
        label is None
        or (isinstance(label, float) and math.isnan(label))
        or (isinstance(label, str) and not label.strip())
    )


def whole(label: object) -> int | None:
    """The whole number a database's value means: 4, 4.0, "4" and " 4.0 " alike; None if it is none."""
    number = quantity(label)
    return int(number) if number is not None and number.is_integer() else None


def quantity(label: object) -> float | None:
    """The finite number a database's value means; None if it is none."""
    if isinstance(label, int | float | Decimal | str) or hasattr(label, "item"):
        try:
            number = float(label)  # type: ignore[arg-type]
        except (ValueError, OverflowError, TypeError):
            return None
        if math.isfinite(number):
            return number
    return None


def words(value: object) -> list[str]:
    """The words of a text that was split before: a list, a JSON list, or words with spaces between."""
    return [str(word).replace(_BETWEEN, " ") for word in _several(value)]


def _several(value: object) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                read = json.loads(value)
            except ValueError:
                return value.split()
            return read if isinstance(read, list) else value.split()
        return value.split()
    return list(value) if isinstance(value, list | tuple) else [value]


class _Codes:
    """Different labels and how often each is there, however many rows there are."""

    def __init__(self) -> None:
        self.of: dict[int | str, int] = {}
        self.counts: Counter[int] = Counter()

    def code(self, label: object) -> int:
        number = whole(label)
        key: int | str = number if number is not None else str(label).strip()
        code = self.of.setdefault(key, len(self.of))
        self.counts[code] += 1
        if len(self.of) > MOST_LABELS:
            raise BadRows(
                f"There are more than {MOST_LABELS} different labels, such as {str(key)[:_SHOWN]!r}. Name the column "
                "of the labels first, then the column of the texts; for quantities set task to regression."
            )
        return code

    def rows(self, wanted: Callable[[int | str], bool]) -> int:
        return sum(self.counts[code] for key, code in self.of.items() if wanted(key))


class Classes:
    """One label a row, out of few."""

    def __init__(self) -> None:
        self._codes = _Codes()
        self._rows = array("i")

    def add(self, label: object, text: Any) -> str | None:  # noqa: ARG002 - the readers are alike
        self._rows.append(self._codes.code(label))
        return None

    def found(self, num_labels: int, known: Sequence[str]) -> Found:
        ids, names, notes = _meaning(self._codes, num_labels, known, unit="labels")
        values = [ids.get(code, -1) for code in self._rows]
        refused = {row: "a label that is no number" for row, label in enumerate(values) if label < 0}
        return Found(values, names, refused, notes)


class Tags:
    """One label for each word of a row."""

    def __init__(self) -> None:
        self._codes = _Codes()
        self._rows: list[array[int]] = []

    def add(self, label: object, text: Any) -> str | None:
        tags = _several(label)
        if len(tags) != len(text):
            return "another number of labels than of words"
        if any(is_absent(tag) for tag in tags) or not all(text):
            return "an empty word or label"
        self._rows.append(array("i", [self._codes.code(tag) for tag in tags]))
        return None

    def found(self, num_labels: int, known: Sequence[str]) -> Found:
        ids, names, notes = _meaning(self._codes, num_labels, known, unit="labels of words")
        values = [[ids.get(code, -1) for code in row] for row in self._rows]
        refused = {row: "a label that is no number" for row, tags in enumerate(values) if min(tags) < 0}
        return Found(values, names, refused, notes)


class Quantities:
    """A number a row, for regression."""

    def __init__(self) -> None:
        self._values = array("d")
        self._stray, self._such = 0, ""

    def add(self, label: object, text: Any) -> str | None:  # noqa: ARG002 - the readers are alike
        number = quantity(label)
        if number is None:
            self._stray, self._such = self._stray + 1, self._such or str(label)[:_SHOWN]
            return "a label that is no number"
        self._values.append(number)
        return None

    def found(self, num_labels: int, known: Sequence[str]) -> Found:  # noqa: ARG002 - the readers are alike
        _refuse_mixture(self._stray, self._stray + len(self._values), self._such, "numbers")
        return Found(self._values.tolist(), ())


READERS: dict[str, Callable[[], Reader]] = {
    "text-classification": Classes,
    "token-classification": Tags,
    "regression": Quantities,
}


def _meaning(
    codes: _Codes, num_labels: int, known: Sequence[str], unit: str
) -> tuple[dict[int, int], tuple[str, ...], tuple[str, ...]]:
    """The id of each code that means something, the names of the ids, and what to tell about it."""
    in_all = codes.counts.total()
    stray = codes.rows(lambda key: isinstance(key, str))
    if in_all == 0:
        return {}, tuple(known), ()
    if stray < (1 - STRAY_SHARE) * in_all:
        such = next((str(key) for key in codes.of if isinstance(key, str)), "")
        _refuse_mixture(stray, in_all, such, "whole numbers")
        keys = [key for key in codes.of if isinstance(key, int)]
        base = _base(keys, num_labels, known)
        ids = {codes.of[key]: key - base for key in keys}
        return ids, tuple(str(label + base) for label in range(num_labels)), ()
    found = {str(key): code for key, code in codes.of.items()}
    notes: tuple[str, ...] = ()
    if set(found) <= set(known):
        names = tuple(known)
    elif len(found) > num_labels:
        shown = ", ".join(repr(name[:_SHOWN]) for name in sorted(found)[:3])
        raise BadRows(
            f"The {unit} are no whole numbers but {len(found)} different texts ({shown}, ...), and num_labels is "
            f"{num_labels}. If they are labels, set num_labels to {len(found)}; if they are the texts, name the "
            "column of the labels first."
        )
    else:
        names = tuple(sorted(found, key=lambda name: (name != "O", name)))  # "O" means: no entity
        if len(found) < num_labels:
            notes = (f"num_labels is {num_labels} and there are {len(found)} {unit}: the model gets {len(found)}.",)
    return {code: names.index(name) for name, code in found.items()}, names, notes


def _refuse_mixture(stray: int, in_all: int, such: str, kind: str) -> None:
    if stray > STRAY_SHARE * in_all:
        raise BadRows(
            f"{stray} of {in_all} labels are no {kind}, such as {such[:_SHOWN]!r}. Labels are {kind} or, for "
            "classification, words, but not both: name the column that holds them first, then the column of the texts."
        )


def _base(numbers: list[int], num_labels: int, known: Sequence[str]) -> int:
    """0 or 1: the number the labels are counted from."""
    low, high = min(numbers), max(numbers)
    fits = [base for base in (1, 0) if base <= low and high < num_labels + base]
    for base in fits:
        if tuple(known) == tuple(str(label + base) for label in range(num_labels)):
            return base
    if fits:
        return fits[0]
    raise BadRows(
        f"The labels run from {low} to {high}, which num_labels={num_labels} does not hold: "
        f"it allows 0 to {num_labels - 1}, or 1 to {num_labels}. Set num_labels, or correct the labels."
    )
