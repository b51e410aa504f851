"""Where the rows of a training come from: a table, a file, or a data set of the hub; from there to a `Dataset`."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tuning import dataset, files, repository, sampling, table
from tuning.errors import BadRequest
from tuning.request import Request


def read(
    connection: table.Connection,
    asked: Request,
    num_labels: int,
    *,
    seed: int,
    task: str = "text-classification",
    known: Sequence[str] = (),
    log: Callable[[str], None] = lambda line: None,
) -> dataset.Dataset:
    """The data set that the request asks for, read in one pass and a batch at a time.

    One statement reads a table, so what it gives is one state of it where the database keeps a reader's view
    (irislite does). Where rows came or went meanwhile, a note of the data set says so.
    `known` are the names that the model has for its labels. Raises `TableNotFound`, `ColumnNotFound`,
    `FileUnreadable`, `DatasetUnavailable`, `BadRequest`, `BadRows`, or the database driver's own error.
    """
    if task == "token-classification" and len(asked.columns) > 2:
        raise BadRequest(
            f"columns names {len(asked.columns)} columns, and each word of a row has one label: give two of them, the "
            "labels of the words first, then the words."
        )
    rows, origin, changed = {"table": _table, "file": _file, "dataset": _dataset}[asked.source](connection, asked, log)
    counted = _Counted(rows)
    numbers: list[int] | None = None
    chosen: Iterable[Any] = counted
    if asked.limit is not None:
        drawn = sampling.draw(counted, asked.limit, seed)
        numbers, chosen = [number for number, _ in drawn], (row for _, row in drawn)
        origin["drawn"] = True
    data = dataset.prepare(
        chosen,
        num_labels,
        asked.train_share,
        seed,
        task=task,
        paired=asked.paired,
        known=known,
        numbers=numbers,
    )
    return replace(data, origin=origin, notes=(*changed(counted.rows), *data.notes))


_Opened = tuple[Iterator[Any], dict[str, Any], Callable[[int], Iterator[str]]]
"""The rows, where they are from, and what to say of a change, given how many rows there were."""


def _table(connection: table.Connection, asked: Request, _: Callable[[str], None]) -> _Opened:
    found = table.find_table(connection, asked.table)
    columns = [found.column(column) for column in asked.columns]
    at_most = max(asked.limit, table.DRAWN_FROM_ROWS) if asked.limit is not None else None

    def changed(rows: int) -> Iterator[str]:
        now = table.count_rows(connection, found)
        if now != rows and (at_most is None or min(rows, now) < at_most):
            yield (
                f"{found} changed while it was read: {rows} rows came, and it has {now} now. "
                "The training uses those that came; train again once nobody writes."
            )

    return table.stream(connection, found, columns, at_most), {"table": str(found), "columns": columns}, changed


def _file(_: table.Connection, asked: Request, __: Callable[[str], None]) -> _Opened:
    path = asked.file
    assert path is not None, "a request whose source is a file names one"  # noqa: S101
    before = files.state(path)

    def changed(_: int) -> Iterator[str]:
        if not path.exists() or files.state(path) != before:
            yield f"{path.name} changed while it was read. Train again once nobody writes to it."

    return files.read(path, asked.columns), {"file": path.name, "columns": list(asked.columns)}, changed


def _dataset(_: table.Connection, asked: Request, log: Callable[[str], None]) -> _Opened:
    found = repository.bring(asked.dataset, asked.dataset_split, asked.dataset_subset, asked.dataset_revision, log)

    def rows() -> Iterator[Any]:
        for path in found.paths:
            yield from files.read(path, asked.columns, shown=f"{asked.dataset}{os.sep}{path.name}")

    origin = {"dataset": asked.dataset, "split": asked.dataset_split, "commit": found.commit}
    if asked.dataset_subset:
        origin["subset"] = asked.dataset_subset
    return rows(), {**origin, "columns": list(asked.columns)}, lambda _: iter(())


class _Counted:
    """Rows on their way, and how many there were."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows, self.rows = rows, 0

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            self.rows += 1
            yield row
