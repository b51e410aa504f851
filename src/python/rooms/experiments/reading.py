"""What the files of an experiment tell: its runs, and of a run what there is so far."""

from datetime import datetime
from pathlib import Path
from typing import Any

import experiment
from rooms.errors import NoSuchRun, told_as_ours

LOG_LINES = 300
TRAININGS = ("training", "tuning")


def runs(folder: Path) -> list[dict[str, Any]]:
    """The runs, the newest first: what `experiment.runs` says of each, `seconds`, and the `best` of its models."""
    with told_as_ours():
        found = sorted(experiment.runs(folder), key=lambda run: int(run["number"]), reverse=True)
    return [{**run, "seconds": _seconds(run), "best": _best(folder, run)} for run in found]


def run(folder: Path, number: int) -> dict[str, Any]:
    """One of them. Raises `NoSuchRun`."""
    found = next((run for run in runs(folder) if run["number"] == number), None)
    if found is None:
        raise NoSuchRun(f"{folder.name} has no run {number}: choose another.")
    return found


def comparison(folder: Path, number: int) -> dict[str, Any] | None:
    """The comparison of a run's models; None as long as there is none."""
    try:
        return experiment.comparison(folder, number)
    except experiment.RunUnknown:
        return None


def statistics(folder: Path, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is known of each model that was judged on the test set."""
    with told_as_ours():
        return {
            step["model"]: experiment.statistics(folder, found["number"], step["model"])
            for step in found["steps"]
            if step["name"] == "inference" and step["state"] == "done"
        }


def curves(folder: Path, found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The learning curve of each model, as far as it has come."""
    with told_as_ours():
        made = {
            step["model"]: experiment.curve(folder, found["number"], step["model"])
            for step in found["steps"]
            if step["name"] in TRAININGS
        }
    return {model: points for model, points in made.items() if points}


def settings(folder: Path, number: int) -> dict[str, str]:
    """What settings.ini said when the run began."""
    with told_as_ours():
        return experiment.settings_of(folder, number)


def differences(folder: Path, one: int, other: int) -> list[dict[str, str]]:
    """The settings in which two runs differ."""
    with told_as_ours():
        return experiment.differences(folder, one, other)


def log(folder: Path, number: int) -> list[str]:
    """The last lines of a run's log."""
    with told_as_ours():
        return experiment.log(folder, number, LOG_LINES)


def _seconds(run: dict[str, Any]) -> float | None:
    """How long a run took; None as long as it has not ended."""
    if not run.get("began") or not run.get("ended"):
        return None
    return (datetime.fromisoformat(run["ended"]) - datetime.fromisoformat(run["began"])).total_seconds()


def _best(folder: Path, run: dict[str, Any]) -> dict[str, Any] | None:
    """The winner of a run and its metric on the test set; None if it was not compared."""
    found = comparison(folder, run["number"]) if run["state"] == "done" else None
    if not found or not found.get("winner"):
        return None
    winner: dict[str, Any] = next((one for one in found["models"] if one["model"] == found["winner"]), {})
    return {"model": found["winner"], "metric": found["metric"], "value": winner.get(found["metric"])}
