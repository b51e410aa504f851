"""The jobs of an index: one at a time, followed and stopped from other processes, told of after a crash.

It is files in the index's folder that say so, because on IRIS every job of an item is a process: `lock`, held while a
job runs; `state.json`, how far it is; `cancel`, there when it is to stop.
"""

import contextlib
import fcntl
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelocks
from search.errors import Cancelled, JobRunning, NotRunning, SearchError
from search.place import Place

_EVERY_S = 0.5
_STATE, _CANCEL, _LOCK = "state.json", "cancel", "lock"


@dataclass
class Run:
    """The job that has the index to itself."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    _kept_s: float = 0.0

    def check(self) -> None:
        """Raise `Cancelled` if the job is to stop."""
        with contextlib.suppress(FileNotFoundError):
            if (self.folder / _CANCEL).read_text() == self.facts["id"]:
                raise Cancelled("The job was cancelled. What is finished is kept: start it again to go on.")

    def keep(self, stage: str, done: int, total: int) -> None:
        """Write down how far the job is, twice a second at most."""
        moved = stage != self.facts.get("stage") or done == total
        if moved or time.monotonic() - self._kept_s > _EVERY_S:
            self._kept_s = time.monotonic()
            self.write(stage=stage, done=done, total=total)

    def write(self, **facts: Any) -> None:
        """Write down what is known of the job."""
        self.facts.update(facts)
        Place(str(self.folder)).write(_STATE, json.dumps(self.facts).encode())


@contextmanager
def turn(folder: Path) -> Iterator[Run]:
    """The right to work on this index. Raises `JobRunning`; what ends the job is written into its state."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go by a crash too
        except BlockingIOError as error:
            raise JobRunning(
                f"Another job is busy with the index in {folder}. Wait for it, or send "
                'msg.IndexRequest {"action": "cancel"}.'
            ) from error
        (folder / _CANCEL).unlink(missing_ok=True)
        run = Run(folder)
        run.write(id=uuid.uuid4().hex[:12], state="running", began=_now(), stage="", done=0, total=0)
        try:
            yield run
        except Cancelled as error:
            run.write(state="cancelled", error=str(error), ended=_now())
            raise
        except (SearchError, OSError, ValueError, RuntimeError) as error:
            run.write(state="failed", error=str(error), ended=_now())
            raise
        run.write(state="done", ended=_now())


def state(folder: Path) -> dict[str, Any]:
    """How the last job stands: `state` is never, running, done, cancelled, failed, or interrupted by a crash."""
    try:
        found: dict[str, Any] = json.loads((folder / _STATE).read_text())
    except FileNotFoundError:
        return {"state": "never"}
    if found["state"] == "running" and not filelocks.is_held(folder / _LOCK):
        found["state"] = "interrupted"
        found["error"] = "The process ended in the middle. What is finished is kept: start the job again to go on."
    return found


def cancel(folder: Path) -> str:
    """Ask the running job to stop; its id. Raises `NotRunning`."""
    found = state(folder)
    if found["state"] != "running":
        raise NotRunning(f"No job is running on the index in {folder}, so there is nothing to cancel.")
    Place(str(folder)).write(_CANCEL, found["id"].encode())
    return str(found["id"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
