"""One answer for many open pages: what everyone asks for is computed once in a while, off the event loop."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Fresh:
    """The newest answer to a few questions. `get` is for the event loop's thread alone."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, question: str, max_age_s: float, answer: Callable[[], T]) -> T:
        """The answer, at most `max_age_s` seconds old; pages that ask at the same time share it."""
        async with self._asking.setdefault(question, asyncio.Lock()):
            at, known = self._answers.get(question, (float("-inf"), None))
            if time.monotonic() - at > max_age_s:
                known = await asyncio.to_thread(answer)
                self._answers[question] = (time.monotonic(), known)
            result: T = known
            return result

    def forget(self) -> None:
        """Ask anew next time: somebody changed something."""
        self._answers.clear()
