"""Runs an experiment in a process of its own that is killed on its way.

From a server of processes: what is forked from this one, with its threads, can wait for ever for a lock of theirs.
"""

import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import experiment

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["experiment.models", "experiment.performing", "experiment.trials"])


def run_and_die(folder: Path, place: str, name: str, times: int, before: bool) -> None:
    """Run the experiment; kill -9 before or after call number `times` of function `name` of a module or class."""
    process = PROCESSES.Process(target=_run, args=(folder, place, name, times, before))
    process.start()
    process.join(120)
    try:
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()


def _run(folder: Path, place: str, name: str, times: int, before: bool) -> None:
    owner = pkgutil.resolve_name(place)
    setattr(owner, name, _dying(getattr(owner, name), times, before))
    experiment.run(folder)


def _dying(function: Callable[..., Any], times: int, before: bool) -> Callable[..., Any]:
    calls = 0

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == times:
            os.kill(os.getpid(), signal.SIGKILL)
        found = function(*arguments, **named)
        if calls == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return killed
