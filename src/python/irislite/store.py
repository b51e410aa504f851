"""Messages on disk: accept a request, complete it, read a session. The only SQL about messages."""

import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, NamedTuple, NoReturn

from irislite.database import Database, Write
from irislite.errors import IllegalMove, StoreError, UnknownSession
from irislite.header import (
    Body,
    BusinessType,
    Draft,
    Header,
    Invocation,
    MessageType,
    Priority,
    Status,
    sources_of,
)
from irislite.masking import masked

_MESSAGE_COLUMNS = (*Header._fields, "body_classname", "body_content")
_ENDING_COLUMNS = ("ended_id", "ended_status", "ended_time", "ended_error_text")
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
            corresponding_message_id = coalesce(NEW.id, corresponding_message_id)
            WHERE id = NEW.ended_id AND status IN ({_SOURCES[Status.COMPLETED]});
        SELECT RAISE(ABORT, 'a message cannot end so') WHERE changes() = 0;
    END
    """,
)


class Entry(NamedTuple):
    """One message in a queue: its header and, unless it is large, its body."""

    header: Header
    body: Body | None
    has_secrets: bool = False  # the body in memory is more than what is stored


class Change(NamedTuple):
    """What one write does to messages: the end of a message's handling, and messages it adds.

    `header_id` 0 adds only. `contents` are the bodies' texts as they are stored, without their
    secrets. If `is_late` says so inside the transaction, the answer, which comes first, is Discarded.
    """

    drafts: tuple[Draft, ...]
    contents: tuple[str, ...]
    header_id: int = 0
    status: Status = Status.COMPLETED
    error_text: str = ""
    is_late: Callable[[], bool] | None = None


@dataclass(slots=True)
class ProcessState:
    """What a business process keeps between its messages.

    `pending` maps the header ids of calls that were not answered yet to their completion keys.
    """

    id: int
    config_name: str
    primary_request_id: int
    response: Body | None = None
    replied: bool = False
    pending: dict[int, str] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    completed: bool = False


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


class Store:
    """The messages of one data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
        change = Change(drafts, _contents(drafts), header.id, status, storable(error_text), is_late)
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

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            self.move(connection, header.id, status, error_text)
            return also(connection)

        return self._database.submit(apply, committed, waits=True)

    def _apply(self, connection: sqlite3.Connection, changes: list[Change]) -> list[list[Entry]]:
        """Make the changes of many writers in one statement: SQLite works on it without Python's lock.

        Every statement more would wait for that lock again, behind whoever handles messages meanwhile.
        """
        rows: list[tuple[Any, ...]] = []
        results = []
        time = now()
        for drafts, contents, header_id, status, error_text, is_late in changes:
            entries: list[Entry] = []
            ending: tuple[Any, ...] = _NO_ENDING
            if header_id:
                ending = (header_id, status._value_, time, error_text)
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
            description, time, time, 1 if is_error else 0, error_text, answers, classname, content,
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
        connection: sqlite3.Connection, header_id: int, new: Status, error_text: str = "", answer_id: int = 0
    ) -> None:
        """Write a status. Raises `IllegalMove` where `header.MOVES` has no such move."""
        changed = connection.execute(
            "UPDATE message_header SET status = ?, time_processed = ?, is_error = ?, error_text = ?, "
            "corresponding_message_id = CASE ?5 WHEN 0 THEN corresponding_message_id ELSE ?5 END "
            f"WHERE id = ?6 AND status IN ({_SOURCES[new]})",
            (int(new), now(), int(new is Status.ERROR), storable(error_text), answer_id, header_id),
        ).rowcount
        if not changed:
            Store._refuse(connection, header_id, new)

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

    # -- reading -----------------------------------------------------------------------

    def header(self, header_id: int) -> Header:
        """One header. Raises `UnknownSession` if there is none."""
        row = self._read("SELECT * FROM message_header WHERE id = ?", (header_id,)).fetchone()
        if row is None:
            raise UnknownSession(f"There is no message {header_id}: look its number up in the message list.")
        return to_header(row)

    def body(self, body_id: int) -> Body | None:
        """One body, or None for a message that has none."""
        row = self._read("SELECT class_name, classname, content FROM message_body WHERE id = ?", (body_id,)).fetchone()
        return Body(*row) if row is not None else None

    def session(self, session_id: int) -> list[Header]:
        """All headers of a session, in order. Raises `UnknownSession` if there are none."""
        rows = self._read("SELECT * FROM message_header WHERE session_id = ? ORDER BY id", (session_id,)).fetchall()
        if not rows:
            raise UnknownSession(f"There is no session {session_id}: look its number up in the message list.")
        return [to_header(row) for row in rows]

    def latest(
        self, limit: int, before_id: int | None = None, target: str | None = None, status: Status | None = None
    ) -> list[Header]:
        """The newest headers, newest first; `before_id` pages on.

        `target` keeps the messages to and from one item, `status` those in one stored status.
        """
        conditions: list[str] = ["1"]
        values: list[Any] = []
        if before_id is not None:
            conditions.append("id < ?")
            values.append(before_id)
        if status is not None:
            conditions.append("status = ?")
            values.append(int(status))
            if target is None and status not in (Status.QUEUED, Status.COMPLETED):
                conditions.append("status NOT IN (2, 9)")  # as the index of these says it
        chosen = f"{' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
        values.append(limit)
        if target is not None:  # two ranges of two indexes: an OR would read every message
            either = " UNION ".join(
                f"SELECT id FROM (SELECT id FROM message_header WHERE {column} = ? AND {chosen})"
                for column in ("target_config_name", "source_config_name")
            )
            chosen = f"id IN ({either}) ORDER BY id DESC LIMIT ?"
            values = [target, *values, target, *values, limit]
        rows = self._read(f"SELECT * FROM message_header WHERE {chosen}", tuple(values))
        return [to_header(row) for row in rows]

    def waiting(self, queue_name: str, target: str) -> list[int]:
        """The ids of the messages that are Queued for a target, oldest first."""
        rows = self._read(
            "SELECT id FROM message_header INDEXED BY message_header_queue "
            "WHERE target_queue_name = ? AND target_config_name = ? AND status = 2 ORDER BY id",
            (queue_name, target),
        )
        return [row[0] for row in rows]

    def oldest(self, queue_name: str, target: str) -> Header | None:
        """The message that is Queued for a target for longest, or None."""
        found = [
            self._read(
                "SELECT * FROM message_header INDEXED BY message_header_queue WHERE target_queue_name = ? "
                "AND priority = ? AND target_config_name = ? AND status = 2 ORDER BY id LIMIT 1",
                (queue_name, priority, target),
            ).fetchone()
            for priority in Priority
        ]
        return min((to_header(row) for row in found if row is not None), default=None, key=lambda header: header.id)

    def waiting_for_callers(self, return_queues: str) -> list[int]:
        """The ids of the Queued requests whose return queue begins so: somebody waits for them, or did."""
        rows = self._read(
            "SELECT id FROM message_header INDEXED BY message_header_queue "
            "WHERE status = 2 AND type = 1 AND return_queue_name >= ?1 "
            "AND return_queue_name < ?1 || char(0x10FFFF) ORDER BY id",
            (return_queues,),
        )
        return [row[0] for row in rows]

    def suspend(self, header_ids: list[int]) -> None:
        """Lay messages aside that no queue in memory holds yet."""
        self._database.write(
            lambda connection: [self.move(connection, header_id, Status.SUSPENDED) for header_id in header_ids]
        )

    def response_to(self, header_id: int) -> Header | None:
        """The answer to a request, if there is one."""
        row = self._read(
            "SELECT a.* FROM message_header r JOIN message_header a ON a.id = r.corresponding_message_id "
            "WHERE r.id = ? AND r.type = 1",
            (header_id,),
        ).fetchone()
        return to_header(row) if row is not None else None

    def counts(self) -> dict[Status, int]:
        """How many messages there are in each status."""
        rows = self._read("SELECT status, COUNT(*) FROM message_header GROUP BY status", ())
        return {Status(status): count for status, count in rows}

    def queued(self, queue_name: str, priority: Priority, after_id: int, limit: int) -> list[Entry]:
        """The next messages of a queue that nobody has taken, oldest first, with their bodies."""
        rows = self._read(
            "SELECT h.*, b.class_name, b.classname, b.content FROM message_header h "
            "LEFT JOIN message_body b ON b.id = h.message_body_id "
            "WHERE h.target_queue_name = ? AND h.priority = ? AND h.status = 2 AND h.id > ? ORDER BY h.id LIMIT ?",
            (queue_name, priority, after_id, limit),
        )
        return [Entry(to_header(row), _body(row)) for row in rows]

    def queued_counts(self) -> dict[str, dict[tuple[Priority, str], int]]:
        """How many messages wait, by queue, and there by priority and target."""
        rows = self._read(
            "SELECT target_queue_name, priority, target_config_name, COUNT(*) FROM message_header WHERE status = 2 "
            "GROUP BY 1, 2, 3",
            (),
        )
        counts: dict[str, dict[tuple[Priority, str], int]] = {}
        for queue_name, priority, target, count in rows:
            counts.setdefault(queue_name, {})[Priority(priority), target] = count
        return counts

    # -- business processes --------------------------------------------------------------

    def process_state(self, process_id: int) -> ProcessState | None:
        """What a business process keeps, or None if it is not there any more."""
        row = self._read("SELECT * FROM business_process WHERE id = ?", (process_id,)).fetchone()
        if row is None:
            return None
        return ProcessState(
            id=row["id"],
            config_name=row["config_name"],
            primary_request_id=row["primary_request_id"],
            response=Body(*json.loads(row["response"])) if row["response"] else None,
            replied=bool(row["replied"]),
            pending={int(key): value for key, value in json.loads(row["pending"]).items()},
            properties=json.loads(row["properties"]),
            completed=bool(row["completed"]),
        )

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

    def has_open_processes(self, config_name: str) -> bool:
        """Whether processes of an item wait for answers."""
        found = self._read("SELECT 1 FROM business_process WHERE config_name = ? AND completed = 0", (config_name,))
        return found.fetchone() is not None

    def has_busy_processes(self, config_name: str) -> bool:
        """The same without those that wait for the documents of private sessions alone: their polls are Deferred."""
        found = self._read(
            "SELECT 1 FROM business_process WHERE config_name = ? AND completed = 0 AND (pending = '{}' OR EXISTS ("
            "SELECT 1 FROM json_each(pending) AS call JOIN message_header AS header "
            "ON header.id = CAST(call.key AS INTEGER) WHERE header.status != ?))",
            (config_name, Status.DEFERRED),
        )
        return found.fetchone() is not None

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

    def _read(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._database.reader().execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"The store cannot be read: {error}. Check the disk and the folder's rights.") from error


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


