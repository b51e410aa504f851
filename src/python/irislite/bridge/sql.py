"""What `iris` offers of SQL: `iris.sql`, transactions, and `%SQL.Statement`, which `iris.dbapi` runs on."""

import os
from collections.abc import Iterator
from typing import Any

from irislite.bridge.objects import IrisObject
from irislite.bridge.status import OK, ErrorStatus
from irislite.errors import IrisliteError, NotSupported
from irislite.sql import Result, SqlError, Tables

NO_MORE_ROWS = 100  # the SQLCODE at the end of a result
_EMPTY_TEXT = "\0"  # %SQL.Statement's '' is NULL, and its $CHAR(0) is the empty text

_bound_tables: list[Tables] = []  # the last one answers
_namespace = ""


def bind(tables: Tables, namespace: str = "") -> None:
    """Let `iris.sql` and `iris.dbapi` run on these tables, in this process.

    Without a name the namespace is called as `IRISNAMESPACE` says, or IRISAPP.
    """
    global _namespace
    _bound_tables.append(tables)
    _namespace = namespace or os.environ.get("IRISNAMESPACE") or "IRISAPP"


def namespace() -> str:
    """The name of the one namespace that this runtime is."""
    return _namespace


def unbind(tables: Tables) -> None:
    """Let the tables that were bound before answer again."""
    if tables in _bound_tables:
        _bound_tables.remove(tables)


def _bound() -> Tables:
    if not _bound_tables:
        raise IrisliteError("No tables are bound in this process: start the runtime with `irislite run FILE`.")
    return _bound_tables[-1]


