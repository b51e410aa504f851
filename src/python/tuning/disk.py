"""Changes of files and folders that have reached the disk when a call returns: synced, renamed, exchanged, appended."""

import ctypes
import errno
import functools
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuning.errors import DiskRefused, NoSpace, TuningError

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The error numbers of a write for which there is no room."""

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# What the kernel or a file system says that cannot exchange two names in one step.
_NOT_OFFERED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EPERM})


@contextmanager
def refusing(root: Path, what: str) -> Iterator[None]:
    """What the disk of `root` refuses in here becomes `NoSpace` or `DiskRefused`: it could not do `what`."""
    try:
        yield
    except TuningError:
        raise
    except OSError as error:
        raise refusal(root, what, error) from error


def refusal(root: Path, what: str, error: OSError, state: str = "Nothing has changed.") -> DiskRefused:
    """The error that tells people what an error of the disk means, and how things stand."""
    if error.errno in NO_SPACE:
        return NoSpace(f"There is no room on the disk of {root} to {what}. {state} Make room, and try again.")
    return DiskRefused(f"It was not possible to {what}: {error}. {state} See to {root} and its disk, and try again.")


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Give `source` another name in the same folder."""
    source.rename(target)
    sync(source.parent)


def exchange(one: Path, other: Path) -> bool:
    """Let two names of a folder change places in one step; False, and nothing done, where the system cannot."""
    call = _exchanging_call()
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        sync(one.parent)
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def write(path: Path, text: str) -> None:
    """Put a file in place as a whole: under this name there is the old text or the new, never a part."""
    draft = draft_of(path)
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        rename(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def draft_of(path: Path) -> Path:
    """Where `write` puts the text of `path` until it is whole."""
    return path.with_name(f".draft-{path.name.lstrip('.')}")


def append(path: Path, text: str) -> None:
    """Add `text` to the end of a file; if that fails, the file is what it was before."""
    with path.open("ab", buffering=0) as file:
        before_bytes = file.seek(0, os.SEEK_END)
        data = text.encode("utf-8")
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file.fileno())
            if before_bytes == 0:  # the file may be new
                sync(path.parent)
        except OSError:
            file.truncate(before_bytes)
            raise


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    if path.exists():
        path.unlink()
        sync(path.parent)


def discard(folder: Path, name: str) -> None:
    """Remove a folder of the model `name`; its own name is gone at once, so no half of it is ever seen under it."""
    trash = folder.parent / f".trash-{uuid.uuid4().hex}-{name}"
    rename(folder, trash)
    _empty(trash)


def sweep(root: Path, name: str) -> None:
    """Remove what `discard` could not finish."""
    for trash in root.glob(f".trash-{'[0-9a-f]' * 32}-{name}"):
        _empty(trash)


def _empty(trash: Path) -> None:
    if trash.is_symlink():
        trash.unlink()
    else:
        shutil.rmtree(trash)


@functools.cache
def _exchanging_call() -> Callable[..., int] | None:
    """Linux's renameat2, of any C library that has it."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return call
