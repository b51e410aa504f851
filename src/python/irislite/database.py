"""The runtime's SQLite file: one writer thread that groups commits, a reader per thread."""

import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from irislite.errors import DataFolderInUse, StoreError

_logger = logging.getLogger(__name__)

# Each script takes the schema from the version of its place to the next; the first makes it.
MIGRATIONS: tuple[str, ...] = (files("irislite").joinpath("schema.sql").read_text(encoding="utf-8"),)
LARGEST_GROUP = 1_000  # writes in one commit


class Write:
    """One change, waiting to be committed.

    `apply(connection)` runs in the writer thread, inside a transaction that it shares with
    others, and may run a second time if another write of the group fails. `committed(result)`
    runs in the writer thread when the change is on disk, in the order of the writes: it must
    be brief and must not raise.
    """

    __slots__ = ("_done", "apply", "committed", "error", "result")

    def __init__(self, apply: Callable[[sqlite3.Connection], Any], committed: Callable[[Any], None] | None) -> None:
        self.apply = apply
        self.committed = committed
        self.result: Any = None
        self.error: Exception | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def wait(self) -> Any:
        """Block until the change is on disk; return what `apply` returned, or raise what it raised."""
        with self._done:
            pass
        if self.error is not None:
            raise self.error
        return self.result

    def finish(self) -> None:
        """Tell whoever waits."""
        try:
            if self.error is None and self.committed is not None:
                self.committed(self.result)
        finally:
            self._done.release()


class Database:
    """The file `messages.db` in a data folder that this process has for itself.

    `synchronous` is SQLite's: FULL syncs every commit to the disk, so that what was accepted
    survives a power cut as well; NORMAL survives the end of the process alone and is faster.
    """

    def __init__(self, folder: Path, synchronous: str = "FULL") -> None:
        if synchronous.upper() not in ("FULL", "NORMAL"):
            raise StoreError(f"IRISLITE_SYNCHRONOUS is {synchronous!r}: set it to FULL or NORMAL.")
        self.path = folder / "messages.db"
        self._synchronous = synchronous.upper()
        self._lock_file = _lock(folder)
        self._readers = threading.local()
        self._writes: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        try:
            self._writer_connection = self._connect()
            _migrate(self._writer_connection)
        except sqlite3.Error as error:
            self._lock_file.close()
            raise StoreError(
                f"The store {self.path} cannot be opened: {error}. Check the folder's rights and free space; "
                "IRISLITE_HOME names another folder."
            ) from error
        self._writer = threading.Thread(target=self._run, name="irislite-writer", daemon=True)
        self._writer.start()

    def submit(
        self, apply: Callable[[sqlite3.Connection], Any], committed: Callable[[Any], None] | None = None
    ) -> Write:
        """Hand a change to the writer without waiting for it."""
        write = Write(apply, committed)
        with self._closing:  # nothing may come in behind the end
            if self._closed:
                raise StoreError("The store is closed: start the runtime again.")
            self._writes.put(write)
        return write

    def write(self, apply: Callable[[sqlite3.Connection], Any]) -> Any:
        """Make a change and wait until it is on disk."""
        return self.submit(apply).wait()

    def reader(self) -> sqlite3.Connection:
        """This thread's own connection; it sees what is committed and cannot write."""
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
        return connection

    def close(self) -> None:
        """Commit what was submitted, then close the file and free the folder."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._writes.put(None)
        self._writer.join()
        self._writer_connection.close()
        self._lock_file.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            try:
                self._commit(group)
            except Exception:  # noqa: BLE001 - one of them failed: each alone, so that it fails alone
                for write in group:
                    try:
                        self._commit([write])
                    except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
                        write.error = _explained(error, self.path)
            for write in group:
                try:
                    write.finish()
                except Exception:
                    _logger.exception("A follow-up of a committed write failed")

    def _next_group(self) -> list[Write] | None:
        first = self._writes.get()
        if first is None:
            return None
        group = [first]
        while len(group) < LARGEST_GROUP:
            try:
                write = self._writes.get_nowait()
            except queue.Empty:
                break
            if write is None:
                self._writes.put(None)  # closing: after this group
                break
            group.append(write)
        return group

    def _commit(self, group: list[Write]) -> None:
        connection = self._writer_connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for write in group:
                write.result = write.apply(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _lock(folder: Path) -> Any:
    """Take the folder for this process alone; the system gives the lock back when the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock_file = (folder / "lock").open("a+", encoding="utf-8")  # held as long as the database
    except OSError as error:
        raise StoreError(
            f"The data folder {folder} cannot be used: {error}. Check its rights, or name another in IRISLITE_HOME."
        ) from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.seek(0)
        owner = lock_file.read().strip()
        lock_file.close()
        raise DataFolderInUse(
            f"The data folder {folder} is used by the running process {owner or '?'}. "
            "Stop that process first, or name another folder in IRISLITE_HOME."
        ) from error
    lock_file.seek(0)
    lock_file.truncate()
    lock_file.write(str(os.getpid()))
    lock_file.flush()
    return lock_file


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to this version of the runtime."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The store has schema version {version}, this runtime knows {len(MIGRATIONS)}: "
            "start the newer runtime that made it, or name another folder in IRISLITE_HOME."
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _explained(error: Exception, path: Path) -> Exception:
    if isinstance(error, sqlite3.OperationalError):
        return StoreError(f"The store {path} cannot be written: {error}. Check the disk's free space and the rights.")
    return error
