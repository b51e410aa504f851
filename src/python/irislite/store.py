"""Messages on their way to the disk: accept a request, complete it, move it. The only SQL that writes messages."""

import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any, NamedTuple, NoReturn

from irislite.context import current
from irislite.database import Database, Write
from irislite.errors import IllegalMove, UnknownSession
from irislite.header import Draft, Header, Status, sources_of
from irislite.masking import masked
from irislite.messagereader import Entry as Entry  # its readers and the writer are one to whoever uses it
from irislite.messagereader import MessageReader
from irislite.messagereader import ProcessState as ProcessState

_MESSAGE_COLUMNS = (*Header._fields, "body_classname", "body_content")
_ENDING_COLUMNS = ("ended_id", "ended_status", "ended_time", "ended_taken", "ended_error_text")
_NO_MESSAGE = (None,) * len(_MESSAGE_COLUMNS)
_NO_ENDING = (None,) * len(_ENDING_COLUMNS)
_ROWS = 200  # of one statement
_SOURCES = {new: ", ".join(str(int(old)) for old in sorted(sources_of(new))) for new in Status}
# What the writer's connection takes messages in by: a row adds a message, ends the handling of another, or both.
_INTAKE = (
    f"CREATE TEMP VIEW intake AS SELECT {', '.join(f'NULL AS {name}' for name in _MESSAGE_COLUMNS + _ENDING_COLUMNS)}",
    """
    CREATE TEMP TRIGGER intake_body INSTEAD OF INSERT ON intake WHEN NEW.body_classname IS NOT NULL BEGIN
        INSERT INTO message_body
            VALUES (NEW.message_body_id, NEW.message_body_class_name, NEW.body_classname, NEW.body_content);
    END
    """,
    f"""
    CREATE TEMP TRIGGER intake_header INSTEAD OF INSERT ON intake WHEN NEW.id IS NOT NULL BEGIN
        INSERT INTO message_header VALUES ({", ".join(f"NEW.{name}" for name in Header._fields)});
    END
    """,
    f"""
    CREATE TEMP TRIGGER intake_ending INSTEAD OF INSERT ON intake WHEN NEW.ended_id IS NOT NULL BEGIN
        UPDATE message_header SET status = NEW.ended_status, time_processed = NEW.ended_time,
            is_error = NEW.ended_status = {int(Status.ERROR)}, error_text = NEW.ended_error_text,
            corresponding_message_id = coalesce(NEW.id, corresponding_message_id), time_taken = NEW.ended_taken
            WHERE id = NEW.ended_id AND status IN ({_SOURCES[Status.COMPLETED]});
        SELECT RAISE(ABORT, 'a message cannot end so') WHERE changes() = 0;
    END
    """,
)


class Change(NamedTuple):
    """What one write does to messages: the end of a message's handling, and messages it adds.

    `header_id` 0 adds only. `time_taken` is when a pool member took the message. `contents` are the
    bodies' texts as they are stored, without their secrets. If `is_late` says so inside the
    transaction, the answer, which comes first, is Discarded.
    """

    drafts: tuple[Draft, ...]
    contents: tuple[str, ...]
    header_id: int = 0
    status: Status = Status.COMPLETED
    error_text: str = ""
    is_late: Callable[[], bool] | None = None
    time_taken: str = ""


