"""A file becomes rows of a table: types inferred, bad rows named by line, all in one transaction."""

import csv
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from irislite.sql.catalog import Table, qualified
from irislite.sql.errors import FieldNotFound, LoadFailed, NotAllowed, near

if TYPE_CHECKING:
    from irislite.sql.session import Session

Progress = Callable[[int, int, int], None]  # rows done, bytes done, bytes in all

BATCH_ROWS = 5_000
KEPT_BAD_ROWS = 1_000  # the rest is only counted
LONGEST_VARCHAR = 32_000  # characters
TYPES = (
    "INTEGER", "BIGINT", "NUMERIC", "DOUBLE", "VARCHAR(50)", "VARCHAR(255)", f"VARCHAR({LONGEST_VARCHAR})",
    "LONGVARCHAR", "DATE", "TIME", "TIMESTAMP", "BIT", "LONGVARBINARY",
)  # fmt: skip
"""What an operator can choose for a column; another length of VARCHAR is fine too."""
_TYPE = re.compile("|".join([*map(re.escape, TYPES), r"VARCHAR\([1-9][0-9]{0,4}\)"]))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A leading zero, as in a postcode, makes a text. 18 digits always fit into 64 bits, and a
# floating-point number keeps 15: a longer one stays a text, which loses nothing.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(?![.0-9]{17})(?=\.?[0-9])(?:0|[1-9][0-9]*)?(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,2})?")


class BadRow(NamedTuple):
    """A row that was left out; `line` is its first line in the file, the header's is 1."""

    line: int
    reason: str


@dataclass
class LoadReport:
    """What a load did: `rows` are in the table; `bad` holds the first 1,000 of the `bad_rows` left out."""

    table: str
    rows: int = 0
    bad_rows: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def leave_out(self, line: int, reason: str) -> None:
        """Note a row that does not go into the table."""
        self.bad_rows += 1
        if len(self.bad) < KEPT_BAD_ROWS:
            self.bad.append(BadRow(line, reason))


class Record(NamedTuple):
    """One row of the file. `fault` says why it cannot be used; empty if it can."""

    line: int
    values: list[Any]
    fault: str = ""


class Source(Protocol):
    """A file of rows: `header` names the columns, `batches` gives the rows from the first on, as often as asked.

    `size` and `bytes_done` say how far that is; `types` are the columns' types for a new table.
    """

    path: Path
    size: int
    bytes_done: int
    header: list[str]

    def batches(self) -> Iterator[list[Record]]: ...

    def types(self, progress: Callable[[int], None]) -> list[str]: ...


def load_csv(
    session: "Session", table: str, path: Path, mode: str, progress: Progress | None, strict: bool
) -> LoadReport:
    """See `Tables.load_csv`."""
    with opened(path) as source:
        return load(session, table, source, mode, progress, strict)


def load(
    session: "Session",
    table: str,
    source: "Source",
    mode: str = "append",
    progress: Progress | None = None,
    strict: bool = False,
    types: Mapping[str, str] | None = None,
) -> LoadReport:
    """The same for a file that is open; `types` are those of the columns of a new table, by name, if they are known."""
    if mode not in ("append", "replace"):
        raise LoadFailed(f"The mode {mode!r} is unknown: write 'append' or 'replace'.")
    level = session.level
    session.begin()
    try:
        report = _load(session, table, source, mode, progress or _silent, strict, types or {})
    except BaseException:
        session.roll_back(level)
        raise
    session.commit()
    return report


@contextmanager
def opened(path: Path) -> "Iterator[Source]":
    """The rows of a CSV file, or of a Parquet file if it is called so. Raises `LoadFailed`."""
    if path.suffix.lower() == ".parquet":
        from irislite.sql.parquet import ParquetFile

        with ParquetFile(path) as source:
            yield source
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise LoadFailed(f"{path} cannot be read: {error.strerror or error}. Check its name and rights.") from error
    with file:
        yield CsvFile(file, path)


def _silent(rows_done: int, bytes_done: int, bytes_total: int) -> None:
    pass


