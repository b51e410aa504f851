"""How tests wait for what others do."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

PATIENCE_S = 60.0  # of a machine that is busy with other tests; what comes about costs only its own time
PAUSE_S = 0.01

T = TypeVar("T")


def eventually(check: Callable[[], T], told: Callable[[], Any] = lambda: "it did not come about") -> T:
    """Wait until the check holds. Returns what it returned; fails with what `told` says if it never does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := check()):
        assert time.monotonic() < deadline_s, told()
        time.sleep(PAUSE_S)
    return found
