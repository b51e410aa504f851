"""How a model of an experiment becomes the candidate of one that answers: the place that knows both features."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import experiment
import inference.pipeline
import paths
import tuning
from inference.errors import InferenceError
from tuning import answers, card, places, registry

MOST_JUDGED = 2_000  # records of the test set that the champion is asked for
TASK = "text-classification"


@dataclass(frozen=True)
class Handed:
    """A candidate that an experiment made."""

    name: str
    """Experiment, run and model: EXP-3333-longformer-run_1-MiniLM."""
    model: str
    """Whose candidate it is."""
    id: str
    line: str
    """What happened, and how to promote it."""


def hand_over(
    winner: experiment.Winner,
    root: Path,
    model_name: str,
    engine: tuning.Engine,
    told: Callable[[str], None] = lambda line: None,
    records: Iterable[tuple[str, str]] = (),
) -> Handed:
    """Save the winner as the candidate of `model_name` in the folder of models `root`.

    `records` are texts and labels of the winner's test set: where there is a champion that knows these labels, it is
    asked too, so that a promotion may ask for an improvement. Raises what `tuning.registry.save_candidate` raises.
    """
    at = places.places(root, model_name)
    old = _judged(at.champion, winner, engine, records, told) if (at.champion / "config.json").is_file() else None
    report = _report(winner, model_name, old)
    if old is not None:
        report |= {"base": places.read(at.champion).id, "old_metrics": old}

    def write(folder: Path) -> None:
        shutil.copytree(winner.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
        (folder / places.CARD).write_text(card.text(report), encoding="utf-8")

    candidate_id = registry.save_candidate(root, model_name, write, report)
    line = f"{winner.name} is the candidate of {model_name} now; msg.OverrideRequest promotes it."
    told(line)
    return Handed(winner.name, model_name, candidate_id, line)


def promote(winner: experiment.Winner, model_name: str, records: Iterable[tuple[str, str]] = ()) -> str:
    """Save the winner as a candidate in src/model and promote it there, as the command does; what happened."""
    root = paths.model_root()
    handed = hand_over(winner, root, model_name, engine({}), records=records)
    return tuning.promote(root, model_name, {"expect": handed.id}, by="evergreen experiment promote").line


def engine(options: Mapping[str, Any]) -> tuning.Engine:
    """How models are run beside the items that answer: with torch, and not kept in memory."""

    def opened(folder: Path, task: str) -> inference.pipeline.Model:
        chosen = {**options, "backend": "torch"}
        return inference.pipeline.open(folder.name, task, path=str(folder.parent), options=chosen)

    def closed(model: inference.pipeline.Model) -> None:
        inference.pipeline.close(model)
        if not model.users:
            inference.pipeline.unload(model)

    return tuning.Engine(
        open=opened,
        ask=lambda model, fields: inference.pipeline.run(model, fields).output,
        close=closed,
        failures=(InferenceError, paths.PathNotAllowed),
    )


def metrics_of(labels: Sequence[str], true: Sequence[str], said: Sequence[str | None]) -> dict[str, Any]:
    """Accuracy, F1 (macro, weighted) and confusion matrix of what was said; a label that is none of ours is wrong."""
    places_of = {label: place for place, label in enumerate(labels)}
    matrix = [[0] * len(labels) for _ in labels]
    for label, answer in zip(true, said, strict=True):
        if answer in places_of:
            matrix[places_of[label]][places_of[str(answer)]] += 1
    rows = [sum(label == one for one in true) for label in labels]
    columns = [sum(row[place] for row in matrix) for place in range(len(labels))]
    f1 = [2 * matrix[i][i] / (rows[i] + columns[i]) if rows[i] + columns[i] else 0.0 for i in range(len(labels))]
    total = len(true)
    return {
        "accuracy": sum(matrix[i][i] for i in range(len(labels))) / total,
        "f1_macro": sum(f1) / len(labels),
        "f1_weighted": sum(one * count for one, count in zip(f1, rows, strict=True)) / total,
        "confusion_matrix": matrix,
    }


def _report(winner: experiment.Winner, model_name: str, old: Mapping[str, Any] | None) -> dict[str, Any]:
    """The report of the candidate, in the words of those that trainings leave; it leads back to its run."""
    made = winner.report
    new = dict(made["new_metrics"])
    if made.get("confusion_matrix"):
        new["confusion_matrix"] = made["confusion_matrix"]
    metric = made["metric"] if made["metric"] in new else "accuracy"
    said = f"{winner.name}: {metric} {new[metric]:.3f} on {made['rows_test']:,} test records"
    if old is not None and metric in old:
        said += f", the champion's is {old[metric]:.3f}"
    return {
        "verdict": f"{said}.",
        "name": winner.name,
        "experiment": winner.experiment,
        "run": winner.run,
        "experiment_model": winner.model,
        "model": model_name,
        "task": TASK,
        "method": "experiment",
        "labels": list(winner.labels),
        "rows": {"experiment": winner.experiment, "train": made.get("rows_train"), "held_out": made["rows_test"]},
        "data": f"sha256:{str(made['test_sha256']).removeprefix('sha256:')}",
        "old_metrics": {},
        "new_metrics": new,
        "curve": made.get("curve") or [],
        "created": made.get("created", ""),
        "duration_s": made.get("training_s"),
        "arguments": dict(made.get("settings") or {}),
        "notes": [],
    }


def _judged(
    champion: Path,
    winner: experiment.Winner,
    engine: tuning.Engine,
    records: Iterable[tuple[str, str]],
    told: Callable[[str], None],
) -> dict[str, Any] | None:
    """The champion's metrics on the winner's test set; None, and why, where they would say nothing."""
    rows = list(records)
    if not rows:
        return None
    if len(rows) > MOST_JUDGED:
        told(f"The champion is not asked about {len(rows):,} test records: {MOST_JUDGED:,} are the most.")
        return None
    texts, true = zip(*rows, strict=True)
    try:
        with answers.opened(engine, champion, TASK) as ask:
            said = [answers.said(output)["label"] for output in ask(list(texts))]
    except engine.failures as error:
        told(f"The champion could not be asked about the test set: {error}")
        return None
    if not set(said) & set(winner.labels):
        told("The champion knows none of the experiment's labels, so it cannot be compared with the candidate.")
        return None
    return metrics_of(winner.labels, true, said)
