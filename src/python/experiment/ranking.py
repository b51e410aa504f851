"""The models of a run beside one another: what each came to, which differences are more than chance, the time spent."""

import json
from itertools import combinations
from typing import Any

import numpy as np

from experiment import judging, records, scores
from experiment.journal import Run
from experiment.records import INFERENCE, STEPS, TRAINING, TUNING, Step
from experiment.storage import Store

FILE, TABLE = "comparison.json", "comparison.md"


def make(run: Run) -> dict[str, Any]:
    """Compare, and write it down as JSON and as a table for people.

    The winner is the best on the validation rows. The test set only reports: a choice by it would be one more
    thing that was fitted to it. Where no model was trained, there is no winner.
    """
    keys = records.digest(*(
        (records.complete(run.store, step.place(run.number)) or {}).get("key") for step in run.steps
    ))  # fmt: skip
    known_already: dict[str, Any] | None = run.store.read_json(f"{run.folder}/{FILE}")
    if known_already is not None and known_already["keys"] == keys:
        return known_already  # of a run that was started again when it was done
    rows = [row for row in (_row(run, model) for model in run.facts["models"]) if row]
    metric = run.settings.get("experiment.METRIC")
    known = [row for row in rows if row["validation"] is not None]
    best = (min if metric == "loss" else max)(known, key=lambda row: row["validation"]) if known else None
    found = {
        "run": run.number,
        "keys": keys,
        "metric": metric,
        "winner": best["model"] if best else "",
        "rows": next((row["rows"] for row in rows if row["rows"]), 0),
        "models": rows,
        "differences": _differences(run),
        "seconds": _seconds(run),
        "test_sha256": next((row["test_sha256"] for row in rows if row["test_sha256"]), ""),
    }
    found["sentence"] = _sentence(run, found, best)
    run.store.write_json(f"{run.folder}/{FILE}", found)
    run.store.write(f"{run.folder}/{TABLE}", table(found).encode())
    return found


def statistics(store: Store, number: int, model: str) -> dict[str, Any] | None:
    """What the inference found of a model; None if it is not done."""
    record = records.complete(store, Step(INFERENCE, model).place(number))
    if record is None:
        return None
    found: dict[str, Any] = store.read_json(f"{record['place']}/{judging.STATISTICS}")
    return found


