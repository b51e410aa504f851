"""Messages and log entries by what they hold: page by page, the newest first, in a time that is bounded."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from irislite.conditions import Query
from irislite.database import Database
from irislite.errors import StoreError
from irislite.eventlog import ENTRY_COLUMNS, LogEntry, to_entry
from irislite.header import Header
from irislite.idbounds import ends
from irislite.messagereader import to_header
from irislite.searchclauses import Clause, Clauses, LogClauses, MessageClauses

BUDGET_S = 0.15  # of one page: then it says how far it came
FIRST_WINDOW = 10_000  # ids that one statement looks through; it grows while that is quick
FIRST_WINDOW_OF_BODIES = 500
SMALLEST_WINDOW, LARGEST_WINDOW = 100, 20_000_000
PATIENCE = 1.25  # times the budget, before a statement is given up
INSTRUCTIONS = 20_000  # of SQLite, between two looks at the clock
SLOW_S, QUICK_S = 0.1, 0.025  # of one statement
PREVIEW = 240  # characters of a body
EXPORTED_AT_ONCE = 500

# Few of all that are kept wait in queues: their index is better than a range of ids, which SQLite would take.
_WAITING = (
    "h.id IN (SELECT id FROM message_header INDEXED BY message_header_queue WHERE status = 2 AND id BETWEEN ? AND ?)"
)

T = TypeVar("T")


class Found(NamedTuple):
    """A message that fits: its header, the class, the beginning and the length of its body."""

    header: Header
    class_name: str
    preview: str
    size: int


class Page(NamedTuple, Generic[T]):
    """What fits, newest first. `next_id` is where the next page begins, None at the end.

    `is_full` is False where the time was over before the page was full: the search goes on from `next_id`.
    """

    records: list[T]
    next_id: int | None
    is_full: bool


class _Table(Generic[T]):
    """One table that is searched. `columns` are read of what fits, through `record`."""

    def __init__(
        self, database: Database, clauses: Clauses, columns: str, join: str, record: Callable[[sqlite3.Row], T]
    ) -> None:
        self._database = database
        self._clauses = clauses
        self._columns = columns
        self._join = join
        self._record = record

    def page(self, query: Query, limit: int, before_id: int | None, budget_s: float) -> Page[T]:
        connection = self._database.reader()
        try:
            clause = self._clauses.clause(connection, query)
            lowest, highest = clause.ids
            oldest, newest = ends(connection, self._clauses.table)
            lowest, top = max(lowest, oldest), min(highest, newest, before_id - 1 if before_id is not None else highest)
            ids, top = self._look(connection, clause, query, lowest, top, limit + 1, budget_s)
            records = self._read(connection, ids[:limit])
        except sqlite3.Error as error:
            raise StoreError(f"The search failed: {error}. Check the disk and the folder's rights.") from error
        if len(ids) > limit:
            return Page(records, ids[limit - 1], True)
        return Page(records, top + 1, False) if top >= lowest else Page(records, None, True)

    def _look(
        self, connection: sqlite3.Connection, clause: Clause, query: Query, lowest: int, top: int, limit: int,
        budget_s: float,
    ) -> tuple[list[int], int]:  # fmt: skip
        """The highest ids that fit, and the highest that was not looked at.

        It goes from range to range, which grow while they are quick. A range that turns out to take too long is
        given up, but for the first: there is always some progress.
        """
        ids: list[int] = []
        size = FIRST_WINDOW_OF_BODIES if self._is_slow(query) else FIRST_WINDOW
        begun = at = time.monotonic()
        is_first = True
        connection.set_progress_handler(
            lambda: not is_first and time.monotonic() - begun > PATIENCE * budget_s, INSTRUCTIONS
        )
        try:
            while top >= lowest and len(ids) < limit and (is_first or at - begun < budget_s):
                bottom = max(lowest, top - size + 1)
                ids += self._ids(connection, clause, query, (bottom, top), limit - len(ids))
                top, is_first = bottom - 1, False
                before, at = at, time.monotonic()
                if at - before < QUICK_S:
                    size = min(size * 4, LARGEST_WINDOW)
                elif at - before > SLOW_S:
                    size = max(size // 2, SMALLEST_WINDOW)
        except sqlite3.OperationalError:
            if time.monotonic() - begun <= PATIENCE * budget_s:  # it was not us
                raise
        finally:
            connection.set_progress_handler(None, 0)
        return ids, top

    @staticmethod
    def _is_slow(query: Query) -> bool:
        return query.asks_for("body", "trace")

    def _ids(
        self, connection: sqlite3.Connection, clause: Clause, query: Query, ids: tuple[int, int], limit: int
    ) -> list[int]:
        join = self._join if query.asks_for("body", "class") else ""
        waiting = _only_waiting(query) if self._clauses.table == "message_header" else False
        sql = (
            f"SELECT h.id FROM {self._clauses.table} h {join} WHERE h.id BETWEEN ? AND ? AND ({clause.sql})"
            f"{f' AND {_WAITING}' if waiting else ''} ORDER BY h.id DESC LIMIT ?"
        )
        return [row[0] for row in connection.execute(sql, (*ids, *clause.values, *(ids if waiting else ()), limit))]

    def _read(self, connection: sqlite3.Connection, ids: list[int]) -> list[T]:
        sql = (
            f"SELECT {self._columns} FROM {self._clauses.table} h {self._join} "
            "WHERE h.id IN (SELECT value FROM json_each(?)) ORDER BY h.id DESC"
        )
        return [self._record(row) for row in connection.execute(sql, (json.dumps(ids),))]


class Search:
    """Searches one data folder. `claimed` gives the ids of the messages that pool members work on."""

    def __init__(self, database: Database, claimed: Callable[[], frozenset[int]]) -> None:
        self._messages = _Table(
            database,
            MessageClauses(claimed),
            f"h.*, b.classname, substr(b.content, 1, {PREVIEW}), length(b.content)",
            "LEFT JOIN message_body b ON b.id = h.message_body_id",
            _found,
        )
        self._log = _Table(database, LogClauses(), ENTRY_COLUMNS, "", to_entry)

    def messages(
        self, query: Query, limit: int, before_id: int | None = None, budget_s: float = BUDGET_S
    ) -> Page[Found]:
        """The newest messages that fit, below `before_id`; looks on for about `budget_s` seconds."""
        return self._messages.page(query, limit, before_id, budget_s)

    def log(self, query: Query, limit: int, before_id: int | None = None, budget_s: float = BUDGET_S) -> Page[LogEntry]:
        """The newest log entries that fit, in the same way."""
        return self._log.page(query, limit, before_id, budget_s)

    def all_messages(self, query: Query) -> Iterator[Found]:
        """Every message that fits, newest first, read as they are asked for: for an export."""
        return _all(self.messages, query)

    def all_log(self, query: Query) -> Iterator[LogEntry]:
        """Every log entry that fits, in the same way."""
        return _all(self.log, query)


def _all(search: Callable[[Query, int, int | None], Page[T]], query: Query) -> Iterator[T]:
    page = search(query, EXPORTED_AT_ONCE, None)
    while True:
        yield from page.records
        if page.next_id is None:
            return
        page = search(query, EXPORTED_AT_ONCE, page.next_id)


def _found(row: sqlite3.Row) -> Found:
    classname, preview, size = row[-3:]
    header = to_header(row)
    return Found(header, classname or header.message_body_class_name, preview or "", size or 0)


def _only_waiting(query: Query) -> bool:
    """Whether only messages in queues can fit: they are few among all that are kept, and have an index."""
    waiting = {"Queued", "Delivered"}
    return bool(query.groups) and all(
        any(condition.field.name == "status" and condition.sign == "=" and condition.value in waiting
            for condition in group)
        for group in query.groups
    )  # fmt: skip
