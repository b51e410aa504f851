"""One step of a run, as a process: `python -m experiment ADDRESS RUN STEP`. What every launcher starts."""

import os
import sys

from experiment import journal, launching, performing
from experiment.errors import ExperimentError
from experiment.records import TRAINING, TUNING, Step
from experiment.storage import Store


def main(arguments: list[str]) -> int:
    """0 when the step is done; else 1, and its state says why."""
    if len(arguments) != 3 or not arguments[1].isdigit():
        print("usage: python -m experiment ADDRESS RUN STEP", file=sys.stderr)
        return 2
    address, number, key = arguments[0], int(arguments[1]), arguments[2]
    first = os.environ.get("RANK", "0") == "0"
    try:
        step, store = Step.parse(key), Store(address)
        processes = int(journal.opened(store, number).facts["processes"])
        if processes > 1 and "RANK" not in os.environ and step.name in (TRAINING, TUNING):
            # The processes of one machine: here, and in a container, which is started as one.
            job = launching.Job(key, step.name, ["python", "-m", "experiment", *arguments], processes=processes)
            stop_asked = journal.asked(store, number, lambda: not launching.parent_lives())
            launching.Local().launch(job, _say, stop_asked)
            return 0
        # Of several processes none may stop by itself, because the others would wait for it: who started them ends all.
        alone = "RANK" not in os.environ
        check = journal.stopping(number, journal.asked(store, number, _orphaned)) if alone else _end_if_orphaned
        performing.perform(store, number, step, told=_say, check=check)
    except ExperimentError as error:
        if first:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _say(line: str) -> None:
    print(f"{launching.SPOKEN}{line}", flush=True)


def _orphaned() -> bool:
    _end_if_orphaned()
    return False


def _end_if_orphaned() -> None:
    if not launching.parent_lives():
        raise SystemExit("The process that asked for this step is gone.")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