def now() -> str:
    """The time that is written beside a message: ISO 8601, UTC, microseconds."""
    second, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(second)}.{microseconds:06d}"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def storable(text: str) -> str:
    """The text as the store can hold it: half characters, as of broken file names, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class Store(MessageReader):
    """The messages of one data folder."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._next_id = _highest_id(database.reader()) + 1
        database.write(lambda connection: [connection.execute(statement) for statement in _INTAKE])

    @property
    def highest_id(self) -> int:
        """The highest id that was given to a message."""
        return self._next_id - 1

    # -- writing -----------------------------------------------------------------------

    def accept(self, drafts: Iterable[Draft], committed: Callable[[list[Entry]], None] | None = None) -> Write:
        """Store messages, each with its body, in one transaction; `committed` gets them with their ids.

        The caller waits for the write.
        """
        drafts = tuple(drafts)
        return self._database.submit_many(self._apply, Change(drafts, _contents(drafts)), committed)

    def write(
        self, apply: Callable[[sqlite3.Connection], list[Entry]], committed: Callable[[list[Entry]], None]
    ) -> Write:
        """Make a change that stores messages. The caller waits for the write."""
        return self._database.submit(apply, committed, waits=True)

    def complete(
        self,
        header: Header,
        status: Status,
        error_text: str = "",
        answer: Draft | None = None,
        is_late: Callable[[], bool] | None = None,
        committed: Callable[[list[Entry]], None] | None = None,
    ) -> Write:
        """End the handling of a message as Completed or Error, in one transaction with its answer.

        `is_late` is asked inside the transaction, because only then it is known whether the
        caller still waits. `committed` gets the answer, if there is one. The caller waits for the write.
        """
        drafts = (answer,) if answer is not None else ()
        change = Change(drafts, _contents(drafts), header.id, status, storable(error_text), is_late, _taken(header.id))
        return self._database.submit_many(self._apply, change, committed)

    def complete_with(
        self,
        header: Header,
        status: Status,
        error_text: str,
        also: Callable[[sqlite3.Connection], list[Entry]],
        committed: Callable[[list[Entry]], None] | None = None,
    ) -> Write:
        """End the handling of a message, in one transaction with whatever `also` writes."""

        taken = _taken(header.id)

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            self.move(connection, header.id, status, error_text, time_taken=taken)
            return also(connection)

        return self._database.submit(apply, committed, waits=True)

    def _apply(self, connection: sqlite3.Connection, changes: list[Change]) -> list[list[Entry]]:
        """Make the changes of many writers in one statement: SQLite works on it without Python's lock.

        Every statement more would wait for that lock again, behind whoever handles messages meanwhile.
        """
        rows: list[tuple[Any, ...]] = []
        results = []
        time = now()
        for drafts, contents, header_id, status, error_text, is_late, time_taken in changes:
            entries: list[Entry] = []
            ending: tuple[Any, ...] = _NO_ENDING
            if header_id:
                ending = (header_id, status._value_, time, time_taken, error_text)
                if not drafts:
                    rows.append(_NO_MESSAGE + ending)
            for draft, content in zip(drafts, contents, strict=True):
                if is_late is not None and is_late():
                    draft = draft._replace(status=Status.DISCARDED)
                entry, row = self._message(draft, content, time)
                entries.append(entry)
                rows.append(row + ending)
                ending = _NO_ENDING
            results.append(entries)
        try:
            _take_in(connection, rows)
        except sqlite3.IntegrityError:
            if len(changes) == 1 and changes[0].header_id:
                self._refuse(connection, changes[0].header_id, changes[0].status)
            raise
        return results

    def _message(self, draft: Draft, content: str, time: str) -> tuple[Entry, tuple[Any, ...]]:
        """A message with its id, and its row."""
        header_id = self._next_id
        self._next_id += 1
        (
            target, queue_name, source, body, session_id, type_, invocation, priority, source_type, target_type,
            return_queue, process_id, description, answers, is_error, error_text, status, body_id, class_name,
        ) = draft  # fmt: skip
        classname = None
        if body is not None and not body_id:
            body_id, class_name, classname = header_id, body.class_name, body.classname
        session_id = session_id or header_id
        description, error_text = description and storable(description), error_text and storable(error_text)
        header = Header(
            header_id, session_id, type_, invocation, status, priority, source, target, source_type, target_type,
            queue_name, return_queue, process_id, class_name, body_id, description, time, time, is_error, error_text,
            answers,
        )  # fmt: skip
        # Plain integers: SQLite would ask a member of an enumeration many questions, and so would int().
        row = (
            header_id, session_id, type_._value_, invocation._value_, status._value_, priority._value_, source, target,
            source_type._value_, target_type._value_, queue_name, return_queue, process_id, class_name, body_id,
            description, time, time, 1 if is_error else 0, error_text, answers, "", classname, content,
        )  # fmt: skip
        return Entry(header, body, body is not None and content != body.content), row

    def answer(self, connection: sqlite3.Connection, request_id: int, draft: Draft) -> Entry:
        """Write the answer to a request, and where it is into the request."""
        entry = self.insert(connection, draft)
        connection.execute(
            "UPDATE message_header SET corresponding_message_id = ? WHERE id = ?", (entry.header.id, request_id)
        )
        return entry

    def insert(self, connection: sqlite3.Connection, draft: Draft) -> Entry:
        """Write one message inside a transaction of another change."""
        return self._apply(connection, [Change((draft,), _contents((draft,)))])[0][0]

    @staticmethod
    def move(
        connection: sqlite3.Connection, header_id: int, new: Status, error_text: str = "", answer_id: int = 0,
        time_taken: str = "",
    ) -> None:  # fmt: skip
        """Write a status. Raises `IllegalMove` where `header.MOVES` has no such move."""
        changed = connection.execute(
            "UPDATE message_header SET status = ?, time_processed = ?, is_error = ?, error_text = ?, "
            "corresponding_message_id = CASE ?5 WHEN 0 THEN corresponding_message_id ELSE ?5 END, "
            "time_taken = CASE ?7 WHEN '' THEN time_taken ELSE ?7 END "
            f"WHERE id = ?6 AND status IN ({_SOURCES[new]})",
            (int(new), now(), int(new is Status.ERROR), storable(error_text), answer_id, header_id, time_taken),
        ).rowcount
        if not changed:
            Store._refuse(connection, header_id, new)

    def suspend(self, header_ids: list[int]) -> None:
        """Lay messages aside that no queue in memory holds yet."""
        self._database.write(
            lambda connection: [self.move(connection, header_id, Status.SUSPENDED) for header_id in header_ids]
        )

    @staticmethod
    def requeue(connection: sqlite3.Connection, header: Header) -> None:
        """Write that a suspended message waits again, for the target its header names. Raises `IllegalMove`."""
        Store.move(connection, header.id, Status.QUEUED)
        connection.execute(
            "UPDATE message_header SET target_config_name = ?, target_queue_name = ?, target_business_type = ? "
            "WHERE id = ?",
            (header.target_config_name, header.target_queue_name, int(header.target_business_type), header.id),
        )

    @staticmethod
    def require(connection: sqlite3.Connection, header_id: int) -> None:
        """Raise `UnknownSession` for a message that is not there, as the transaction at hand sees it."""
        if connection.execute("SELECT 1 FROM message_header WHERE id = ?", (header_id,)).fetchone() is None:
            raise UnknownSession(f"There is no message {header_id}: it may have been purged.")

    @staticmethod
    def _refuse(connection: sqlite3.Connection, header_id: int, new: Status) -> NoReturn:
        row = connection.execute("SELECT status FROM message_header WHERE id = ?", (header_id,)).fetchone()
        if row is None:
            raise UnknownSession(f"There is no message {header_id}: it may have been purged.")
        raise IllegalMove(
            f"Message {header_id} is {Status(row[0]).name.title()} and cannot become {new.name.title()}. "
            "Reload the page: someone else may have changed it."
        )

    # -- business processes --------------------------------------------------------------

    def close_processes_of(self, request_id: int) -> None:
        """End the processes that an earlier handling of a request began and a crash left."""
        found = self._read(
            "SELECT 1 FROM business_process WHERE primary_request_id = ? AND completed = 0", (request_id,)
        )
        if found.fetchone() is not None:
            self._database.write(
                lambda connection: connection.execute(
                    "UPDATE business_process SET completed = 1 WHERE primary_request_id = ?", (request_id,)
                )
            )

    @staticmethod
    def save_process_state(connection: sqlite3.Connection, state: ProcessState) -> int:
        """Write what a business process keeps; an id of 0 makes a new one. Returns the id."""
        body = state.response
        values = (
            state.config_name,
            state.primary_request_id,
            json.dumps([body.class_name, body.classname, masked(body.content)]) if body is not None else None,
            state.replied,
            json.dumps(state.pending),
            json.dumps(state.properties),
            state.completed,
        )
        if state.id:
            connection.execute(
                "UPDATE business_process SET config_name = ?, primary_request_id = ?, response = ?, replied = ?, "
                "pending = ?, properties = ?, completed = ? WHERE id = ?",
                (*values, state.id),
            )
            return state.id
        return (
            connection.execute(
                "INSERT INTO business_process (config_name, primary_request_id, response, replied, pending, "
                "properties, completed) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            or 0
        )


def _taken(header_id: int) -> str:
    """When the message at hand was taken from its queue; empty for any other one."""
    context = current.get()
    return context.time_taken if context.message_id == header_id else ""


def _contents(drafts: tuple[Draft, ...]) -> tuple[str, ...]:
    """The bodies as they are stored; the texts with secrets stay in memory, for their targets alone."""
    return tuple([storable(masked(draft.body.content)) if draft.body is not None else "" for draft in drafts])


def _take_in(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Insert messages, end others. One statement, but for very many rows."""
    if len(rows) <= _ROWS:
        connection.execute(_intake_sql(len(rows)), list(itertools.chain.from_iterable(rows)))
        return
    own = not connection.in_transaction
    if own:
        connection.execute("BEGIN IMMEDIATE")
    for start in range(0, len(rows), _ROWS):
        _take_in(connection, rows[start : start + _ROWS])
    if own:
        connection.execute("COMMIT")


@cache
def _intake_sql(rows: int) -> str:
    one = f"({', '.join('?' * (len(_MESSAGE_COLUMNS) + len(_ENDING_COLUMNS)))})"
    return f"INSERT INTO intake VALUES {', '.join([one] * rows)}"


def _highest_id(connection: sqlite3.Connection) -> int:
    """The highest id that was ever given to a message; SQLite keeps it beside the rows, which may be purged."""
    row = connection.execute(
        "SELECT max(seq) FROM sqlite_sequence WHERE name IN ('message_header', 'message_body')"
    ).fetchone()
    return row[0] or 0
