"""Calls that may block for hours, awaited without holding up anything else."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ParamSpec, TypeVar

from starlette.exceptions import HTTPException

P = ParamSpec("P")
T = TypeVar("T")

MOST_CALLS = 256
_places = threading.BoundedSemaphore(MOST_CALLS)


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread of its own and wait for what it returns or raises.

    The thread is a daemon: unlike a pool's, it does not keep the process from ending.
    """
    if not _places.acquire(blocking=False):
        raise HTTPException(
            503, f'{MOST_CALLS} requests are being waited for already: send this one later, or with "wait": false.'
        )
    future: Future[T] = Future()
    context = contextvars.copy_context()  # who acts

    def work() -> None:
        future.set_running_or_notify_cancel()
        try:
            tell = partial(future.set_result, context.run(function, *args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            tell = partial(future.set_exception, error)
        finally:
            _places.release()  # first: whoever waits may call again at once
        tell()

    threading.Thread(target=work, name="irislite-web-call", daemon=True).start()
    return await asyncio.wrap_future(future)