class ResultSet(IrisObject):
    """What `iris.sql.exec` answers: iterate it once; a row is a list, NULL is None."""

    classes = ("%SYS.Python.SQLResultSet", "%RegisteredObject")

    def __init__(self, result: Result) -> None:
        self._result = result

    def __iter__(self) -> Iterator[list[Any]]:
        return self

    def __next__(self) -> list[Any]:
        return list(next(self._result))

    def dataframe(self) -> Any:
        """The rows that were not read yet, as a pandas DataFrame."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("dataframe() needs pandas: pip install pandas, or iterate the result.") from error
        return pandas.DataFrame(list(self), columns=list(self._result.columns))


class Query(IrisObject):
    """What `iris.sql.prepare` answers: one statement, run as often as wanted."""

    classes = ("%SYS.Python.SQLQuery", "%RegisteredObject")

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def execute(self, *parameters: Any) -> ResultSet:
        """Run it with a value for each question mark. Raises `iris.sql.SQLError`."""
        return ResultSet(_bound().execute(self._statement, parameters))


class _Sql:
    """`iris.sql`."""

    SQLError = SqlError  # has sqlcode and message

    @staticmethod
    def exec(statement: str, *parameters: Any) -> ResultSet:
        """Run one statement of IRIS SQL. Raises `iris.sql.SQLError`."""
        return ResultSet(_bound().execute(statement, parameters))

    @staticmethod
    def prepare(statement: str) -> Query:
        """Check one statement of IRIS SQL, to run it later. Raises `iris.sql.SQLError`."""
        _bound().check(statement)
        return Query(statement)


sql = _Sql()


# --- transactions: one per thread, as IRIS has one per process ---------------------------------


def tstart() -> None:
    """Open a transaction, or one inside the open one."""
    _bound().begin()


def tcommit() -> None:
    """End the innermost transaction."""
    _bound().commit()


def trollback() -> None:
    """Undo all open transactions."""
    _bound().roll_back()


def trollbackone() -> None:
    """Undo the innermost transaction."""
    _bound().roll_back(max(tlevel() - 1, 0))


def tlevel() -> int:
    """How many transactions are open."""
    return _bound().level


# --- %SQL.Statement: errors are a status or an SQLCODE, never raised ---------------------------


class _ColumnMetadata(IrisObject):
    """One column of a result; its type is not told, for SQLite keeps types per value."""

    classes = ("%SQL.StatementColumn", "%RegisteredObject")

    def __init__(self, name: str) -> None:
        self.colName = self.label = name


class _Columns(IrisObject):
    """The columns of a result, counted from 1."""

    classes = ("%Collection.ListOfObj", "%RegisteredObject")

    def __init__(self, names: tuple[str, ...]) -> None:
        self._columns = [_ColumnMetadata(name) for name in names]

    def Count(self) -> int:
        return len(self._columns)

    def GetAt(self, position: int) -> _ColumnMetadata:
        return self._columns[position - 1]


class _Metadata(IrisObject):
    """What `_GetMetadata` answers."""

    classes = ("%SQL.StatementMetadata", "%RegisteredObject")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.columnCount = len(names)
        self.columns = _Columns(names)


class StatementResult(IrisObject):
    """`%SQL.StatementResult`: call `_Next` for each row, then `_GetData` or `_Get` for its values.

    `_SQLCODE` is 0, 100 behind the last row, or negative with the text in `_Message`.
    """

    classes = ("%SQL.StatementResult", "%RegisteredObject")

    def __init__(self, result: Result | None, error: SqlError | None = None) -> None:
        self._rows = result
        self._row: tuple[Any, ...] = ()
        self._names = result.columns if result else ()
        self._SQLCODE, self._Message = 0, ""
        self._ROWCOUNT = max(result.rowcount, 0) if result else 0
        self._ROWID = "" if result is None or result.lastrowid is None else result.lastrowid
        self._ResultColumnCount = len(self._names)
        if error is not None:
            self._fail(error)
        elif result is not None and not self._names and result.rowcount == 0:
            self._SQLCODE = NO_MORE_ROWS  # an UPDATE or DELETE that met no row

    def _Next(self, status: Any = None) -> int:
        """1 if there is another row, now the current one."""
        self._row = ()
        if self._rows is None:
            return 0
        try:
            self._row = next(self._rows)
        except StopIteration:
            self._SQLCODE = NO_MORE_ROWS
            return 0
        except SqlError as error:
            self._fail(error)
            if status is not None:
                status.value = ErrorStatus(self._Message)
            return 0
        self._ROWCOUNT += 1
        return 1

    def _GetData(self, position: int) -> Any:
        """The value of a column of the current row, counted from 1."""
        return _outward(self._row[position - 1])

    def _Get(self, name: str) -> Any:
        """The value of a column of the current row, by its name."""
        names = [column.lower() for column in self._names]
        if name.lower() not in names:
            raise NotSupported(f"The result has no column {name!r}: it has {', '.join(self._names)}.")
        return _outward(self._row[names.index(name.lower())])

    def _GetMetadata(self) -> _Metadata:
        return _Metadata(self._names)

    def __iter__(self) -> Iterator[list[Any]]:
        while self._Next():
            yield [_outward(value) for value in self._row]

    def _fail(self, error: SqlError) -> None:
        self._SQLCODE, self._Message, self._rows = error.sqlcode, str(error), None


class Statement(IrisObject):
    """`%SQL.Statement`: prepare once, execute as often as wanted."""

    classes = ("%SQL.Statement", "%RegisteredObject")

    def __init__(self, *_: Any) -> None:
        self._text = ""

    def _Prepare(self, text: Any) -> int | ErrorStatus:
        """Check a statement, a text or a list of its lines: 1, or a status that says what is wrong."""
        self._text = text if isinstance(text, str) else "\n".join(text)
        try:
            _bound().check(self._text)
        except SqlError as error:
            return ErrorStatus(f"SQLCODE {error.sqlcode}: {error}")
        return OK

    def _Execute(self, *parameters: Any) -> StatementResult:
        """Run it with a value for each question mark; an error is in the result's `_SQLCODE`."""
        try:
            return StatementResult(_bound().execute(self._text, [_inward(value) for value in parameters]))
        except SqlError as error:
            return StatementResult(None, error)

    @classmethod
    def _ExecDirect(cls, statement: Any, text: Any, *parameters: Any) -> StatementResult:
        """Prepare and execute; `statement`, a reference or nothing, gets the prepared one."""
        prepared = cls()
        prepared._text = text if isinstance(text, str) else "\n".join(text)
        if hasattr(statement, "value"):
            statement.value = prepared
        return prepared._Execute(*parameters)

    _ExecDirectNoPriv = _ExecDirect

    def prepare(self, text: str) -> None:
        """Like `_Prepare`, but raises `iris.sql.SQLError`."""
        _bound().check(text)
        self._text = text

    def execute(self, *parameters: Any) -> StatementResult:
        """Like `_Execute`, but raises `iris.sql.SQLError`."""
        return StatementResult(_bound().execute(self._text, [_inward(value) for value in parameters]))


def _inward(value: Any) -> Any:
    """A parameter as ObjectScript writes it: '' is NULL, $CHAR(0) is the empty text."""
    if isinstance(value, str):
        return None if value == "" else "" if value == _EMPTY_TEXT else value
    return value


def _outward(value: Any) -> Any:
    """A value as ObjectScript reads it; the inverse of `_inward`."""
    return "" if value is None else _EMPTY_TEXT if value == "" else value


class Process:
    """`%SYSTEM.Process`: which namespace this is. There is one, and it cannot be changed."""

    @staticmethod
    def NameSpace(name: str = "") -> str:
        if name:
            Process.SetNamespace(name)
        return _namespace

    @staticmethod
    def SetNamespace(name: str) -> str:
        if name.upper() != _namespace.upper():
            raise NotSupported(f"The only namespace here is {_namespace}, not {name}: start another runtime for it.")
        return _namespace


CLASSES: dict[str, type] = {
    "%SQL.Statement": Statement,
    "%SQL.StatementResult": StatementResult,
    "%SYSTEM.Process": Process,
}

# What `iris` itself must have for `iris.sql` and the transactions of `iris.dbapi`.
FUNCTIONS: dict[str, Any] = {
    "sql": sql,
    "tstart": tstart,
    "tcommit": tcommit,
    "trollback": trollback,
    "trollbackone": trollbackone,
    "tlevel": tlevel,
}
