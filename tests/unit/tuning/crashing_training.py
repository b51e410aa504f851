"""A training whose process is killed, or whose disk is full, at a step: `python crashing_training.py ROOT STEP FIELDS [BYTES]`.

With BYTES no file may grow beyond them from that step on, as on a full disk; without, the process kills itself.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

import tuning
from unit.tuning.conftest import IrisConnection
from unit.tuning.training import run, two_stars


def main(root: Path, step: str, fields: dict[str, object], limit_bytes: int | None) -> None:
    def log(line: str) -> None:
        print(line, flush=True)
        if line.startswith(f"step {step} "):
            if limit_bytes is None:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))

    rows = IrisConnection().add("iris.Review", ("ReviewLabel", "ReviewText"), two_stars(40))
    try:
        run(rows, root, log=log, **fields)
    except tuning.NoSpace as error:
        print(f"NoSpace: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None)
