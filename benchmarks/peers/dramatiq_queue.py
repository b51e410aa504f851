"""dramatiq with Redis: one process, one thread."""

import sys
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from peers import work

WORKER = [sys.executable, "-m", "dramatiq", "peers.dramatiq_queue", "--processes", "1", "--threads", "1"]
broker = RedisBroker(url=work.REDIS_URL)
broker.add_middleware(Results(backend=RedisBackend(url=work.REDIS_URL)))
dramatiq.set_broker(broker)


@dramatiq.actor
def note(message: dict[str, Any]) -> None:
    work.handled.add()


@dramatiq.actor(store_results=True)
def answer(message: dict[str, Any]) -> dict[str, Any]:
    return message


def send(numbers: range) -> None:
    for number in numbers:
        note.send(work.message(number))


def ask(number: int) -> Any:
    return answer.send(work.message(number)).get_result(block=True, timeout=work.ASK_TIMEOUT_S * 1000)
