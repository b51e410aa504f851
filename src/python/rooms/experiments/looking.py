"""The other parts of a run: learning curves, what is taken for what, settings and how they differ, the log."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from irislite.web.portal.controls import text
from irislite.web.portal.widgets import Grid
from rooms import charts, figures, matrices
from rooms.experiments import parts

Points = Mapping[str, Sequence[Mapping[str, Any]]]
_CURVES = {
    "loss": "Training loss",
    "eval_loss": "Loss on the validation records",
    "eval_f1_macro": "F1 macro on the validation records",
    "eval_accuracy": "Accuracy on the validation records",
}
_AXES = {"loss": "loss", "eval_loss": "loss", "eval_f1_macro": "F1 macro", "eval_accuracy": "accuracy"}
_MOST_ROWS = 200  # of a table beside a picture


# -- curves ------------------------------------------------------------------------------------------------------------


def curves(found: Points) -> None:
    """A picture for each measure, a line for each model."""
    if not found:
        parts.note("The curves begin with the first steps of a training.")
        return
    with ui.element("div").classes("pictures-two"):
        for key, title in _CURVES.items():
            series = [(model, _line(points, key)) for model, points in found.items()]
            series = [(model, line) for model, line in series if line]
            if series:
                with ui.element("div").classes("stack tight"):
                    text("h3", title)
                    charts.lines(title, "epoch", _AXES[key], series, x_step=0.1)
    with ui.element("details"):
        text("summary", "The same as a table")
        for model, points in found.items():
            keys = [key for key in ("step", "epoch", "learning_rate", *_CURVES) if any(key in one for one in points)]
            rows = [[_short(point.get(key)) for key in keys] for point in points[-_MOST_ROWS:]]
            text("h3", model)
            Grid(f"Curve of {model}").fill(keys, rows)


def _line(points: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(float(one.get("epoch", one["step"])), float(one[key])) for one in points if one.get(key) is not None]


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


# -- by label ----------------------------------------------------------------------------------------------------------


def labels(found: Mapping[str, Mapping[str, Any]]) -> None:
    """What each model takes for what, how good it is at each label, and whether it knows what it knows."""
    if not found:
        parts.note("This is known when a model was judged on the test set.")
        return
    with ui.element("div").classes("matrices"):
        for model, told in found.items():
            with ui.element("div").classes("stack tight"):
                text("h3", model)
                if len(told["labels"]) > matrices.MOST_LABELS:
                    parts.note(f"{len(told['labels'])} labels are too many for a matrix: statistics.json has it.")
                else:
                    matrices.confusion(f"Confusion matrix, {model}", told["labels"], told["confusion_matrix"])
    text("h3", "F1 by label")
    names = list(dict.fromkeys(name for told in found.values() for name in told["per_class"]))
    rows = [[name, _rows(found, name), *(_f1(told, name) for told in found.values())] for name in names]
    Grid("F1 by label").fill(["Label", "Test records", *found], rows)
    reliable = {model: told.get("calibration") or [] for model, told in found.items()}
    if any(reliable.values()):
        text("h3", "Calibration")
        exact = [("exactly as sure as right", [(0.0, 0.0), (1.0, 1.0)])]
        lines = [
            (model, [(one["confidence"], one["accuracy"]) for one in bins if one.get("rows")])
            for model, bins in reliable.items()
        ]
        charts.lines("How often a model is right, by how sure it is", "confidence", "accuracy", lines + exact, x_step=0)
        for model, bins in reliable.items():
            with ui.element("details"):
                text("summary", f"{model} as a table")
                kept = [[_short(one["confidence"]), _short(one["accuracy"]), one["rows"]] for one in bins]
                Grid(f"Calibration of {model}").fill(["Confidence", "Right", "Records"], kept)


def _rows(found: Mapping[str, Mapping[str, Any]], name: str) -> int:
    return max(int(told["per_class"].get(name, {}).get("rows", 0)) for told in found.values())


def _f1(told: Mapping[str, Any], name: str) -> Any:
    return _short(told["per_class"].get(name, {}).get("f1"))


# -- settings, log -----------------------------------------------------------------------------------------------------


def settings(
    number: int, other: int, others: Sequence[int], choose: Callable[[int], Awaitable[None]], found: Mapping[str, Any]
) -> None:
    """What differs from another run, and all of them."""
    if others:
        with ui.element("div").classes("row-wrap"):
            text("h3", f"Run {number} against")
            runs = {one: f"run {one}" for one in others}
            select = ui.select(runs, value=other or None, label="Another run").props("outlined dense")
            select.classes("short-select").on_value_change(lambda event: choose(int(event.value)))
        if other and found["differences"]:
            rows = [[one["key"], one["one"], one["other"]] for one in found["differences"]]
            Grid("Settings that differ").fill(["Setting", f"run {number}", f"run {other}"], rows)
        elif other:
            parts.note(f"The settings of run {other} are the same.")
    text("h3", f"Settings of run {number}")
    Grid("Settings").fill(["Setting", "Value"], [[key, value] for key, value in found["settings"].items()])


def log(found: Sequence[str]) -> None:
    """The last lines of the run's log."""
    if not found:
        parts.note("Nothing was logged yet.")
        return
    text("pre", "\n".join(found)).classes("run-log").props("tabindex=0 role=log aria-label='Log of the run'")
    parts.note(f"The last {figures.count(len(found))} lines; log.txt in the run's folder has all of them.")
