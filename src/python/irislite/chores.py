"""The commands that work on a data folder: trace, purge, size, backup, restore, compact."""

import argparse
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from irislite import audit
from irislite.backup import backup
from irislite.beside import Beside
from irislite.errors import StoreError
from irislite.folder import lock, messages_in
from irislite.migrations import rebuild
from irislite.purge import Progress, PurgeReport, purge
from irislite.restore import restore
from irislite.size import measure
from irislite.transcript import transcript
from irislite.units import shown

_SHOW_EVERY_S = 0.5
_READING = ("trace", "size")


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[argparse.ArgumentParser]:
    """Add the commands. Returns their parsers: each takes a data folder."""
    trace_command = commands.add_parser(
        "trace",
        help="print the messages of a session",
        description="Print the messages of a session in order, with what they carry. Works beside a running server.",
    )
    trace_command.add_argument("session", type=int, help="the session's number")
    purge_command = commands.add_parser("purge", help="delete old finished messages; works beside a running server")
    purge_command.add_argument("--days", type=float, required=True, metavar="N", help="older than so many days")
    purge_command.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    size_command = commands.add_parser("size", help="say how large the data folder is and what fills it")
    backup_command = commands.add_parser("backup", help="copy messages and tables; works beside a running server")
    backup_command.add_argument("target", type=Path, help="a new folder, or a file that ends in .zip")
    backup_command.add_argument("--force", action="store_true", help="replace a backup that is there")
    restore_command = commands.add_parser("restore", help="put a backup into a data folder that nobody uses")
    restore_command.add_argument("source", type=Path, help="what `irislite backup` made")
    compact_command = commands.add_parser(
        "compact", help="write messages.db anew, without free space; the server must stop"
    )
    return [trace_command, purge_command, size_command, backup_command, restore_command, compact_command]


def run(options: argparse.Namespace, home: Path) -> None:
    """Do what one of the commands asks for. Raises `IrisliteError`."""
    try:
        if options.command in _READING:
            print(_done(options, home))
        else:
            with audit.from_command_line(home, *_deed(options)) as deed:
                report = _done(options, home)
                deed.tell(str(report))
            print(report)
    except sqlite3.Error as error:
        raise StoreError(f"The store in {home} cannot be read: {error}. Check its rights.") from error


def _deed(options: argparse.Namespace) -> tuple[str, str]:
    """What a command does, and what to, for the audit."""
    if options.command == "purge":
        return ("Look what a purge would delete" if options.dry_run else "Purge"), f"{options.days:g} days"
    if options.command == "backup":
        return "Back up", str(options.target)
    if options.command == "restore":
        return "Restore a backup", str(options.source)
    return "Compact the messages", ""


def _done(options: argparse.Namespace, home: Path) -> object:
    """The report of what was done."""
    if options.command == "backup":
        return backup(home, options.target, options.force)
    if options.command == "restore":
        return restore(options.source, home)
    if options.command == "compact":
        return compact(home)
    with closing(Beside(home)) as messages:
        if options.command == "trace":
            return transcript(messages, options.session)
        if options.command == "size":
            return measure(messages)
        return purge(messages, options.days, options.dry_run, _progress())


def compact(home: Path) -> str:
    """Write the messages' file anew, as small as it can be. Raises `DataFolderInUse` while a server runs on it."""
    path = messages_in(home)
    with lock(home):
        before = path.stat().st_size
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                rebuild(connection)
        except sqlite3.Error as error:
            raise StoreError(
                f"{path} could not be written anew: {error}. It is as it was. Is there as much free disk as it takes?"
            ) from error
    return f"{path} took {shown(before)} and takes {shown(path.stat().st_size)}."


def _progress() -> Progress:
    """Progress on the terminal, now and then."""
    shown_at = 0.0

    def show(report: PurgeReport) -> None:
        nonlocal shown_at
        if sys.stderr.isatty() and time.monotonic() - shown_at >= _SHOW_EVERY_S:
            shown_at = time.monotonic()
            print(
                f"{report.messages:,} messages, {report.log_entries:,} log entries",
                end="\r",
                file=sys.stderr,
                flush=True,
            )

    return show
