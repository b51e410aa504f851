"""Where models lie, and how one takes another's place.

In the models' folder a model `bert` has up to three folders: `bert`, the champion that answers;
`temp-bert`, the candidate of the last training; `previous-bert`, the champion before this one.
Each is whole whenever its name is there: a folder is written elsewhere, synced, given its
marker last, and then renamed. Hidden names hold what is on its way:

    .staging-bert   a candidate being written; complete once it has its marker
    .retired-bert   the previous model while a promotion runs
    .trash-bert-*   what nobody needs any more
    .lock-bert      held during every operation, by threads and processes alike

A promotion is three renames: previous -> retired, champion -> previous, candidate -> champion.
`recover` undoes one that a crash cut short before its third rename; the candidate is kept, so it
can be asked for again. No journal is needed: which folders there are says how far it came.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.errors import BadRequest, CandidateBroken, ModelUnusable, NoCandidate

MARKER = "complete.json"
REPORT = "report.json"
_NAME = re.compile(r"[^\W_][\w.+-]*")
_RESERVED = ("temp-", "previous-")


@dataclass(frozen=True)
class Promotion:
    """What a promotion did."""

    model: str
    champion: Path
    previous: Path | None
    """The champion before it, if there was one."""
    report: dict[str, Any]
    """The report of the training that made the new champion."""


@dataclass(frozen=True)
class Places:
    """The folders of one model."""

    root: Path
    name: str

    @property
    def champion(self) -> Path:
        return self.root / self.name

    @property
    def candidate(self) -> Path:
        return self.root / f"temp-{self.name}"

    @property
    def previous(self) -> Path:
        return self.root / f"previous-{self.name}"

    @property
    def staging(self) -> Path:
        return self.root / f".staging-{self.name}"

    @property
    def retired(self) -> Path:
        return self.root / f".retired-{self.name}"


def places(root: Path, name: str) -> Places:
    """The folders of the model `name` in `root`; `BadRequest` if no folder may be called so."""
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise BadRequest(
            f"model_name is {name!r}, which is no name of a model folder. "
            "Give the folder's name alone: letters, digits, '.', '-', '_', not beginning with temp- or previous-."
        )
    return Places(root, name)


@contextmanager
def champion(root: Path, name: str, log: Callable[[str], None]) -> Iterator[Path]:
    """The champion's folder, recovered if need be; it stays where it is while the context lasts."""
    with _locked(places(root, name)) as at:
        for sentence in _recover(at):
            log(sentence)
        if not (at.champion / "config.json").is_file():
            there = sorted(path.parent.name for path in at.root.glob("[!.]*/config.json"))
            known = f"The models there are {', '.join(there)}." if there else "There is none yet."
            raise ModelUnusable(
                f"There is no model {name!r} in {at.root}. {known} "
                "Set model_name to one of them, or put the model there."
            )
        yield at.champion


def save_candidate(root: Path, name: str, write: Callable[[Path], None], report: dict[str, Any]) -> Path:
    """Make a new candidate of what `write` puts into the folder it is given, and of `report`.

    The candidate before it, if any, is replaced once the new one is whole on disk. The folder of
    the new candidate.
    """
    with _locked(places(root, name)) as at:
        _recover(at)
        at.staging.mkdir()
        write(at.staging)
        (at.staging / REPORT).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        _mark_complete(at.staging)
        _publish(at)
        return at.candidate


def promote(root: Path, name: str) -> Promotion:
    """Make the candidate the champion, and the champion the previous model.

    Raises `NoCandidate`, and `CandidateBroken` when the candidate is not what a training saved.
    """
    with _locked(places(root, name)) as at:
        _recover(at)
        if not at.candidate.is_dir():
            raise NoCandidate("No temporary model detected, run a training first.")
        _check_whole(at.candidate)
        report: dict[str, Any] = json.loads((at.candidate / REPORT).read_text(encoding="utf-8"))
        if at.previous.exists():
            _rename(at.previous, at.retired)
        replaced = at.champion.exists()
        if replaced:
            _rename(at.champion, at.previous)
        _rename(at.candidate, at.champion)
        _discard(at, at.retired)
        return Promotion(name, at.champion, at.previous if replaced else None, report)


def recover(root: Path, name: str) -> list[str]:
    """Put right what a crash left behind; a sentence for each thing that was done.

    Call it when a host starts; every operation here calls it too.
    """
    with _locked(places(root, name)) as at:
        return _recover(at)


def _recover(at: Places) -> list[str]:
    done: list[str] = []
    if not at.champion.exists() and at.previous.exists():
        _rename(at.previous, at.champion)
        done.append(f"A promotion of {at.name} was cut short: the champion is back, and its candidate waits.")
    if at.retired.exists():
        if at.previous.exists():
            _discard(at, at.retired)
        else:
            _rename(at.retired, at.previous)
            done.append(f"The previous model of {at.name} is back in its place.")
    if at.staging.exists():
        if (at.staging / MARKER).exists():
            _publish(at)
            done.append(f"The candidate of {at.name} was whole, but not in its place yet: now it is.")
        else:
            _discard(at, at.staging)
            done.append(f"A candidate of {at.name} was only half saved and was removed: run the training again.")
    for trash in at.root.glob(f".trash-{at.name}-*"):
        shutil.rmtree(trash)
    return done


def _publish(at: Places) -> None:
    if at.candidate.exists():
        _discard(at, at.candidate)
    _rename(at.staging, at.candidate)


def _discard(at: Places, folder: Path) -> None:
    """Remove a folder; its name is gone at once, so no half of it is ever seen under it."""
    if folder.exists():
        trash = at.root / f".trash-{at.name}-{uuid.uuid4().hex}"
        _rename(folder, trash)
        shutil.rmtree(trash)


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    _sync(source.parent)


def _mark_complete(folder: Path) -> None:
    """Sync every file to the disk, and write the marker with their hashes after that."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {str(path.relative_to(folder)): _sha256(path) for path in files}
    for path in (*files, *(path for path in folder.rglob("*") if path.is_dir()), folder):
        _sync(path)
    unmarked = folder / f".{MARKER}"
    unmarked.write_text(json.dumps({"sha256": hashes}, indent=2) + "\n", encoding="utf-8")
    _sync(unmarked)
    _rename(unmarked, folder / MARKER)


def _check_whole(folder: Path) -> None:
    advice = "The champion is untouched: run the training again."
    marker = folder / MARKER
    if not marker.is_file():
        raise CandidateBroken(f"The candidate {folder} is incomplete: it has no {MARKER}. {advice}")
    try:
        hashes: dict[str, str] = json.loads(marker.read_text(encoding="utf-8"))["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise CandidateBroken(f"The candidate {folder} is corrupt: {MARKER} cannot be read. {advice}") from error
    for name, expected in hashes.items():
        if not (folder / name).is_file() or _sha256(folder / name) != expected:
            raise CandidateBroken(f"The candidate {folder} is corrupt: {name} is not what was saved. {advice}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(at: Places) -> Iterator[Places]:
    """`at`, with no other thread or process at work on its folders."""
    if not at.root.is_dir():
        raise ModelUnusable(f"There is no folder {at.root}. Set path to the folder that holds the models.")
    with (at.root / f".lock-{at.name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, by a crash too
        yield at
