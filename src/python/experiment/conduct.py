"""A run from its start to its comparison: validate, take a number, do the steps wherever they run, compare."""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libraries
from experiment import bases, functions, journal, launching, performing, ranking, records, rules, sources
from experiment.errors import Cancelled, ExperimentError, LaunchFailed, SettingsInvalid, StepFailed
from experiment.functions import Config, Functions
from experiment.launching import Job, Launcher
from experiment.records import LOG, RECONCILIATION, Step
from experiment.settings import Problem, Settings
from experiment.storage import Store

Told = Callable[[str], None]
StopAsked = Callable[[], bool]


@dataclass(frozen=True)
class Started:
    """A run that has its number."""

    number: int
    steps: list[Step]
    continued: bool
    """Whether it is the last run, gone on with, because nothing has changed since it began."""

    def dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"number": self.number, "steps": [step.key for step in self.steps], "continued": self.continued}


def nothing(line: str) -> None:
    """For who wants to hear nothing."""


def never() -> bool:
    """For what is not to be stopped."""
    return False


def store_of(settings: Settings) -> Store:
    """Where an experiment is kept."""
    return Store(settings.address, str(settings.get("storage.ENDPOINT_URL")))


def start(folder: Path | str, *, connection: Any = None, told: Told = nothing, by: str = "") -> Started:
    """Check everything, and take a run number, or go on with the last run if nothing has changed since.

    Raises `SettingsInvalid` with all that is wrong, before anything is launched or written, and `RunBusy`.
    """
    began_s, folder = time.monotonic(), Path(folder)
    problems = rules.validate(folder, connection)
    if problems:
        raise SettingsInvalid(problems)
    settings = Settings.load(folder)
    store = store_of(settings)
    try:
        given = journal.inputs(settings, connection)
    except ExperimentError as error:
        raise SettingsInvalid([Problem(0, "", str(error))]) from error
    number = journal.same(store, given) if settings.get("experiment.RUN_NUM") == "auto" else None
    if number is not None:
        told(f"Nothing has changed since run {number} began: going on with it.")
        journal.go_on(store, number, by)
        return Started(number, journal.opened(store, number).steps, True)
    told("Trying the functions on two records.")
    problems = list(_rehearsed(settings, store, connection))
    if problems:
        raise SettingsInvalid(problems)
    number = journal.take(store, settings)
    journal.begin(store, settings, number, given, by, time.monotonic() - began_s)
    steps = journal.planned(settings)
    told(f"Run {number} of {settings.name} begins: {len(steps)} steps, models {', '.join(settings.models)}.")
    return Started(number, steps, False)


def run_step(
    folder: Path | str,
    number: int,
    step: Step | str,
    *,
    connection: Any = None,
    launcher: Launcher | None = None,
    told: Told = nothing,
    stop_asked: StopAsked = never,
) -> dict[str, Any]:
    """Do one step of a run, unless it is done with the same inputs, here or in an earlier run; its record.

    Raises `Cancelled`, and `ExperimentError` for everything else that ends it; the step goes on the next time.
    """
    chosen = Step.parse(step)
    store = store_of(Settings.load(folder))
    run = journal.opened(store, number)
    journal.note(store, number, host=socket.gethostname())
    log = Log(store, chosen.place(number), told)
    try:
        record = performing.reuse(run, chosen)
        if record is not None:
            log(f"{chosen.key}: unchanged, taken from {record['place']}")
            return {**record, "reused": True}
        log(f"{chosen.key} begins")
        asked = journal.asked(store, number, stop_asked)
        remote = launcher if launcher is not None else launching.of(run.settings)
        if remote is None or (chosen.name == RECONCILIATION and sources.lies_here(run.settings)):
            check = journal.stopping(number, asked)
            record = performing.perform(store, number, chosen, connection=connection, told=log, check=check)
        else:
            record = _launch(store, run, chosen, remote, log, asked)
        log(f"{chosen.key} is done in {record['seconds']:.1f} s")
        return {**record, "reused": False}
    except Cancelled:
        journal.note(store, number, state="cancelled", ended=records.now(), error="")
        raise
    finally:
        log.close()