def table(found: dict[str, Any]) -> str:
    """The comparison as a table in Markdown."""
    lines = ["| model | validation | accuracy | F1 macro | loss | ECE | parameters | training s | ms a record |",
             "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in found["models"]:
        cells = [
            row["model"] + (" (best)" if row["model"] == found["winner"] else ""), _number(row["validation"]),
            _interval(row, "accuracy"), _interval(row, "f1"), _number(row["loss"]), _number(row["ece"]),
            f"{row['parameters']:,}" if row["parameters"] else "", _number(row["training_s"], 1),
            _number(row["seconds_per_row"] * 1000 if row["seconds_per_row"] is not None else None, 2),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    if found["differences"]:
        lines += ["", *map(_told, found["differences"])]
    return "\n".join([*lines, "", found["sentence"], ""])


def _row(run: Run, model: str) -> dict[str, Any] | None:
    learned = None
    for name in (TRAINING, TUNING):
        learned = learned or records.complete(run.store, Step(name, model).place(run.number))
    judged = statistics(run.store, run.number, model)
    if learned is None and judged is None:
        return None
    metric = f"validation_{run.settings.get('experiment.METRIC')}"
    metrics = learned["metrics"] if learned else {}
    row: dict[str, Any] = {"model": model, "validation": metrics.get(metric), "training_s": metrics.get("training_s"),
                           "parameters": metrics.get("parameters"), "rows": 0, "test_sha256": ""}  # fmt: skip
    for name, key in (("accuracy", "accuracy"), ("f1_macro", "f1")):
        part = judged[name] if judged else {}
        row |= {name: part.get("value"), f"{key}_low": part.get("low"), f"{key}_high": part.get("high")}
    for name in ("loss", "ece", "seconds_per_row"):
        row[name] = judged[name] if judged else None
    row["f1_weighted"] = judged["f1_weighted"]["value"] if judged else None
    if judged:
        row |= {name: judged[name] for name in ("rows", "test_sha256", "parameters")}
    return row


def _differences(run: Run) -> list[dict[str, Any]]:
    """Of each two models' answers to the same records."""
    answers = {model: found for model in run.facts["models"] if (found := _predictions(run, model)) is not None}
    chosen = run.settings.get
    drawn = (chosen("inference.CONFIDENCE"), int(chosen("inference.RESAMPLES")), chosen("experiment.SEED"))
    gaps = []
    for one, other in combinations(answers, 2):
        truth, first = answers[one]
        same, second = answers[other]
        if len(truth) == len(same) and bool((truth == same).all()):
            gap = scores.difference(truth, first, second, *drawn)
            gaps.append({"one": one, "other": other, "metric": "accuracy", **gap})
    return gaps


def _predictions(run: Run, model: str) -> tuple[Any, Any] | None:
    """The true and the predicted labels, by name."""
    record = records.complete(run.store, Step(INFERENCE, model).place(run.number))
    content = run.store.read(f"{record['place']}/{judging.PREDICTIONS}") if record else None
    if content is None:
        return None
    lines = [json.loads(line) for line in content.decode().splitlines()]
    return np.asarray([line["label"] for line in lines]), np.asarray([line["predicted"] for line in lines])


def _seconds(run: Run) -> dict[str, Any]:
    """Of the whole run so far, and how much of it was spent in the steps of trainings."""
    training = 0.0
    for model in run.facts["models"]:
        for name in (TRAINING, TUNING):
            record = records.complete(run.store, Step(name, model).place(run.number))
            if record is not None and not record["reused_from"]:
                training += float(record["metrics"]["training_s"])
    total = float(run.facts["spent_s"]) + records.seconds() - float(run.facts["seen"])
    by_step = {}
    for name in STEPS:
        spent = [
            float(record["seconds"])
            for key in run.facts["steps"]
            if key.partition("/")[0] == name
            and (record := records.complete(run.store, Step.parse(key).place(run.number))) is not None
        ]
        if spent:
            by_step[name] = round(sum(spent), 3)
    share = max(0.0, 1 - training / total) if training and total else None
    return {"total": round(total, 3), "training": round(training, 3), "other": round(total - training, 3),
            "share_not_training": round(share, 4) if share is not None else None, "steps": by_step}  # fmt: skip


def _sentence(run: Run, found: dict[str, Any], best: dict[str, Any] | None) -> str:
    name = f"Run {run.number} of {run.settings.name}"
    if best is None:
        return f"{name} is done; no model was trained or judged in it."
    told = f"{name}: {best['model']} is best by {found['metric']} on the validation rows ({best['validation']:.4f})"
    if best["accuracy"] is None:
        return f"{told}."
    told += f"; on {found['rows']:,} test records accuracy {best['accuracy']:.4f}, F1 macro {best['f1_macro']:.4f}"
    close = [gap["other"] if gap["one"] == best["model"] else gap["one"] for gap in found["differences"]
             if best["model"] in (gap["one"], gap["other"]) and gap["outcome"] == "not distinguishable"]  # fmt: skip
    return f"{told}, not distinguishable from {' and '.join(close)}." if close else f"{told}."


def _told(gap: dict[str, Any]) -> str:
    return (f"{gap['other']} against {gap['one']}: {gap['outcome']}, {gap['difference']:+.4f} accuracy "
            f"({gap['low']:+.4f} to {gap['high']:+.4f}, p {gap['p_value']:.3f}).")  # fmt: skip


def _interval(row: dict[str, Any], key: str) -> str:
    value = row["f1_macro" if key == "f1" else key]
    return "" if value is None else f"{value:.4f} ({row[f'{key}_low']:.4f} to {row[f'{key}_high']:.4f})"


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
