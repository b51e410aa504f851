"""celery with Redis: the solo pool, its fastest for one worker."""

import sys
from typing import Any

from celery import Celery
from peers import work

WORKER = [sys.executable, "-m", "celery", "-A", "peers.celery_queue", "worker", "--pool", "solo", "--loglevel", "error"]
app = Celery("bench", broker=work.REDIS_URL, backend=work.REDIS_URL)
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_enable_remote_control = False


@app.task(ignore_result=True)
def note(message: dict[str, Any]) -> None:
    work.handled.add()


@app.task
def answer(message: dict[str, Any]) -> dict[str, Any]:
    return message


def send(numbers: range) -> None:
    for number in numbers:
        note.delay(work.message(number))


def ask(number: int) -> Any:
    return answer.delay(work.message(number)).get(timeout=work.ASK_TIMEOUT_S)
