"""huey on SQLite: its default storage for one machine. BENCH_FSYNC=1 syncs every commit to the disk."""

import os
import sys
from typing import Any

from huey import SqliteHuey
from peers import work

huey = SqliteHuey(filename=str(work.FOLDER / "huey.db"), fsync=os.environ.get("BENCH_FSYNC") == "1")
# An idle worker looks every millisecond; huey's own 0.1 s would be its whole round trip.
WORKER = [sys.executable, "-m", "huey.bin.huey_consumer", "peers.huey_queue.huey", "-q", "-d", "0.001", "-m", "0.001"]


@huey.task()
def note(message: dict[str, Any]) -> None:
    work.handled.add()


@huey.task()
def answer(message: dict[str, Any]) -> dict[str, Any]:
    return message


def send(numbers: range) -> None:
    for number in numbers:
        note(work.message(number))


def ask(number: int) -> Any:
    return answer(work.message(number)).get(blocking=True, timeout=work.ASK_TIMEOUT_S, backoff=1, max_delay=0.001)
