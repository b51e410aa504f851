"""A Parquet file as rows of a table: its own types, read in batches; wants the package pyarrow."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from irislite.sql.errors import LoadFailed
from irislite.sql.load import BATCH_ROWS, LONGEST_VARCHAR, Record, checked_header


class ParquetFile:
    """A Parquet file; a context that closes it. Lists and structures become JSON texts.

    `size` and `bytes_done` are counted in rows.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError as error:
            raise LoadFailed("Parquet files need the package pyarrow: pip install 'evergreen[data]'.") from error
        self.path = path
        self.bytes_done = 0
        self._faults = (arrow.ArrowException, OSError)
        try:
            self._file = parquet.ParquetFile(path)
        except self._faults as error:
            raise LoadFailed(f"{path.name} is no Parquet file that can be read: {error}. Write it anew.") from error
        self.size: int = self._file.metadata.num_rows
        self.header = checked_header(list(self._file.schema_arrow.names), path)

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def types(self, progress: Callable[[int], None]) -> list[str]:
        """The type of each column, as the file declares it."""
        progress(0)
        return [_type(str(field.type)) for field in self._file.schema_arrow]

    def batches(self) -> Iterator[list[Record]]:
        """The rows; a row's line is its number, the first is 1."""
        self.bytes_done = 0
        try:
            for batch in self._file.iter_batches(BATCH_ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                first = self.bytes_done + 1
                rows = zip(*columns, strict=True)
                records = [Record(first + number, list(map(_storable, row))) for number, row in enumerate(rows)]
                self.bytes_done += len(records)
                yield records
        except self._faults as error:
            raise LoadFailed(f"{self.path.name} is damaged behind row {self.bytes_done}: {error}.") from error


def _type(declared: str) -> str:
    """The table's type for one of Arrow's."""
    for beginnings, ours in (
        (("int", "uint"), "BIGINT"),
        (("float", "double", "halffloat", "decimal"), "NUMERIC"),
        (("bool",), "BIT"),
        (("timestamp",), "TIMESTAMP"),
        (("date",), "DATE"),
        (("time",), "TIME"),
        (("string", "large_string", "dictionary"), f"VARCHAR({LONGEST_VARCHAR})"),
        (("binary", "large_binary", "fixed_size_binary"), "LONGVARBINARY"),
    ):
        if declared.startswith(beginnings):
            return ours
    return "LONGVARCHAR"


def _storable(value: Any) -> Any:
    """A value as SQLite stores it."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return json.dumps(value, default=str, ensure_ascii=False)


def write(
    file: Path,
    columns: tuple[str, ...],
    rows: Iterable[tuple[Any, ...]],
    again: Callable[[], Iterable[tuple[Any, ...]]],
) -> int:
    """Write rows to a Parquet file; how many. `again` gives the same rows anew: the first time is for their types."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise LoadFailed("Parquet files need the package pyarrow: pip install 'evergreen[data]'.") from error
    kinds: list[set[type]] = [set() for _ in columns]
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is the answer
        for kind, value in zip(kinds, row, strict=True):
            kind.add(type(value))
    fitting = [_fitting(kind - {type(None)}) for kind in kinds]
    named = {"whole": arrow.int64(), "number": arrow.float64(), "bytes": arrow.binary(), "text": arrow.string()}
    fields = [(name, named[kind]) for name, kind in zip(_distinct(columns), fitting, strict=True)]
    schema = arrow.schema(fields)
    with parquet.ParquetWriter(file, schema) as writer:
        for batch in _batched(again()):
            arrays = [
                arrow.array([_as(kind, value) for value in column], type=field.type)
                for kind, column, field in zip(fitting, zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))
    return count


def _fitting(kinds: set[type]) -> str:
    """The narrowest of ours that all values of a column fit; SQLite keeps to no type by itself."""
    if kinds == {int}:
        return "whole"
    if kinds and kinds <= {int, float}:
        return "number"
    return "bytes" if kinds == {bytes} else "text"


def _as(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "number":
        return float(value)
    if kind == "text" and not isinstance(value, str):
        return value.hex() if isinstance(value, bytes) else str(value)
    return value


def _distinct(columns: tuple[str, ...]) -> list[str]:
    """The names of the columns, a second of the same name with a number: a file cannot have two."""
    found: list[str] = []
    for name in columns:
        number, tried = 2, name
        while tried in found:
            number, tried = number + 1, f"{name}_{number}"
        found.append(tried)
    return found


def _batched(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch
