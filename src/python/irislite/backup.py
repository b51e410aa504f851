"""Copies of the databases of a data folder, made while others write to them."""

import os
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from irislite.errors import StoreError
from irislite.folder import MESSAGES, TABLES, messages_in
from irislite.units import shown

FILES = (MESSAGES, TABLES)
BACKUPS = "backups"  # below the data folder: those that were asked for without a place


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup that was made: where, and the bytes of each file in it."""

    path: str
    files: dict[str, int]

    def __str__(self) -> str:
        files = ", ".join(f"{name} {shown(size)}" for name, size in self.files.items())
        return f"Backed up to {self.path}: {files}. It was read back and is whole."


def backup(home: Path, target: Path, force: bool = False) -> BackupReport:
    """Copy the databases of a data folder to `target`: a new folder, or one file if the name ends in .zip.

    Each database is copied as it is at one moment; who writes to it does not wait. The copies are
    checked and only then get their name. `force` replaces a backup that is there, never anything
    else. Raises `StoreError`; then nothing has changed.
    """
    target = target.absolute()
    messages_in(home)
    _refuse(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as place:
            made = Path(place) / "new"
            made.mkdir(mode=0o700)
            for name in FILES:
                if (home / name).is_file():
                    copy(home / name, made / name)
            sizes = {path.name: path.stat().st_size for path in sorted(made.iterdir())}
            if _is_archive(target):
                made = _archive(made)
            if target.exists():
                target.rename(Path(place) / "old")
            made.rename(target)
            sync(target.parent)
    except StoreError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The backup to {target} failed: {error}. Check the disk's free space and the rights.") from (
            error
        )
    return BackupReport(str(target), sizes)


def dated(home: Path) -> Path:
    """A place for a backup below the data folder, named after the time."""
    return home / BACKUPS / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")


def keep_before_migration(path: Path, version: int) -> Path:
    """Copy a store beside itself before its schema changes. Returns where: messages.db.v1.bak for version 1."""
    target = path.with_name(f"{path.name}.v{version}.bak")
    draft = path.with_name(f".{target.name}.new")
    draft.unlink(missing_ok=True)  # of a start that was cut off
    try:
        copy(path, draft)
        draft.replace(target)
        sync(target.parent)
    finally:
        draft.unlink(missing_ok=True)
    return target


def copy(source: Path, target: Path, mode: str = "rw") -> None:
    """Copy a database as it is at one moment, and check the copy. `mode` ro leaves the source's folder alone.

    Raises `sqlite3.Error` or `OSError`, and `StoreError` for a copy that is not whole.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode={mode}", uri=True)) as origin,
        closing(sqlite3.connect(target, isolation_level=None)) as made,
    ):
        origin.backup(made)  # in one step: it sees one moment, and a later write does not make it begin again
        made.execute("PRAGMA journal_mode = DELETE")  # one file, that can be read where nothing can be written
        found = made.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(f"{source} is damaged: {found}. Restore an older backup with `irislite restore`.")


def sync(folder: Path) -> None:
    """Let a new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse(target: Path, force: bool) -> None:
    """Raise `StoreError` if something is at the place that must stay."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if target.is_dir():
        names = {path.name for path in target.iterdir()}
        if MESSAGES not in names or names - set(FILES):
            raise StoreError(f"{target} is a folder with other things in it: name a new one, as in {target / 'today'}.")
    elif not _is_archive(target) or not zipfile.is_zipfile(target):
        raise StoreError(f"{target} is a file that is no backup: name a new folder, or a file that ends in .zip.")
    if not force:
        raise StoreError(f"{target} is a backup already: name another place, or replace it with --force.")


def _is_archive(target: Path) -> bool:
    return target.suffix.lower() == ".zip"


def _archive(folder: Path) -> Path:
    """Pack a folder's files into one beside it."""
    archive = folder.with_name("new.zip")
    descriptor = os.open(archive, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for path in sorted(folder.iterdir()):
                packed.write(path, path.name)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(folder)
    return archive
