"""Statements that a person types: one at a time, with a limit of rows and of time, a way to stop, and exports."""

import csv
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from irislite.sql.errors import SqlError, SqlNotSupported
from irislite.sql.load import LoadReport, load, opened
from irislite.sql.session import Session
from irislite.sql.statements import Kind
from irislite.sql.tables import Tables

LONGEST_STATEMENT = 100_000  # characters
MOST_ROWS = 10_000  # that are kept for a page
MOST_BYTES = 16_000_000  # of them, roughly
TIMEOUT_S, LONGEST_TIMEOUT_S = 30.0, 600.0
PREVIEWED = 20  # rows

Format = Literal["csv", "jsonl", "parquet"]


class Stopped(SqlError, TimeoutError):
    """The statement was cancelled, or took longer than it may."""

    sqlcode = -140


class Stop:
    """Ends a statement: when it is asked to, or when its time is over."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.timeout_s = min(timeout_s, LONGEST_TIMEOUT_S)
        self._deadline_s = time.monotonic() + self.timeout_s
        self._asked = threading.Event()

    def set(self) -> None:
        """End it soon."""
        self._asked.set()

    def __call__(self) -> bool:
        return self._asked.is_set() or time.monotonic() > self._deadline_s

    def raised(self) -> Stopped:
        """What to say of a statement that was ended."""
        if self._asked.is_set():
            return Stopped("The statement was cancelled; it changed nothing.")
        return Stopped(
            f"The statement took longer than {self.timeout_s:g} s and was ended; it changed nothing. Ask for less, add "
            "an index, or allow it more time."
        )


@dataclass(frozen=True)
class Answer:
    """What a statement answered. `rowcount` is how many rows it changed, -1 for a query; `more`: rows were left out."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool
    rowcount: int
    took_s: float


@dataclass(frozen=True)
class Preview:
    """How a file would be loaded: its columns with their types, its first rows, and what is wrong with any of these."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    faults: list[str] = field(default_factory=list)


class Desk:
    """A place to type SQL at. Every statement has a connection of its own, and is a transaction."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def kind(self, statement: str) -> Kind:
        """What a statement does: rows (it reads), write (it changes rows), define (it changes tables).

        Raises `SqlError` for what cannot be understood, and for transactions, which would end with their statement.
        """
        if len(statement) > LONGEST_STATEMENT:
            raise SqlNotSupported(
                f"The statement has more than {LONGEST_STATEMENT:,} characters: import a file instead."
            )
        with self._tables.apart(read_only=True) as session:
            kind = session.plan(statement).kind
        if kind not in ("rows", "write", "define"):
            raise SqlNotSupported("Each statement is a transaction of its own here: leave this one out.")
        return kind

    def run(self, statement: str, limit: int, offset: int = 0, stop: Stop | None = None) -> Answer:
        """Run a statement of any kind and read `limit` rows behind the first `offset`. Raises `SqlError`."""
        stop, began_s = stop or Stop(), time.monotonic()
        with self._running(statement, self.kind(statement) == "rows", stop) as (_, result):
            found = islice(result, offset, None)
            rows: list[tuple[Any, ...]] = []
            more, size = False, 0
            for row in found:
                if len(rows) == limit or size > MOST_BYTES:
                    more = True
                    break
                rows.append(row)
                size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
            return Answer(result.columns, rows, more, result.rowcount, time.monotonic() - began_s)

    def export(self, statement: str, form: Format, file: Path, stop: Stop | None = None) -> int:
        """Write all rows of a query to a file; how many. Raises `SqlError`, also for what is no query."""
        if self.kind(statement) != "rows":
            raise SqlNotSupported("Only the rows of a query can be exported: write a SELECT.")
        with self._running(statement, True, stop or Stop(LONGEST_TIMEOUT_S)) as (session, result):
            if form == "parquet":
                from irislite.sql.parquet import write

                return write(file, result.columns, result, lambda: session.run(statement, ()))
            return _WRITERS[form](file, result.columns, result)

    def preview(self, file: Path) -> Preview:
        """How a CSV or Parquet file would be loaded. Raises `SqlError` for one that cannot be."""
        with opened(file) as source:
            types = source.types(lambda _: None)
            rows: list[list[Any]] = []
            faults: list[str] = []
            for record in islice((record for batch in source.batches() for record in batch), PREVIEWED):
                if record.fault:
                    faults.append(f"Line {record.line}: {record.fault}")
                else:
                    rows.append(record.values)
            return Preview(source.header, types, rows, faults)

    def load(self, table: str, file: Path, mode: str, types: dict[str, str], stop: Stop | None = None) -> LoadReport:
        """Load a CSV or Parquet file; `types` are those of the columns if the table is new. Raises `SqlError`."""
        stop = stop or Stop(LONGEST_TIMEOUT_S)
        with self._tables.apart(read_only=False, stop=stop) as session, _stopped(stop), opened(file) as source:
            return load(session, table, source, mode, lambda *_: _check(stop), types=types)

    @contextmanager
    def _running(self, statement: str, read_only: bool, stop: Stop) -> Iterator[tuple[Session, Any]]:
        with self._tables.apart(read_only, stop) as session, _stopped(stop):
            if read_only:
                session.cursor("BEGIN")  # what is read twice is the same twice
            result = session.run(statement, ())
            yield session, result
            result.close()


@contextmanager
def _stopped(stop: Stop) -> Iterator[None]:
    """SQLite says that it was interrupted; by what, `stop` knows."""
    try:
        yield
    except SqlError as error:
        if stop() and not isinstance(error, Stopped):
            raise stop.raised() from error
        raise


def _check(stop: Stop) -> None:
    if stop():
        raise stop.raised()


def _write_csv(file: Path, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is the answer
            writer.writerow([value.hex() if isinstance(value, bytes) else value for value in row])
    return count


def _write_json_lines(file: Path, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8") as stream:
        for count, row in enumerate(rows, start=1):  # noqa: B007
            named = zip(columns, (value.hex() if isinstance(value, bytes) else value for value in row), strict=True)
            stream.write(json.dumps(dict(named), ensure_ascii=False) + "\n")
    return count


_WRITERS: dict[str, Callable[[Path, tuple[str, ...], Iterator[tuple[Any, ...]]], int]] = {
    "csv": _write_csv,
    "jsonl": _write_json_lines,
}
