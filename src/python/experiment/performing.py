"""One step of a run, done: what is read, what is written, and its record. The same in every place where steps run."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import libraries
from experiment import journal, preparation, reconciliation, records, tracking
from experiment.errors import Cancelled, ExperimentError
from experiment.journal import Run
from experiment.records import INFERENCE, PREPARATION, RECONCILIATION, STATE, TUNING, Step, Watch
from experiment.storage import MARKER, Store, listed

_ASIDE = ("lock", "lease.json", records.LOG, records.RECORD, STATE, MARKER)


def perform(
    store: Store,
    number: int,
    step: Step,
    *,
    connection: Any = None,
    told: Callable[[str], None],
    check: Callable[[], None],
) -> dict[str, Any]:
    """Do a step that is not done yet; its record. Raises `ExperimentError`, and `Cancelled` where `check` does."""
    run = journal.opened(store, number)
    watch = Watch(store, step.place(number), told, check)
    if step.name == RECONCILIATION:
        return _on_data(run, step, watch, lambda folder: _reconcile(run, folder, connection, watch))
    if step.name == PREPARATION:
        return _on_data(run, step, watch, lambda folder: _prepare(run, step.model, folder, watch))
    return _with_model(run, step, watch)


def reuse(run: Run, step: Step) -> dict[str, Any] | None:
    """The record of a step that is done here or in an earlier run, written down for this one; None if it is not."""
    found = run.found(step)
    if found is None:
        return None
    place, record = found
    if place == step.place(run.number):
        return record
    again = {**record, "reused_from": record["place"], "seconds": 0.0, "began": records.now(), "ended": records.now()}
    return records.write(run.store, step.place(run.number), again)


def _reconcile(run: Run, folder: Path, connection: Any, watch: Watch) -> dict[str, Any]:
    config = run.config(connection=connection)
    return reconciliation.run(run.functions, config, folder, watch)


def _prepare(run: Run, model: str, folder: Path, watch: Watch) -> dict[str, Any]:
    collected = run.store.fetch(run.done(Step(RECONCILIATION))["place"])
    labels = tuple(reconciliation.summary_of(collected)["labels"])
    return preparation.run(run.functions, run.config(model, labels), collected, folder, watch)


def _on_data(run: Run, step: Step, watch: Watch, work: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """A step whose result is data that all runs share: it lies under its key."""
    store, key = run.store, run.key(step)
    kind = "reconciled_artifacts" if step.name == RECONCILIATION else "prepared_data"
    target = f"data/{kind}/{key[:16]}"
    with records.lease(store, watch.place), records.lease(store, target), _noted(watch):
        record = records.complete(store, target)
        if record is None:
            with _recorded(run, step, target) as facts:
                facts["metrics"] = work(store.folder(target))
            record = _finish(run, target, facts)
            return records.write(store, watch.place, record)
        return records.write(store, watch.place, {**record, "reused_from": target, "seconds": 0.0})


def _with_model(run: Run, step: Step, watch: Watch) -> dict[str, Any]:
    """A step that needs torch; several processes may be in it."""
    with libraries.lock:
        from experiment import modelled
        from experiment.world import World

    world = World()
    watch.writes = world.first
    with ExitStack() as held:
        if world.first:
            held.enter_context(records.lease(run.store, watch.place))
            held.enter_context(_noted(watch))
            watch.tracker = held.enter_context(tracking.opened(run, step))
        with _recorded(run, step, watch.place) as facts:
            if step.name == INFERENCE:
                facts |= modelled.judge(run, step, world, watch)
            elif step.name == TUNING:
                facts |= modelled.tune(run, step, world, watch)
            else:
                facts |= modelled.train(run, step, world, watch)
        world.wait()
        if not world.first:
            return facts
        watch.tracker.end(tracking.numbers(facts["metrics"]))
        record = _finish(run, watch.place, facts)
        run.store.remove(f"{watch.place}/checkpoints")
        return record


@contextmanager
def _recorded(run: Run, step: Step, place: str) -> Iterator[dict[str, Any]]:
    """What a record begins with; the time is taken until the block ends."""
    given = run.facts["inputs"]
    facts: dict[str, Any] = {
        "step": step.name, "model": step.model, "key": run.key(step), "state": "done", "place": place,
        "experiment": run.settings.name, "run": run.number, "began": records.now(), "ended": "", "seconds": 0.0,
        "inputs": {"data": given["data"], "code": given["code"], "settings": given["settings"],
                   "base": run.base(step.model).sha256 if step.model else ""},
        "settings": {name: text for name, text in run.settings.texts().items()
                     if not name.startswith(("sagemaker.", "kubernetes."))},
        "versions": records.versions(), "machine": records.machine(), "metrics": {}, "files": [], "notes": [],
        "reused_from": "", "launcher": run.facts["launcher"],
    }  # fmt: skip
    began_s = time.monotonic()
    yield facts
    facts["seconds"] = round(time.monotonic() - began_s, 3)
    facts["ended"] = records.now()


def _finish(run: Run, place: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Bring up what the step wrote, and mark it as whole after that."""
    folder = run.store.folder(place)
    names = [name for name in listed(folder) if name not in _ASIDE and "checkpoints/" not in name]
    facts["files"] = [_file(folder, name) for name in names]
    run.store.publish(place, names)
    return records.write(run.store, place, facts)


def _file(folder: Path, name: str) -> dict[str, Any]:
    with (folder / name).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": name, "bytes": (folder / name).stat().st_size, "sha256": digest}


@contextmanager
def _noted(watch: Watch) -> Iterator[None]:
    """The step's state while it runs, and how it ended, where something ended it that is meant to."""
    watch.write(state="running", began=records.now(), began_s=records.seconds(), progress=0.0, note="", error="")
    try:
        yield
    except Cancelled as error:
        watch.write(state="cancelled", error=str(error))
        raise
    except ExperimentError as error:
        watch.write(state="failed", error=str(error))
        raise
    watch.write(state="done", progress=1.0)
