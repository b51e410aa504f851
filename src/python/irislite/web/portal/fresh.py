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
        self._made: dict[str, tuple[tuple[Any, ...], Any]] = {}

    async def get(self, question: str, max_age_s: float, answer: Callable[[], T]) -> T:
        """The answer, at most `max_age_s` seconds old; pages that ask at the same time share it.

        An answer that is equal to the one before is the same object.
        """
        async with self._asking.setdefault(question, asyncio.Lock()):
            at, known = self._answers.get(question, (float("-inf"), None))
            if time.monotonic() - at > max_age_s:
                before, known = known, await asyncio.to_thread(answer)
                if known == before:
                    known = before  # the same object: who has seen it need not look again
                self._answers[question] = (time.monotonic(), known)
            result: T = known
            return result

    def made(self, what: str, answers: tuple[Any, ...], make: Callable[[T | None], T]) -> T:
        """What `make` makes of answers and of what it made before: once for all pages, until an answer is another."""
        known, before = self._made.get(what, ((), None))
        if len(known) != len(answers) or any(old is not new for old, new in zip(known, answers, strict=True)):
            before = make(before)
            self._made[what] = (answers, before)
        result: T = before
        return result

    def forget(self) -> None:
        """Ask anew next time: somebody changed something."""
        self._answers = {question: (float("-inf"), known) for question, (_, known) in self._answers.items()}
