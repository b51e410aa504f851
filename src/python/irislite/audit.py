"""The audit: who did what, when, by which way and with what outcome; in a file of its own, which no purge touches."""

import getpass
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from irislite.actor import Actor, Role, acting, acting_as
from irislite.errors import Forbidden, IrisliteError, StoreError
from irislite.store import now, storable

FILE = "audit.db"
PAGE = 1_000  # entries that are read at a time
LONGEST_TEXT = 2_000  # characters of what is noted about one deed
_SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    time    TEXT NOT NULL,   -- ISO 8601, UTC, microseconds: when it ended
    user    TEXT NOT NULL,   -- empty: the runtime itself
    role    TEXT NOT NULL,
    via     TEXT NOT NULL,   -- REST, portal, command line
    client  TEXT NOT NULL,   -- the address it came from
    action  TEXT NOT NULL,   -- a sentence: Restart an item
    target  TEXT NOT NULL,   -- an item, a user, a path
    outcome TEXT NOT NULL,   -- done, refused, failed
    detail  TEXT NOT NULL
)
"""
COLUMNS = ("id", "time", "user", "role", "via", "client", "action", "target", "outcome", "detail")


class Outcome(StrEnum):
    """How a deed ended."""

    DONE = "done"
    REFUSED = "refused"  # the user's role, or a wrong password
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit; `time` is ISO 8601 in UTC."""

    id: int
    time: str
    user: str
    role: str
    via: str
    client: str
    action: str
    target: str
    outcome: str
    detail: str


@dataclass(slots=True)
class Deed:
    """What is being done. `outcome` is set by who knows it; `tell` adds a sentence. Never a secret."""

    action: str
    target: str = ""
    outcome: Outcome = Outcome.DONE
    told: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Add what the reader of the audit should know, as in `4 messages`."""
        self.told.append(text)


_at_hand: ContextVar[Deed | None] = ContextVar("irislite_deed", default=None)


def tell(text: str, target: str = "") -> None:
    """Say more about the deed at hand; nothing happens where none is, as in a program of one's own."""
    deed = _at_hand.get()
    if deed is not None:
        deed.tell(text)
        deed.target = target or deed.target


@contextmanager
def at_hand(deed: Deed) -> Iterator[Deed]:
    """The block does this deed: `tell` finds it, and how the block ends is its outcome."""
    token = _at_hand.set(deed)
    try:
        yield deed
    except Exception as error:
        deed.outcome = Outcome.REFUSED if isinstance(error, Forbidden) else Outcome.FAILED
        # Our own texts are written for readers; another error's may quote what was sent.
        deed.tell(str(error) if isinstance(error, IrisliteError) else type(error).__name__)
        raise
    except BaseException:  # whoever asked has gone, or the process ends
        deed.outcome = Outcome.FAILED
        deed.tell("It was broken off.")
        raise
    finally:
        _at_hand.reset(token)


class Audit:
    """The audit of a data folder. Several processes may write to it: the server, and commands beside it."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def deed(self, action: str, target: str = "") -> Iterator[Deed]:
        """What the block does is written when it ends, for the user who acts: done, refused or failed, and why."""
        deed = Deed(action, target)
        try:
            with at_hand(deed):
                yield deed
        finally:
            self.write(deed)

    def write(self, deed: Deed) -> None:
        """Write a deed for the user who acts. On disk when it returns. Raises `StoreError`."""
        actor = acting.get()
        values = (
            now(), actor.name, actor.role.word if actor.via else "", actor.via, actor.client, deed.action, deed.target,
            deed.outcome.value, " ".join(deed.told)[:LONGEST_TEXT],
        )  # fmt: skip
        marks = ", ".join("?" * len(values))
        with self._lock:
            try:
                self._opened().execute(
                    f"INSERT INTO audit ({', '.join(COLUMNS[1:])}) VALUES ({marks})",
                    [storable(text) for text in values],
                )
            except (sqlite3.Error, OSError) as error:
                raise StoreError(
                    f"{self._path} cannot be written: {error}. Check the disk's free space and the file's rights."
                ) from error

    def entries(
        self, limit: int, before_id: int | None = None, user: str = "", outcome: str = "", text: str = "",
        since: str = "", until: str = "",
    ) -> list[Entry]:  # fmt: skip
        """The newest entries, newest first: of a user, an outcome, with a text in them, from a time, before a time."""
        conditions = {
            "id < ?": before_id, "user = ? COLLATE NOCASE": user, "outcome = ?": outcome, "time >= ?": since,
            "time < ?": until, "instr(lower(action || ' ' || target || ' ' || detail), lower(?)) > 0": text,
        }  # fmt: skip
        asked = {condition: value for condition, value in conditions.items() if value}
        where = f"WHERE {' AND '.join(asked)} " if asked else ""
        statement = f"SELECT {', '.join(COLUMNS)} FROM audit {where}ORDER BY id DESC LIMIT ?"
        with self._lock:
            try:
                return [Entry(*row) for row in self._opened().execute(statement, (*asked.values(), limit))]
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"{self._path} cannot be read: {error}. Check the file's rights.") from error

    def all(self, since: str = "", until: str = "") -> Iterator[Entry]:
        """Every entry, or those of a time, newest first; read while they are taken."""
        before_id = None
        while page := self.entries(PAGE, before_id, since=since, until=until):
            yield from page
            before_id = page[-1].id

    def close(self) -> None:
        """Let the file go; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.touch(mode=0o600)
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection


@contextmanager
def from_command_line(home: Path, action: str, target: str = "") -> Iterator[Deed]:
    """A deed of a command that works on a data folder: its user is the system's."""
    deed = Deed(action, target)
    try:
        with at_hand(deed):
            yield deed
    finally:
        if home.is_dir():
            with acting_as(Actor(getpass.getuser(), Role.ADMINISTRATOR, "command line")):
                book = Audit(home)
                book.write(deed)
                book.close()
