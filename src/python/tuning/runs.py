"""The trainings of a model: one at a time, stopped by a message, found again after a crash.

A model `bert` has a folder `.training-bert` beside it: `lock`, held while a training runs; `current`, the id of that
training; `cancel`, there when it is to stop; `run-ID.json`, what a training was asked for, until it is over; `base-ID`,
the champion it began from. It is files, not memory, that say so, because on IRIS every job of an item is a process.
"""

import fcntl
import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelocks
from tuning import disk
from tuning.errors import BadRequest, Cancelled, NotTraining
from tuning.places import files

WHOLE = "complete"
"""The marker of a checkpoint of which every file is on the disk."""

# accelerate and the random generators keep their state once per process, so two trainings would mix.
_training = threading.Lock()


@dataclass(frozen=True)
class Plan:
    """What makes two trainings the same: a training goes on with the checkpoint of its own plan only."""

    data: str
    """Hash of the rows in their order."""
    base: str
    """The id of the champion."""
    arguments: str
    """Hash of everything else that was asked for."""


@dataclass(frozen=True)
class Unfinished:
    """A training that was not over when its process ended."""

    id: str
    began: str
    fields: dict[str, Any]
    plan: Plan
    checkpoints: Path
    record: Path

    @property
    def checkpoint(self) -> Path | None:
        """The last one that is whole; None if there is none."""
        whole = [path.parent for path in self.checkpoints.glob(f"checkpoint-*/{WHOLE}")]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    @property
    def progress(self) -> str:
        """How far it came, as "step 40 of 100"."""
        if self.checkpoint is None:
            return "before its first checkpoint"
        state = json.loads((self.checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return f"step {state['global_step']} of {state['max_steps']}"

    def forget(self) -> None:
        """Remove the record, the base and the checkpoints."""
        disk.remove(self.record)
        shutil.rmtree(self.record.with_name(f"base-{self.id}"), ignore_errors=True)
        shutil.rmtree(self.checkpoints, ignore_errors=True)


@dataclass(frozen=True)
class Run:
    """The training that holds the model's lock."""

    folder: Path
    id: str

    @property
    def base(self) -> Path:
        """The champion as it was when the training began."""
        return self.folder / f"base-{self.id}"

    @property
    def flag(self) -> Path:
        """The file that is there when this training is to stop."""
        return self.folder / "cancel"

    def stop_asked(self) -> bool | None:
        """None: go on. True: stop and keep what there is; False: stop and keep nothing."""
        return stop_asked(self.flag, self.id)

    def check(self) -> None:
        """Raise `Cancelled` if the training is to stop; for the time before the first step."""
        if self.stop_asked() is not None:
            raise Cancelled("The training was cancelled before its first step. Nothing was saved; send it again.")

    def take(self, champion: Path) -> None:
        """Keep the champion's files as they are now, without copying them where the file system can."""
        for path in files(champion):
            kept = self.base / path.relative_to(champion)
            kept.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, kept)
            except OSError:
                shutil.copy2(path, kept)

    def record(self, plan: Plan, fields: Mapping[str, object], checkpoints: Path) -> None:
        """Write down what is being done, so that a crash can be told of and made good."""
        known = {name: value for name, value in fields.items() if not name.endswith("_token")}
        entry = {
            "id": self.id,
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "fields": known,
            "plan": vars(plan),
            "checkpoints": str(checkpoints),
        }
        disk.write(self.folder / f"run-{self.id}.json", json.dumps(entry, indent=2) + "\n")

    def over(self, checkpoints: Path | None) -> None:
        """Forget this training and its base; `checkpoints` too, if they were not asked for."""
        disk.remove(self.folder / f"run-{self.id}.json")
        shutil.rmtree(self.base, ignore_errors=True)
        if checkpoints is not None:
            shutil.rmtree(checkpoints, ignore_errors=True)


@contextmanager
def turn(root: Path, name: str, log: Callable[[str], None]) -> Iterator[Run]:
    """The run of a training of the model `name`, once those before it, of the model or in the process, have ended."""
    folder = _folder(root, name)
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"Another training of {name} is running: this one waits for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go by a crash too
        if not _training.acquire(blocking=False):
            log("A training of another model is running in this process: this one waits for it.")
            _training.acquire()
        try:
            run = Run(folder, uuid.uuid4().hex[:12])
            run.flag.unlink(missing_ok=True)
            (folder / "current").write_text(run.id)
            yield run
        finally:
            (folder / "current").unlink(missing_ok=True)
            _training.release()


def cancel(root: Path, name: str, keep_best: bool = False) -> str:
    """Ask the running training of the model to stop at its next step; its id.

    With `keep_best` what was learned until then is saved as a candidate: the best of the evaluations where
    load_best_model_at_end was asked for, else the last step. Raises `NotTraining`.
    """
    folder = _folder(root, name)
    current = folder / "current"
    if not _is_running(folder) or not current.is_file():
        raise NotTraining(f"No training of {name} is running, so there is nothing to cancel.")
    run = current.read_text()
    disk.write(folder / "cancel", json.dumps({"run": run, "keep_best": keep_best}))
    return run


def stop_asked(flag: Path, run: str) -> bool | None:
    """As `Run.stop_asked`, for a process that knows the run by its flag and id."""
    if not flag.exists():
        return None
    asked = json.loads(flag.read_text())
    return bool(asked["keep_best"]) if asked["run"] == run else None


def unfinished(root: Path, name: str) -> list[Unfinished]:
    """The trainings of the model that a crash ended, the latest first; none of a process that is still at it."""
    folder = _folder(root, name)
    current = folder / "current"
    running = current.read_text() if current.is_file() and _is_running(folder) else ""
    return [found for found in _records(folder) if found.id != running]


def running(root: Path, name: str) -> Unfinished | None:
    """The training of the model that is at work now, once it is written down; None if none is."""
    folder = _folder(root, name)
    if not _is_running(folder):
        return None
    try:
        current = (folder / "current").read_text()
        return next((found for found in _records(folder) if found.id == current), None)
    except FileNotFoundError:  # it ended this very moment
        return None


def resumable(run: Run, plan: Plan, resume: bool | None) -> Unfinished | None:
    """The unfinished training that this one goes on with; None if it begins anew.

    Raises `BadRequest` when `resume` is True and there is none, or when the last is not of this plan.
    """
    found = [one for one in _records(run.folder) if one.checkpoint is not None]
    if resume is False:
        return None
    for one in found:
        if one.plan == plan:
            return one
    if resume:
        raise BadRequest(_no_such(found, plan))
    return None


def sentences(root: Path, name: str) -> list[str]:
    """What a person should know of unfinished trainings; those without a checkpoint are told of once."""
    told = []
    for one in unfinished(root, name):
        if one.checkpoint is None:
            told.append(f"A training of {name} that began at {one.began} ended {one.progress}: send it again.")
            one.forget()
        else:
            told.append(
                f"A training of {name} that began at {one.began} was not finished: it came to {one.progress}, and its "
                f'checkpoint is kept in {one.checkpoint}. Send msg.TrainRequest {{"resume": true}} to go on with it.'
            )
    return told


def _no_such(found: list[Unfinished], plan: Plan) -> str:
    if not found:
        return "There is no unfinished training with a checkpoint to go on with. Send the request without resume."
    other = found[0].plan
    changed = [
        words
        for words, same in (
            ("the rows are others", other.data == plan.data),
            ("the model was changed or promoted", other.base == plan.base),
            ("other arguments are asked for", other.arguments == plan.arguments),
        )
        if not same
    ]
    return (
        f"The unfinished training that began at {found[0].began} is not this one: {' and '.join(changed)}. "
        "Send the request as it was, or without resume to begin anew."
    )


def _folder(root: Path, name: str) -> Path:
    return root / f".training-{name}"


def _is_running(folder: Path) -> bool:
    return filelocks.is_held(folder / "lock")


def records(run: Run) -> list[Unfinished]:
    """What is written down of this model's trainings, this one among them; the latest first."""
    return _records(run.folder)


def _records(folder: Path) -> list[Unfinished]:
    found = []
    for path in folder.glob("run-*.json"):
        entry = json.loads(path.read_text(encoding="utf-8"))
        plan = Plan(**entry["plan"])
        found.append(Unfinished(entry["id"], entry["began"], entry["fields"], plan, Path(entry["checkpoints"]), path))
    return sorted(found, key=lambda one: one.began, reverse=True)
