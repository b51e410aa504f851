"""The versions of the store's schema: from whatever the file has to what this runtime knows, or not at all."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from irislite.backup import keep_before_migration
from irislite.errors import StoreError


def migrate(connection: sqlite3.Connection, path: Path, scripts: Sequence[str]) -> None:
    """Bring a store to version `len(scripts)`; each script takes it from the version of its place to the next.

    All of it is one transaction, and a copy of a store that was there is kept first, as
    `messages.db.v1.bak`. `connection` must be in autocommit. Raises `StoreError` for a newer
    store, and for a migration that fails: the file is then as it was.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise StoreError(
            f"The store {path} has schema version {version}, this runtime knows {len(scripts)}: "
            "start the newer runtime that made it, or name another folder in IRISLITE_HOME."
        )
    if version == len(scripts):
        return
    steps = "\n;".join((*scripts[version:], f"PRAGMA user_version = {len(scripts)};"))
    try:
        kept = keep_before_migration(path, version) if version else None
        connection.executescript(f"BEGIN IMMEDIATE;\n{steps}\nCOMMIT;")
    except (sqlite3.Error, OSError) as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise StoreError(
            f"The store {path} could not be brought from schema version {version} to {len(scripts)}: {error}. "
            "It is as it was: check the disk's free space and the rights, or start the runtime that made it."
        ) from error
    if kept is not None:
        try:
            rebuild(connection)
        except sqlite3.OperationalError:
            pass  # no room for it now: the store works as it is, and `irislite compact` does it later


def rebuild(connection: sqlite3.Connection) -> None:
    """Write the file anew without its free pages, and able to shrink when messages are purged.

    Needs as much free disk as the file takes; nobody else may use the file. Whatever happens, it
    stays whole.
    """
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("VACUUM")
