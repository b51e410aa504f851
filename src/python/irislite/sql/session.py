"""One thread's connection to the file of the tables: statements, results, transactions."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from irislite.sql.catalog import Catalog, create_information_schema, create_runtime_views, read_catalog
from irislite.sql.errors import DatabaseFailed, NoTransaction, SqlError, TableNotFound, WrongParameters, explained
from irislite.sql.functions import register
from irislite.sql.translate import Plan, translate

BATCH_ROWS = 500
PATIENCE_S = 30.0  # how long a statement waits for another transaction's end
_MESSAGES = "messages"
_STEPS = 20_000  # of SQLite's machine between two looks whether to stop: some milliseconds
_PRAGMAS = {"schema_version", "table_info", "quick_check"}  # ours, and what SQLite's ALTER TABLE runs itself


class Result:
    """What a statement answered: the rows of a query, read in batches while you iterate.

    `columns` holds the names, empty if the statement is no query. `rowcount` is the number of
    rows a statement changed, -1 for a query. `lastrowid` is the number of the row that was
    inserted last, or None. Iterating may raise an `SqlError`.
    """

    def __init__(self, session: "Session", cursor: sqlite3.Cursor, plan: Plan) -> None:
        is_query = plan.kind == "rows"
        self.columns = tuple(column[0] for column in cursor.description or ()) if is_query else ()
        self.rowcount = -1 if is_query else max(cursor.rowcount, 0)
        self.lastrowid = cursor.lastrowid if plan.sql.startswith("INSERT") and self.rowcount else None
        self._session, self._cursor, self._plan = session, cursor, plan
        self._closed = False
        # The first batch is read at once: what fits into it holds no lock afterwards.
        self._batch = self._fetch() if is_query else iter(())

    def __iter__(self) -> "Result":
        return self

    def __next__(self) -> tuple[Any, ...]:
        for row in self._batch:
            return row
        self._batch = self._fetch()
        return next(self._batch)

    def close(self) -> None:
        """Forget the rows that were not read."""
        self._cursor.close()
        self._closed = True
        self._batch = iter(())

    def _fetch(self) -> Iterator[tuple[Any, ...]]:
        if self._closed:
            return iter(())
        try:
            return iter(self._cursor.fetchmany(BATCH_ROWS))
        except sqlite3.Error as error:
            raise self._session.explained(error, self._plan.fields) from error


class Session:
    """One thread's connection, its open transaction, and what tables it sees.

    With `read_only` SQLite itself refuses whatever would change something. `stop` is asked now and then while a
    statement runs; True ends it.
    """

    def __init__(
        self, path: Path, messages: Path, read_only: bool = False, stop: Callable[[], bool] | None = None
    ) -> None:
        self._path, self._messages = path, messages
        self._failures: list[Exception] = []  # why a function of ours failed, which SQLite does not tell
        self._has_messages = False
        self._catalog: tuple[int, Catalog] | None = None
        self._level = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(
                _uri(path), uri=True, isolation_level=None, timeout=PATIENCE_S, check_same_thread=False
            )
            _use_wal(self._connection)
            self._connection.execute("PRAGMA foreign_keys = ON")
            register(self._connection, self._failures.append)
            create_information_schema(self._connection)
        except (sqlite3.Error, OSError) as error:
            raise DatabaseFailed(
                f"The tables in {path} cannot be opened: {error}. Check the folder's rights and free space; "
                "IRISLITE_HOME names another folder."
            ) from error
        if read_only:  # the fence would take for a change what SQLite makes for itself at these
            self.catalog()
            if messages.exists():
                self._attach_messages()
        self._connection.set_authorizer(_reading if read_only else _fence(_uri(messages, "ro")))
        if stop is not None:
            self._connection.set_progress_handler(stop, _STEPS)

    def close(self) -> None:
        """Roll back what is open and let go of the file."""
        self._connection.close()

    def run(self, statement: str, values: Sequence[Any]) -> Result:
        """Run one statement."""
        plan = self.plan(statement)
        if len(values) != plan.parameters:
            raise WrongParameters(
                f"The statement has {plan.parameters} question marks and got {len(values)} values: give one for each."
            )
        if plan.kind in _TRANSACTION:
            _TRANSACTION[plan.kind](self)
        if plan.view:
            self.cursor(f"EXPLAIN {plan.view}", (), plan.fields)
        cursor = self.cursor(plan.sql, [_bindable(value) for value in values], plan.fields)
        return Result(self, cursor, plan)

    def plan(self, statement: str) -> Plan:
        """Translate a statement for the tables there are now."""
        plan = translate(statement, self.catalog())
        if plan.reads_runtime and not self._has_messages:
            self._attach_messages()
        return plan

    def compile(self, statement: str) -> Plan:
        """Let SQLite read the statement without running it."""
        plan = self.plan(statement)
        if plan.kind in ("rows", "write"):
            self.cursor(f"EXPLAIN {plan.sql}", [None] * plan.parameters, plan.fields).close()
        return plan

    def cursor(self, sql: str, values: Sequence[Any] = (), fields: dict[str, tuple[str, ...]] | None = None) -> Any:
        """Run SQLite's own SQL; its errors become `SqlError`s."""
        try:
            return self._connection.execute(sql, values)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise self.explained(error, fields or {}) from error

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run SQLite's own SQL once for each row. Raises `sqlite3.IntegrityError` as it is."""
        self._connection.executemany(sql, rows)

    def explained(self, error: Exception, fields: dict[str, tuple[str, ...]]) -> SqlError:
        """The `SqlError` for what SQLite raised."""
        if self._failures:
            failure = self._failures.pop()
            self._failures.clear()
            return WrongParameters(f"A function was given what it cannot use: {failure}. Correct the statement.")
        if not isinstance(error, sqlite3.Error):
            return WrongParameters(f"A value cannot be stored: {error}. Give text, or numbers of at most 64 bits.")
        return explained(error, fields, self._path)

    def catalog(self) -> Catalog:
        """The tables there are now."""
        version = self.cursor("PRAGMA schema_version").fetchone()[0]
        if self._catalog is None or self._catalog[0] != version:
            self._catalog = (version, read_catalog(self._connection))
        return self._catalog[1]

    @property
    def level(self) -> int:
        """How many transactions are open, one inside the other."""
        if self._level and not self._connection.in_transaction:
            self._level = 0  # SQLite gave up the transaction by itself: the disk is full, the file is gone
        return self._level

    def begin(self) -> None:
        """Open a transaction, or one inside the open one. Waits for those of others."""
        self.cursor(f"SAVEPOINT level_{self.level}" if self.level else "BEGIN IMMEDIATE")
        self._level += 1

    def commit(self) -> None:
        """End the innermost transaction; the outermost one's end makes all of it lasting."""
        if not self.level:
            raise NoTransaction("No transaction is open: call tstart() or START TRANSACTION first.")
        self.cursor(f"RELEASE level_{self.level - 1}" if self.level > 1 else "COMMIT")
        self._level -= 1

    def roll_back(self, to_level: int = 0) -> None:
        """Undo the transactions that were opened above a level: by default all of them."""
        self._catalog = None
        if self.level <= to_level:
            return
        if to_level:
            self.cursor(f"ROLLBACK TO level_{to_level}")
            self.cursor(f"RELEASE level_{to_level}")
        else:
            self.cursor("ROLLBACK")
        self._level = to_level

    def _attach_messages(self) -> None:
        if not self._messages.exists():
            raise TableNotFound(f"There are no messages in {self._messages.parent} yet: start a production first.")
        self.cursor(f"ATTACH '{_uri(self._messages, 'ro')}' AS {_MESSAGES}")  # quote() leaves no apostrophe
        create_runtime_views(self._connection, _MESSAGES)
        self._has_messages = True


