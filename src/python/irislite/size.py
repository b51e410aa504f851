"""How large a data folder is, what fills it, and giving back what is free."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from irislite.beside import Beside
from irislite.database import Database
from irislite.folder import MESSAGES, TABLES
from irislite.header import FINISHED, Status
from irislite.units import shown

STEP_PAGES = 500  # given back in one transaction: each may move a page
CHECKPOINT_PATIENCE_MS = 200  # how long senders may wait for readers that hold the write-ahead log
_UNFINISHED = ", ".join(str(int(status)) for status in Status if status not in FINISHED)
_INCREMENTAL = 2  # SQLite's code for auto_vacuum = INCREMENTAL


@dataclass(frozen=True, slots=True)
class SizeReport:
    """What a data folder takes.

    `files` maps the names of its databases and their write-ahead logs to bytes. `free_bytes` lie
    free inside `messages.db`: new messages fill them first. `shrinks` says that a purge gives
    them back. `backups_bytes` counts what a restore replaced, too. `rows` counts `messages.db` by
    table; `oldest_message` is a time in UTC or empty.
    """

    folder: str
    schema_version: int
    files: dict[str, int]
    backups_bytes: int
    disk_free_bytes: int
    free_bytes: int
    shrinks: bool
    rows: dict[str, int]
    unfinished_messages: int
    oldest_message: str
    newest_message: str

    def __str__(self) -> str:
        lines = [
            f"{self.folder}  (schema version {self.schema_version}, {shown(self.disk_free_bytes)} free on the disk)"
        ]
        lines += [f"  {name:<22}{shown(size):>12}" for name, size in self.files.items()]
        lines += [f"  {'backups, replaced':<22}{shown(self.backups_bytes):>12}"] if self.backups_bytes else []
        lines += ["", f"  {shown(self.free_bytes)} of messages.db are free and are filled first."]
        if not self.shrinks:
            lines.append("  The file does not shrink by itself: `irislite compact` makes it small, and able to.")
        lines += ["", *(f"  {name:<22}{count:>12,} rows" for name, count in self.rows.items())]
        if self.oldest_message:
            lines += ["", f"  messages from {self.oldest_message[:19]} to {self.newest_message[:19]} UTC"]
            unfinished = f"{self.unfinished_messages:,} are not finished: a purge leaves their sessions"
            lines.append(f"  {unfinished if self.unfinished_messages else 'all are finished'}")
        return "\n".join(lines)


def measure(database: Database | Beside) -> SizeReport:
    """Look at a data folder. Reads alone; senders do not wait."""
    folder, reader = database.path.parent, database.reader()
    names = [
        row[0]
        for row in reader.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
        )
    ]
    oldest, newest, unfinished = reader.execute(
        "SELECT (SELECT time_created FROM message_header ORDER BY id LIMIT 1), "
        "(SELECT time_created FROM message_header ORDER BY id DESC LIMIT 1), "
        f"(SELECT COUNT(*) FROM message_header WHERE status IN ({_UNFINISHED}))"
    ).fetchone()
    return SizeReport(
        folder=str(folder),
        schema_version=_pragma(reader, "user_version"),
        files={
            path.name: path.stat().st_size
            for name in (MESSAGES, TABLES)
            for path in (folder / name, folder / f"{name}-wal")
            if path.is_file()
        },
        backups_bytes=sum(
            path.stat().st_size
            for pattern in ("backups/*/*", "replaced-*/*", f"{MESSAGES}.v*.bak")
            for path in folder.glob(pattern)
        ),
        disk_free_bytes=shutil.disk_usage(folder).free,
        free_bytes=_pragma(reader, "freelist_count") * _pragma(reader, "page_size"),
        shrinks=_pragma(reader, "auto_vacuum") == _INCREMENTAL,
        rows={name: reader.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names},
        unfinished_messages=unfinished,
        oldest_message=oldest or "",
        newest_message=newest or "",
    )


def shrink(database: Database | Beside, step: Callable[[], object] = lambda: None) -> int:
    """Give free pages back to the disk in small transactions, and empty the write-ahead log.

    `step` is called after each transaction. Returns by how many bytes `messages.db` became
    smaller: 0 for a file that was not made for it, whose free pages new messages fill.
    """
    reader = database.reader()
    before = _pragma(reader, "page_count")
    if _pragma(reader, "auto_vacuum") == _INCREMENTAL:
        free = _pragma(reader, "freelist_count")
        while free:
            database.write(_give_back)
            step()
            left = _pragma(reader, "freelist_count")
            if left >= free:
                break  # others free or fill as much meanwhile
            free = left
    empty_log(database.path)
    return max(0, before - _pragma(reader, "page_count")) * _pragma(reader, "page_size")


def empty_log(path: Path) -> bool:
    """Write the write-ahead log into the file and cut it to nothing. False if somebody reads from it now."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_PATIENCE_MS}")
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:  # another checkpoint runs
        return False
    finally:
        connection.close()


def _give_back(connection: sqlite3.Connection) -> None:
    for _ in range(STEP_PAGES):  # Python's module takes one step of the statement, which is one page
        connection.execute("PRAGMA incremental_vacuum(1)")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
