"""What can go wrong in SQL, with IRIS's SQLCODE; each message ends with what to do."""

import re
import sqlite3
from collections.abc import Iterable
from difflib import get_close_matches

from irislite.errors import IrisliteError


class SqlError(IrisliteError):
    """The root of the tree. `sqlcode` is IRIS's number, always negative."""

    sqlcode = -400

    @property
    def message(self) -> str:
        """The text, by the name that `iris.sql.SQLError` has for it."""
        return str(self)


class InvalidSql(SqlError, ValueError):
    """The statement cannot be understood."""

    sqlcode = -1


class AmbiguousField(InvalidSql):
    """Two tables of the statement have a field of that name."""

    sqlcode = -27


class FieldNotFound(SqlError, LookupError):
    """No table of the statement has that field."""

    sqlcode = -29


class TableNotFound(SqlError, LookupError):
    """There is no such table or view."""

    sqlcode = -30


class FunctionNotFound(SqlError, LookupError):
    """There is no such function, or not here."""

    sqlcode = -359


class SqlNotSupported(SqlError, NotImplementedError):
    """IRIS may know it; this SQL does not."""

    sqlcode = -51


class NotAllowed(SqlError, PermissionError):
    """The statement would change or read what belongs to the runtime."""

    sqlcode = -99


class WrongParameters(SqlError, ValueError):
    """The values do not fit the question marks."""

    sqlcode = -400


class AlreadyExists(SqlError, ValueError):
    """There is a table, view or index of that name."""

    sqlcode = -201


class InUse(SqlError, ValueError):
    """A view still refers to the table."""

    sqlcode = -321


class ConstraintFailed(SqlError, ValueError):
    """A row breaks a rule of its table: type, length, NOT NULL, UNIQUE, FOREIGN KEY."""

    def __init__(self, message: str, sqlcode: int) -> None:
        super().__init__(message)
        self.sqlcode = sqlcode


class TableBusy(SqlError, TimeoutError):
    """Another transaction holds the tables."""

    sqlcode = -110


class NoTransaction(SqlError, RuntimeError):
    """There is no transaction to commit."""


class DatabaseFailed(SqlError, OSError):
    """The file of the tables cannot be read or written."""


class LoadFailed(SqlError, ValueError):
    """A CSV file was not loaded; the table is as it was."""


def near(name: str, known: Iterable[str]) -> str:
    """A sentence that names what was perhaps meant, or what there is, the case and the schema aside."""
    by_key = {_key(title): title for title in known}
    if close := get_close_matches(_key(name), by_key, n=3):
        return f" Did you mean {' or '.join(by_key[key] for key in close)}?"
    titles = sorted(by_key.values())
    rest = f" and {len(titles) - 20} more" if len(titles) > 20 else ""
    return f" There is: {', '.join(titles[:20])}{rest}." if titles else ""


def _key(name: str) -> str:
    return name.rpartition(".")[2].lower()


def table_not_found(name: str, known: Iterable[str]) -> TableNotFound:
    """`name` as the user wrote it, `known` the tables there are."""
    hint = near(name, known)
    if "?" not in hint:
        hint += " Create it with CREATE TABLE or `irislite load`."
    return TableNotFound(f"Table or view {name!r} not found.{hint}")


def field_not_found(name: str, table: str, known: Iterable[str]) -> FieldNotFound:
    """`name` as the user wrote it, `known` the fields of the table."""
    hint = near(name, known) or " Check its spelling."
    return FieldNotFound(f"Field {name!r} not found in {table}.{hint}")


# What SQLite says -> IRIS's number and what to do.
_CONSTRAINTS = (
    (r"UNIQUE constraint failed: (.+)", -119, "A row with this {0} is already there: UPDATE it, or change the key."),
    (r"NOT NULL constraint failed: (.+)", -108, "{0} needs a value (NOT NULL constraint): give one."),
    (r"FOREIGN KEY constraint failed()", -121, "A FOREIGN KEY constraint fails: insert the row it refers to first."),
    (r"CHECK constraint failed: (.+)", -104, "A value does not fit its field: {0} (CHECK constraint). Correct it."),
    (r"datatype mismatch()", -104, "A value has the wrong type for its place (an integer is needed). Correct it."),
)
_OBJECTS = r"(?:table|view|index) `?\"?(.+?)\"?`? already exists"


def explained(error: sqlite3.Error, fields: dict[str, tuple[str, ...]], path: object) -> SqlError:
    """The `SqlError` for what SQLite raised; `fields` are those of each table in the statement."""
    text = str(error)
    for pattern, sqlcode, advice in _CONSTRAINTS:
        if match := re.search(pattern, text):
            return ConstraintFailed(advice.format(match[1]), sqlcode)
    if match := re.search(r"no such column: (.+)|has no column named (.+)", text):
        known = [field for names in fields.values() for field in names]
        return field_not_found(match[1] or match[2], " or ".join(fields) or "a statement without FROM", known)
    if match := re.search(r"ambiguous column name: (.+)", text):
        return AmbiguousField(f"Field {match[1]!r} is in more than one table: write its table's name before it.")
    if match := re.search(r"no such table: (?:main\.|temp\.)?(.+)", text):
        return TableNotFound(f"Table or view {match[1]!r} not found: create it first.")
    if match := re.search(r"no such function: (.+)", text):
        return FunctionNotFound(f"There is no SQL function {match[1]}: compute it in Python.")
    if match := re.search(_OBJECTS, text):
        return AlreadyExists(f"{match[1]!r} already exists: drop it first, or take another name.")
    if "foreign key mismatch" in text:
        return InvalidSql(f"{text}: let the FOREIGN KEY refer to a PRIMARY KEY, UNIQUE or IDENTITY field.")
    if match := re.search(r"no such index: (.+)", text):
        return TableNotFound(f"Index {match[1]!r} not found: see the spelling of its name and its table.")
    if "locked" in text:
        return TableBusy(
            "The tables are held by another transaction, or by a result that was not read to its end: "
            "commit or close it, then try again."
        )
    if "not authorized" in text or "readonly" in text or "prohibited" in text:
        return NotAllowed(f"Not allowed: {text}. SQL here reads and writes the namespace's own tables alone.")
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 1) == sqlite3.SQLITE_ERROR:
        return InvalidSql(f"The statement cannot be run: {text}. Check it.")
    if isinstance(error, sqlite3.DataError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return WrongParameters(f"The values cannot be used: {text}. Check them.")
    return DatabaseFailed(f"The tables in {path} cannot be used: {text}. Check the disk's space and the file's rights.")