_TRANSACTION: dict[str, Callable[[Session], None]] = {
    "begin": Session.begin,
    "commit": Session.commit,
    "rollback": Session.roll_back,
}


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer not wait for each other. SQLite does not wait here by itself, so we do."""
    deadline = monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(0.005)


def _uri(path: Path, mode: str = "rwc") -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _fence(messages: str) -> Callable[..., int]:
    """A second fence behind the translation, which lets none of these through."""

    def authorize(action: int, what: str | None, *_: Any) -> int:
        if action == sqlite3.SQLITE_ATTACH:
            allowed = what == messages
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = what in _PRAGMAS
        else:
            allowed = action != sqlite3.SQLITE_DETACH
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    | {sqlite3.SQLITE_TRANSACTION}
)  # fmt: skip


def _reading(action: int, what: str | None, *_: Any) -> int:
    """The fence of a connection that changes nothing."""
    allowed = action in _READS or (action == sqlite3.SQLITE_PRAGMA and what in _PRAGMAS)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _bindable(value: Any) -> Any:
    """The value as SQLite stores it: None, int, float, str or bytes."""
    if value is None or (isinstance(value, str | int | float | bytes) and not isinstance(value, bool | Enum)):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Enum):
        return _bindable(value.value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if callable(item := getattr(value, "item", None)):  # a number of numpy or torch
        return _bindable(item())
    raise WrongParameters(
        f"A {type(value).__name__} cannot be stored: give text, a number, bytes, a date, or None for NULL."
    )
