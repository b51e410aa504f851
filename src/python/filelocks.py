"""Locks of the operating system on files: a crash lets go of them too."""

import fcntl
from pathlib import Path


def is_held(file: Path) -> bool:
    """Whether somebody has an exclusive lock on a file now; nobody has one on a file that is not there."""
    try:
        with file.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
