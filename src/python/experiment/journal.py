"""The runs of an experiment: a number that one start alone gets, what a run began with, how it stands, how it stops."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment import bases, functions, records, sources
from experiment.bases import Base
from experiment.errors import BadRequest, Cancelled, RunBusy, RunExists, RunUnknown
from experiment.functions import Config, Functions
from experiment.records import INFERENCE, PREPARATION, RECONCILIATION, TRAINING, TUNING, Step
from experiment.settings import FILE, Settings, parse
from experiment.storage import Store

RUN, CANCEL = "run.json", "cancel"
_IDLE_S = 15.0
# Before torch is loaded: threads that wait for one another must not spin on the processors that others need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What says where and how visibly a run is made, and not what comes out of it.
_ASIDE = ("launch.", "sagemaker.", "kubernetes.", "tracking.", "storage.", "experiment.RUN_NUM")


@dataclass(frozen=True)
class Run:
    """A run as its steps see it."""

    store: Store
    number: int
    settings: Settings
    functions: Functions
    facts: dict[str, Any]
    """What run.json says."""

    @property
    def folder(self) -> str:
        """Its name in the experiment's place."""
        return f"run_{self.number}"

    @property
    def steps(self) -> list[Step]:
        """What it does, in order."""
        return [Step.parse(key) for key in self.facts["steps"]]

    def base(self, model: str) -> Base:
        """The model that `model` begins from."""
        found = self.facts["models"].get(model)
        if found is None:
            raise BadRequest(f"Run {self.number} has no model {model!r}: it has {', '.join(self.facts['models'])}.")
        return Base(**found)

    def config(self, model: str = "", labels: tuple[str, ...] = (), **more: Any) -> Config:
        """What the user's functions are told."""
        given: dict[str, Any] = {"settings": self.settings, "run": self.number, "labels": labels, **more}
        if model:
            base = self.base(model)
            given |= {"model_name": model, "model_folder": base.folder(self.store), "layers": base.layers}
        return Config(**given)

    def key(self, step: Step) -> str:
        """The hash of all that goes into a step; what is equal in it is not done twice."""
        settings = self.settings
        parts: list[Any] = [records.VERSION, step.name, functions.code_hash(self.functions.file, step.name)]
        if step.name == RECONCILIATION:
            parts += [self.facts["inputs"]["data"], settings.section("data"), settings.get("experiment.SEED")]
            return records.digest(*parts, settings.section("user"))
        base, chosen = self.base(step.model), settings.get
        parts.append(settings.section("user"))
        if step.name == PREPARATION:
            text = [chosen(f"text.{name}") for name in ("MAX_TOKENS", "LONG_DOCUMENTS", "OVERLAP_TOKENS")]
            return records.digest(*parts, self._key_before(Step(RECONCILIATION)), text, base.reading)
        parts += [self._key_before(Step(PREPARATION, step.model)), chosen("text.POOLING")]
        if step.name == INFERENCE:
            return records.digest(*parts, self.trained_key(step.model), settings.section("inference"))
        training = {name: value for name, value in settings.section("training").items() if name != "CHECKPOINT_S"}
        parts += [training, chosen("experiment.SEED"), chosen("experiment.METRIC"), chosen("text.TRAIN_WINDOWS")]
        if step.name == TUNING:
            parts += [settings.section("tuning"), settings.section("space")]
        return records.digest(*parts, base.layers, base.sha256)

    def found(self, step: Step) -> tuple[str, dict[str, Any]] | None:
        """Where a step with this run's key is done, here or in an earlier run, and its record."""
        key = self.key(step)
        for place, record in self._records(step):
            if record["key"] == key and records.complete(self.store, record["place"]) is not None:
                return place, record
        return None

    def done(self, step: Step) -> dict[str, Any]:
        """The record of a step that another needs; where it is switched off, of the newest run that has it.

        Raises `RunUnknown`.
        """
        found = self.found(step) if self._is_on(step.name) else next(self._records(step), None)
        if found is None:
            raise RunUnknown(
                f"{step.key} is not done in {self.store.address}. Set RUN_{step.name.upper()} to true, and run again."
            )
        return found[1]

    def trained(self, model: str) -> dict[str, Any]:
        """The record of the training or tuning that made a model; see `done`."""
        if self._is_on(TRAINING) or self._is_on(TUNING):
            return self.done(Step(TRAINING if self._is_on(TRAINING) else TUNING, model))
        known = [next(self._records(Step(name, model)), None) for name in (TRAINING, TUNING)]
        found = [one[1] for one in known if one]
        return max(found, key=lambda record: str(record["ended"])) if found else self.done(Step(TRAINING, model))

    def trained_key(self, model: str) -> str:
        """The key of what made a model: of what is going to, if that is switched on."""
        for name in (TRAINING, TUNING):
            if self._is_on(name):
                return self.key(Step(name, model))
        return str(self.trained(model)["key"])

    def _key_before(self, step: Step) -> str:
        return self.key(step) if self._is_on(step.name) else str(self.done(step)["key"])

    def _is_on(self, name: str) -> bool:
        return bool(self.settings.get(f"steps.RUN_{name.upper()}"))

    def _records(self, step: Step) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where the step is done, and its record: the newest first."""
        for number in range(self.number, 0, -1):
            place = step.place(number)
            if (record := records.complete(self.store, place)) is not None:
                yield place, record


def opened(store: Store, number: int) -> Run:
    """A run that was started. Raises `RunUnknown`."""
    facts = store.read_json(f"run_{number}/{RUN}")
    text = store.read(f"run_{number}/{FILE}")
    if facts is None or text is None:
        raise RunUnknown(f"There is no run {number} in {store.address}. There are {_listed(numbers(store))}.")
    # The container that runs a step does not have the experiment's folder; paths in it were read where the run began.
    settings, _ = parse(text, facts["experiment"], Path(facts["folder"]))
    code = store.fetch(f"run_{number}/src") / "user_defined_funcs.py"
    return Run(store, number, settings, Functions(code), facts)


def numbers(store: Store) -> list[int]:
    """The numbers of the runs that were started, ascending."""
    names = (name.removeprefix("run_") for name in store.children() if name.startswith("run_"))
    return sorted(int(name) for name in names if name.isdigit())


def newest(store: Store, number: int | None = None) -> int:
    """`number`, or that of the newest run. Raises `RunUnknown`."""
    known = [one for one in numbers(store) if store.exists(f"run_{one}/{RUN}")]
    if number is None and known:
        return known[-1]
    if number not in known:
        which = f"no run {number}" if number else "no run yet"
        raise RunUnknown(f"There is {which} in {store.address}. There are {_listed(known)}: start one with evergreen "
                         "experiment run.")  # fmt: skip
    return number


def inputs(settings: Settings, connection: Any) -> dict[str, str]:
    """What a run is made of, as hashes: settings, code, data. Two runs with the same ones come to the same."""
    texts = {name: text for name, text in settings.texts().items() if not name.startswith(_ASIDE)}
    file = settings.folder / functions.FILE
    code = records.digest(*(functions.code_hash(file, step) for step in records.STEPS))
    data = ""
    if settings.get("steps.RUN_RECONCILIATION"):
        data = sources.fingerprint(Config(settings, connection=connection))
    return {"settings": records.digest(texts), "code": code, "data": data}


def planned(settings: Settings) -> list[Step]:
    """The steps that the settings switch on, in the order in which they run."""
    on = [name for name in records.STEPS if settings.get(f"steps.RUN_{name.upper()}")]
    steps = [Step(RECONCILIATION)] if RECONCILIATION in on else []
    return steps + [Step(name, model) for name in on if name != RECONCILIATION for model in settings.models]


def same(store: Store, given: dict[str, str]) -> int | None:
    """The newest run, if it was made of the same; None otherwise."""
    known = [number for number in numbers(store) if store.exists(f"run_{number}/{RUN}")]
    facts = store.read_json(f"run_{known[-1]}/{RUN}") if known else None
    return known[-1] if facts and facts["inputs"] == given else None


def take(store: Store, settings: Settings) -> int:
    """A run number that is nobody else's. Raises `RunExists` where the settings name one that is taken."""
    asked = settings.get("experiment.RUN_NUM")
    if asked != "auto":
        if not store.claim(f"run_{asked}"):
            raise RunExists(f"Run {asked} exists in {store.address}. Set RUN_NUM to auto, or to a number that is free.")
        return int(asked)
    number = max(numbers(store), default=0) + 1
    while not store.claim(f"run_{number}"):
        number += 1
    return number


