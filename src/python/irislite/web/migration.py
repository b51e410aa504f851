"""Code that is sent over: names checked, files put into place, loaded by the director, old code let go."""

import os
import re
import shutil
import threading
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from irislite.bridge import projects
from irislite.director import Director
from irislite.errors import IrisliteError, ProductionError
from irislite.eventlog import LogType
from irislite.views import ProductionStatus
from irislite.web.models import Text

FOLDER = "migrated"  # below the data folder
MOST_FILES = 2_000
LARGEST_FILE = 8_000_000  # characters
_PACKAGE = re.compile(r"\w[\w-]*(\.\w[\w-]*)*", re.ASCII)
_PART = re.compile(r"[^\\/:\0-\x1f]{1,200}")
_one_at_a_time = threading.Lock()


class UploadedFile(BaseModel):
    """One file: its name below the package's folder, with slashes, and its text."""

    name: Text
    data: Text = Field(max_length=LARGEST_FILE)


class Upload(BaseModel):
    """What `iop --migrate` sends. `remote_folder` is IRIS's: here all files go below the data folder.

    With `strict_production_validation` nothing is registered if `iop`'s validation finds something.
    """

    package: str = Field("python", max_length=100)
    remote_folder: str = ""
    settings_file: Text = "settings.py"
    strict_production_validation: bool = False
    body: list[UploadedFile] = Field(min_length=1, max_length=MOST_FILES)


def migrate(director: Director, upload: Upload) -> dict[str, Any]:
    """Put the files below the data folder, load the settings file, renew what runs with them.

    If the settings file cannot be loaded, the files that were there before come back. Raises
    `HTTPException` for names that are not allowed, `ProductionError` with what the load raised.
    """
    if os.environ.get("IRISLITE_ALLOW_MIGRATE", "1").strip().lower() in ("0", "false", "no", "off"):
        raise HTTPException(
            403, "Migration is turned off here: start the runtime without IRISLITE_ALLOW_MIGRATE=0 to allow it."
        )
    files = _checked(upload)
    folder = director.home.resolve() / FOLDER / upload.package
    with _one_at_a_time:
        before = _put_into_place(folder, files)
        director.forget_code(folder)
        try:
            production = director.load(folder / upload.settings_file, upload.strict_production_validation)
        except IrisliteError:
            _put_back(folder, before)
            director.forget_code(folder)
            raise
        if before.exists():
            shutil.rmtree(before)
        director.eventlog.add(LogType.INFO, f"{len(files)} files were migrated to {folder}.", "irislite.web", "migrate")
        warnings = _renew(director, production, folder)
    if upload.remote_folder:
        warnings.append(f"The files are in {folder}: remote_folder is for IRIS.")
    return {"status": "migrated", "production": production, "files": len(files), "warnings": warnings}


def _checked(upload: Upload) -> dict[PurePosixPath, str]:
    """The files by their path, if every name stays below the package's folder."""
    if not _PACKAGE.fullmatch(upload.package):
        raise HTTPException(400, f"The package {upload.package!r} is no name: use letters, digits, '_', '-' and '.'.")
    files: dict[PurePosixPath, str] = {}
    for file in upload.body:
        parts = file.name.split("/")
        if len(parts) > 20 or any(part in ("", ".", "..") or not _PART.fullmatch(part) for part in parts):
            raise HTTPException(
                400, f"The file name {file.name!r} is not allowed: it must lie below the settings file's folder."
            )
        if not file.name.endswith((".py", ".cls")):
            raise HTTPException(400, f"The file {file.name!r} is neither .py nor .cls: send these alone.")
        files[PurePosixPath(file.name)] = file.data
    for path in files:
        if any(parent in files for parent in path.parents):
            raise HTTPException(400, f"{path.parent} is sent as a file and as a folder: rename one of them.")
    if PurePosixPath(upload.settings_file) not in files:
        raise HTTPException(400, f"The settings file {upload.settings_file!r} is not among the files: send it too.")
    return files


def _put_into_place(folder: Path, files: dict[PurePosixPath, str]) -> Path:
    """Make `folder` hold exactly these files. Returns where what was there before is kept."""
    fresh, before = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.before")
    for leftover in (fresh, before):
        if leftover.exists():
            shutil.rmtree(leftover)
    for path, text in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8"))
    if folder.exists():
        folder.rename(before)
    fresh.rename(folder)
    return before


def _put_back(folder: Path, before: Path) -> None:
    shutil.rmtree(folder)
    if before.exists():
        before.rename(folder)


def _renew(director: Director, production: str, folder: Path) -> list[str]:
    """If the production runs, apply its new configuration and restart the items whose code was sent.

    Without a production, classes alone were sent: they may be those of whatever runs.
    Returns a sentence for each item that does not run the new code.
    """
    status = director.status()
    if status["status"] == ProductionStatus.STOPPED or production not in ("", status["production"]):
        return []
    director.update()
    sent = {
        row["class"]
        for row in director.bindings()
        if any(path.is_relative_to(folder) for path in projects.folders(row["classpaths"]))
    }
    warnings = []
    for item in director.items():
        if item.class_name not in sent or not item.enabled:
            continue
        if item.in_progress:
            warnings.append(f"{item.name} works on a message with its old code: restart it when that is done.")
            continue
        try:
            director.restart_item(item.name)
        except ProductionError as error:
            warnings.append(str(error))
    return warnings
