"""The runtime's SQLite file: one writer at a time, who commits for all who wait; a reader per thread."""

import itertools
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from irislite.errors import StoreError
from irislite.folder import lock
from irislite.migrations import migrate

_logger = logging.getLogger(__name__)

# Each script takes the schema from the version of its place to the next; the first makes it.
MIGRATIONS: tuple[str, ...] = (
    files("irislite").joinpath("schema.sql").read_text(encoding="utf-8"),
    # The message list of an item, or of what went wrong, and an item's log, however much there is.
    """
    CREATE INDEX message_header_target ON message_header (target_config_name, id);
    CREATE INDEX message_header_source ON message_header (source_config_name, id);
    CREATE INDEX message_header_status ON message_header (status, id) WHERE status NOT IN (2, 9);
    CREATE INDEX event_log_item ON event_log (config_name, id);
    """,
    # When a pool member took a message: how long it waited, and how long it was worked on. What went wrong, in a log
    # of any length. The searches that people keep.
    """
    ALTER TABLE message_header ADD COLUMN time_taken TEXT NOT NULL DEFAULT '';
    CREATE INDEX event_log_trouble ON event_log (type, id) WHERE type IN (2, 3, 6);
    CREATE TABLE saved_search (
        owner TEXT NOT NULL,
        room  TEXT NOT NULL,  -- messages or log
        name  TEXT NOT NULL,
        query TEXT NOT NULL,
        PRIMARY KEY (owner, room, name)
    );
    """,
)
LARGEST_GROUP = 1_000  # writes in one commit
GATHER_S = 0.000_02  # how long a commit waits for more writes, if several threads waited for the last one
CHECKPOINT_PAGES = 10_000  # of the write-ahead log, before its pages move into the file: whoever commits then waits
LARGEST_LOG = 64 * 1024 * 1024  # bytes that the log's file keeps when its pages have moved
_MAIN_THREAD = threading.main_thread().ident

Apply = Callable[[sqlite3.Connection], Any]
ApplyMany = Callable[[sqlite3.Connection, list[Any]], Sequence[Any]]


class Write:
    """One change, waiting to be committed.

    `apply` runs inside a transaction that it shares with others, and may run a second time if
    another write of the group fails. It gets the connection, or, for one of many changes of a
    kind, the connection and the values of all its neighbours of that kind at once.
    `committed(result)` runs when the change is on disk, in the order of the writes: it must be
    brief and must not raise.
    """

    __slots__ = ("_database", "_done", "_finished", "apply", "committed", "error", "many", "result", "value")

    def __init__(self, database: "Database", apply: Callable[..., Any], many: bool, value: Any,
                 committed: Callable[[Any], None] | None) -> None:  # fmt: skip
        self.apply = apply
        self.many = many
        self.value = value
        self.committed = committed
        self.result: Any = None
        self.error: Exception | None = None
        self._database = database
        self._finished = False
        self._done: Any = None  # a lock, for who must wait for somebody else's commit

    def wait(self) -> Any:
        """Block until the change is on disk; return what `apply` returned, or raise what it raised.

        One thread at most waits for a change.
        """
        while not self._finished:
            if not self._database.commit_waiting():
                done = threading.Lock()
                done.acquire()
                self._done = done  # `finish` looks for it when it has said that it finished
                if not self._finished:
                    done.acquire()  # whoever commits now takes this one along, or wakes the writer for it
                break
        if self.error is not None:
            raise self.error
        return self.result

    @property
    def is_awaited(self) -> bool:
        """Whether a thread sleeps until it is committed."""
        return self._done is not None

    def finish(self) -> None:
        """Tell whoever waits."""
        try:
            if self.error is None and self.committed is not None:
                self.committed(self.result)
        finally:
            self._finished = True
            if self._done is not None:
                self._done.release()


