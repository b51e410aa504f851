"""What an operator sees of a model that is tuned: champion, candidate and previous side by side, trainings, history."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tuning import conditions, curve, history, places, runs, shadow
from tuning.curve import Point
from tuning.errors import NoCandidate

HISTORY = 20

Role = Literal["champion", "candidate", "previous", "rolled back"]


@dataclass(frozen=True)
class Standing:
    """One of a model's folders. Without a report, as of a model that no training here made, most of it is empty."""

    role: Role
    folder: str
    id: str
    """"sha256:..." of its files, as its marker has it; "" if no training here made it."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Those that are one number each."""
    judged_on: str = ""
    """The hash of the rows that the metrics are of: only metrics of the same rows may be compared."""
    rows: int | None = None
    """How many rows were held out."""
    labels: list[str] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)
    """True label by row, predicted by column; [] where there is none."""
    verdict: str = ""
    method: str = ""
    task: str = ""
    created: str = ""
    duration_s: float | None = None
    curve: list[Point] = field(default_factory=list)
    energy: dict[str, Any] | None = None


@dataclass(frozen=True)
class Training:
    """A training that is at work. Its request's fields are as they were sent, secrets left out."""

    id: str
    began: str
    method: str
    step: int
    of: int
    """0 until it is known."""
    curve: list[Point]


@dataclass(frozen=True)
class Overview:
    """All that is known of a model that is tuned."""

    model: str
    standings: list[Standing]
    training: Training | None
    unfinished: list[str]
    """A sentence for each training that a crash ended and that can go on."""
    history: list[history.Entry]
    shadow: shadow.ShadowReport | None
    """None if no candidate has answered beside the champion yet."""


def names(root: Path) -> list[str]:
    """The models in `root` that a training or a promotion has left something of."""
    found = {path.name.removeprefix("temp-") for path in root.glob("temp-*") if path.is_dir()}
    found |= {path.name.removeprefix("previous-") for path in root.glob("previous-*") if path.is_dir()}
    found |= {path.name.removeprefix("promotions-").removesuffix(".jsonl") for path in root.glob("promotions-*.jsonl")}
    found |= {path.name.removeprefix(".training-") for path in root.glob(".training-*") if (path / "current").is_file()}
    return sorted(found)


def overview(root: Path, name: str) -> Overview:
    """The model `name` of the folder `root`; raises `BadRequest` for what is no model's name. Changes nothing."""
    at = places.places(root, name)
    waiting = places.report(at.candidate) if at.candidate.is_dir() else {}
    others: tuple[tuple[Role, Path], ...] = (
        ("candidate", at.candidate),
        ("previous", at.previous),
        ("rolled back", at.rolled_back),
    )
    standings = [_standing("champion", at.champion, waiting)]
    standings += [_standing(role, folder) for role, folder in others if folder.is_dir()]
    return Overview(
        model=name,
        standings=standings,
        training=_training(root, name),
        unfinished=[_sentence(one) for one in runs.unfinished(root, name) if one.checkpoint is not None],
        history=history.read(at.history)[: -HISTORY - 1 : -1],
        shadow=_shadow(root, name),
    )


def _standing(role: Role, folder: Path, waiting: dict[str, Any] | None = None) -> Standing:
    """`waiting` is the candidate's report: it judged the champion on the candidate's rows, if it is still the same."""
    made_by, own_id = places.report(folder), places.noted_id(folder)
    told = made_by.get("new_metrics") or {}
    judge = made_by
    if waiting and (waiting.get("base") == own_id or not made_by):
        told, judge = waiting.get("old_metrics") or {}, waiting
    matrix = told.get("confusion_matrix")
    return Standing(
        role=role,
        folder=folder.name,
        id=own_id,
        metrics=conditions.numbers(told),
        judged_on=str(judge.get("data") or ""),
        rows=_whole((judge.get("rows") or {}).get("held_out")),
        labels=[str(label) for label in judge.get("labels") or []],
        confusion=matrix if isinstance(matrix, list) else [],
        verdict=str(made_by.get("verdict") or ""),
        method=str(made_by.get("method") or ""),
        task=str(made_by.get("task") or ""),
        created=str(made_by.get("created") or ""),
        duration_s=made_by.get("duration_s"),
        curve=made_by.get("curve") or [],
        energy=made_by.get("energy"),
    )


def _training(root: Path, name: str) -> Training | None:
    run = runs.running(root, name)
    if run is None:
        return None
    points = curve.read(run.checkpoints)
    last = points[-1] if points else Point()
    method = str(run.fields.get("method") or "full")
    return Training(run.id, run.began, method, last.get("step", 0), last.get("of", 0), points)


def _shadow(root: Path, name: str) -> shadow.ShadowReport | None:
    try:
        return shadow.report(root, name)
    except NoCandidate:
        return None


def _sentence(one: runs.Unfinished) -> str:
    asked = json.dumps({"resume": True})
    return f"The training that began at {one.began} was not finished: it came to {one.progress}. Send {asked} to go on."


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