def begin(store: Store, settings: Settings, number: int, given: dict[str, str], by: str, spent_s: float) -> None:
    """Write down what the run is made of, so that every step, wherever it runs, sees the same.

    `spent_s` were spent on it before it had a number.
    """
    elsewhere = settings.get("launch.LAUNCHER") in ("sagemaker", "kubernetes")
    carried = store.local is None or elsewhere
    models = {name: bases.find(settings, name, store, carried).dict() for name in settings.models}
    store.write(f"run_{number}/{FILE}", (settings.folder / FILE).read_bytes())
    store.write(f"run_{number}/{functions.FILE}", (settings.folder / functions.FILE).read_bytes())
    store.write_json(f"run_{number}/{RUN}", {
        "experiment": settings.name, "number": number, "use_case": settings.get("experiment.USE_CASE"),
        "state": "running", "began": records.now(), "ended": "", "by": by, "error": "",
        "host": socket.gethostname(), "pid": os.getpid(), "seen": records.seconds(), "spent_s": spent_s,
        "launcher": settings.get("launch.LAUNCHER"), "processes": settings.get("launch.PROCESSES"),
        "models": models, "steps": [step.key for step in planned(settings)], "inputs": given,
        "folder": str(settings.folder), "versions": records.versions(), "machine": records.machine(),
    })  # fmt: skip