def finish(folder: Path | str, number: int, *, told: Told = nothing) -> dict[str, Any]:
    """Compare the models of a run whose steps are done, and mark it as done; the comparison."""
    store = store_of(Settings.load(folder))
    found = ranking.make(journal.opened(store, number))
    journal.note(store, number, state="done", ended=records.now(), error="")
    told(found["sentence"])
    return found


def fail(folder: Path | str, number: int, error: str) -> None:
    """Mark a run as failed."""
    store = store_of(Settings.load(folder))
    journal.note(store, number, state="failed", ended=records.now(), error=error)


def run(
    folder: Path | str,
    *,
    connection: Any = None,
    launcher: Launcher | None = None,
    told: Told = nothing,
    stop_asked: StopAsked = never,
    by: str = "",
) -> dict[str, Any]:
    """A whole run: its number, state, and comparison. Raises as `start` and `run_step` do."""
    started = start(folder, connection=connection, told=told, by=by)
    store = store_of(Settings.load(folder))
    with records.lease(store, f"run_{started.number}"):
        try:
            for step in started.steps:
                run_step(folder, started.number, step, connection=connection, launcher=launcher, told=told,
                         stop_asked=stop_asked)  # fmt: skip
            found = finish(folder, started.number)
        except Cancelled:
            raise
        except ExperimentError as error:
            fail(folder, started.number, str(error))
            raise
    return {"run": started.number, "state": "done", "continued": started.continued, "comparison": found}


class Log:
    """The lines of a step: told at once, and kept in its folder."""

    def __init__(self, store: Store, place: str, told: Told) -> None:
        self._store, self._place, self._told, self._spoke = store, place, told, False

    def __call__(self, line: str) -> None:
        self._told(line)
        self._store.append(f"{self._place}/{LOG}", f"{records.now()} {line}")
        self._spoke = True

    def close(self) -> None:
        """Bring the lines up, where the place is a remote one."""
        if self._spoke and self._store.local is None:
            self._store.publish(self._place, [LOG])


def _rehearsed(settings: Settings, store: Store, connection: Any) -> list[Problem]:
    with libraries.lock:
        from experiment import rehearsal

    try:
        loaded = Functions(settings.folder / functions.FILE)
    except ExperimentError as error:
        return [Problem(0, "", str(error))]
    config = Config(settings, connection=connection)
    collected = None
    if not settings.get(f"steps.RUN_{RECONCILIATION.upper()}"):
        collected = _collected(store)
        if collected is None:
            return [settings.problem("steps.RUN_RECONCILIATION", "there are no records of an earlier run: set it to "
                                     "true.")]  # fmt: skip
    return list(rehearsal.rehearse(settings, loaded, store, config, collected))


def _collected(store: Store) -> Path | None:
    """The newest records."""
    for number in reversed(journal.numbers(store)):
        if record := records.complete(store, Step(RECONCILIATION).place(number)):
            return store.fetch(str(record["place"]))
    return None


def _launch(
    store: Store, run: journal.Run, step: Step, launcher: Launcher, told: Told, asked: StopAsked
) -> dict[str, Any]:
    """Let a launcher do a step, and read what came of it."""
    words = f"{run.settings.name}-{run.number}-{step.name}-{bases.split(step.model)[0]}-{records.digest(step.key)[:6]}"
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    if len(name) > 63:
        name = f"{name[:50].rstrip('-')}-{records.digest(name)[:12]}"
    variables = {"AWS_ENDPOINT_URL_S3": store.endpoint_url} if store.endpoint_url else {}
    arguments = [store.address, str(run.number), step.key]
    processes = int(run.settings.get("launch.PROCESSES"))
    job = Job(name, step.name, ["python", "-m", "experiment", *arguments], variables, processes=processes)
    try:
        launcher.launch(job, told, asked)
    except LaunchFailed as error:
        live = store.read_json(f"{step.place(run.number)}/{records.STATE}") or {}
        if live.get("state") == "failed" and live.get("error"):
            raise StepFailed(live["error"]) from error  # what the step said itself says more
        raise
    record = records.complete(store, step.place(run.number))
    if record is None or record["key"] != run.key(step):
        raise StepFailed(f"{step.key} ended and left no record in {store.address}. See what it said, and run it again.")
    return record
