"""The book of energy, added up for people: by item, model, day, kind or method, and against one's own baseline."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from energy import book
from energy.book import Book, Spent, Training
from energy.bound import Bound, Cost, bound, cost_of
from irislite.errors import StoreError
from rooms.errors import Refused

By = Literal["item", "model", "day", "kind", "method"]
BYS: tuple[By, ...] = ("item", "model", "day", "kind", "method")
LONGEST_DAYS = 3_660
_AMOUNTS = ("joules", "low", "high", "carbon_g", "carbon_low_g", "carbon_high_g")


@dataclass(frozen=True)
class Sum:
    """What several pieces of work cost together. `unknown` of the `pieces` have no known cost and are not in it."""

    name: str
    pieces: int
    unknown: int
    joules: float | None
    low: float | None
    high: float | None
    carbon_g: float | None
    carbon_low_g: float | None
    carbon_high_g: float | None
    methods: tuple[str, ...]

    @property
    def joules_each(self) -> float | None:
        """Of one piece whose cost is known; None if none is."""
        known = self.pieces - self.unknown
        return self.joules / known if self.joules is not None and known else None


@dataclass(frozen=True)
class Compared:
    """What an answer of an item costs on its last day, against its baseline day."""

    item: str
    model: str
    day: str
    baseline_day: str
    pieces: int
    baseline_pieces: int
    bound: Bound


@dataclass(frozen=True)
class ComparedTraining:
    """A training against the baseline training of its model; None for the baseline itself."""

    training: Training
    bound: Bound | None
    same_rows: bool


@dataclass(frozen=True)
class Spending:
    """All of it since a day. `problem` says why the book could not be written; "" if it could."""

    since: str
    total: Sum
    sums: tuple[Sum, ...]
    by_day: tuple[tuple[str, tuple[Sum, ...]], ...]
    """Each day's, by item; for a picture."""
    answers: tuple[Compared, ...]
    trainings: tuple[ComparedTraining, ...]
    problem: str


def spending(days: int, by: By, baseline_day: str = "", baseline_training: str = "") -> Spending:
    """What was spent in the last `days` days, by one of `BYS`.

    `baseline_day` is the day that answers are held against (default: each item's first), `baseline_training` the id of
    a training (default: each model's first full one). Raises `StoreError` where the book cannot be read, and `Refused`.
    """
    if baseline_day and not _is_day(baseline_day):
        raise Refused(f"baseline_day is {baseline_day[:40]!r}: write a day as 2026-11-21.")
    kept = book.of()
    since = (datetime.now(UTC) - timedelta(days=days - 1)).strftime("%Y-%m-%d")
    rows, trainings = _read(kept, "")
    recent = [row for row in rows if row.day >= since]
    return Spending(
        since=since,
        total=_sum("all", recent),
        sums=tuple(_grouped(recent, by)),
        by_day=tuple(
            (day.name, tuple(_grouped([row for row in recent if row.day == day.name], "item")))
            for day in _grouped(recent, "day")
        ),
        answers=tuple(_answers(rows, since, baseline_day)),
        trainings=tuple(_trainings(trainings, baseline_training)),
        problem=kept.problem,
    )


def _read(kept: Book, since: str) -> tuple[list[Spent], list[Training]]:
    try:
        return kept.spent(since), kept.trainings()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"The book of energy {kept.file.name} cannot be read: {error}. Correct its rights, or move it away."
        ) from error


def _grouped(rows: Iterable[Spent], by: By) -> list[Sum]:
    groups: dict[str, list[Spent]] = {}
    for row in rows:
        groups.setdefault(getattr(row, by), []).append(row)
    found = [_sum(name, group) for name, group in groups.items()]
    if by == "day":
        return sorted(found, key=lambda each: each.name)
    return sorted(found, key=lambda each: -(each.joules or 0))


def _sum(name: str, rows: Sequence[Spent]) -> Sum:
    known = [row for row in rows if row.joules is not None]
    amounts: dict[str, float | None] = {
        amount: sum(getattr(row, amount) or 0.0 for row in known) if known else None for amount in _AMOUNTS
    }
    return Sum(
        name=name,
        pieces=sum(row.pieces for row in rows),
        unknown=sum(row.pieces for row in rows if row.joules is None),
        methods=tuple(sorted({row.method for row in rows})),
        **amounts,
    )


def _answers(rows: Iterable[Spent], since: str, baseline_day: str) -> Iterable[Compared]:
    """Each item and model that answered lately: its last day against its baseline day."""
    groups: dict[tuple[str, str], dict[str, list[Spent]]] = {}
    for row in rows:
        if row.kind == book.ANSWER:
            groups.setdefault((row.item, row.model), {}).setdefault(row.day, []).append(row)
    for (item, model), by_day in sorted(groups.items()):
        last = max(by_day)
        first = baseline_day or min(by_day)
        if last < since or first == last:
            continue
        now, before = by_day[last], by_day.get(first, [])
        yield Compared(
            item, model, last, first,
            sum(row.pieces for row in now), sum(row.pieces for row in before), bound(_each(now), _each(before)),
        )  # fmt: skip


def _each(rows: Sequence[Spent]) -> Cost | None:
    """An answer's cost by the method that most of them were measured by; others do not count the same."""
    known = sorted((row for row in rows if row.joules is not None), key=lambda row: -row.pieces)
    return cost_of(vars(known[0]), known[0].pieces) if known else None


def _trainings(trainings: Sequence[Training], baseline: str) -> Iterable[ComparedTraining]:
    oldest_first = sorted(trainings, key=lambda each: each.at)
    if baseline and all(each.id != baseline for each in oldest_first):
        raise Refused(f"There is no training {baseline[:40]!r} in the book: take an id from the list.")
    for training in trainings:
        of_model = [each for each in oldest_first if each.model == training.model]
        against = _first(of_model, lambda each: each.id == baseline) if baseline else None
        against = against or _first(of_model, lambda each: each.about.get("method") == "full") or of_model[0]
        same_rows = training.about.get("data") == against.about.get("data")
        compared = None if against.id == training.id else bound(cost_of(training.cost), cost_of(against.cost))
        yield ComparedTraining(training, compared, same_rows)


def _first(trainings: Iterable[Training], fits: Callable[[Training], Any]) -> Training | None:
    return next((each for each in trainings if fits(each)), None)


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return True
