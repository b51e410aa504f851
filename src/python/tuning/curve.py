"""The learning curve of a training: what was measured at which step, readable while it runs and kept in its report.

The file lies with the checkpoints, so that a training that goes on after a crash goes on with its curve as well.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

NAME = "curve.jsonl"
MOST_POINTS = 400
"""Of a curve that is read: more than a picture can show. Evaluations and the last step always stay."""

_SHOWN = ("loss", "learning_rate", "eval_loss", "eval_accuracy", "eval_f1_macro", "eval_f1", "eval_mae")


class Point(TypedDict, total=False):
    """What is known at a step; what was not measured there is missing."""

    step: int
    of: int
    """How many steps there will be."""
    epoch: float
    loss: float
    """Of the training rows, since the point before."""
    learning_rate: float
    eval_loss: float
    """Of the held-out rows, as everything that begins with eval_."""
    eval_accuracy: float
    eval_f1_macro: float
    eval_f1: float
    eval_mae: float


def add(folder: Path, step: int, of: int, epoch: float | None, figures: Mapping[str, Any]) -> None:
    """Write down what was measured at a step; figures that are no numbers are left out."""
    known = {key: float(figures[key]) for key in _SHOWN if key in figures and math.isfinite(figures[key])}
    if not known:
        return
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"step": step, "of": of, **({"epoch": epoch} if epoch is not None else {}), **known})
    with (folder / NAME).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def read(folder: Path) -> list[Point]:
    """The curve of the training whose checkpoints are in `folder`, by step; [] if it has none yet."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    points: dict[int, dict[str, Any]] = {}
    for line in lines:
        try:
            found = json.loads(line)
            step = int(found["step"])
        except (ValueError, TypeError, KeyError):  # a crash cut it short, or it is being written
            continue
        if points and step < max(points):  # it went on from a checkpoint before this
            points = {known: point for known, point in points.items() if known < step}
        points[step] = points.get(step, {}) | found
    return _thinned([Point(**point) for _, point in sorted(points.items())])  # type: ignore[typeddict-item]


def _thinned(points: list[Point]) -> list[Point]:
    every = -(-len(points) // MOST_POINTS)
    last = len(points) - 1
    return [
        point for number, point in enumerate(points) if number % every == 0 or number == last or "eval_loss" in point
    ]
