"""The tables of a namespace: one SQLite file, one connection per thread, IRIS SQL on top."""

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from irislite.folder import MESSAGES, TABLES
from irislite.sql import load
from irislite.sql.catalog import Column, qualified
from irislite.sql.errors import DatabaseFailed, table_not_found
from irislite.sql.load import LoadReport
from irislite.sql.session import Result, Session


class Tables:
    """The tables below `home`: the namespace's own in `tables.db`, the runtime's in `messages.db`.

    Every thread has its own connection and its own transaction, as every process of IRIS has.
    Other processes may read and write the same tables at the same time.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / TABLES
        self._messages = home / MESSAGES
        self._threads = threading.local()
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._closed = False

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Result:
        """Run one statement; `parameters` holds a value for each question mark. Raises `SqlError`."""
        return self._session().run(statement, parameters)

    def check(self, statement: str) -> None:
        """Raise the `SqlError` that running the statement would raise before it touches a row."""
        self._session().compile(statement)

    def tables(self) -> list[str]:
        """The names, `schema.table`, of the namespace's tables and views."""
        return [table.name for table in self._session().catalog().tables]

    def columns(self, table: str) -> list[Column]:
        """The fields of a table or view. Raises `TableNotFound`."""
        catalog = self._session().catalog()
        found = catalog.find(qualified(table))
        if found is None:
            raise table_not_found(table, catalog.names)
        return list(found.columns)

    def load_csv(
        self,
        table: str,
        file: Path,
        mode: str = "append",
        progress: Callable[[int, int, int], None] | None = None,
        strict: bool = False,
    ) -> LoadReport:
        """Load a CSV file with a header row into a table, in one transaction.

        The table is made, with types inferred from the values, if it is not there. `mode`
        "replace" takes the old rows away in the same transaction. A row that does not fit is
        left out and reported; with `strict` the first one ends the load. `progress(rows_done,
        bytes_done, bytes_total)` is called now and then. Raises `LoadFailed`, or another
        `SqlError`; the table is then as it was.
        """
        return load.load_csv(self._session(), table, Path(file), mode, progress, strict)

    @property
    def level(self) -> int:
        """How many transactions this thread has open, one inside the other."""
        session: Session | None = getattr(self._threads, "session", None)
        return session.level if session else 0

    @contextmanager
    def apart(self, read_only: bool, stop: Callable[[], bool] | None = None) -> Iterator[Session]:
        """A connection for this block alone, beside the thread's own; see `Session`."""
        session = Session(self.path, self._messages, read_only, stop)
        try:
            yield session
        finally:
            session.close()

    def begin(self) -> None:
        """Open a transaction in this thread. Waits up to 30 s for another's end, then raises `TableBusy`."""
        self._session().begin()

    def commit(self) -> None:
        """End this thread's innermost transaction. Raises `NoTransaction`."""
        self._session().commit()

    def roll_back(self, to_level: int = 0) -> None:
        """Undo this thread's transactions above a level: by default all. If none is open nothing happens."""
        if self.level > to_level:
            self._session().roll_back(to_level)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        level = self.level
        self.begin()
        try:
            yield
        except BaseException:
            self.roll_back(level)
            raise
        self.commit()

    def close(self) -> None:
        """Close the connections of all threads; what is not committed is rolled back."""
        self._closed = True
        for session in list(self._sessions):
            session.close()

    def _session(self) -> Session:
        if self._closed:
            raise DatabaseFailed("The tables are closed: start the runtime again.")
        session: Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = Session(self.path, self._messages)
            self._sessions.add(session)
        return session
