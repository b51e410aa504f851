"""Messages on disk: accept a request, complete it, read a session. The only SQL about messages."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from irislite.database import Database, Write
from irislite.errors import IllegalMove, UnknownSession
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

_COLUMNS = tuple(name for name in Header.__dataclass_fields__ if name != "id")
_INSERT_HEADER = f"INSERT INTO message_header ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SOURCES = {new: ", ".join(str(int(old)) for old in sorted(sources_of(new))) for new in Status}


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in a queue: its header and, unless it is large, its body."""

    header: Header
    body: Body | None
    has_secrets: bool = False  # the body in memory is more than what is stored


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
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def storable(text: str) -> str:
    """The text as the store can hold it: half characters, as of broken file names, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


class Store:
    """The messages of one data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- writing -----------------------------------------------------------------------

    def accept(self, drafts: Iterable[Draft], committed: Callable[[list[Entry]], None] | None = None) -> Write:
        """Store messages, each with its body, in one transaction; `committed` gets them with their ids."""
        drafts = tuple(drafts)
        return self._database.submit(lambda connection: [insert(connection, draft) for draft in drafts], committed)

    def write(
        self, apply: Callable[[sqlite3.Connection], list[Entry]], committed: Callable[[list[Entry]], None]
    ) -> Write:
        """Make a change that stores messages."""
        return self._database.submit(apply, committed)

    def complete(
        self,
        header: Header,
        status: Status,
        error_text: str = "",
        answer: Callable[[], Draft | None] = lambda: None,
        also: Callable[[sqlite3.Connection], list[Entry]] = lambda connection: [],
        committed: Callable[[list[Entry]], None] | None = None,
    ) -> Write:
        """End the handling of a message, in one transaction with its answer and whatever `also` writes.

        `answer` is asked inside the transaction, because only then it is known whether the
        caller still waits. `committed` gets the answer, if there is one, and `also`'s entries.
        """

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            self.move(connection, header.id, status, error_text)
            entries = also(connection)
            draft = answer()
            if draft is not None:
                entries.insert(0, self.answer(connection, header.id, draft))
            return entries

        return self._database.submit(apply, committed)

    @staticmethod
    def answer(connection: sqlite3.Connection, request_id: int, draft: Draft) -> Entry:
        """Write the answer to a request, and where it is into the request."""
        entry = insert(connection, draft)
        connection.execute(
            "UPDATE message_header SET corresponding_message_id = ? WHERE id = ?", (entry.header.id, request_id)
        )
        return entry

    @staticmethod
    def move(connection: sqlite3.Connection, header_id: int, new: Status, error_text: str = "") -> None:
        """Write a status; the only place that does. Raises `IllegalMove` where `header.MOVES` has no such move."""
        changed = connection.execute(
            "UPDATE message_header SET status = ?, time_processed = ?, is_error = ?, error_text = ? "
            f"WHERE id = ? AND status IN ({_SOURCES[new]})",
            (new, now(), new is Status.ERROR, storable(error_text), header_id),
        ).rowcount
        if not changed:
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

    def latest(self, limit: int, before_id: int | None = None, target: str | None = None) -> list[Header]:
        """The newest headers, newest first; `before_id` pages on, `target` keeps the messages of one item."""
        conditions: list[str] = ["1"]
        values: list[Any] = []
        if before_id is not None:
            conditions.append("id < ?")
            values.append(before_id)
        if target is not None:
            conditions.append("(target_config_name = ? OR source_config_name = ?)")
            values += [target, target]
        rows = self._read(
            f"SELECT * FROM message_header WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",
            (*values, limit),
        )
        return [to_header(row) for row in rows]

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
        return self._database.reader().execute(sql, values)


def insert(connection: sqlite3.Connection, draft: Draft) -> Entry:
    """Write a message: its body, its header, and the session it starts if it belongs to none."""
    body_id, has_secrets = 0, False
    if draft.body is not None:
        content = masked(draft.body.content)
        has_secrets = content != draft.body.content
        body_id = (
            connection.execute(
                "INSERT INTO message_body (class_name, classname, content) VALUES (?, ?, ?)",
                # The entry below keeps the secrets for the target, in memory alone.
                (draft.body.class_name, draft.body.classname, storable(content)),
            ).lastrowid
            or 0
        )
    time = now()
    header = Header(
        id=0,
        session_id=draft.session_id,
        type=draft.type,
        invocation=draft.invocation,
        status=draft.status,
        priority=draft.priority,
        source_config_name=draft.source_config_name,
        target_config_name=draft.target_config_name,
        source_business_type=draft.source_business_type,
        target_business_type=draft.target_business_type,
        target_queue_name=draft.target_queue_name,
        return_queue_name=draft.return_queue_name,
        business_process_id=draft.business_process_id,
        message_body_class_name=draft.body.class_name if draft.body is not None else "",
        message_body_id=body_id,
        description=draft.description,
        time_created=time,
        time_processed=time,
        is_error=draft.is_error,
        error_text=storable(draft.error_text),
        corresponding_message_id=draft.corresponding_message_id,
    )
    header_id = connection.execute(_INSERT_HEADER, [getattr(header, name) for name in _COLUMNS]).lastrowid or 0
    session_id = draft.session_id or header_id
    if not draft.session_id:
        connection.execute("UPDATE message_header SET session_id = ? WHERE id = ?", (session_id, header_id))
    return Entry(replace(header, id=header_id, session_id=session_id), draft.body, has_secrets)


def to_header(row: sqlite3.Row) -> Header:
    """The header that a row of `message_header` holds."""
    return Header(
        id=row["id"],
        session_id=row["session_id"],
        type=MessageType(row["type"]),
        invocation=Invocation(row["invocation"]),
        status=Status(row["status"]),
        priority=Priority(row["priority"]),
        source_config_name=row["source_config_name"],
        target_config_name=row["target_config_name"],
        source_business_type=BusinessType(row["source_business_type"]),
        target_business_type=BusinessType(row["target_business_type"]),
        target_queue_name=row["target_queue_name"],
        return_queue_name=row["return_queue_name"],
        business_process_id=row["business_process_id"],
        message_body_class_name=row["message_body_class_name"],
        message_body_id=row["message_body_id"],
        description=row["description"],
        time_created=row["time_created"],
        time_processed=row["time_processed"],
        is_error=bool(row["is_error"]),
        error_text=row["error_text"],
        corresponding_message_id=row["corresponding_message_id"],
    )


def _body(row: sqlite3.Row) -> Body | None:
    return Body(row["class_name"], row["classname"], row["content"]) if row["class_name"] is not None else None
