"""The book of what was spent: by day, item, model and method, and each training by itself; kept in a small database.

Costs of answers are added up in memory and written every few seconds, so that an answer does not wait for a disk; a
crash loses the last seconds. The messages may be purged, the book stays. What nobody could know is counted and has no
amount: it is never 0.
"""

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import paths

WRITE_EVERY_S = 5.0
ANSWER: Final = "answer"
ASIDE: Final = "aside"
TRAINING: Final = "training"
"""What was done: an answer to a request, something apart from requests as a load, a training."""

Kind = Literal["answer", "aside", "training"]
_AMOUNTS = ("joules", "low", "high", "carbon_g", "carbon_low_g", "carbon_high_g")
_TIMES = ("cpu_s", "duration_s")
_FIGURES = (*_AMOUNTS, *_TIMES)
_KEY = ("day", "item", "model", "kind", "method")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS spent (
    day TEXT, item TEXT, model TEXT, kind TEXT, method TEXT, pieces INTEGER NOT NULL,
    {", ".join(f"{name} REAL" for name in _FIGURES)}, PRIMARY KEY ({", ".join(_KEY)})
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS training (id TEXT PRIMARY KEY, at TEXT, item TEXT, model TEXT, cost TEXT, about TEXT);
"""
_ADD = (
    f"INSERT INTO spent ({', '.join((*_KEY, 'pieces', *_FIGURES))}) VALUES ({', '.join('?' * (6 + len(_FIGURES)))}) "
    f"ON CONFLICT DO UPDATE SET pieces = pieces + excluded.pieces, "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _FIGURES)
)  # fmt: skip

_Key = tuple[str, ...]


@dataclass(frozen=True)
class Spent:
    """What an item spent on a model in a day, by one method. Amounts are None where the method knows none."""

    day: str
    """In UTC, as 2026-11-21."""
    item: str
    model: str
    kind: str
    method: str
    pieces: int
    """How many answers, loads or trainings."""
    joules: float | None
    low: float | None
    high: float | None
    carbon_g: float | None
    carbon_low_g: float | None
    carbon_high_g: float | None
    cpu_s: float | None
    duration_s: float | None


@dataclass(frozen=True)
class Training:
    """A training that came to its end. `cost` is what `Measurement.result` is, `about` what the training said."""

    id: str
    at: str
    item: str
    model: str
    cost: dict[str, Any]
    about: dict[str, Any]


class Book:
    """The book in one file; `of` gives the one that this process shares. Safe to use from any thread."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problem = ""
        """Why the last writing failed; "" if it did not. What was to be written is kept for the next time."""
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._sums: dict[_Key, list[float | None]] = {}
        self._trainings: list[tuple[str, ...]] = []
        self._writer: threading.Thread | None = None

    def add(self, item: str, model: str, kind: Kind, cost: Mapping[str, Any]) -> None:
        """Something was done, and this is what it cost."""
        key = (time.strftime("%Y-%m-%d", time.gmtime()), item, model, kind, str(cost["method"]))
        with self._guard:
            sums = self._sums.get(key)
            if sums is None:
                self._sums[key] = [1, *(cost.get(name) for name in _FIGURES)]
            else:
                sums[0] = (sums[0] or 0) + 1
                for place, name in enumerate(_FIGURES, start=1):
                    had, more = sums[place], cost.get(name)
                    sums[place] = None if had is None or more is None else had + more
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on, name="energy book", daemon=True)
                self._writer.start()

    def add_training(self, item: str, model: str, cost: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """A training came to its end: written down by itself; what it cost is added to the day's by its measurement."""
        row = (uuid.uuid4().hex[:12], datetime.now(UTC).isoformat(timespec="seconds"), item, model)
        with self._guard:
            self._trainings.append((*row, json.dumps(dict(cost)), json.dumps(dict(about))))
        self.write()

    def write(self) -> None:
        """Write what was added since the last time."""
        with self._writing:
            with self._guard:
                sums, self._sums = self._sums, {}
                trainings, self._trainings = self._trainings, []
            if not (sums or trainings):
                return
            try:
                with self._open() as connection, connection:
                    connection.executemany(_ADD, [(*key, *figures) for key, figures in sums.items()])
                    connection.executemany("INSERT OR IGNORE INTO training VALUES (?, ?, ?, ?, ?, ?)", trainings)
                self.problem = ""
            except (sqlite3.Error, OSError) as error:
                self.problem = (
                    f"The book of energy cannot be written to {self.file}: {error}. Free its disk, or correct its "
                    "rights."
                )
                self._take_back(sums, trainings)

    def spent(self, since: str = "") -> list[Spent]:
        """What was spent since a day (in UTC), day by day. Raises `sqlite3.Error` for a file that is no book."""
        self.write()
        if not self.file.is_file():
            return []
        with self._open() as connection:
            columns, order = ", ".join((*_KEY, "pieces", *_FIGURES)), ", ".join(_KEY)
            rows = connection.execute(f"SELECT {columns} FROM spent WHERE day >= ? ORDER BY {order}", (since,))
            return [Spent(*row) for row in rows]

    def trainings(self, limit: int = 100) -> list[Training]:
        """The last trainings, the newest first."""
        if not self.file.is_file():
            return []
        with self._open() as connection:
            rows = connection.execute(
                "SELECT * FROM training ORDER BY at DESC, rowid DESC LIMIT ?", (limit,)
            ).fetchall()
        return [
            Training(id, at, item, model, json.loads(cost), json.loads(about))
            for id, at, item, model, cost, about in rows
        ]

    def _write_on(self) -> None:
        while True:
            time.sleep(WRITE_EVERY_S)
            self.write()

    def _take_back(self, sums: dict[_Key, list[float | None]], trainings: list[tuple[str, ...]]) -> None:
        with self._guard:
            self._trainings = trainings + self._trainings
            for key, figures in sums.items():
                newer = self._sums.get(key)
                pairs = zip(figures, newer, strict=True) if newer else ()
                self._sums[key] = [None if a is None or b is None else a + b for a, b in pairs] if newer else figures

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=10)) as connection:
            connection.executescript(_SCHEMA)
            yield connection


_books: dict[Path, Book] = {}
_guard = threading.Lock()


def of() -> Book:
    """The book beside the project's models, or in the file that `EVERGREEN_ENERGY_BOOK` names; one in a process."""
    named = os.environ.get("EVERGREEN_ENERGY_BOOK")
    file = Path(named) if named else paths.model_root() / ".energy" / "book.db"
    with _guard:
        return _books.setdefault(file, Book(file))
