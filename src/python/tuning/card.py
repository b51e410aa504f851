"""The model card: the README.md beside a candidate, written from its report alone."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_FIGURES = {
    "accuracy": "Accuracy",
    "f1": "Entity F1",
    "precision": "Entity precision",
    "recall": "Entity recall",
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "precision_weighted": "Precision, weighted",
    "recall_weighted": "Recall, weighted",
    "loss": "Loss (lower is better)",
    "ece": "Calibration error, ECE (lower is better)",
    "brier": "Brier score (lower is better)",
    "mae": "Mean absolute error (lower is better)",
    "rmse": "Root mean square error (lower is better)",
    "r2": "R²",
    "spearman": "Spearman's rank correlation",
}
_PIPELINES = {"token-classification": "token-classification"}
_MOST_LABELS = 20  # of a confusion matrix that people still read


def text(report: Mapping[str, Any]) -> str:
    """The card of the model that this report is about: what it is, data, metrics, limits, how it was made.

    A part whose facts the report does not have is left out. The first lines are the hub's front matter.
    """
    parts = (_front, _summary, _use, _data, _metrics, _confusion, _limits, _made)
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part(report)))) + "\n"


def _front(report: Mapping[str, Any]) -> Iterator[str]:
    yield "---"
    yield "library_name: transformers"
    yield f"pipeline_tag: {_pipeline(report)}"
    yield "tags:"
    yield "- evergreen"
    yield "---"


def _summary(report: Mapping[str, Any]) -> Iterator[str]:
    method = {"lora": " with low-rank adapters (LoRA)", "head": " of its head alone"}.get(str(report.get("method")), "")
    yield f"# {_plain(report.get('model', 'A tuned model'))}"
    yield ""
    yield f"Fine-tuned{method} for {str(report.get('task', 'text-classification')).replace('-', ' ')}."
    if verdict := report.get("verdict"):
        yield f"**{_plain(verdict)}**"


def _use(report: Mapping[str, Any]) -> Iterator[str]:
    labels = report.get("labels")
    yield "## Use"
    yield ""
    if labels:
        names = ", ".join(f"`{_plain(label)}`" for label in labels[:_MOST_LABELS])
        more = f" and {len(labels) - _MOST_LABELS} more" if len(labels) > _MOST_LABELS else ""
        yield f"Labels: {names}{more}."
        yield ""
    yield "```python"
    yield "from transformers import pipeline"
    yield f'pipeline("{_pipeline(report)}", model="this folder")("a text")'
    yield "```"


def _data(report: Mapping[str, Any]) -> Iterator[str]:
    rows = report.get("rows")
    if not rows:
        return
    kind = next((name for name in ("table", "file", "dataset") if name in rows), None)
    yield "## Data"
    yield ""
    yield "| | |"
    yield "|---|---|"
    if kind:
        yield f"| {kind.capitalize()} | {_cell(rows[kind])} |"
    facts = {"columns": "Columns", "split": "Split", "commit": "Commit", "read": "Rows read"}
    for key, name in {**facts, "train": "Trained on", "held_out": "Held out and judged on"}.items():
        if key in rows:
            yield f"| {name} | {_cell(rows[key])} |"
    for reason, count in rows.get("skipped", {}).items():
        yield f"| Skipped: {_cell(reason)} | {count} |"
    if report.get("data"):
        yield f"| Hash of the rows | `{report['data']}` |"


def _metrics(report: Mapping[str, Any]) -> Iterator[str]:
    old, new = report.get("old_metrics", {}), report.get("new_metrics", {})
    known = [key for key in _FIGURES if _number(new.get(key)) is not None]
    if not known:
        return
    yield "## Metrics"
    yield ""
    yield "Both models were judged on the same held-out rows."
    yield ""
    yield "| | Before | After |"
    yield "|---|---|---|"
    for key in known:
        yield f"| {_FIGURES[key]} | {_shown(old.get(key))} | {_shown(new[key])} |"
    difference = report.get("difference") or {}
    if "low" in difference:
        yield ""
        yield (
            f"Difference of {difference['metric']}: {difference['difference']:+.4f}, 95 % interval "
            f"{difference['low']:+.4f} to {difference['high']:+.4f} ({difference.get('method', 'unknown method')})."
        )
    if "most_frequent" in difference:
        yield ""
        yield f"Always naming the most frequent label would have an accuracy of {difference['most_frequent']:.4f}."
    if per_class := new.get("per_class"):
        yield ""
        yield "| Label | Precision | Recall | F1 | Rows |"
        yield "|---|---|---|---|---|"
        for name, one in list(per_class.items())[:_MOST_LABELS]:
            figures = " | ".join(_shown(one[key]) for key in ("precision", "recall", "f1"))
            yield f"| {_cell(name)} | {figures} | {one['rows']} |"


def _confusion(report: Mapping[str, Any]) -> Iterator[str]:
    matrix, labels = report.get("new_metrics", {}).get("confusion_matrix"), report.get("labels")
    if not matrix or not labels or len(labels) > _MOST_LABELS:
        return
    yield "Which label (by row) was taken for which (by column):"
    yield ""
    yield f"| | {' | '.join(_cell(label) for label in labels)} |"
    yield "|---" * (len(labels) + 1) + "|"
    for label, counts in zip(labels, matrix, strict=True):
        yield f"| **{_cell(label)}** | {' | '.join(str(count) for count in counts)} |"


def _limits(report: Mapping[str, Any]) -> Iterator[str]:
    rows = report.get("rows", {})
    yield "## Limits"
    yield ""
    yield "- It was judged on rows of the same source as it was trained on; on other texts it may do worse."
    held_out = rows.get("held_out")
    if isinstance(held_out, int) and held_out < 400:
        yield f"- {held_out} rows were held out: a difference of a few hundredths is within chance."
    always, accuracy = (
        (report.get("difference") or {}).get("most_frequent"),
        report.get("new_metrics", {}).get("accuracy"),
    )
    if always is not None and accuracy is not None and accuracy <= always:
        yield f"- Always naming the most frequent label would be right as often ({always:.3f})."
    if report.get("outcome") in ("worse", "not distinguishable"):
        yield "- It is not shown to be better than the model before it."
    said = [report.get("old_metrics", {}).get("note"), *rows.get("notes", []), *report.get("notes", [])]
    for note in dict.fromkeys(note for note in said if note):
        yield f"- {_plain(note)}"


def _made(report: Mapping[str, Any]) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    yield "| | |"
    yield "|---|---|"
    facts = {"base": "Trained from", "seed": "Seed", "steps": "Steps", "resumed_from_step": "Resumed from step"}
    for key, name in {**facts, "stopped": "Stopped", "created": "Made at", "duration_s": "Seconds"}.items():
        if report.get(key) not in (None, ""):
            yield f"| {name} | {_cell(report[key])} |"
    energy = report.get("energy") or {}
    for key, name in (
        ("joules", "Energy in joules"),
        ("carbon_g", "Carbon in grams"),
        ("method", "Energy is known by"),
    ):
        if energy.get(key) is not None:
            yield f"| {name} | {_cell(energy[key])} |"
    for package, number in report.get("versions", {}).items():
        yield f"| {_cell(package)} | {_cell(number)} |"
    # A folder of the machine says nothing to a reader elsewhere.
    if arguments := {name: value for name, value in report.get("arguments", {}).items() if name != "output_dir"}:
        yield ""
        yield "```json"
        yield json.dumps(arguments, indent=2, sort_keys=True, default=str, ensure_ascii=False)
        yield "```"


def _pipeline(report: Mapping[str, Any]) -> str:
    return _PIPELINES.get(str(report.get("task")), "text-classification")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _shown(value: object) -> str:
    number = _number(value)
    return "" if number is None else f"{number:.4f}"


def _cell(value: object) -> str:
    """What a table's cell can hold: one line without bars."""
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return _plain(shown).replace("|", "\\|")


def _plain(value: object) -> str:
    """A value that came from the rows or a request, on one line and without HTML."""
    return " ".join(str(value).split()).replace("<", "&lt;").replace("`", "'")
