"""Messages and process states as they are on disk: whatever is asked for by a number or a queue."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from irislite.database import Database
from irislite.errors import StoreError, UnknownSession
from irislite.header import Body, BusinessType, Header, Invocation, MessageType, Priority, Status


class Entry(NamedTuple):
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


class Glance(NamedTuple):
    """What can be seen of a body without reading all of it: its class, what it says it cost, its pictures' number."""

    class_name: str
    energy: dict[str, Any] | None
    pictures: int


class MessageReader:
    """Reads what is committed, in any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def glances(self, body_ids: Iterable[int]) -> dict[int, Glance]:
        """A look at each of these bodies; those that are gone are missing."""
        rows = self._read(
            "SELECT id, coalesce(nullif(classname, ''), class_name), "
            "CASE WHEN instr(content, '\"energy\"') AND json_valid(content) "
            "THEN json_extract(content, '$.energy') END, "
            "CASE WHEN instr(content, '\"images\"') AND json_valid(content) "
            "THEN json_array_length(content, '$.images') END "
            "FROM message_body WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(body_ids)),),
        )
        return {row[0]: Glance(row[1], _object(row[2]), row[3] or 0) for row in rows}

    def class_names(self, body_ids: Iterable[int]) -> dict[int, str]:
        """The Python classes of bodies, or the classes they are stored in, by the bodies' ids."""
        rows = self._read(
            "SELECT id, coalesce(nullif(classname, ''), class_name) FROM message_body "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(body_ids)),),
        )
        return {row[0]: row[1] for row in rows}

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

    def _read(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._database.reader().execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"The store cannot be read: {error}. Check the disk and the folder's rights.") from error


def to_header(row: Sequence[Any]) -> Header:
    """The header that a row of `message_header` holds; its columns come first, in the order of the fields."""
    (
        number, session_id, type_, invocation, status, priority, source, target, source_type, target_type, queue_name,
        return_queue, process_id, class_name, body_id, description, created, processed, is_error, error_text, answers,
        taken,
    ) = row[: len(Header._fields)]  # fmt: skip
    return Header(
        number, session_id, _TYPES[type_], _INVOCATIONS[invocation], _STATUSES[status], _PRIORITIES[priority], source,
        target, _BUSINESS_TYPES[source_type], _BUSINESS_TYPES[target_type], queue_name, return_queue, process_id,
        class_name, body_id, description, created, processed, bool(is_error), error_text, answers,
        taken,
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


def _object(text: Any) -> dict[str, Any] | None:
    """A JSON object that SQLite took out of another; None for whatever else was there."""
    value = json.loads(text) if isinstance(text, str) and text.startswith("{") else None
    return value if isinstance(value, dict) else None
