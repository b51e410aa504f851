"""What a running runtime does for its data folder: purge, daily if it is asked to, measure, back up."""

import math
import os
import sqlite3
import threading
from pathlib import Path

from irislite.backup import BACKUPS, BackupReport, backup, dated
from irislite.database import Database
from irislite.errors import BadRequest, IrisliteError
from irislite.eventlog import EventLog, LogType
from irislite.purge import LONGEST_AGE_DAYS, Progress, PurgeReport, purge
from irislite.size import SizeReport, measure

FIRST_AFTER_S = 60.0
EVERY_S = 24 * 3600.0
_SOURCE = "Housekeeping"


def purge_days() -> float | None:
    """The age in days from `IRISLITE_PURGE_DAYS`; None if nothing is purged by itself. Raises `BadRequest`."""
    text = os.environ.get("IRISLITE_PURGE_DAYS", "").strip()
    try:
        days = float(text or "0")
    except ValueError:
        days = math.nan
    if not 0 <= days <= LONGEST_AGE_DAYS:
        raise BadRequest(
            f"IRISLITE_PURGE_DAYS is {text!r}: set it to days, as in 30, or to 0: then nothing is purged by itself."
        )
    return days or None


class Housekeeping:
    """The housekeeping of one data folder, from inside the process that has it."""

    def __init__(self, home: Path, database: Database, eventlog: EventLog) -> None:
        self._home = home
        self._database = database
        self._eventlog = eventlog
        self._closing = threading.Event()
        self._daily: threading.Thread | None = None

    def purge(
        self,
        older_than_days: float,
        dry_run: bool = False,
        progress: Progress = lambda report: None,
    ) -> PurgeReport:
        """Purge, as `irislite.purge.purge` does, and say so in the log."""

        def go_on(report: PurgeReport) -> None:
            if self._closing.is_set():
                raise IrisliteError("The purge ended with the runtime; what is left goes at the next one.")
            progress(report)

        report = purge(self._database, older_than_days, dry_run, go_on)
        if not dry_run:
            self._eventlog.add(LogType.INFO, str(report), _SOURCE, "purge")
        return report

    def size(self) -> SizeReport:
        """How large the data folder is and what fills it."""
        return measure(self._database)

    def backup(self) -> BackupReport:
        """Make a backup below the data folder, under a name of the time, and say so in the log."""
        report = backup(self._home, dated(self._home))
        self._eventlog.add(LogType.INFO, str(report), _SOURCE, "backup")
        return report

    def backups(self) -> list[Path]:
        """The backups below the data folder, the newest first."""
        folder = self._home / BACKUPS
        found = [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
        return sorted(found, key=lambda path: path.name, reverse=True)

    def purge_daily(
        self, older_than_days: float, first_after_s: float = FIRST_AFTER_S, every_s: float | None = None
    ) -> None:
        """Purge soon, and then once a day, or at that age if it is less than a day, until the runtime closes."""
        pause_s = min(EVERY_S, max(FIRST_AFTER_S, older_than_days * EVERY_S)) if every_s is None else every_s

        def run() -> None:
            wait_s = first_after_s
            while not self._closing.wait(wait_s):
                wait_s = pause_s
                try:
                    self.purge(older_than_days)
                except (IrisliteError, sqlite3.Error, OSError) as error:
                    if self._closing.is_set():
                        return
                    self._eventlog.add(LogType.ERROR, f"The daily purge failed: {error}", _SOURCE, "purge")

        self._daily = threading.Thread(target=run, name="irislite-housekeeping", daemon=True)
        self._daily.start()

    def close(self) -> None:
        """End the daily purge, and one that is under way, between two of its transactions."""
        self._closing.set()
        if self._daily is not None:
            self._daily.join()