class Database:
    """The file `messages.db` in a data folder that this process has for itself.

    `synchronous` is SQLite's: FULL syncs every commit to the disk, so that what was accepted
    survives a power cut as well; NORMAL survives the end of the process alone and is faster.

    One thread at a time commits, for all who have submitted something meanwhile. A thread that
    waits for its own change commits itself if nobody else does: no other thread has to wake up
    for it. What is left when it is done, or what nobody waits for, the writer thread commits.
    """

    def __init__(self, folder: Path, synchronous: str = "FULL") -> None:
        if synchronous.upper() not in ("FULL", "NORMAL"):
            raise StoreError(f"IRISLITE_SYNCHRONOUS is {synchronous!r}: set it to FULL or NORMAL.")
        self.path = folder / "messages.db"
        self._synchronous = synchronous.upper()
        self._lock_file = lock(folder)
        self._readers = threading.local()
        self._pending: deque[Write] = deque()
        self._committing = threading.Lock()
        self._bell = threading.Lock()  # released: there is something for the writer thread
        self._bell.acquire()
        self._crowded = False  # several threads waited for the last commit
        self._closed = False
        self._closing = threading.Lock()
        try:
            self._connection = self._connect()
            migrate(self._connection, self.path, MIGRATIONS)
        except StoreError:
            self._connection.close()
            self._lock_file.close()
            raise
        except sqlite3.Error as error:
            self._lock_file.close()
            raise StoreError(
                f"The store {self.path} cannot be opened: {error}. Check the folder's rights and free space; "
                "IRISLITE_HOME names another folder."
            ) from error
        self._writer = threading.Thread(target=self._run, name="irislite-writer", daemon=True)
        self._writer.start()

    def submit(self, apply: Apply, committed: Callable[[Any], None] | None = None, waits: bool = False) -> Write:
        """Hand over a change; it is committed soon, whether somebody waits for it or not.

        `waits` says that the caller is going to wait: then nobody has to wake up to commit it.
        """
        write = self._submit(Write(self, apply, False, None, committed))
        if not waits:
            self._ring()
        return write

    def submit_many(self, apply: ApplyMany, value: Any, committed: Callable[[Any], None] | None = None) -> Write:
        """Hand over one of many changes of a kind: `apply` gets the values of several, and answers for each.

        What `apply` does must be a transaction by itself if it is not inside of one. The caller is
        going to wait for it; somebody else's commit may take it along before.
        """
        return self._submit(Write(self, apply, True, value, committed))

    def write(self, apply: Apply) -> Any:
        """Make a change and wait until it is on disk."""
        return self._submit(Write(self, apply, False, None, None)).wait()

    def reader(self) -> sqlite3.Connection:
        """This thread's own connection; it sees what is committed and cannot write."""
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._connect(reads=True)
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
        return connection

    def close(self) -> None:
        """Commit what was submitted, then close the file and free the folder."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._ring()
        self._writer.join()
        with self._committing:
            try:  # the next start reads one file, not a log; whoever reads meanwhile may keep it
                self._connection.execute("PRAGMA busy_timeout = 1000")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError:
                _logger.debug("The write-ahead log could not be emptied", exc_info=True)
            self._connection.close()
        self._lock_file.close()

    def commit_waiting(self) -> bool:
        """Commit what was submitted, in this thread. False if another thread does it."""
        if threading.get_ident() == _MAIN_THREAD:  # a Ctrl-C in the middle would leave others waiting
            self._ring()
            return False
        if not self._committing.acquire(blocking=False):
            return False
        try:
            if self._crowded:  # those who were told now come with their next ones: one commit is for all
                time.sleep(GATHER_S)
            group = self._next_group()
            if group:
                self._commit_group(group)
        finally:
            self._committing.release()
        if self._pending:  # others came meanwhile: this thread has its own to do
            self._ring()
        return True

    def _connect(self, reads: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.row_factory = sqlite3.Row
        if not reads:  # both write into the file: of many threads that start to read, some would find it locked
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file, and only before anything else
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG}")
        return connection

    def _submit(self, write: Write) -> Write:
        with self._closing:  # nothing may come in behind the end
            if self._closed:
                raise StoreError("The store is closed: start the runtime again.")
            self._pending.append(write)
        return write

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:  # it rings already
            pass

    def _run(self) -> None:
        while not (self._closed and not self._pending):
            self._bell.acquire()
            while self._pending:
                with self._committing:
                    if group := self._next_group():
                        self._commit_group(group)

    def _next_group(self) -> list[Write]:
        pending = self._pending
        return [pending.popleft() for _ in range(min(len(pending), LARGEST_GROUP))]

    def _commit_group(self, group: list[Write]) -> None:
        try:
            self._commit(group)
        except Exception:  # noqa: BLE001 - one of them failed: each alone, so that it fails alone
            for write in group:
                try:
                    self._commit([write])
                except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
                    write.error = _explained(error, self.path)
        waiting = 0
        for write in group:
            waiting += write.is_awaited
            try:
                write.finish()
            except Exception:
                _logger.exception("A follow-up of a committed write failed")
        self._crowded = waiting > 1

    def _commit(self, group: list[Write]) -> None:
        connection = self._connection
        kinds = [(many, list(writes)) for (_, many), writes in itertools.groupby(group, key=_kind)]
        alone = len(kinds) == 1 and group[0].many
        try:
            if not alone:
                connection.execute("BEGIN IMMEDIATE")
            for many, writes in kinds:
                if not many:
                    for write in writes:
                        write.result = write.apply(connection)
                    continue
                results = writes[0].apply(connection, [write.value for write in writes])
                for write, result in zip(writes, results, strict=True):
                    write.result = result
            if not alone:
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _kind(write: Write) -> tuple[Callable[..., Any], bool]:
    return write.apply, write.many


def _explained(error: Exception, path: Path) -> Exception:
    if isinstance(error, sqlite3.OperationalError):
        return StoreError(f"The store {path} cannot be written: {error}. Check the disk's free space and the rights.")
    return error
