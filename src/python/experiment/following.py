"""A step that runs as a job elsewhere: its log is passed on, it is waited for, and stopped when that is asked."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from experiment.errors import Cancelled, LaunchFailed
from experiment.launching import SPOKEN

PATIENCE_S = 600.0
"""So long the service may be out of reach before the job is given up; the job itself goes on meanwhile."""

_LOOK_S = 0.5  # how often it is asked whether to stop
_LAST_LINES = 12


class Unreachable(Exception):
    """The service did not answer, or asked to come again later: it says nothing about the job."""


@dataclass(frozen=True)
class State:
    """How a job stands. `failure` says why it ended without success."""

    words: str
    over: bool = False
    failure: str = ""


class RemoteJob(Protocol):
    """A job at a service. Each method may raise `Unreachable`."""

    where: str
    """What to call it, as in "job x at SageMaker"."""

    def state(self) -> State:
        """How it stands now."""

    def lines(self) -> list[str]:
        """The lines of its log that came since the last call."""

    def stop(self) -> None:
        """End it."""


def follow(
    job: RemoteJob,
    poll_s: float,
    told: Callable[[str], None],
    stop_asked: Callable[[], bool],
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait for the job's end, and tell what of its log is meant for people.

    Raises `Cancelled` after it was stopped because `stop_asked` said so, and `LaunchFailed` when it failed or could not
    be asked about for `patience_s` seconds.
    """
    said, heard_s, last = "", time.monotonic(), deque[str](maxlen=_LAST_LINES)
    while True:
        if stop_asked():
            _stop(job, heard_s + patience_s)
            raise Cancelled(f"The {job.where} was stopped. What it had finished is kept: run it again to go on.")
        try:
            state = job.state()
            lines = job.lines()
        except Unreachable as error:
            if time.monotonic() - heard_s > patience_s:
                raise LaunchFailed(
                    f"The {job.where} cannot be asked about any more: {error}. It may still run: see "
                    "there, then run the step again, which finds it."
                ) from error
        else:
            heard_s = time.monotonic()
            for line in lines:
                if line.startswith(SPOKEN):
                    told(line[len(SPOKEN) :])
                elif line.strip():
                    last.append(line)
            if state.words != said:
                said = state.words
                told(f"{job.where}: {said}")
            if state.failure:
                words = "\n".join(["", "Its last words:", *last]) if last else ""
                raise LaunchFailed(f"The {job.where} failed: {state.failure}{words}")
            if state.over:
                return
        _wait(poll_s, stop_asked)


def _stop(job: RemoteJob, until_s: float) -> None:
    while True:
        try:
            return job.stop()
        except Unreachable as error:
            if time.monotonic() > until_s:
                raise LaunchFailed(
                    f"The {job.where} was to be stopped and could not be reached: {error}. Stop it there."
                ) from error
            time.sleep(_LOOK_S)


def _wait(seconds: float, stop_asked: Callable[[], bool]) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0 and not stop_asked():
        time.sleep(min(_LOOK_S, left_s))
