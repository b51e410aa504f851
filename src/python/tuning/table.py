"""Read columns of a SQL table or view over any DB-API connection with `?` parameters.

Names come from a request, so they never reach the SQL as they were typed: each is looked up in
the catalogue (INFORMATION_SCHEMA), and the catalogue's own spelling is what is quoted.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from tuning import sampling
from tuning.errors import ColumnNotFound, TableNotFound

_BATCH_ROWS = 1_000
DRAWN_FROM_ROWS = 1_000_000
_DEFAULT_SCHEMA = "SQLUser"  # where IRIS looks for a table that is named without one
_SHOWN = 12


class Connection(Protocol):
    """What is asked of a DB-API connection: `iris.dbapi.connect()`, `sqlite3.connect()`, ..."""

    def cursor(self) -> Any: ...


@dataclass(frozen=True)
class Table:
    """A table as the catalogue spells it."""

    schema: str
    name: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> str:
        """The catalogue's spelling of the column `name`, whatever its case; else `ColumnNotFound`."""
        return spelled(name, self.columns, str(self))


def find_table(connection: Connection, name: str) -> Table:
    """The table or view that `name`, with or without a schema, means in the catalogue; else `TableNotFound`."""
    schema, _, bare = name.rpartition(".")
    found: dict[tuple[str, str], list[str]] = {}
    for row in _select(
        connection,
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE UPPER(TABLE_NAME) = ?",
        [bare.upper()],
    ):
        if not schema or schema.casefold() == str(row[0]).casefold():
            found.setdefault((str(row[0]), str(row[1])), []).append(str(row[2]))
    tables = [Table(*key, tuple(columns)) for key, columns in found.items()]
    if len(tables) > 1:
        tables = [table for table in tables if table.schema.casefold() == _DEFAULT_SCHEMA.casefold()] or tables
    if len(tables) == 1:
        return tables[0]
    if tables:
        names = _listed([str(table) for table in tables])
        raise TableNotFound(f"{name!r} is the name of several tables: {names}. Name the schema too.")
    raise TableNotFound(_no_table(connection, name))


def spelled(name: str, columns: Sequence[str], owner: str) -> str:
    """The one of `columns` that `name` means, whatever its case; else `ColumnNotFound`."""
    exact = [column for column in columns if column == name]
    found = exact or [column for column in columns if column.casefold() == name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ColumnNotFound(f"{owner} has {len(found)} columns called {name!r}. Rename all but one of them.")
    raise ColumnNotFound(f"{owner} has no column {name!r}. Its columns are {_listed(columns)}.")


def read_rows(
    connection: Connection, table: Table, columns: Sequence[str], limit: int | None, seed: int
) -> list[tuple[Any, ...]]:
    """The rows of `columns`: all of them, or `limit` of them drawn at random with `seed`.

    Tables are often sorted, so the first rows would not stand for the others. A draw looks at a
    million rows at most, or at `limit` if that is more.
    """
    if limit is None:
        return list(stream(connection, table, columns))
    rows = stream(connection, table, columns, max(limit, DRAWN_FROM_ROWS))
    return [row for _, row in sampling.draw(rows, limit, seed)]


def stream(
    connection: Connection, table: Table, columns: Sequence[str], at_most: int | None = None
) -> Iterator[tuple[Any, ...]]:
    """The rows of `columns` in the database's order, read in batches by one statement; `at_most` so many."""
    top = f"TOP {at_most:d} " if at_most is not None else ""
    names = ", ".join(_quoted(table.column(column)) for column in columns)
    return _select(connection, f"SELECT {top}{names} FROM {_quoted(table.schema)}.{_quoted(table.name)}", [])


def count_rows(connection: Connection, table: Table) -> int:
    """How many rows the table has now."""
    ((count,),) = _select(connection, f"SELECT COUNT(*) FROM {_quoted(table.schema)}.{_quoted(table.name)}", [])
    return int(count)


def _select(connection: Connection, sql: str, parameters: list[object]) -> Iterator[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, parameters)
        while batch := cursor.fetchmany(_BATCH_ROWS):
            yield from batch


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _no_table(connection: Connection, name: str) -> str:
    rows = _select(connection, "SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", [])
    tables = [f"{schema}.{table}" for schema, table, *_ in rows if schema != "INFORMATION_SCHEMA" and schema[:1] != "%"]
    by_folded = {table.casefold(): table for table in tables}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    if near:
        return f"There is no table {name!r}. Did you mean {' or '.join(by_folded[match] for match in near)}?"
    if not tables:
        return f"There is no table {name!r}, nor any other. Load one, such as iris.Review, and name it."
    return f"There is no table {name!r}. Name one of {_listed(tables)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
