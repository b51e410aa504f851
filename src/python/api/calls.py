"""How a request calls what blocks: in threads behind an ASGI server, in its own thread on IRIS.

IRIS may be called from the thread that it called itself, and from no other. There a process serves one request at a
time, so that nobody waits longer when the call blocks the event loop.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Calls(Protocol):
    """Calls a function and awaits what it returns or raises."""

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """In a thread of its own, one that is idle if there is one."""
    future: Future[T] = Future()

    def work() -> None:
        if not future.set_running_or_notify_cancel():
            return  # whoever asked has left before it began
        try:
            tell = partial(future.set_result, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            tell = partial(future.set_exception, error)
        tell()

    _jobs.put(work)
    if not _idle.acquire(blocking=False):
        # A daemon: some calls last for hours, and the process must be able to end.
        threading.Thread(target=_attend, name="api-call", daemon=True).start()
    return await asyncio.wrap_future(future)


_IDLE_S = 30.0  # how long a thread waits for another call before it ends
_jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
_idle = threading.Semaphore(0)  # threads that wait and that no call counts on


def _attend() -> None:
    """Work on calls, until none comes for a while."""
    while True:
        try:
            job = _jobs.get(timeout=_IDLE_S)
        except Empty:
            if _idle.acquire(blocking=False):
                return
            continue  # a call counts on this thread: it is about to be there
        job()
        _idle.release()


async def in_place(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """In the thread of the event loop."""
    return function(*args, **kwargs)
