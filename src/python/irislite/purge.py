"""Deleting what is old: whole sessions with their bodies, log entries, processes; in small transactions."""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from irislite.beside import Beside
from irislite.database import Database
from irislite.errors import BadRequest
from irislite.header import FINISHED
from irislite.idbounds import last_before
from irislite.size import shrink
from irislite.units import shown

BATCH_ROWS = 2_000  # messages, log entries or processes in one transaction
BATCH_BYTES = 16_000_000  # of bodies in one transaction
LONGEST_AGE_DAYS = 36_500

_FINISHED = ", ".join(str(int(status)) for status in FINISHED)
# A session may go if each of its messages is finished and old, and no process of it waits for anything.
_KEPT = f"""(h.status NOT IN ({_FINISHED}) OR h.time_created >= :cutoff OR h.time_processed >= :cutoff OR EXISTS (
    SELECT 1 FROM business_process p WHERE p.primary_request_id = h.id AND p.completed = 0))"""
_DOOMED_NEXT = f"""
    SELECT h.session_id FROM message_header h WHERE h.session_id > :after AND h.session_id <= :last
    GROUP BY h.session_id HAVING SUM({_KEPT}) = 0 ORDER BY h.session_id LIMIT {BATCH_ROWS}"""
_DOOMED_STILL = f"""
    SELECT h.session_id FROM message_header h WHERE h.session_id IN (SELECT value FROM json_each(:sessions))
    GROUP BY h.session_id HAVING SUM({_KEPT}) = 0"""
# A process goes with the session that began it: it has gone, or, in a dry run, would.
_PROCESSES = f"""
    SELECT o.id FROM business_process o WHERE o.id > :after AND o.completed = 1
    AND o.id < (SELECT max(id) FROM business_process)  -- the newest one stays: so its id is not given again
    AND ifnull((SELECT SUM({_KEPT}) FROM message_header h WHERE h.session_id = (
        SELECT session_id FROM message_header WHERE id = o.primary_request_id)), 0) = 0
    ORDER BY o.id LIMIT {BATCH_ROWS}"""
_LOG = f"""
    SELECT id, length(CAST(text AS BLOB)) + length(CAST(stack AS BLOB)) FROM event_log
    WHERE id > :after AND id <= :last AND time_logged < :cutoff
    AND id < (SELECT max(id) FROM event_log)  -- the newest one stays: so its id is not given again
    ORDER BY id LIMIT {BATCH_ROWS}"""
_BODIES = """
    SELECT h.session_id, h.id, h.message_body_id, ifnull(length(CAST(b.content AS BLOB)), 0)
    FROM message_header h LEFT JOIN message_body b ON b.id = h.message_body_id
    WHERE h.session_id IN (SELECT value FROM json_each(:sessions)) AND (h.session_id, h.id) > (:session, :id)
    ORDER BY h.session_id, h.id"""


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge deleted, or, as a dry run, would delete.

    `cutoff` is the time (UTC) before which things are old. `bytes` counts the bodies' contents
    and the log's texts; `freed_bytes` is by how much the file of the messages became smaller.
    """

    cutoff: str
    dry_run: bool
    sessions: int = 0
    messages: int = 0
    bodies: int = 0
    log_entries: int = 0
    processes: int = 0
    bytes: int = 0
    freed_bytes: int = 0

    def plus(self, **counts: int) -> "PurgeReport":
        """The report with more counted."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return PurgeReport(**values | {name: values[name] + count for name, count in counts.items()})

    def __str__(self) -> str:
        done = "Would purge" if self.dry_run else "Purged"
        told = (
            f"{done} {self.messages:,} messages of {self.sessions:,} sessions, {self.log_entries:,} log entries and "
            f"{self.processes:,} processes from before {self.cutoff[:19]} UTC: {shown(self.bytes)}."
        )
        return told if self.dry_run else f"{told} The file is {shown(self.freed_bytes)} smaller."


Progress = Callable[[PurgeReport], None]


