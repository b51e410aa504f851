"""huey on SQLite with its worker as a thread of the sender's process: no locks between processes."""

import logging
from typing import Any

from peers import huey_queue

WORKER = None
send = huey_queue.send


def open() -> None:
    """Start the worker."""
    logging.getLogger("huey").setLevel(logging.ERROR)
    huey_queue.huey.create_consumer(workers=1, initial_delay=0.001, max_delay=0.001, periodic=False).start()


def ask(number: int) -> Any:
    return huey_queue.ask(number)