def to_header(row: Sequence[Any]) -> Header:
    """The header that a row of `message_header` holds; its columns come first, in the order of the fields."""
    (
        number, session_id, type_, invocation, status, priority, source, target, source_type, target_type, queue_name,
        return_queue, process_id, class_name, body_id, description, created, processed, is_error, error_text, answers,
    ) = row[: len(Header._fields)]  # fmt: skip
    return Header(
        number, session_id, _TYPES[type_], _INVOCATIONS[invocation], _STATUSES[status], _PRIORITIES[priority], source,
        target, _BUSINESS_TYPES[source_type], _BUSINESS_TYPES[target_type], queue_name, return_queue, process_id,
        class_name, body_id, description, created, processed, bool(is_error), error_text, answers,
    )  # fmt: skip


# Asking a dictionary is much quicker than asking an enumeration.
_TYPES = {int(member): member for member in MessageType}
_INVOCATIONS = {int(member): member for member in Invocation}
_STATUSES = {int(member): member for member in Status}
_PRIORITIES = {int(member): member for member in Priority}
_BUSINESS_TYPES = {int(member): member for member in BusinessType}


def _body(row: sqlite3.Row) -> Body | None:
    class_name, classname, content = row[-3:]  # by place: a name is looked for among all the columns
    return Body(class_name, classname, content) if class_name is not None else None
