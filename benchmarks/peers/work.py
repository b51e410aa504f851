"""The work that every queue is given: nothing, counted; and how senders send it."""

import mmap
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))
REDIS_URL = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0")
ASK_TIMEOUT_S = 60


class Counter:
    """A number in a file that several processes see; one at a time may add to it."""

    def __init__(self, path: Path) -> None:
        path.touch()
        if path.stat().st_size < 8:
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def add(self) -> None:
        """One more."""
        struct.pack_into("Q", self._memory, 0, self.value + 1)

    @property
    def value(self) -> int:
        """How many there are."""
        number: int = struct.unpack_from("Q", self._memory)[0]
        return number


handled = Counter(FOLDER / "handled")


def message(number: int) -> dict[str, Any]:
    """The small message that all of them carry."""
    return {"number": number, "text": "a small message"}


def share(count: int, senders: int) -> list[range]:
    """The numbers of `count` messages, dealt out to the senders."""
    return [range(sender, count, senders) for sender in range(senders)]


def in_threads(count: int, senders: int, send: Callable[[range], None]) -> None:
    """Let `senders` threads send their share; the first error of one of them is raised."""
    errors: list[BaseException] = []

    def work(numbers: range) -> None:
        try:
            send(numbers)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(numbers,)) for numbers in share(count, senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
