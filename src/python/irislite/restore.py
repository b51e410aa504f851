"""Putting a backup back into a data folder that nobody uses."""

import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from irislite.backup import FILES, copy, sync
from irislite.database import MIGRATIONS
from irislite.errors import StoreError
from irislite.folder import MESSAGES, lock


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was put back into which folder, and where what was there before lies now (empty: nothing was)."""

    home: str
    files: tuple[str, ...]
    aside: str

    def __str__(self) -> str:
        told = f"Restored {' and '.join(self.files)} into {self.home}."
        return f"{told} What was there lies in {self.aside}: delete it when all is well." if self.aside else told


def restore(source: Path, home: Path) -> RestoreReport:
    """Put a backup into a data folder: its folder, its .zip, or one copy of messages.db alone.

    The copies are checked before anything is moved; what was there is kept in a folder beside.
    Raises `DataFolderInUse` while a process uses the folder, `StoreError` for what is no backup.
    """
    if not source.exists():
        raise StoreError(f"There is no backup {source}: name the folder or the file that `irislite backup` made.")
    with lock(home):
        try:
            with tempfile.TemporaryDirectory(prefix=".restore.", dir=home) as place:
                made = _unpacked(source, Path(place))
                _check_version(made / MESSAGES)
                # One file is messages.db alone; a whole backup without tables says that there were none.
                names = FILES if source.is_dir() or zipfile.is_zipfile(source) else (MESSAGES,)
                aside = _move_aside(home, names)
                files = tuple(name for name in FILES if (made / name).exists())
                for name in files:
                    (made / name).rename(home / name)
                sync(home)
        except StoreError:
            raise
        except (sqlite3.Error, OSError, zipfile.BadZipFile) as error:
            raise StoreError(
                f"{source} cannot be restored into {home}: {error}. Is it a backup? "
                "Check the disk's free space and the rights."
            ) from error
    return RestoreReport(str(home), files, str(aside) if aside is not None else "")


def _unpacked(source: Path, place: Path) -> Path:
    """The checked databases of a backup, in a folder of their own."""
    made = place / "new"
    made.mkdir(mode=0o700)
    if source.is_dir():
        found = {name: source / name for name in FILES if (source / name).is_file()}
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            found = {name: place / name for name in FILES if name in packed.namelist()}
            for name, path in found.items():
                with packed.open(name) as packed_file, path.open("xb") as file:
                    shutil.copyfileobj(packed_file, file)
    else:
        found = {MESSAGES: source}
    if MESSAGES not in found:
        raise StoreError(f"{source} holds no {MESSAGES}: name a folder or a file that `irislite backup` made.")
    for name, path in found.items():
        copy(path, made / name, mode="ro")
    return made


def _check_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 1 <= version <= len(MIGRATIONS):
        raise StoreError(
            f"The backup has schema version {version}, this runtime knows 1 to {len(MIGRATIONS)}: "
            "restore it with the runtime that made it."
        )


def _move_aside(home: Path, names: tuple[str, ...]) -> Path | None:
    """Move what is there, with what belongs to it, into a folder of its own. Returns the folder."""
    there = [name for name in names if (home / name).exists()]
    if not there:
        return None
    aside = home / datetime.now(UTC).strftime("replaced-%Y-%m-%dT%H-%M-%S-%f")
    aside.mkdir(mode=0o700)
    for name in there:
        _settle(home / name)
        # The write-ahead log must never lie beside another file than its own.
        for suffix in ("-wal", "-shm", ""):
            if (home / f"{name}{suffix}").exists():
                (home / f"{name}{suffix}").rename(aside / f"{name}{suffix}")
    return aside


def _settle(path: Path) -> None:
    """Write the write-ahead log into the file, if the file is sound enough for it."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error:
        pass  # damaged, which may be why a backup is restored: the log goes aside with it
