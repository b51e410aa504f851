"""How one model takes another's place, so that a crash at any point leaves the state before it or the one after it.

`succeed` lets the model in one folder (`source`) be the champion and keeps the model that was taken away in another
(`target`). A promotion's source is the candidate, its target the previous model; a rollback's source is the previous
model.

    1  the journal says what is about to be done
    2  target   -> .retired     if there is such a folder
    3  champion <-> source      in one step; where the system has none, two: champion -> target, source -> champion
    4  source   -> target       the model that was taken away
    5  the history gets its line
    6  the journal and .retired are removed

The history's line decides: `recover` undoes what has none, and finishes what has one.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tuning import disk, history, places
from tuning.errors import ModelUnusable
from tuning.places import Places


@dataclass(frozen=True)
class Journal:
    """What is being done, as much as `recover` has to know."""

    entry: str
    """What the line of the history is called."""
    source: str
    """A folder's name, as is `target`."""
    target: str
    old: str | None
    """The fingerprint of the champion's folder before; None if there was no champion."""
    new: str
    """The fingerprint of the source before."""


def succeed(at: Places, journal: Journal, entry: history.Entry) -> list[str]:
    """Do it; sentences on what could not be cleaned up afterwards. The caller holds the lock and has recovered.

    Raises `NoSpace` or `DiskRefused`; then everything is as it was.
    """
    try:
        disk.write(at.journal, json.dumps(asdict(journal)))
        _move(at, journal)
        history.add(at.history, entry)
    except OSError as error:
        if not _settled(at, journal, error):
            raise disk.refusal(at.root, f"change the champion of {at.name}", error) from error
    try:
        _finish(at)
    except OSError as error:
        return [f"It is done, but not cleaned up: {error}. The next start does that."]
    return []


def recover(at: Places) -> list[str]:
    """Put right what a crash left behind; a sentence for each thing that was done. The caller holds the lock."""
    done: list[str] = []
    if (draft := disk.draft_of(at.journal)).exists():
        disk.remove(draft)
    if at.journal.exists():
        if _settle(at, _journal(at)):
            done.append(f"The champion of {at.name} was changed, and a crash came before the end of it: it is done.")
        else:
            done.append(
                f"A promotion or rollback of {at.name} was cut short: the champion is back, and its candidate waits. "
                "Ask for it again."
            )
    elif not at.champion.exists() and at.previous.exists():
        disk.rename(at.previous, at.champion)
        done.append(f"The champion of {at.name} was gone: the previous model is back in its place.")
    _finish(at)
    disk.sweep(at.root, at.name)
    return done


def _move(at: Places, journal: Journal) -> None:
    source, target = at.root / journal.source, at.root / journal.target
    if target.exists():
        disk.rename(target, at.retired)
    if journal.old is None:
        disk.rename(source, at.champion)
    elif disk.exchange(at.champion, source):
        disk.rename(source, target)
    else:
        disk.rename(at.champion, target)
        disk.rename(source, at.champion)


def _settled(at: Places, journal: Journal, failure: OSError) -> bool:
    """Whether it is done in spite of a failure; if not, everything is back."""
    try:
        return _settle(at, journal)
    except OSError as error:
        state = f"It is cut short ({error}): the next start or request undoes it, or ends it."
        raise disk.refusal(at.root, f"change the champion of {at.name}", failure, state) from failure


def _settle(at: Places, journal: Journal) -> bool:
    """Whether the history has the line; if not, everything is put back."""
    history.mend(at.history)
    if history.holds(at.history, journal.entry):
        return True
    _undo(at, journal)
    disk.remove(at.journal)
    return False


def _undo(at: Places, journal: Journal) -> None:
    """Put everything back, whichever of the steps was the last; a crash in between leaves what this begins with."""
    source, target = at.root / journal.source, at.root / journal.target
    if journal.old is None:
        if not source.exists():
            disk.rename(at.champion, source)
    elif not at.champion.exists():
        disk.rename(target, at.champion)
    else:
        other = source if source.exists() else target
        is_changed = _has_new(at.champion, journal) or _has_old(other, journal)
        if is_changed and not disk.exchange(at.champion, other):
            disk.rename(at.champion, source)
            disk.rename(target, at.champion)
        if not source.exists():
            disk.rename(target, source)
    if at.retired.exists() and not target.exists():
        disk.rename(at.retired, target)


def _has_new(folder: Path, journal: Journal) -> bool:
    return places.read(folder).fingerprint == journal.new


def _has_old(folder: Path, journal: Journal) -> bool:
    return places.read(folder).fingerprint == journal.old


def _finish(at: Places) -> None:
    disk.remove(at.journal)
    if at.retired.exists():
        disk.discard(at.retired, at.name)


def _journal(at: Places) -> Journal:
    try:
        return Journal(**json.loads(at.journal.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelUnusable(
            f"Nobody can read {at.journal}, so it is unknown which model of {at.name} is the champion. Look into "
            f"the folders {at.champion.name}, {at.candidate.name} and {at.previous.name}, put the right one in its "
            "place, and remove that file."
        ) from error
