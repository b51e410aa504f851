"""A production whose files may not grow for a while: run as `python full_disk.py FOLDER`.

The limit is the process's own (RLIMIT_FSIZE): what would grow a file beyond it fails, as it does
on a full disk. Prints what the test looks at as one line of JSON.
"""

import json
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from iop import BusinessOperation, Message, Production, handler


@dataclass
class Number(Message):
    value: int = 0
    filler: str = ""


class Recorder(BusinessOperation):
    @handler(Number)
    def record(self, request: Number) -> Number:
        return Number(value=request.value)


production = Production("Disk.Production")
production.operation("Recorder", Recorder, pool_size=2)
PRODUCTIONS = [production]


def main() -> None:
    from irislite.director import Director
    from irislite.errors import StoreError

    home = Path(sys.argv[1]) / "home"
    director = Director(home)
    director.load(Path(__file__))
    director.start()

    def send(number: int) -> int:
        body = json.dumps({"value": number, "filler": "x" * 3_000})
        return director.test_async("Recorder", "full_disk.Number", body).id

    accepted = [send(number) for number in range(50)]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max(path.stat().st_size for path in home.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100_000, resource.RLIM_INFINITY))
    refused: list[str] = []
    for number in range(50, 5_000):
        try:
            accepted.append(send(number))
        except StoreError as error:
            refused.append(str(error))
            if len(refused) == 20:
                break
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    try:
        director.housekeeping.backup()
        backup = "made"
    except StoreError as error:
        backup = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    accepted += [send(number) for number in range(5_000, 5_050)]
    reader = director._database.reader()
    deadline = time.monotonic() + 60
    while reader.execute("SELECT 1 FROM message_header WHERE type = 1 AND status <> 9").fetchone():
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    director.close()
    print(json.dumps({"accepted": accepted, "refused": refused, "backup": backup,
                      "left": [path.name for path in (home / "backups").iterdir()]}))  # fmt: skip


if __name__ == "__main__":
    main()
