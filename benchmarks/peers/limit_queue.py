"""The limit: iop's own work for a message and bare rows in SQLite, with nothing of a runtime around them.

Senders serialise, a writer commits for all who wait, a worker deserialises, calls the handler and serialises. There is
no session, no index, no recovery, no log, no page to look at. It shows what `iop` and the machine leave to be won.
"""

import sqlite3
import threading
import time
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any

from iop.messages.dispatch import dispatch_serializer
from peers import irislite_queue, work

from irislite.bridge.objects import to_body, to_object
from irislite.header import Body

WORKER = None
TABLES = """
    CREATE TABLE header (
        id INTEGER PRIMARY KEY, type INTEGER, status INTEGER, source TEXT, target TEXT, created TEXT, body INTEGER,
        answers INTEGER);
    CREATE TABLE body (id INTEGER PRIMARY KEY, class TEXT, content TEXT);
"""
Row = tuple[int, Body, int, Any]  # id, body, what it answers or 0, the lock of who waits or None


class Limit:
    """One store, one writer, one worker."""

    def __init__(self, path: Path) -> None:
        self._ids = count(1)
        self._pending: deque[Row] = deque()
        self._waiting: deque[Row] = deque()
        self._writer_bell, self._worker_bell = _bell(), _bell()
        self._callers: dict[int, tuple[threading.Lock, list[Body]]] = {}
        self._accepted = self._handled = 0
        host = irislite_queue.director._hosting.host(irislite_queue.director._production.item("Noop"))
        host.start()
        self._dispatch = host.instance._dispatch_on_message
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + TABLES)
        for target in (self._write, self._work):
            threading.Thread(target=target, daemon=True).start()

    def send(self, message: Any, on_disk: threading.Lock) -> int:
        """Hand a message over and wait until it is on disk."""
        number = next(self._ids)
        self._submit((number, to_body(dispatch_serializer(message)), 0, on_disk))
        on_disk.acquire()
        return number

    def ask(self, message: Any, on_disk: threading.Lock) -> Any:
        """The answer to a message."""
        number, answered = next(self._ids), _bell()
        answer: list[Body] = []
        self._callers[number] = answered, answer
        self._submit((number, to_body(dispatch_serializer(message)), 0, on_disk))
        on_disk.acquire()
        answered.acquire()
        return to_object(answer[0], number)

    @property
    def is_idle(self) -> bool:
        """Whether all that was accepted is answered on disk."""
        return not self._pending and self._accepted == self._handled

    def _submit(self, row: Row) -> None:
        self._pending.append(row)
        _ring(self._writer_bell)

    def _write(self) -> None:
        connection = self._connection
        while True:
            self._writer_bell.acquire()
            while self._pending:
                group = [self._pending.popleft() for _ in range(len(self._pending))]
                created = time.strftime("%Y-%m-%d %H:%M:%S")
                connection.execute("BEGIN")
                connection.executemany(
                    "INSERT INTO header VALUES (?, ?, ?, 'Door', 'Noop', ?, ?, ?)",
                    [(number, 1 + bool(of), 9 if of else 2, created, number, of) for number, _, of, _ in group],
                )
                connection.executemany(
                    "INSERT INTO body VALUES (?, ?, ?)", [(row[0], row[1].classname, row[1].content) for row in group]
                )
                done = [(of,) for _, _, of, _ in group if of]
                connection.executemany("UPDATE header SET status = 9 WHERE id = ?", done)
                connection.execute("COMMIT")
                self._accepted += len(group) - len(done)
                self._handled += len(done)
                self._waiting.extend(row for row in group if not row[2])
                _ring(self._worker_bell)
                for _, body, of, waits in group:
                    if waits is not None:
                        waits.release()
                    if of in self._callers:
                        answered, answer = self._callers.pop(of)
                        answer.append(body)
                        answered.release()

    def _work(self) -> None:
        while True:
            self._worker_bell.acquire()
            while self._waiting:
                number, body, _, _ = self._waiting.popleft()
                answer = to_body(self._dispatch(to_object(body, number)))
                self._submit((next(self._ids), answer, number, None))


def _bell() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _ring(bell: threading.Lock) -> None:
    try:
        bell.release()
    except RuntimeError:  # it rings already
        pass


_limit: Limit | None = None


def open() -> None:
    """Start it."""
    global _limit
    irislite_queue.open()
    _limit = Limit(work.FOLDER / "limit.db")


def _running() -> Limit:
    if _limit is None:
        raise RuntimeError("Call open() first.")
    return _limit


def send(numbers: range) -> None:
    ping, on_disk, limit = irislite_queue._message_class(), _bell(), _running()
    for number in numbers:
        limit.send(ping(**work.message(number)), on_disk)


def ask(number: int) -> Any:
    return _running().ask(irislite_queue._message_class()(**work.message(number)), _bell())


def wait_done(_total: int) -> None:
    """Wait until all is answered on disk."""
    while not _running().is_idle:
        time.sleep(0.001)


def close() -> None:
    """Stop it."""
    irislite_queue.close()
