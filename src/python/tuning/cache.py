"""What was computed once of the same content: arrays in a folder of bounded size, the longest unused removed first."""

import hashlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

_LIMIT_BYTES = 2 * 1024**3


class Cache:
    """Arrays by key. Threads and processes may share the folder: a file is complete or absent."""

    def __init__(self, folder: Path, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def get(self, key: str) -> Arrays | None:
        """The arrays that were put under `key`; None if they are not there, or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self._path(key)
        try:
            arrays = load_file(path)
            os.utime(path)
        except (FileNotFoundError, SafetensorError):
            return None
        return dict(arrays)

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep the arrays if they fit; a disk that has no room for them is no error."""
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        size_bytes = sum(array.nbytes for array in arrays.values())
        if size_bytes > self._limit_bytes // 2:
            return
        draft = self._folder / f".{uuid.uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        try:
            self._make_room(size_bytes)
            save_file(arrays, draft)
            draft.replace(self._path(key))
        except (OSError, SafetensorError):
            draft.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _make_room(self, wanted_bytes: int) -> None:
        found = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob("*.safetensors"))
        used_bytes = sum(size for _, size, _ in found)
        for _, size, path in found:
            if used_bytes + wanted_bytes <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            used_bytes -= size


def digest(parts: Iterable[str | bytes]) -> str:
    """One text for `parts` in their order: another one if any of them differs."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big"))
        total.update(data)
    return total.hexdigest()
