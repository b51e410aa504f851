"""A data folder: the names of its databases; it belongs to one process at a time."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from irislite.errors import DataFolderInUse, StoreError

MESSAGES, TABLES = "messages.db", "tables.db"


def messages_in(folder: Path) -> Path:
    """The database of the messages. Raises `StoreError` if there is none."""
    path = folder / MESSAGES
    if not path.is_file():
        raise StoreError(f"There is no data in {folder}: name the data folder with --home, or in IRISLITE_HOME.")
    return path


def lock(folder: Path) -> TextIO:
    """Take the folder for this process alone, until the file that is returned is closed or the process ends.

    The folder is made if it is not there. Raises `DataFolderInUse` with the owner's number.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock_file = (folder / "lock").open("a+", encoding="utf-8")
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
