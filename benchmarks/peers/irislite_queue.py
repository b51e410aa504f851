"""irislite: senders hold a service of the production; its worker is a thread of the same process.

BENCH_SYNCHRONOUS is NORMAL or FULL, BENCH_MESSAGE the class of the message. Every message keeps
its header, body and response, in a session of its own.
"""

import os
import time
from pathlib import Path
from typing import Any

from peers import work

from irislite.director import Director
from irislite.header import Status

WORKER = None
PRODUCTION = Path(__file__).parents[1] / "parts" / "noop_production.py"
director = Director(work.FOLDER / "home", synchronous=os.environ.get("BENCH_SYNCHRONOUS", "FULL"))


def open() -> None:
    """Start the production."""
    director.load(PRODUCTION)
    director.start()


def send(numbers: range) -> None:
    handle, ping = director.create_service("Door"), _message_class()
    door = handle.component
    for number in numbers:
        handle.ForceSessionId()
        door.send_request_async("Noop", ping(**work.message(number)))


_asking: Any = None


def ask(number: int) -> Any:
    global _asking
    if _asking is None:
        _asking = director.create_service("Door")
    _asking.ForceSessionId()
    ping = _message_class()(**work.message(number))
    return _asking.component.send_request_sync("Noop", ping, timeout=work.ASK_TIMEOUT_S)


def _message_class() -> Any:
    import noop_production

    return getattr(noop_production, os.environ.get("BENCH_MESSAGE", "Ping"))


def wait_done(_total: int) -> None:
    """Wait until every message and its response are Completed on disk."""
    queue = director.router.queue("Noop")
    while queue.count or queue.claimed:
        time.sleep(0.001)
    ask(0)  # writes are committed in order: when this one's answer is there, all before it are


def check() -> None:
    """Raise if a message is not Completed, or has no response that is."""
    counts = director.store.counts()
    if set(counts) != {Status.COMPLETED} or counts[Status.COMPLETED] % 2:
        raise AssertionError(f"Messages are not done: {counts}.")


def close() -> None:
    """Stop the production."""
    director.close()
