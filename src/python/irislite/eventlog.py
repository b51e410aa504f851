"""The event log: what happened, to which item, in which message."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from irislite.context import current
from irislite.database import Database, Write
from irislite.store import now, storable

ENTRY_COLUMNS = (
    "id, type, config_name, job, message_id, session_id, source_class, source_method, text, stack, time_logged"
)


class LogType(IntEnum):
    """The kind of a log entry, with IRIS's codes."""

    ASSERT = 1
    ERROR = 2
    WARNING = 3
    INFO = 4
    TRACE = 5
    ALERT = 6


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the log. `time_logged` is ISO 8601 in UTC; `stack` a traceback or empty."""

    id: int
    type: LogType
    config_name: str
    job: int
    message_id: int
    session_id: int
    source_class: str
    source_method: str
    text: str
    stack: str
    time_logged: str


class EventLog:
    """The log of one data folder. `echo` gets every entry as it is written: the console."""

    def __init__(self, database: Database, echo: Callable[[LogType, str, str], None] | None = None) -> None:
        self._database = database
        self._echo = echo

    def add(self, type: LogType, text: str, source_class: str = "", source_method: str = "", stack: str = "") -> Write:
        """Write an entry for the item and message at hand; waiting for the disk is up to the caller."""
        context = current.get()
        text, stack = storable(text), storable(stack)
        if self._echo is not None:
            try:
                self._echo(type, context.config_name, text)
            except OSError:  # the console has gone; the log goes on without it
                self._echo = None
        values = (
            type,
            context.config_name,
            context.job,
            context.message_id,
            context.session_id,
            source_class,
            source_method,
            text,
            stack,
            "",
            now(),
        )

        def apply(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO event_log (type, config_name, job, message_id, session_id, source_class, source_method, "
                "text, stack, trace_cat, time_logged) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

        return self._database.submit(apply)

    def newest(
        self, top: int, type: LogType | None = None, config_name: str | None = None, text: str | None = None
    ) -> list[LogEntry]:
        """The newest entries, newest first, kept by type, item or a part of the text."""
        conditions: list[str] = ["1"]
        values: list[object] = []
        if type is not None:
            conditions.append("type = ?")
            values.append(int(type))
        if config_name is not None:
            conditions.append("config_name = ?")
            values.append(config_name)
        if text:
            conditions.append("instr(lower(text), lower(?)) > 0")
            values.append(text)
        return self._select(f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?", (*values, top))

    def since(self, entry_id: int, limit: int = 1_000) -> list[LogEntry]:
        """The entries after `entry_id`, oldest first."""
        return self._select("WHERE id > ? ORDER BY id LIMIT ?", (entry_id, limit))

    def of_session(self, session_id: int) -> list[LogEntry]:
        """The entries that were written for a session's messages, oldest first."""
        return self._select("WHERE session_id = ? AND session_id > 0 ORDER BY id", (session_id,))

    def _select(self, clause: str, values: tuple[object, ...]) -> list[LogEntry]:
        rows = self._database.reader().execute(f"SELECT {ENTRY_COLUMNS} FROM event_log {clause}", values)
        return [to_entry(row) for row in rows]


def to_entry(row: Sequence[Any]) -> LogEntry:
    """The entry that a row of `ENTRY_COLUMNS` holds."""
    return LogEntry(row[0], LogType(row[1]), *row[2:])