def purge(
    database: Database | Beside,
    older_than_days: float,
    dry_run: bool = False,
    progress: Progress = lambda report: None,
) -> PurgeReport:
    """Delete finished sessions, log entries and completed processes that are older than `older_than_days` days.

    A session goes whole or not at all. Senders wait for one small transaction at most;
    `progress` is called after each, and what it raises ends the purge there. With `dry_run`
    nothing is deleted. Raises `BadRequest` for an age that is none.
    """
    if not (math.isfinite(older_than_days) and 0 <= older_than_days <= LONGEST_AGE_DAYS):
        raise BadRequest(f"The age is {older_than_days} days: give a number from 0 to {LONGEST_AGE_DAYS}.")
    cutoff = (datetime.now(UTC) - timedelta(days=older_than_days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    report = PurgeReport(cutoff, dry_run)
    for step in (_purge_messages, _purge_log, _purge_processes):
        for counts in step(database, cutoff, dry_run):
            report = report.plus(**counts)
            progress(report)
    if dry_run:
        return report
    return report.plus(freed_bytes=shrink(database, lambda: progress(report)))


# -- messages ------------------------------------------------------------------------------


class _Message(NamedTuple):
    session_id: int
    id: int
    body_id: int
    bytes: int


class _Users:
    """Which messages use a body that is not theirs alone: a message that was sent again shares it.

    There is no index for that question, so the table is read once; later only what was added.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._highest_body, self._seen = connection.execute(
            "SELECT (SELECT max(id) FROM message_body), (SELECT max(id) FROM message_header)"
        ).fetchone()
        self._users: defaultdict[int, set[int]] = defaultdict(set)
        self._add(
            connection,
            "WHERE message_body_id IN (SELECT message_body_id FROM message_header WHERE message_body_id > 0 "
            "GROUP BY 1 HAVING COUNT(*) > 1)",
        )

    def look(self, connection: sqlite3.Connection) -> None:
        """Learn which messages were sent again since the last look."""
        seen, self._seen = self._seen, connection.execute("SELECT max(id) FROM message_header").fetchone()[0]
        self._add(
            connection, f"WHERE id > {seen} AND message_body_id > 0 AND message_body_id <= {self._highest_body or 0}"
        )

    def unused(self, connection: sqlite3.Connection, bodies: Collection[int], gone: Collection[int]) -> list[int]:
        """The bodies that no message uses any more when the messages `gone` are away."""
        exists = "SELECT 1 FROM message_header WHERE id = ?"
        return [
            body
            for body in bodies
            if not any(
                user not in gone and connection.execute(exists, (user,)).fetchone()
                for user in self._users.get(body, ())
            )
        ]

    def __contains__(self, body: int) -> bool:
        return body in self._users

    def _add(self, connection: sqlite3.Connection, where: str) -> None:
        for id_, body in connection.execute(f"SELECT id, message_body_id FROM message_header {where}").fetchall():
            self._users[body].add(id_)


def _purge_messages(database: Database | Beside, cutoff: str, dry_run: bool) -> Iterator[dict[str, int]]:
    last = last_before(database.reader(), "message_header", "time_created", cutoff)
    users: _Users | None = None
    gone: set[int] = set()  # in a dry run: the messages that would be away by now and had a common body
    after = 0
    while sessions := _ids(database.reader(), _DOOMED_NEXT, cutoff=cutoff, after=after, last=last):
        after = sessions[-1]
        users = users or _Users(database.reader())
        for batch in _batches(database.reader(), sessions):
            if dry_run:
                gone |= {message.id for message in batch if message.body_id in users}
                yield _counts(batch, users.unused(database.reader(), _bodies(batch), gone))
            else:
                yield database.write(_deletion(batch, users, cutoff))


def _batches(reader: sqlite3.Connection, sessions: list[int]) -> Iterator[list[_Message]]:
    """The messages of these sessions, so many at a time that a transaction stays small.

    A session is divided only if it is larger than a batch.
    """
    session, id_ = 0, 0
    while True:
        cursor = reader.execute(_BODIES, {"sessions": json.dumps(sessions), "session": session, "id": id_})
        batch: list[_Message] = []
        size, begin = 0, 0  # begin: where the last session of the batch begins
        for row in cursor:
            message = _Message(*row)
            if batch and batch[-1].session_id != message.session_id:
                begin = len(batch)
            if batch and (len(batch) >= BATCH_ROWS or size + message.bytes > BATCH_BYTES):
                batch = batch[: begin or len(batch)]
                break
            batch.append(message)
            size += message.bytes
        cursor.close()  # a reader that stays open would keep the write-ahead log from being emptied
        if not batch:
            return
        yield batch
        session, id_ = batch[-1].session_id, batch[-1].id


def _deletion(batch: list[_Message], users: _Users, cutoff: str) -> Callable[[sqlite3.Connection], dict[str, int]]:
    """The transaction that deletes a batch, but for sessions that must stay after all."""
    sessions = json.dumps(sorted({message.session_id for message in batch}))

    def apply(connection: sqlite3.Connection) -> dict[str, int]:
        still = set(_ids(connection, _DOOMED_STILL, cutoff=cutoff, sessions=sessions))
        doomed = [message for message in batch if message.session_id in still]
        users.look(connection)
        bodies = users.unused(connection, _bodies(doomed), {message.id for message in doomed})
        _delete(connection, "message_body", bodies)
        _delete(connection, "message_header", [message.id for message in doomed])
        return _counts(doomed, bodies)

    return apply


def _counts(batch: list[_Message], bodies: Collection[int]) -> dict[str, int]:
    sizes = {message.body_id: message.bytes for message in batch}
    return {
        # A session that was divided counts once: with its first message, whose id it has.
        "sessions": sum(message.id == message.session_id for message in batch),
        "messages": len(batch),
        "bodies": len(bodies),
        "bytes": sum(sizes[body] for body in bodies),
    }


def _bodies(batch: list[_Message]) -> list[int]:
    return sorted({message.body_id for message in batch} - {0})


# -- log and processes -----------------------------------------------------------------------


def _purge_log(database: Database | Beside, cutoff: str, dry_run: bool) -> Iterator[dict[str, int]]:
    last = last_before(database.reader(), "event_log", "time_logged", cutoff)
    after = 0
    while rows := database.reader().execute(_LOG, {"after": after, "last": last, "cutoff": cutoff}).fetchall():
        ids = [row[0] for row in rows]
        after = ids[-1]
        if not dry_run:
            database.write(partial(_delete, table="event_log", ids=ids))
        yield {"log_entries": len(rows), "bytes": sum(row[1] for row in rows)}


def _purge_processes(database: Database | Beside, cutoff: str, dry_run: bool) -> Iterator[dict[str, int]]:
    after = 0
    while ids := _ids(database.reader(), _PROCESSES, cutoff=cutoff, after=after):
        after = ids[-1]
        if not dry_run:
            database.write(partial(_delete, table="business_process", ids=ids))
        yield {"processes": len(ids)}


# -- rows ------------------------------------------------------------------------------------


def _ids(connection: sqlite3.Connection, sql: str, **values: int | str) -> list[int]:
    return [row[0] for row in connection.execute(sql, values).fetchall()]


def _delete(connection: sqlite3.Connection, table: str, ids: Collection[int]) -> None:
    connection.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))
