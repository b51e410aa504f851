"""taskiq with Redis streams, which acknowledge: one process; its senders are coroutines, as its users' are."""

import asyncio
import sys
import threading
from typing import Any

from peers import work
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

WORKER = [sys.executable, "-m", "taskiq", "worker", "peers.taskiq_queue:broker", "--workers", "1",
          "--max-async-tasks", "10", "--log-level", "ERROR"]  # fmt: skip
broker = RedisStreamBroker(url=work.REDIS_URL).with_result_backend(
    RedisAsyncResultBackend(redis_url=work.REDIS_URL, result_ex_time=1_000)
)
_loop = asyncio.new_event_loop()


@broker.task
async def note(message: dict[str, Any]) -> None:
    work.handled.add()


@broker.task
async def answer(message: dict[str, Any]) -> dict[str, Any]:
    return message


def open() -> None:
    """Connect; the coroutines run in a thread of their own."""
    threading.Thread(target=_loop.run_forever, daemon=True).start()
    _run(broker.startup())


def send_all(count: int, senders: int) -> None:
    async def send(numbers: range) -> None:
        for number in numbers:
            await note.kiq(work.message(number))

    async def all_of_them() -> None:
        await asyncio.gather(*[send(numbers) for numbers in work.share(count, senders)])

    _run(all_of_them())


def ask(number: int) -> Any:
    async def one() -> Any:
        task = await answer.kiq(work.message(number))
        return (await task.wait_result(check_interval=0.001, timeout=work.ASK_TIMEOUT_S)).return_value

    return _run(one())


def _run(coroutine: Any) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result()
