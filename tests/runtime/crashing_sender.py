"""A production that is made to be killed: senders at full speed, every kind of host at work, notes of all of it.

Run as `python crashing_sender.py FOLDER EPOCH [timers]`: it sends until it is killed. Epoch 0 sends
nothing and ends when everything is done. Notes are lines in files of FOLDER, which keeps the
runtime's data as well: they are written in one append each, and the notes of what was accepted
are synced to the disk, so that they tell the truth whenever the process dies.
"""

import os
import sys
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from iop import BusinessOperation, BusinessProcess, Message, Production, handler

FOLDER = Path(os.environ.get("CRASH_FOLDER", "."))
EPOCH = int(os.environ.get("CRASH_EPOCH", "0"))
PER_EPOCH = 1_000_000  # numbers; each is sent once
PARTS = 3  # asynchronous calls of one process
TIMER_S = 0.05
LIMIT_S = 3_600
BACKLOG = 300  # messages in a queue before its sender waits
DRAIN_S = 120.0


@dataclass
class Number(Message):
    value: int = 0


@dataclass
class Sum(Message):
    value: int = 0
    parts: int = 0
    timers: int = 0


class One(BusinessOperation):
    """One member: messages of one priority are handled in their order."""

    @handler(Number)
    def record(self, request: Number) -> Number:
        note("handled", type(self).__name__, request.value)
        return Number(value=request.value)


class Four(One):
    """Four members."""


class Fan(BusinessProcess):
    """Asks Four several times at once; its answer is the sum, from persistent properties alone."""

    PERSISTENT_PROPERTY_LIST = ["total", "parts", "timers"]  # noqa: RUF012 - `iop` wants it so
    total: int = 0
    parts: int = 0
    timers: int = 0

    @handler(Number)
    def ask(self, request: Number) -> None:
        for part in range(PARTS):
            self.send_request_async("Four", Number(value=request.value + part), completion_key=f"part {part}")

    def on_response(self, _request: Any, response: Any, _call: Any, answer: Any, key: str) -> Any:
        if key in ("timer", "limit"):
            self.timers += 1
        else:
            self.parts += 1
            self.total += answer.value
        return response

    def on_complete(self, _request: Any, _response: Any) -> Sum:
        return Sum(value=self.total, parts=self.parts, timers=self.timers)


class Wait(Fan):
    """The same after a timer; and another timer, which never goes off, limits the wait for Four."""

    @handler(Number)
    def ask(self, _request: Number) -> None:
        self.set_timer(TIMER_S, "timer")

    def on_response(self, request: Any, response: Any, call: Any, answer: Any, key: str) -> Any:
        if key == "timer":
            super().ask(request)
            self.set_timer(LIMIT_S, "limit")
        return super().on_response(request, response, call, answer, key)


def note(name: str, *words: object, sync: bool = False) -> None:
    """Add a line in one write: it is there whole or not at all when the process is killed."""
    descriptor = os.open(FOLDER / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{' '.join(map(str, words))} {EPOCH}\n".encode())
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)


production = Production("Crash.Production")
production.operation("One", One, pool_size=1)
production.operation("Four", Four, pool_size=4)
production.process("Fan", Fan, pool_size=2)
production.process("Wait", Wait, pool_size=2)
PRODUCTIONS = [production]


def send(director: Any, target: str, numbers: Any, sync_every: int) -> None:
    """Send to one item until the end; note each number once its send has returned."""
    from irislite.header import Body
    from irislite.router import Sender

    sender, queue = Sender("Sender"), director.router.queue(target)
    while True:
        number = next(numbers) * 10  # the parts of a process have numbers of their own
        body = Body("IOP.Message", "crashing_sender.Number", f'{{"value": {number}}}')
        if number // 10 % sync_every == 0:
            director.router.send_sync(sender, target, body)
            note("accepted", target, "sync", number, sync=True)
        else:
            director.router.send_async(sender, target, body)
            note("accepted", target, "async", number, sync=True)
        while queue.count > BACKLOG:
            time.sleep(0.001)


def drain(director: Any) -> None:
    """Wait until nothing is queued and no process is open."""
    reader, deadline = director._database.reader(), time.monotonic() + DRAIN_S
    while (
        reader.execute("SELECT COUNT(*) FROM message_header WHERE status IN (1, 2, 3)").fetchone()[0]
        or reader.execute("SELECT COUNT(*) FROM business_process WHERE completed = 0").fetchone()[0]
    ):
        if time.monotonic() > deadline:
            break  # the verdict tells what is left
        time.sleep(0.05)


def main() -> None:
    from irislite.director import Director

    director = Director(FOLDER / "home")
    director.load(Path(__file__))
    director.start()
    print("ready", flush=True)
    if not EPOCH:
        drain(director)
        director.close()
        print("done", flush=True)
        return
    numbers = count(EPOCH * PER_EPOCH)
    targets = ["One", "One", "Four", "Fan"] + ["Wait"] * ("timers" in sys.argv)
    for target in targets:
        threading.Thread(target=send, args=(director, target, numbers, 10), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
