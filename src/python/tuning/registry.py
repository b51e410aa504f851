"""The models of a folder: which is the champion, how a training saves a candidate, how one is promoted and taken back.

In the models' folder a model `bert` has up to four folders: `bert`, the champion that answers; `temp-bert`, the
candidate of the last training; `previous-bert`, the champion before this one; `rolled-back-bert`, one that a rollback
took away while another candidate waited. Each is whole whenever its name is there: a folder is written elsewhere,
synced, given its marker last, and then renamed. `succession` changes places, and `promotions-bert.jsonl` is the history
of it.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuning import conditions, disk, history, succession
from tuning.errors import CandidateBroken, ModelUnusable, NoCandidate, NoPrevious
from tuning.places import MARKER, REPORT, Contents, Places, files, locked, places, read, read_whole, report
from tuning.request import whole_number
from tuning.succession import Journal

_KEPT = "The champion is untouched: run the training again."


@dataclass(frozen=True)
class Promotion:
    """What a promotion or a rollback did."""

    model: str
    champion: Path
    previous: Path | None
    """Where the model that was taken away is now; None if there was none."""
    report: dict[str, Any]
    """The report of the training that made the new champion; {} if none did."""
    entry: history.Entry
    """What the history says of it."""

    @property
    def line(self) -> str:
        """What happened, in a sentence or two."""
        what = "the model of the last training" if self.entry["act"] == "promotion" else "the previous model again"
        kept = f"; the one before is kept as {self.previous.name}" if self.previous else ""
        return " ".join([f"{self.model} is now {what}{kept}.", *self.entry["notes"]])


@contextmanager
def champion(root: Path, name: str, log: Callable[[str], None]) -> Iterator[Path]:
    """The champion's folder, recovered if need be; it stays where it is while the context lasts."""
    with locked(places(root, name)) as at:
        with disk.refusing(root, f"put the models of {name} right"):
            done = succession.recover(at)
        for sentence in done:
            log(sentence)
        if not (at.champion / "config.json").is_file():
            there = sorted(path.parent.name for path in at.root.glob("[!.]*/config.json"))
            known = f"The models there are {', '.join(there)}." if there else "There is none yet."
            raise ModelUnusable(
                f"There is no model {name!r} in {at.root}. {known} "
                "Set model_name to one of them, or put the model there."
            )
        yield at.champion


def save_candidate(root: Path, name: str, write: Callable[[Path], None], report: dict[str, Any]) -> str:
    """Make a new candidate of what `write` puts into the folder it is given, and of `report`; the candidate's id.

    The id is also `candidate_id` of the report that is saved. The candidate before it, if any, is replaced once the new
    one is whole on the disk; whatever fails, it stays. Raises `NoSpace` where the disk has no room.
    """
    with locked(places(root, name)) as at, disk.refusing(root, f"save a candidate of {name}"):
        _recover(at)
        candidate_id = ""
        try:
            at.staging.mkdir()
            disk.sync(at.root)
            write(at.staging)
            candidate_id = _complete(at.staging, report)
        finally:
            if not candidate_id and at.staging.exists():
                disk.discard(at.staging, name)
        with suppress(OSError):  # it is whole now: whatever asks for it next puts it into its place first
            _publish(at)
        return candidate_id


def promote(
    root: Path, name: str, fields: Mapping[str, object] | None = None, by: str = "", message: str = ""
) -> Promotion:
    """Make the candidate the champion, and the champion the previous model.

    `fields` are those of an OverrideRequest, see `conditions`; `by` says who asked, for the history. If the last entry
    of the history is of the same `message`, nothing is done again, and this is what was done. Raises `NoCandidate`,
    `CandidateBroken` when the candidate is not what a training saved, `BadRequest`, `CandidateChanged` and `NotBetter`
    for its conditions, and `NoSpace` or `DiskRefused` for a step that the disk refuses. Nothing has changed then.
    """
    asked = conditions.parse(fields or {})
    with locked(places(root, name)) as at, disk.refusing(root, f"promote the candidate of {name}"):
        _recover(at)
        if done := _done(at, "promotion", message):
            return done
        if not at.candidate.is_dir():
            raise NoCandidate("No temporary model detected, run a training first.")
        found = read_whole(at.candidate, _KEPT)
        replaced = read(at.champion) if at.champion.exists() else None
        notes = conditions.check(asked, found.id, replaced.id if replaced else "", report(at.candidate))
        return _succeed(at, "promotion", at.candidate, found, at.previous, replaced, (by, message), notes)


