"""A folder on this machine or in an object store; what is written into it is there as a whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from search.errors import PackageMissing


@dataclass(frozen=True)
class Place:
    """A folder by path, or by an address that fsspec knows, as in s3://bucket/books."""

    url: str

    @property
    def local(self) -> Path | None:
        """The folder's path; None in an object store."""
        if "://" not in self.url:
            return Path(self.url)
        return Path(self.url.removeprefix("file://")) if self.url.startswith("file://") else None

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.url.rstrip('/')}/{name}")

    def is_file(self) -> bool:
        """Whether this is a file instead of a folder."""
        if (path := self.local) is not None:
            return path.is_file()
        system, root = self._system()
        return bool(system.isfile(root))

    def names(self) -> list[str]:
        """The files in here and below, relative and sorted; [] for a folder that is not there."""
        if (folder := self.local) is not None:
            return sorted(_walk(folder, ""))
        system, root = self._system()
        found = system.find(root)
        return sorted(path[len(root.rstrip("/")) + 1 :] for path in found)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if it is not there."""
        try:
            if (folder := self.local) is not None:
                return (folder / name).stat().st_size
            system, root = self._system()
            return int(system.size(f"{root}/{name}"))
        except FileNotFoundError:
            return None

    def stamp(self, name: str) -> str:
        """What changes when a file does."""
        if (folder := self.local) is not None:
            return str((folder / name).stat().st_mtime_ns)
        system, root = self._system()
        facts = system.info(f"{root}/{name}")
        return str(facts.get("ETag") or facts.get("etag") or facts.get("LastModified") or facts.get("mtime"))

    def open(self, name: str) -> IO[bytes]:
        """A file to read, which can be sought in."""
        if (folder := self.local) is not None:
            return (folder / name).open("rb")
        system, root = self._system()
        file: IO[bytes] = system.open(f"{root}/{name}", "rb")
        return file

    def read(self, name: str) -> bytes:
        """All of a file."""
        with self.open(name) as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place as a whole: after a crash there is all of it, or nothing under this name."""
        if (folder := self.local) is not None:
            with _drafted(folder / name) as draft:
                draft.write_bytes(data)
            return
        system, root = self._system()
        system.pipe(f"{root}/{name}", data)  # an object appears when its last byte has come

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if (folder := self.local) is not None:
            (folder / name).unlink(missing_ok=True)
            return
        system, root = self._system()
        if system.exists(f"{root}/{name}"):
            system.rm(f"{root}/{name}")

    def sweep(self) -> None:
        """Remove what a crash left of files that were being written."""
        if (folder := self.local) is not None:
            for draft in folder.rglob(".draft-*"):
                draft.unlink(missing_ok=True)

    def _system(self) -> tuple[Any, str]:
        import fsspec

        try:
            system, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise PackageMissing(f"{self.url} cannot be reached: {error}. Install it, or use a folder.") from error
        return system, str(root)


def of_file(url: str) -> tuple[Place, list[str]]:
    """The folder that a file's path or address lies in, and the file's name in a list."""
    head, _, name = url.rpartition("/")
    return Place(head or ("/" if url.startswith("/") else ".")), [name]


@contextmanager
def _drafted(path: Path) -> Iterator[Path]:
    """A file to write to that takes the place of `path` once it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".draft-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _walk(folder: Path, below: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue  # drafts of a crash, and what systems hide
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{below}{entry.name}/")
        else:
            yield f"{below}{entry.name}"
