"""Small files with secrets: only their owner reads them, and each is written whole or not at all."""

import os
from pathlib import Path

from irislite.errors import StoreError


def kept(path: Path) -> str:
    """The text of a secret's file, empty if there is none; others lose the right to read it. Raises `StoreError`."""
    try:
        if not path.exists():
            return ""
        path.chmod(0o600)
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Check the folder's rights.") from error


def keep(path: Path, text: str) -> str:
    """Write a secret's file. On disk when it returns. Raises `StoreError`; the file is then as it was."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}. Check the folder's rights.") from error
    return text
