"""The steps that have a model in their hands: training, tuning, inference. Loads torch: see `performing`."""

import shutil
from pathlib import Path
from typing import Any

from experiment import checkpoints, judging, models, reconciliation, trials
from experiment.checkpoints import Progress
from experiment.functions import Config
from experiment.journal import Run
from experiment.learning import CURVE, GoesOn, Plan, Training
from experiment.preparation import Rows
from experiment.reading import Reader
from experiment.reconciliation import TEST, TRAIN, VALIDATION
from experiment.records import PREPARATION, RECONCILIATION, Step, Watch
from experiment.world import World, precision_of

MODEL = "model"
"""The folder of a trained model, in that of its step."""


def train(run: Run, step: Step, world: World, watch: Watch) -> dict[str, Any]:
    """Train the model of a step; metrics and notes for its record."""
    config, prepared = _data(run, step.model)
    reader = _reader(run, config, world, run.functions.load_model(config))
    rows = {part: Rows(prepared, part) for part in (TRAIN, VALIDATION)}
    plan = Plan.of(run.settings)
    progress = Training(reader, rows[TRAIN], rows[VALIDATION], plan, run.store, watch.place, watch).run()
    if world.first:
        _save(reader.model, config, run.store.folder(watch.place))
    return _told(progress, reader, rows[TRAIN])


def tune(run: Run, step: Step, world: World, watch: Watch) -> dict[str, Any]:
    """Try what [space] says; the best trial's model is the step's."""
    config, prepared = _data(run, step.model)
    rows = {part: Rows(prepared, part) for part in (TRAIN, VALIDATION)}
    place, store = watch.place, run.store
    search = trials.Search(run.settings, store, place, world)
    last: dict[str, Any] = {}

    def attempt(number: int, plan: Plan, goes_on: GoesOn) -> Progress:
        here = f"{place}/trial/{number:03d}"
        reader = _reader(run, config, world, run.functions.load_model(config))
        progress = Training(reader, rows[TRAIN], rows[VALIDATION], plan, store, here, watch, goes_on).run()
        if world.first:
            store.remove(f"{here}/{checkpoints.FOLDER}")
        last.update(reader=reader, progress=progress, place=here)
        return progress

    def keep() -> None:
        if world.first:
            folder = store.folder(place)
            _save(last["reader"].model, config, folder)
            curve = store.folder(last["place"]) / CURVE
            shutil.copyfile(curve, folder / CURVE)
            store.publish(f"{place}/{MODEL}")

    best = trials.run(search, attempt, keep, watch.told)
    reader = last.get("reader") or _reader(run, config, world, run.functions.load_model(config))
    measured = {f"validation_{name}": value for name, value in best["measured"].items()}
    seconds = sum(trial["seconds"] for trial in search.trials)
    facts = {**measured, "training_s": round(seconds, 3), "trials": len(search.trials), "best_trial": best["number"],
             "best_epoch": best["best_epoch"], "parameters": _parameters(reader.model)}  # fmt: skip
    return {"metrics": facts, "notes": [f"{name} = {value}" for name, value in best["changes"].items()]}


def judge(run: Run, step: Step, world: World, watch: Watch) -> dict[str, Any]:
    """Judge the trained model of a step on the test set."""
    config, prepared = _data(run, step.model)
    learned = run.trained(step.model)
    folder = run.store.fetch(f"{learned['place']}/{MODEL}")
    model = models.trained(run.functions, config, folder).to(world.device)
    reader = _reader(run, config, world, model)
    collected = run.store.fetch(run.done(Step(RECONCILIATION))["place"])
    target = run.store.folder(watch.place)
    found = judging.run(reader, Rows(prepared, TEST), collected, target, run.settings, watch)
    brief = {name: found[name]["value"] for name in ("accuracy", "f1_macro", "f1_weighted") if found}
    more = ("loss", "ece", "rows", "seconds_per_row", "parameters")
    return {"metrics": brief | {name: found[name] for name in more if found}}


def _data(run: Run, model: str) -> tuple[Config, Path]:
    """What the functions are told of a model, and the folder of its encoded rows."""
    prepared = run.store.fetch(run.done(Step(PREPARATION, model))["place"])
    collected = run.store.fetch(run.done(Step(RECONCILIATION))["place"])
    labels = tuple(reconciliation.summary_of(collected)["labels"])
    return run.config(model, labels), prepared


def _reader(run: Run, config: Config, world: World, model: Any) -> Reader:
    keys = run.functions.ordered_model_input_keys(config)
    precision = precision_of(run.settings.get("training.PRECISION"))
    pooling = run.settings.get("text.POOLING")
    return Reader(model.to(world.device), keys, len(config.labels), world, precision, pooling)


def _save(model: Any, config: Config, folder: Path) -> None:
    """Put the model in place as a whole; the one before is removed once it is."""
    draft, target = folder / ".model", folder / MODEL
    shutil.rmtree(draft, ignore_errors=True)
    models.save(model, config, draft)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def _told(progress: Progress, reader: Reader, rows: Rows) -> dict[str, Any]:
    measured = {f"validation_{name}": value for name, value in progress.measured.items()}
    facts = {**measured, "training_s": round(progress.seconds, 3), "steps": progress.step, "epochs": progress.epoch,
             "best_epoch": progress.best_epoch, "rows": len(rows), "processes": reader.world.size,
             "parameters": _parameters(reader.model)}  # fmt: skip
    return {"metrics": facts, "notes": [f"computed in {str(reader.precision).removeprefix('torch.')}"]}


def _parameters(model: Any) -> int:
    return sum(weight.numel() for weight in model.parameters())
