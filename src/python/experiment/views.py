"""What is known of experiments and their runs, for people and pages: states, curves, statistics, logs, the winner."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment import journal, ranking, reconciliation, records
from experiment.conduct import store_of
from experiment.errors import BadRequest, ExperimentError, RunUnknown
from experiment.journal import Run
from experiment.records import LOG, RECONCILIATION, TRAINING, TUNING, Step
from experiment.settings import FILE, parse, read
from experiment.settings import differences as differing
from experiment.storage import Store

CURVE = "curve.jsonl"


@dataclass(frozen=True)
class Winner:
    """A trained model that a production may take over."""

    name: str
    """EXP-3333-longformer-run_1-MiniLM: a model that is in use leads back to its run."""
    experiment: str
    run: int
    model: str
    folder: Path
    """On this machine: weights as safetensors, configuration, tokenizer."""
    labels: list[str]
    report: dict[str, Any]


def experiments(root: Path | str) -> list[dict[str, Any]]:
    """The experiments whose folders lie in `root`, the newest first: name, folder, models, runs, state, best, ..."""
    found = []
    for file in Path(root).glob(f"*/{FILE}"):
        settings, problems = read(file.parent)
        told: dict[str, Any] = {"name": settings.name, "folder": str(file.parent), "models": [], "use_case": "",
                                "runs": 0, "state": "new", "began": "", "best": None, "problems": len(problems),
                                "error": ""}  # fmt: skip
        if settings.values:
            told |= {"models": settings.models, "use_case": settings.get("experiment.USE_CASE")}
            try:
                told |= _last(store_of(settings))
            except ExperimentError as error:  # a place that cannot be reached hides no other experiment
                told["error"] = str(error)
        found.append(told)
    return sorted(found, key=lambda one: (one["began"], one["name"]), reverse=True)


def runs(folder: Path | str) -> list[dict[str, Any]]:
    """The runs of an experiment with their steps, the newest first; see `journal.state`."""
    store = _store(folder)
    return [journal.state(store, number) for number in reversed(journal.numbers(store)) if _begun(store, number)]


def cancel(folder: Path | str, number: int | None = None) -> int:
    """Ask a run, or the newest, to stop; its number. Raises `RunUnknown`, and `BadRequest` if it is not running."""
    return journal.cancel(_store(folder), number)


def record(folder: Path | str, number: int, key: str) -> dict[str, Any]:
    """The record of a step. Raises `RunUnknown` if it is not done."""
    found = records.complete(_store(folder), Step.parse(key).place(number))
    if found is None:
        raise RunUnknown(f"{key} of run {number} is not done. See how the run stands: evergreen experiment status.")
    return found


def statistics(folder: Path | str, number: int, model: str) -> dict[str, Any]:
    """What the inference found of a model. Raises `RunUnknown` if it is not done."""
    found = ranking.statistics(_store(folder), number, model)
    if found is None:
        raise RunUnknown(f"Run {number} has not judged {model}. Wait for it, or see which models it has.")
    return found


def curve(folder: Path | str, number: int, model: str) -> list[dict[str, Any]]:
    """The learning curve of a model, while it is trained and later, by step; of a tuning, the best trial's."""
    store = _store(folder)
    for name in (TRAINING, TUNING):
        place = Step(name, model).place(number)
        done = records.complete(store, place)
        content = store.read(f"{done['place'] if done else place}/{CURVE}")
        if content is None and store.local is None:
            local = store.folder(place) / CURVE  # while it is trained on this machine
            content = local.read_bytes() if local.is_file() else None
        if content is not None:
            return points(content.decode("utf-8", "replace"))
    return []