def roll_back(root: Path, name: str, by: str = "", message: str = "") -> Promotion:
    """Make the previous model the champion again.

    The model that is taken away becomes the candidate, so that it can be promoted again; where another candidate waits,
    it is kept as `rolled-back-<name>`. There is no previous model then, so that a second rollback is refused: who asks
    twice must not bring back what was taken away. Raises `NoPrevious`, and as `promote` does.
    """
    with locked(places(root, name)) as at, disk.refusing(root, f"roll {name} back"):
        _recover(at)
        if done := _done(at, "rollback", message):
            return done
        if not (at.previous / "config.json").is_file():
            raise NoPrevious(_nothing_before(at))
        with ThreadPoolExecutor(1) as beside:  # who takes something back is in a hurry
            replaced = beside.submit(read, at.champion)
            found = _read_previous(at)
        as_candidate = not at.candidate.exists() and (at.champion / MARKER).exists()
        kept_as = at.candidate if as_candidate else at.rolled_back
        return _succeed(at, "rollback", at.previous, found, kept_as, replaced.result(), (by, message), [])


def history_of(root: Path, name: str, limit: object) -> list[history.Entry]:
    """The last `limit` promotions and rollbacks, the newest first."""
    return history.read(places(root, name).history)[: -whole_number("limit", limit, at_least=1) - 1 : -1]


def recover(root: Path, name: str) -> list[str]:
    """Put right what a crash left behind; a sentence for each thing that was done.

    Call it when a host starts; every operation here calls it too.
    """
    with locked(places(root, name)) as at, disk.refusing(root, f"put the models of {name} right"):
        return _recover(at)


def _recover(at: Places) -> list[str]:
    done = succession.recover(at)
    if at.staging.exists():
        if (at.staging / MARKER).exists():
            _publish(at)
            done.append(f"The candidate of {at.name} was whole, but not in its place yet: now it is.")
        else:
            disk.discard(at.staging, at.name)
            done.append(f"A candidate of {at.name} was only half saved and was removed: run the training again.")
    return done


def _succeed(
    at: Places,
    act: str,
    source: Path,
    found: Contents,
    target: Path,
    replaced: Contents | None,
    asked: tuple[str, str],
    notes: list[str],
) -> Promotion:
    """Do it; `asked` are who and which message."""
    made_by = report(source)
    entry = history.Entry(
        entry=uuid.uuid4().hex,
        act=act,
        when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        by=asked[0],
        message=asked[1],
        model=at.name,
        old=_side(at.champion, replaced) if replaced else None,
        kept_as=target.name if replaced else "",
        new=_side(source, found),
        old_metrics=conditions.numbers(made_by.get("old_metrics")) if act == "promotion" else {},
        notes=notes,
    )
    old = replaced.fingerprint if replaced else None
    journal = Journal(entry["entry"], source.name, target.name, old, found.fingerprint)
    left = succession.succeed(at, journal, entry)
    entry = {**entry, "notes": [*notes, *left]}
    return Promotion(at.name, at.champion, target if replaced else None, made_by, entry)


def _read_previous(at: Places) -> Contents:
    """The previous model, if it is what a training saved, or, where none did, what it was when it was taken away."""
    advice = "The champion is untouched: put a whole model there, or train a new one."
    if (at.previous / MARKER).exists():
        return read_whole(at.previous, advice)
    found = read(at.previous)
    known = next(
        (entry["old"] for entry in reversed(history.read(at.history)) if entry["kept_as"] == at.previous.name), None
    )
    if known is not None and known["id"] != found.id:
        raise CandidateBroken(f"The model in {at.previous} is not the one that was taken away. {advice}")
    return found


def _done(at: Places, act: str, message: str) -> Promotion | None:
    """What the last act was, if it is this one, of this very message."""
    last = next(reversed(history.read(at.history)), None)
    if not message or last is None or (last.get("message"), last["act"]) != (message, act):
        return None
    kept = at.root / last["kept_as"] if last["kept_as"] else None
    return Promotion(at.name, at.champion, kept, report(at.champion), last)


def _side(folder: Path, contents: Contents) -> history.Side:
    made_by = report(folder)
    return history.Side(
        id=contents.id,
        config=contents.sha256.get("config.json", ""),
        weights=contents.weights,
        trained=str(made_by.get("verdict", "")),
        metrics=conditions.numbers(made_by.get("new_metrics")),
    )


def _nothing_before(at: Places) -> str:
    entries = history.read(at.history)
    if entries and entries[-1]["act"] == "rollback":
        last = entries[-1]
        return (
            f"{at.name} was rolled back already, at {last['when']}, and there is no model before that. "
            f"The one taken away is in {last['kept_as']}: promote it to have it back."
        )
    return f"There is no {at.previous.name} to go back to: nothing was promoted here yet. Promote a candidate first."


def _complete(folder: Path, report: dict[str, Any]) -> str:
    """Write the report, sync every file, and write the marker with their hashes after that; the model's id."""
    candidate_id = read(folder).id
    text = json.dumps({**report, "candidate_id": candidate_id}, indent=2, ensure_ascii=False)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")
    for path in (*files(folder), *(path for path in folder.rglob("*") if path.is_dir()), folder):
        disk.sync(path)
    disk.write(folder / MARKER, json.dumps({"sha256": read(folder).sha256}, indent=2) + "\n")
    return candidate_id


def _publish(at: Places) -> None:
    if at.candidate.exists():
        disk.discard(at.candidate, at.name)
    disk.rename(at.staging, at.candidate)
