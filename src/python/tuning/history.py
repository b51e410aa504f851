"""The history of a model's promotions: one line of JSON for each, only ever added to, on the disk before it counts.

A line is the last step of a promotion or a rollback and makes it final: what has no line is undone after a crash.
"""

import json
from pathlib import Path
from typing import Any, TypedDict

from tuning import disk


class Side(TypedDict):
    """One of the two models."""

    id: str
    """"sha256:..." of all files that belong to the model; as the report of its training says it."""
    config: str
    """sha256 of config.json, '' if there is none."""
    weights: dict[str, str]
    """sha256 of each file of weights."""
    trained: str
    """What the report of its training says in a sentence; '' for a model that no training here made."""
    metrics: dict[str, float]
    """On the rows its training held out."""


class Entry(TypedDict):
    """A promotion or a rollback."""

    entry: str
    act: str
    """"promotion" or "rollback"."""
    when: str
    """UTC, ISO 8601."""
    by: str
    message: str
    """Which message asked; when it is handled again after a crash, it is answered and not obeyed again."""
    model: str
    old: Side | None
    """The model that was taken away; None if there was none."""
    kept_as: str
    """The folder the old model is in since then; '' if there was none."""
    new: Side
    """The model that answers since then."""
    old_metrics: dict[str, float]
    """A promotion's: of the model that the training began from, on the same rows as the new one's."""
    notes: list[str]


def read(file: Path) -> list[Entry]:
    """Every entry, the oldest first. A last line that a crash cut short is no entry."""
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [entry for line in lines if (entry := _parsed(line)) is not None]


def add(file: Path, entry: Entry) -> None:
    """Add an entry and wait until it is on the disk; if that fails, the file is as before."""
    mend(file)
    disk.append(file, json.dumps(entry, ensure_ascii=False) + "\n")


def holds(file: Path, name: str) -> bool:
    """Whether the entry called `name` is there, on the disk and not only in memory."""
    found = any(entry.get("entry") == name for entry in read(file)[-1:])
    if found:
        mend(file)
        disk.sync(file)
        disk.sync(file.parent)
    return found


def mend(file: Path) -> None:
    """Cut off a last line that a crash left half, or end one that is whole but for its end of line."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return
    kept = data[: data.rfind(b"\n") + 1]
    last = data[len(kept) :]
    if not last:
        return
    if _parsed(last) is not None:
        disk.append(file, "\n")
        return
    with file.open("r+b") as stream:
        stream.truncate(len(kept))
    disk.sync(file)


def _parsed(line: bytes) -> Any:
    try:
        entry = json.loads(line)
    except ValueError:  # no JSON, or no UTF-8
        return None
    return entry if isinstance(entry, dict) and "entry" in entry else None
