"""A production that is made to be killed: sends numbers to itself, notes what was accepted and handled.

Run as `python crashing_sender.py FOLDER TOTAL`; FOLDER keeps the notes and the runtime's data.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from iop import BusinessOperation, Message, Production, handler

FOLDER = Path(os.environ.get("CRASH_FOLDER", "."))


@dataclass
class Number(Message):
    value: int = 0


class Recorder(BusinessOperation):
    @handler(Number)
    def record(self, request: Number) -> Number:
        append("handled", request.value)
        return Number(value=request.value)


def append(name: str, number: int) -> None:
    """Add a line in one write: it is there whole or not at all when the process is killed."""
    descriptor = os.open(FOLDER / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{number}\n".encode())
    os.close(descriptor)


def numbers(name: str) -> list[int]:
    """What was noted so far."""
    path = FOLDER / name
    return [int(line) for line in path.read_text().split()] if path.exists() else []


production = Production("Crash.Production")
production.operation("Recorder", Recorder, pool_size=1)
PRODUCTIONS = [production]


def main() -> None:
    from irislite.director import Director
    from irislite.header import Body
    from irislite.router import Sender

    total = int(sys.argv[1])
    director = Director(FOLDER / "home")
    director.load(Path(__file__))
    director.start()
    print("ready", flush=True)
    # A message may have been accepted though the note of it was never written.
    stored = director._database.reader().execute(
        "SELECT MAX(CAST(json_extract(content, '$.value') AS INTEGER)) FROM message_body"
    )
    number = max([stored.fetchone()[0] or 0, *numbers("accepted")])
    while number < total:
        number += 1
        body = Body("IOP.Message", "crashing_sender.Number", f'{{"value": {number}}}')
        if number % 10:
            director.router.send_async(Sender("Sender"), "Recorder", body)
        else:
            director.router.send_sync(Sender("Sender"), "Recorder", body)
        append("accepted", number)
        time.sleep(0.002)
    while director.router.queue("Recorder").count:
        time.sleep(0.01)
    director.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
