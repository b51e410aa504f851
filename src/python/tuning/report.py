"""What a training leaves to read: its report, saved as report.json beside the candidate."""

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypedDict

from tuning.curve import Point

_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "numpy", "scikit-learn", "peft", "pyarrow")


class Report(TypedDict):
    """What a training did and what came of it; JSON-safe."""

    verdict: str
    """One sentence: better, worse or not distinguishable, by how much, on how many rows."""
    outcome: str
    """"better", "worse" or "not distinguishable"."""
    difference: dict[str, Any]
    """Of the judging metric, new minus old, with its 95 % interval (see `metrics.Comparison`)."""
    old_metrics: dict[str, Any]
    """Of the champion on the held-out rows (see `metrics.measure`); `note` if its head is untrained."""
    new_metrics: dict[str, Any]
    """Of the candidate, on the same rows."""
    model: str
    base: str
    """The id (sha256) of the champion that the training began from."""
    candidate: str
    """The candidate's folder."""
    candidate_id: str
    """The id (sha256) of the candidate's files."""
    task: str
    method: str
    """"full", "lora" or "head"."""
    labels: list[str]
    rows: dict[str, Any]
    """Where from (table, file or dataset), columns, read, skipped (reason -> rows), train, held_out."""
    data: str
    """The sha256 of the rows as they were trained on and held out, in their order."""
    seed: int
    steps: int
    curve: list[Point]
    """What was measured at which step (see `curve`)."""
    resumed_from_step: int | None
    stopped: str | None
    """Why the training ended before its last step, if it did."""
    arguments: dict[str, Any]
    """The training arguments, given and chosen; the others are transformers' defaults. Secrets are masked."""
    notes: list[str]
    """What one should know: an argument's old name that was translated, a label that was never seen."""
    versions: dict[str, str]
    created: str
    """When the training ended, in UTC, as ISO 8601."""
    duration_s: float
    energy: dict[str, Any] | None
    """Joules and grams of carbon of the whole training, and how they are known; None if nobody measured."""


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that had a part in the training, those that are there."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