def points(text: str) -> list[dict[str, Any]]:
    """The points of a curve's file, those of the same step in one; a line that is being written is left out."""
    found: dict[int, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            point = json.loads(line)
            step = int(point["step"])
        except (ValueError, TypeError, KeyError):
            continue
        if found and step < max(found):  # it went on from a checkpoint before this
            found = {known: one for known, one in found.items() if known < step}
        found[step] = found.get(step, {}) | point
    return [point for _, point in sorted(found.items())]


def log(folder: Path | str, number: int, limit: int = 200) -> list[str]:
    """The last lines that the steps of a run told, with their times."""
    store, lines = _store(folder), list[str]()
    for step in journal.opened(store, number).steps:
        content = store.read(f"{step.place(number)}/{LOG}")
        lines += (content or b"").decode("utf-8", "replace").splitlines()
    return sorted(lines)[-limit:]


def comparison(folder: Path | str, number: int | None = None) -> dict[str, Any]:
    """The comparison of a run, or of the newest that has one. Raises `RunUnknown`."""
    store = _store(folder)
    for one in [number] if number else reversed(journal.numbers(store)):
        found: dict[str, Any] | None = store.read_json(f"run_{one}/{ranking.FILE}")
        if found is not None:
            return found
    which = f"Run {number} has" if number else "There is"
    raise RunUnknown(f"{which} no comparison yet: it comes at the end of a run. See evergreen experiment status.")


def settings_of(folder: Path | str, number: int) -> dict[str, str]:
    """The settings that a run was made with, as texts, by "section.KEY"."""
    store = _store(folder)
    text = store.read(f"run_{number}/{FILE}")
    if text is None:
        raise RunUnknown(f"There is no run {number} in {store.address}. See evergreen experiment status.")
    return parse(text, "run", Path(folder))[0].texts()


def differences(folder: Path | str, one: int, other: int) -> list[dict[str, str]]:
    """The settings in which two runs differ: key, one, other."""
    return differing(settings_of(folder, one), settings_of(folder, other))


def winner(folder: Path | str, number: int | None = None, model: str = "") -> Winner:
    """The best model of a run, or the one named, ready to be taken over. Raises `RunUnknown` and `BadRequest`."""
    store = _store(folder)
    found = comparison(folder, number)
    run = journal.opened(store, found["run"])
    chosen = model or found["winner"]
    if not chosen:
        raise RunUnknown(f"Run {run.number} trained no model. Start one with RUN_TRAINING = true.")
    if chosen not in run.facts["models"]:
        raise BadRequest(f"Run {run.number} has no model {chosen!r}: it has {', '.join(run.facts['models'])}.")
    learned = run.trained(chosen)
    place = store.fetch(f"{learned['place']}/model")
    if not (place / "config.json").is_file():
        raise BadRequest(
            f"{chosen} is no model that transformers can load: its load_model returned another kind of module. Let it "
            "return one of transformers' models to promote it."
        )
    summary = reconciliation.summary_of(store.fetch(run.done(Step(RECONCILIATION))["place"]))
    name = f"{run.settings.name}-{run.folder}-{records.slug(chosen)}"
    report = _report(run, chosen, found, learned, summary) | {"curve": curve(folder, run.number, chosen)}
    return Winner(name, run.settings.name, run.number, chosen, place, summary["labels"], report)


def test_records(folder: Path | str, number: int | None = None) -> Iterator[tuple[str, str]]:
    """Text and label of each record of a run's test set, in order."""
    store = _store(folder)
    run = journal.opened(store, journal.newest(store, number))
    collected = store.fetch(run.done(Step(RECONCILIATION))["place"])
    for one in reconciliation.read(collected, reconciliation.TEST):
        yield one["text"], one["label"]


def _report(
    run: Run, model: str, found: dict[str, Any], learned: dict[str, Any], summary: dict[str, Any]
) -> dict[str, Any]:
    judged = ranking.statistics(run.store, run.number, model) or {}
    metrics = {name: judged[name]["value"] for name in ("accuracy", "f1_macro", "f1_weighted") if judged}
    if judged:
        metrics["loss"] = judged["loss"]
    return {
        "experiment": run.settings.name, "run": run.number, "model": model,
        "use_case": run.settings.get("experiment.USE_CASE"), "metric": found["metric"], "verdict": found["sentence"],
        "new_metrics": metrics, "labels": summary["labels"], "confusion_matrix": judged.get("confusion_matrix", []),
        "test_sha256": summary["sha256"]["test"], "rows_test": summary["rows"]["test"],
        "rows_train": summary["rows"]["train"], "settings": learned["settings"], "created": learned["ended"],
        "training_s": learned["metrics"]["training_s"], "key": learned["key"],
    }  # fmt: skip


def _last(store: Store) -> dict[str, Any]:
    """What the list of experiments says of the newest run."""
    known = [number for number in journal.numbers(store) if _begun(store, number)]
    if not known:
        return {}
    state = journal.state(store, known[-1])
    best = None
    for number in reversed(known):
        if found := store.read_json(f"run_{number}/{ranking.FILE}"):
            row = next((row for row in found["models"] if row["model"] == found["winner"]), None)
            if row:
                best = {"model": row["model"], "metric": found["metric"], "value": row["validation"], "run": number,
                        "accuracy": row["accuracy"], "f1_macro": row["f1_macro"]}  # fmt: skip
                break
    return {"runs": len(known), "state": state["state"], "began": state["began"], "best": best}


def _begun(store: Store, number: int) -> bool:
    return store.exists(f"run_{number}/{journal.RUN}")


def _store(folder: Path | str) -> Store:
    settings, _ = read(Path(folder))
    return store_of(settings)
