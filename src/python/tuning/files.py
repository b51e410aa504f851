"""Read columns of a file, a batch at a time: CSV, JSON lines, Parquet."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tuning.errors import FileUnreadable
from tuning.table import spelled

_BATCH_ROWS = 1_000
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Unusable:
    """In place of a row: why the file has no such row, though it has a line for it."""

    reason: str


Row = tuple[Any, ...] | Unusable


def read(path: Path, columns: Sequence[str], shown: str = "") -> Iterator[Row]:
    """The rows of `columns`, whatever their case, in the file's order; `shown` is what errors call the file.

    Raises `FileUnreadable`, and `ColumnNotFound` with the names that there are.
    """
    name = shown or path.name
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise FileUnreadable(f"{name} is no file of rows. Give one that ends in {', '.join(ENDINGS)}.")
    with _refusals(name):
        yield from reader(path, columns, name)


def state(path: Path) -> tuple[int, int, int]:
    """Changes when the file does: its number on the disk, size and time."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _csv(path: Path, columns: Sequence[str], name: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        # The header's most frequent sign of the three that people use; a header of one column has none.
        delimiter = max(_DELIMITERS, key=first.count)
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [cell.strip() for cell in next(lines, [])]
            places = [header.index(spelled(column, header, name)) for column in columns]
            for cells in lines:
                if len(cells) == len(header):
                    yield tuple(cells[place] for place in places)
                elif cells:  # an empty line is no row
                    yield Unusable("another number of cells than the header")
        except csv.Error as error:
            raise FileUnreadable(
                f"{name} cannot be read at line {lines.line_num}: {error}. Look for a quotation mark without its end."
            ) from error


def _json(path: Path, columns: Sequence[str], name: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        filled = (line for line in file if line.strip())
        first = next(filled, "")
        if first.lstrip().startswith("["):  # one array instead of lines: there is no way but to read it whole
            file.seek(0)
            objects: Iterator[Any] = iter(json.load(file))
        else:
            objects = (_line(line) for line in chain([first] if first else [], filled))
        keys: list[str] | None = None
        for one in objects:
            if not isinstance(one, dict):
                yield Unusable("a line that is no JSON object")
                continue
            if keys is None:
                keys = [spelled(column, list(one), name) for column in columns]
            yield tuple(one.get(key) for key in keys)


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _parquet(path: Path, columns: Sequence[str], name: str) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise FileUnreadable(
            f"Reading {name} needs the package pyarrow: pip install 'evergreen[tuning]', or save the file as CSV."
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = [spelled(column, names, name) for column in columns]
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                yield from zip(*(batch.column(column).to_pylist() for column in wanted), strict=True)
    except ArrowException as error:
        raise FileUnreadable(f"{name} is no whole Parquet file: {error} Write or copy it again.") from error


_READERS: dict[str, Callable[[Path, Sequence[str], str], Iterator[Row]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json,
    ".json": _json,
}
ENDINGS = tuple(_READERS)


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"{name} is no UTF-8 text: {error}. Save it with the encoding UTF-8.") from error
    except json.JSONDecodeError as error:
        raise FileUnreadable(f"{name} is no JSON: {error}. Correct it, or write one object a line.") from error
    except FileUnreadable:
        raise
    except OSError as error:
        raise FileUnreadable(f"{name} cannot be read: {error}. Check that it is there and may be read.") from error
