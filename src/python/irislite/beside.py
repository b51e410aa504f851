"""The messages of a data folder from outside: beside the process that has it, or without one."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from irislite.database import MIGRATIONS
from irislite.errors import StoreError
from irislite.folder import messages_in

PATIENCE_S = 60.0  # how long a transaction waits for another's end
LONGEST_PAUSE_S = 0.2  # between two of its own


class Beside:
    """A second writer, for short transactions. It makes and migrates nothing, and leaves the folder to its owner.

    Raises `StoreError` if there is no store, or none of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.path = messages_in(folder)
        try:
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=PATIENCE_S
            )
            self._connection.row_factory = sqlite3.Row
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error
        if version != len(MIGRATIONS):
            self._connection.close()
            raise StoreError(
                f"The store {self.path} has schema version {version}, this program knows {len(MIGRATIONS)}: "
                "use the program that runs on it, or start it once with this one."
            )

    def reader(self) -> sqlite3.Connection:
        """The connection."""
        return self._connection

    def write(self, apply: Callable[[sqlite3.Connection], Any]) -> Any:
        """Make a change in a transaction of its own; then let others write for as long as it took."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            result = apply(self._connection)
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _explained(error, self.path) from error
            raise
        time.sleep(min(time.monotonic() - begun, LONGEST_PAUSE_S))
        return result

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _explained(error: sqlite3.Error, path: Path) -> StoreError:
    return StoreError(
        f"The store {path} cannot be used: {error}. Check the disk's free space and the folder's rights; "
        "if it is locked, try again when less is going on."
    )