def _load(
    session: "Session",
    name: str,
    source: "Source",
    mode: str,
    progress: Progress,
    strict: bool,
    given: Mapping[str, str],
) -> LoadReport:
    name = qualified(name)
    table = session.catalog().find(name)
    if table is None:
        passes = 2  # the file is read twice: first for the types
        inferred = source.types(lambda bytes_done: progress(0, bytes_done, passes * source.size))
        types = [_type(given.get(title, kind), title) for title, kind in zip(source.header, inferred, strict=True)]
        schema, _, bare = name.rpartition(".")
        if not (_NAME.fullmatch(schema) and _NAME.fullmatch(bare)):
            raise LoadFailed(f"{name!r} is no name of a table: write schema.table, with letters, digits and _ alone.")
        declared = ", ".join(f'"{title}" {kind}' for title, kind in zip(source.header, types, strict=True))
        session.run(f'CREATE TABLE "{schema}"."{bare}" ({declared})', ())
        columns = source.header
    else:
        passes = 1
        columns = _columns_for(table, source)
        name = table.name
        if mode == "replace":
            session.cursor(f"DELETE FROM {_quoted(name)}")
    report = LoadReport(name)
    fields, marks = ", ".join(map(_quoted, columns)), ", ".join("?" * len(columns))
    insert = f"INSERT INTO {_quoted(name)} ({fields}) VALUES ({marks})"
    before = (passes - 1) * source.size
    for batch in source.batches():
        _insert(session, insert, batch, report)
        if strict and report.bad:
            raise LoadFailed(f"Line {report.bad[0].line}: {report.bad[0].reason} Nothing was loaded (strict).")
        progress(report.rows, before + source.bytes_done, passes * source.size)
    if report.rows == 0 and (report.bad or mode == "replace"):
        why = f"line {report.bad[0].line}: {report.bad[0].reason}" if report.bad else "it has a header alone."
        raise LoadFailed(f"No row of {source.path} fits into {name}, the table is as it was: {why}")
    return report


def _insert(session: "Session", insert: str, batch: list[Record], report: LoadReport) -> None:
    """Insert what fits; the rest goes into the report."""
    good = [record for record in batch if not record.fault]
    rows = [record.values for record in good]
    faults = [(record.line, record.fault) for record in batch if record.fault]
    level = session.level
    session.begin()
    try:
        session.many(insert, rows)
        report.rows += len(rows)
    except sqlite3.IntegrityError:  # at least one does not fit: find out which
        session.roll_back(level)
        session.begin()
        for record, row in zip(good, rows, strict=True):
            try:
                session.many(insert, [row])
                report.rows += 1
            except sqlite3.IntegrityError as error:
                faults.append((record.line, str(session.explained(error, {}))))
    except sqlite3.Error as error:
        raise session.explained(error, {}) from error
    session.commit()
    for line, reason in sorted(faults):
        report.leave_out(line, reason)


def _columns_for(table: Table, source: "Source") -> list[str]:
    """The table's fields in the order of the file's header."""
    if table.of_runtime:
        raise NotAllowed(f"{table.name} belongs to the runtime and can only be read: load into a table of your own.")
    if table.is_view:
        raise LoadFailed(f"{table.name} is a view: load into the table behind it.")
    for title in source.header:
        if title.lower() not in table.fields:
            names = [column.name for column in table.columns]
            raise FieldNotFound(
                f"The header of {source.path} has {title!r}, which {table.name} has not.{near(title, names)} "
                "Correct the header, or load into another table."
            )
    return [table.fields[title.lower()].name for title in source.header]


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _type(text: str, column: str) -> str:
    """A type that somebody chose for a column of a new table."""
    if not _TYPE.fullmatch(text):
        raise LoadFailed(f"{text[:40]!r} is no type for {column}: write one of {', '.join(TYPES)}.")
    return text


def _wider(kind: str, value: str | None) -> str:
    """The narrowest type that takes this value and all that `kind` took."""
    if not value:
        return kind
    if kind in ("", "INTEGER") and _INTEGER.fullmatch(value):
        return "INTEGER"
    if kind in ("", "INTEGER", "NUMERIC") and _NUMBER.fullmatch(value):
        return "NUMERIC"
    if kind != "LONGVARCHAR" and len(value) <= LONGEST_VARCHAR:
        return f"VARCHAR({LONGEST_VARCHAR})"
    return "LONGVARCHAR"


