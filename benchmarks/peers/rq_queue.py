"""rq with Redis: BENCH_FORK=1 forks for every job, as rq does by default; else the simple worker."""

import os
import sys
from typing import Any

from peers import work
from redis import Redis
from rq import Queue

_KIND = [] if os.environ.get("BENCH_FORK") == "1" else ["-w", "rq.worker.SimpleWorker"]
WORKER = [sys.executable, "-m", "rq.cli", "worker", "-q", *_KIND, "-u", work.REDIS_URL]
queue = Queue(connection=Redis.from_url(work.REDIS_URL))


def note(message: dict[str, Any]) -> None:
    work.handled.add()


def answer(message: dict[str, Any]) -> dict[str, Any]:
    return message


def send(numbers: range) -> None:
    for number in numbers:
        queue.enqueue("peers.rq_queue.note", work.message(number))


def ask(number: int) -> Any:
    result = queue.enqueue("peers.rq_queue.answer", work.message(number)).latest_result(timeout=work.ASK_TIMEOUT_S)
    return result.return_value if result is not None else None
