"""Where an experiment is kept: a folder, or an address that fsspec knows, such as s3://bucket/experiments/EXP-1.

Names are relative to it, with slashes. A step works in a local folder; of a remote place that is a copy, which is
brought up (`publish`) with the marker last, so that nobody sees half of it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiment.errors import PackageMissing, StorageUnusable

MARKER = "complete"
"""The file that is written last: what has it is whole."""

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


class Store:
    """A place for one experiment. `local` is its folder, None if it lies elsewhere."""

    def __init__(self, address: str, endpoint_url: str = "") -> None:
        self.address = address.rstrip("/")
        self.endpoint_url = endpoint_url
        self.local = None if "://" in address else Path(address)
        if self.local is None:
            self._fs, self._root = opened(self.address, endpoint_url)
            # One copy per machine and user; what is in it can be brought again at any time.
            digest = hashlib.sha256(f"{self.address} {endpoint_url}".encode()).hexdigest()[:16]
            cache = os.environ.get("EVERGREEN_EXPERIMENT_CACHE") or f"{tempfile.gettempdir()}/evergreen-{os.getuid()}"
            self._copies = Path(cache) / "experiments" / digest

    def folder(self, name: str) -> Path:
        """The local folder of `name`: the place itself, or that of its copy. It need not be there."""
        return (self.local or self._copies) / name

    def fetch(self, name: str) -> Path:
        """The folder `name` on this machine; of a remote place every file that differs in size is brought."""
        folder = self.folder(name)
        if self.local is not None:
            return folder
        with self._failing(f"bring {name}"):
            root = f"{self._root}/{name}"
            for path, about in self._fs.find(root, detail=True).items():
                target = folder / path[len(root) :].lstrip("/")
                if target.is_file() and target.stat().st_size == about["size"] and target.name != MARKER:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                draft = target.with_name(f".{uuid.uuid4().hex}")
                self._fs.get_file(path, str(draft))
                draft.rename(target)
        return folder

    def publish(self, name: str, files: list[str] | None = None) -> None:
        """Bring up what is in the local folder of `name`: all of it, or these files; the marker is last."""
        folder = self.folder(name)
        names = files if files is not None else listed(folder)
        if self.local is not None:
            for file in names:
                sync(folder / file)
            return
        with self._failing(f"keep {name}"):
            for file in sorted(names, key=lambda one: Path(one).name == MARKER):
                self._fs.put_file(str(folder / file), f"{self._root}/{name}/{file}")

    def exists(self, name: str) -> bool:
        """Whether there is a file or a folder of this name."""
        if self.local is not None:
            return (self.local / name).exists()
        with self._failing(f"look for {name}"):
            self._fs.invalidate_cache()
            return bool(self._fs.exists(f"{self._root}/{name}"))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if it is not there."""
        try:
            if self.local is not None:
                return (self.local / name).read_bytes()
            with self._failing(f"read {name}"):
                self._fs.invalidate_cache()
                return bytes(self._fs.cat_file(f"{self._root}/{name}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place as a whole; who reads it sees the old content or the new."""
        if self.local is None:
            with self._failing(f"write {name}"):
                self._fs.pipe_file(f"{self._root}/{name}", content)
            return
        target = self.local / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{uuid.uuid4().hex}")
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(target)
        except OSError as error:
            raise StorageUnusable(f"{target} cannot be written: {error}. See to its disk, and try again.") from error

    def append(self, name: str, line: str) -> None:
        """Add a line to a file of the local folder; it is brought up with the rest of it."""
        target = self.folder(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def read_json(self, name: str) -> Any:
        """The content of a JSON file; None if it is not there, or not whole."""
        content = self.read(name)
        try:
            return None if content is None else json.loads(content)
        except ValueError:
            return None

    def write_json(self, name: str, value: Any) -> None:
        """Put a JSON file in place."""
        self.write(name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    def claim(self, name: str) -> bool:
        """Make the folder `name`, if nobody has; False if somebody has. Of all who ask at once, one is told True."""
        try:
            if self.local is not None:
                self.local.mkdir(parents=True, exist_ok=True)
                (self.local / name).mkdir()
                return True
            with self._failing(f"take {name}"):
                # A conditional write: the server lets one of those through who find nothing there.
                self._fs.pipe_file(f"{self._root}/{name}/claimed", uuid.uuid4().hex.encode(), mode="create")
                return True
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageUnusable(f"{self.address}/{name} cannot be made: {error}. See to that place.") from error

    def children(self, name: str = "") -> list[str]:
        """The names in a folder, sorted; [] if it is not there."""
        try:
            if self.local is not None:
                return sorted(path.name for path in (self.local / name).iterdir())
            with self._failing(f"list {name or 'it'}"):
                self._fs.invalidate_cache()
                found = self._fs.ls(f"{self._root}/{name}".rstrip("/"), detail=False)
                return sorted({path.rstrip("/").rpartition("/")[2] for path in found} - {""})
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        folder = self.folder(name)
        if folder.is_dir():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)
        if self.local is None and self.exists(name):
            with self._failing(f"remove {name}"), contextlib.suppress(FileNotFoundError):
                self._fs.rm(f"{self._root}/{name}", recursive=True)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except _client_errors() as error:
            raise StorageUnusable(
                f"It was not possible to {what} at {self.address}: {error}. See to the address, the credentials "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), the region and the network, and run it again: what is "
                "finished is kept."
            ) from error


def listed(folder: Path) -> list[str]:
    """The files below a folder, relative and sorted; those that begin with a dot are drafts, and left out."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _client_errors() -> tuple[type[Exception], ...]:
    """What a file system raises; Amazon's client has errors of its own for missing credentials and the like."""
    botocore: Any = sys.modules.get("botocore.exceptions")
    return (OSError, botocore.BotoCoreError) if botocore else (OSError,)


def opened(address: str, endpoint_url: str = "") -> tuple[Any, str]:
    """The file system of an address, and the path in it. Raises `PackageMissing` and `StorageUnusable`."""
    protocol = address.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        options: dict[str, Any] = {"use_listings_cache": False} if protocol == "s3" else {}
        if protocol == "s3" and endpoint_url:
            options["endpoint_url"] = endpoint_url
        fs, root = url_to_fs(address, **options)
    except ImportError as error:
        package = _PACKAGES.get(protocol, f"fsspec's package for {protocol}")
        raise PackageMissing(f"{address} needs the package {package}: pip install {package}.") from error
    except ValueError as error:
        raise StorageUnusable(f"{address} is no address that can be used: {error}. Write s3://bucket/path.") from error
    return fs, str(root).rstrip("/")