class CsvFile:
    """A CSV file with a header row, read from the start as often as asked, never as a whole.

    UTF-8, with or without a byte order mark; fields between commas, semicolons or tabs,
    whichever the header uses. Raises `LoadFailed` if the header is not one of names.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.bytes_done = 0
        self._file = file
        self._line = 0
        self._faults: dict[int, str] = {}
        first = next(self._lines(), "")
        if self._faults or not first.strip():
            raise LoadFailed(f"{path} begins with no header row in UTF-8: write the names of the fields in line 1.")
        try:
            headers = {mark: next(csv.reader([first], delimiter=mark)) for mark in ",;\t"}
        except csv.Error as error:
            raise LoadFailed(
                f"The header of {path} cannot be read: {error}. Is it a CSV file with line ends?"
            ) from error
        self._delimiter = max(headers, key=lambda mark: len(headers[mark]))
        self.header = checked_header(headers[self._delimiter], path)

    def types(self, progress: Callable[[int], None]) -> list[str]:
        """The type of each column that all of its values fit: INTEGER, NUMERIC, VARCHAR or LONGVARCHAR."""
        kinds = [""] * len(self.header)  # nothing seen yet
        for batch in self.batches():
            for record in batch:
                if not record.fault:
                    kinds = list(map(_wider, kinds, record.values))
            progress(self.bytes_done)
        return [kind or f"VARCHAR({LONGEST_VARCHAR})" for kind in kinds]

    def batches(self) -> Iterator[list[Record]]:
        """The rows behind the header."""
        batch: list[Record] = []
        for record in self._records():
            batch.append(record)
            if len(batch) == BATCH_ROWS:
                yield batch
                batch = []
        yield batch

    def _records(self) -> Iterator[Record]:
        lines = self._lines()
        next(lines)  # the header
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            line = reader.line_num + 2
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(
                    line, [], f"{error}, up to line {reader.line_num + 1}: is a quote not closed or not doubled?"
                )
            else:
                if values:  # an empty line is no row
                    fault = self._fault(line, reader.line_num + 1, values)
                    yield Record(line, [value or None for value in values], fault)

    def _fault(self, first: int, last: int, values: list[str]) -> str:
        if self._faults:
            for line in range(first, last + 1):
                if fault := self._faults.pop(line, ""):
                    return fault
        if len(values) != len(self.header):
            return f"{len(values)} fields where the header has {len(self.header)}: is a quote or a delimiter missing?"
        return ""

    def _lines(self) -> Iterator[str]:
        """The file's lines as text; what is wrong with their bytes is kept by line number."""
        self._file.seek(0)
        self.bytes_done = self._line = 0
        self._faults.clear()
        for line in self._file:
            self._line += 1
            self.bytes_done += len(line)
            try:
                text = line.decode("utf-8-sig" if self._line == 1 else "utf-8")
            except UnicodeDecodeError:
                self._faults[self._line] = "not UTF-8: save the file as UTF-8."
                text = line.decode("utf-8", errors="replace")
            if "\0" in text:
                self._faults[self._line] = "holds a NUL character: take it out."
                text = text.replace("\0", "")
            yield text


def checked_header(titles: list[str], path: Path) -> list[str]:
    """The names of the columns without what surrounds them. Raises `LoadFailed` for what is no name of a field."""
    titles = [title.strip() for title in titles]
    for title in titles:
        if not _NAME.fullmatch(title):
            better = re.sub(r"\W", "_", title, flags=re.ASCII) or "a name"
            raise LoadFailed(
                f"The header of {path} has {title!r}, which is no name of a field: write {better}, "
                "with letters, digits and _ alone, a letter first."
            )
    doubled = {title for title in titles if [t.lower() for t in titles].count(title.lower()) > 1}
    if doubled:
        raise LoadFailed(f"The header of {path} has {sorted(doubled)[0]!r} twice: rename one.")
    return titles
