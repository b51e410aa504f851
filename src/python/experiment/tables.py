"""Rows of a table: of the namespace over a DB-API connection, or of an SQLite file.

Names come from settings, so they never reach the SQL as they were typed: each is looked up in the catalogue, and the
catalogue's own spelling is what is quoted.
"""

import difflib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment.errors import SourceUnreadable, TableUnknown

_BATCH_ROWS = 1_000


@dataclass(frozen=True)
class Table:
    """A table or view as the catalogue spells it; `schema` is "" in an SQLite file."""

    connection: Any
    schema: str
    name: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def column(self, name: str) -> str:
        """The catalogue's spelling of a column, whatever its case. Raises `TableUnknown`."""
        for one in self.columns:
            if one == name:
                return one
        by_folded = {one.casefold(): one for one in self.columns}
        if name.casefold() in by_folded:
            return by_folded[name.casefold()]
        raise TableUnknown(f"{self} has no column {name!r}. {_meant(name, self.columns)}")

    def rows(self, columns: Sequence[str], limit: int = 0) -> Iterator[tuple[Any, ...]]:
        """The rows of these columns in the database's order, read in batches by one statement."""
        names = ", ".join(_quoted(self.column(column)) for column in columns)
        place = ".".join(_quoted(part) for part in (self.schema, self.name) if part)
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(f"SELECT {names} FROM {place}")
            left = limit or -1
            while left and (batch := cursor.fetchmany(_BATCH_ROWS if left < 0 else min(left, _BATCH_ROWS))):
                yield from (tuple(row) for row in batch)
                left -= len(batch) if left > 0 else 0


@contextmanager
def opened(name: str, database: Path | None, connection: Any) -> Iterator[Table]:
    """The table `name` of an SQLite file, or else of the connection. Raises `TableUnknown` and `SourceUnreadable`."""
    if database is not None:
        if not database.is_file():
            raise SourceUnreadable(f"There is no database {database}. Set DATABASE to an SQLite file.")
        try:
            with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as file:
                yield _of_sqlite(file, name)
        except sqlite3.DatabaseError as error:
            raise SourceUnreadable(f"{database} cannot be read: {error}. Set DATABASE to an SQLite file.") from error
        return
    if connection is None:
        raise SourceUnreadable(
            f"The table {name!r} is one of the namespace, and this process has no connection to it. Start the "
            "experiment by msg.ExperimentRequest, or set DATABASE to an SQLite file that has the table."
        )
    yield _of_catalogue(connection, name)


def _of_sqlite(connection: Any, name: str) -> Table:
    found = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    for one in found:
        if one.casefold() == name.casefold():
            columns = connection.execute("SELECT name FROM pragma_table_info(?)", [one])
            return Table(connection, "", one, tuple(row[0] for row in columns))
    raise TableUnknown(f"There is no table {name!r}. {_meant(name, found)}")


def _of_catalogue(connection: Any, name: str) -> Table:
    schema, _, bare = name.rpartition(".")
    sql = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE UPPER(TABLE_NAME) = ?"
    found: dict[tuple[str, str], list[str]] = {}
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, [bare.upper()])
        for row in cursor.fetchall():
            if not schema or schema.casefold() == str(row[0]).casefold():
                found.setdefault((str(row[0]), str(row[1])), []).append(str(row[2]))
        if len(found) == 1:
            ((key, columns),) = found.items()
            return Table(connection, *key, tuple(columns))
        if found:
            names = ", ".join(".".join(key) for key in found)
            raise TableUnknown(f"{name!r} is the name of several tables: {names}. Name the schema too.")
        cursor.execute("SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES")
        known = [f"{row[0]}.{row[1]}" for row in cursor.fetchall()]
    raise TableUnknown(
        f"There is no table {name!r}. "
        + _meant(name, [one for one in known if not one.startswith(("INFORMATION_SCHEMA", "%"))])
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _meant(name: str, known: Sequence[str]) -> str:
    by_folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(by_folded[match] for match in near)}?"
    if not known:
        return "There is none at all: create it first."
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"There are {', '.join(known[:12])}{more}: name one of them."