def go_on(store: Store, number: int, by: str) -> None:
    """Begin again with a run that was not over. Raises `RunBusy` while it goes on."""
    if state(store, number)["state"] == "running":
        raise RunBusy(f"Run {number} of {store.address} is going on. Wait for it, or cancel it.")
    store.remove(f"run_{number}/{CANCEL}")
    note(store, number, 0.0, state="running", error="", by=by, host=socket.gethostname(), pid=os.getpid())


def note(store: Store, number: int, spent_s: float | None = None, **facts: Any) -> None:
    """Write down something of a run; the time since the last note was spent on it, unless `spent_s` says otherwise."""
    name = f"run_{number}/{RUN}"
    known = store.read_json(name)
    if spent_s is None:
        spent_s = records.seconds() - float(known["seen"])
    total_s = round(float(known["spent_s"]) + spent_s, 3)
    store.write_json(name, {**known, **facts, "spent_s": total_s, "seen": records.seconds()})


def state(store: Store, number: int) -> dict[str, Any]:
    """How a run stands, with its steps: running, done, failed, cancelled, or interrupted by a crash."""
    facts = store.read_json(f"run_{number}/{RUN}")
    if facts is None:
        raise RunUnknown(f"There is no run {number} in {store.address}. There are {_listed(numbers(store))}.")
    steps = [_step_state(store, number, Step.parse(key)) for key in facts["steps"]]
    standing = facts["state"]
    if standing == "running" and not _lives(facts, steps, records.held(store, f"run_{number}")):
        standing = "interrupted"
        facts["error"] = "Its process ended in the middle. What is finished is kept: run it again to go on."
    known = ("began", "ended", "by", "launcher", "processes", "error", "use_case", "inputs", "machine")
    return {"number": number, "experiment": facts["experiment"], "state": standing, "models": list(facts["models"]),
            "steps": steps, **{name: facts[name] for name in known}}  # fmt: skip


def cancel(store: Store, number: int | None = None) -> int:
    """Ask a run to stop; its number. Raises `RunUnknown` and `BadRequest`."""
    chosen = newest(store, number)
    found = state(store, chosen)["state"]
    if found != "running":
        raise BadRequest(f"Run {chosen} is {found}, so there is nothing to cancel.")
    store.write(f"run_{chosen}/{CANCEL}", b"")
    return chosen


def cancelled(store: Store, number: int) -> bool:
    """Whether somebody asked the run to stop."""
    return store.exists(f"run_{number}/{CANCEL}")


def asked(store: Store, number: int, stop_asked: Callable[[], bool]) -> Callable[[], bool]:
    """What says whether the run is to stop; it looks once a second, or every ten at a remote place."""
    every_s, looked_s = (1.0 if store.local is not None else 10.0), -1e9

    def look() -> bool:
        nonlocal looked_s
        if stop_asked():
            return True
        if (now := time.monotonic()) - looked_s < every_s:
            return False
        looked_s = now
        return cancelled(store, number)

    return look


def stopping(number: int, stop_asked: Callable[[], bool]) -> Callable[[], None]:
    """What raises `Cancelled` when the run is to stop."""

    def check() -> None:
        if stop_asked():
            raise Cancelled(f"Run {number} was cancelled. What is finished is kept: run it again to go on.")

    return check


def _step_state(store: Store, number: int, step: Step) -> dict[str, Any]:
    place = step.place(number)
    told = {"key": step.key, "name": step.name, "model": step.model, "seconds": None, "reused": False, "error": ""}
    record = records.complete(store, place)
    if record is not None:
        return {**told, "state": "done", "seconds": record["seconds"], "reused": bool(record["reused_from"]),
                "progress": 1.0, "note": ""}  # fmt: skip
    live = store.read_json(f"{place}/{records.STATE}") or {}
    standing = live.get("state", "waiting")
    if standing == "running" and not records.held(store, place):
        standing = "interrupted"
    if began := live.get("began_s"):
        told["seconds"] = round(live["seen"] - began, 3)
    return {**told, "state": standing, "progress": live.get("progress", 0.0), "note": live.get("note", ""),
            "error": live.get("error", "")}  # fmt: skip


def _lives(facts: dict[str, Any], steps: list[dict[str, Any]], held: bool) -> bool:
    """Whether somebody works on a run that says it is running: a step, its process, or one that begins a step now."""
    if any(step["state"] == "running" for step in steps):
        return True
    if held:
        return True
    here = facts["host"] == socket.gethostname()
    if here and not _exists(facts["pid"]):
        return False
    return (here and facts["pid"] != os.getpid()) or not _old(facts)


def _old(facts: dict[str, Any]) -> bool:
    return records.seconds() - float(facts.get("seen", 0)) > _IDLE_S


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _listed(found: list[int]) -> str:
    return ", ".join(map(str, found)) if found else "none"
