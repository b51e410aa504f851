"""TrainRequests to a running production in a process of its own: `python -m parts.asked JSON`.

The JSON has `root`, `home` (the namespace with its tables) and `requests`, the fields of each. The last line of the
output is a list of figures as JSON, one for each request.
"""

import ctypes
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from parts.trainings import LABELS, MODEL, Loop, Peak, quieten

_PATIENCE_S = 3_600.0


def ask(production: Any, fields: dict[str, Any]) -> dict[str, float]:
    """Send one; seconds until its first step begins and is done, and memory before and until then, in MB."""
    import msg

    request = msg.TrainRequest()
    for name, value in fields.items():  # most are no fields of the class
        setattr(request, name, value)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed but kept would hide what this request needs
    with Peak() as peak:
        until: list[tuple[float, float]] = []
        loop = Loop(at_first_step=lambda: until.append((peak.mb, time.process_time())))
        with loop.watched():
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            answer = production.send("Tuning", request, timeout=_PATIENCE_S)
            whole_s = time.perf_counter() - began_s
    ((peak_mb, cpu_s),) = until
    return {
        "rows": answer.output["rows"]["read"],
        "first_step_s": loop.first_step_began_s - began_s,
        "first_step_cpu_s": cpu_s - began_cpu_s,
        "first_step_done_s": loop.first_step_ended_s - began_s,
        "whole_s": whole_s,
        "before_mb": peak.began_mb,
        "peak_until_first_step_mb": peak_mb,
        "peak_mb": peak.mb,
    }


def main() -> None:
    asked = json.loads(sys.argv[1])
    import bo
    import tuning
    from irislite.testing import running

    settings = {"path": str(Path(asked["root"]) / "src" / "model"), "model_name": MODEL, "num_labels": str(LABELS)}
    with running({"Tuning": bo.TuningOperation}, settings={"Tuning": settings}, home=asked["home"]) as production:
        tuning.warm().join()  # a production that has been up for some seconds has its libraries loaded
        quieten()
        print(json.dumps([ask(production, fields) for fields in asked["requests"]]))


if __name__ == "__main__":
    main()
