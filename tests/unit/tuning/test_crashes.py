"""No crash of a promotion, a rollback or a save leaves less than a whole champion and a history that is true of it."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tuning import disk, history, places, promote, recover, registry, roll_back
from unit.tuning.champions import NAME, content, put

State = tuple[str | None, str | None, str | None, str | None]


def state(root: Path) -> State:
    """Whose the champion, the candidate, the previous and the rolled back model are."""
    at = places.places(root, NAME)
    return content(at.champion), content(at.candidate), content(at.previous), content(at.rolled_back)


def hidden(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name.startswith(".") and path.name != f".lock-{NAME}")


def check_history(root: Path) -> list[history.Entry]:
    """The entries, after a look whether they are true: whole lines, each once, the last one about this champion."""
    file = places.places(root, NAME).history
    entries = history.read(file)
    if file.exists():
        assert [json.loads(line) for line in file.read_text().splitlines()] == entries
        assert file.read_bytes()[-1:] in (b"", b"\n")
    assert len({entry["entry"] for entry in entries}) == len(entries)
    for before, after in itertools.pairwise(entries):
        assert after["old"] is not None
        assert after["old"]["id"] == before["new"]["id"]
    if entries:
        assert places.read(root / NAME).id == entries[-1]["new"]["id"]
    return entries


def save(root: Path, content: str) -> None:
    registry.save_candidate(root, NAME, lambda folder: put(folder, content), {"of": content})


def trained(root: Path) -> None:
    """Champion "old", candidate "new", previous "older"; nothing was promoted yet."""
    put(root / NAME, "old")
    put(root / f"previous-{NAME}", "older")
    save(root, "new")


def trained_first(root: Path) -> None:
    """A candidate alone."""
    save(root, "new")


def promoted(root: Path) -> None:
    """One promotion and one that can be taken back."""
    trained(root)
    promote(root, NAME)


def busy(root: Path) -> None:
    """Promotions, one that was taken back, and a candidate that waits."""
    promoted(root)
    save(root, "newer")
    promote(root, NAME)
    save(root, "newest")
    roll_back(root, NAME)
    promote(root, NAME)
    save(root, "last")


# What is done to which models, and the only two states that may be found after a crash: before it and after it.
ACTS: list[tuple[str, Callable[[Path], None], State, State]] = [
    ("promote", trained, ("old", "new", "older", None), ("new", None, "old", None)),
    ("promote", trained_first, (None, "new", None, None), ("new", None, None, None)),
    ("promote", busy, ("newest", "last", "new", "newer"), ("last", None, "newest", "newer")),
    ("rollback", promoted, ("new", None, "old", None), ("old", "new", None, None)),
    ("rollback", busy, ("newest", "last", "new", "newer"), ("new", "last", None, "newest")),
]
every_act = pytest.mark.parametrize(
    ("operation", "begin", "before", "after"), ACTS, ids=[f"{act[0]}-{act[1].__name__}" for act in ACTS]
)
both_systems = pytest.mark.parametrize("options", [(), ("without-exchange",)], ids=["exchange", "renames"])


def crash(folder: Path, begin: Callable[[Path], None], operation: str, how: str, *options: str) -> list[Path]:
    """What crashes of `operation` leave of the models that `begin` makes."""
    (folder / "template").mkdir()
    begin(folder / "template")
    script = str(Path(__file__).with_name("crashes.py"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, script, str(folder), operation, how, *options]
    subprocess.run(command, check=True, env=environment, timeout=120)
    return sorted(path for path in folder.iterdir() if path.name[0].isdigit())


def check(root: Path, operation: str, before: State, after: State, entries: int) -> State:
    """Recover, and look whether it is the one state or the other, with a history that says so; which of them it is."""
    recover(root, NAME)
    found = state(root)
    assert found in (before, after), root
    assert len(check_history(root)) == entries + (found == after), root
    assert hidden(root) == []
    assert recover(root, NAME) == []
    if found == before:  # what was cut short can be asked for again
        (promote if operation == "promote" else roll_back)(root, NAME)
    assert state(root) == after
    assert len(check_history(root)) == entries + 1
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory if it can be: what is synced thousands of times need not be worn out."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture
def without_exchange(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    if options:
        monkeypatch.setattr(disk, "exchange", lambda one, other: False)


@both_systems
@pytest.mark.parametrize("how", ["once", "twice", "power"])
@every_act
def test_a_crash_leaves_the_state_before_or_the_one_after(
    folder: Path, without_exchange: None,
    operation: str, begin: Callable[[Path], None], before: State, after: State, how: str, options: tuple[str, ...],
) -> None:  # fmt: skip
    left = crash(folder, begin, operation, how, *options)
    assert state(folder / "template") == before
    entries = len(check_history(folder / "template"))
    outcomes = set()
    for root in left:
        if before[0] is not None and not options:  # one moment without a champion would be one too many
            assert content(root / NAME) in (before[0], after[0]), root
        outcomes.add(check(root, operation, before, after, entries))
    assert outcomes == {before, after}
    assert len(left) >= 10


@pytest.mark.parametrize(("operation", "begin", "before", "after"), [ACTS[0], ACTS[4]], ids=["promote", "rollback"])
def test_a_power_cut_while_a_kill_is_recovered_from(
    folder: Path, operation: str, begin: Callable[[Path], None], before: State, after: State
) -> None:
    left = crash(folder, begin, operation, "again")
    entries = len(check_history(folder / "template"))
    outcomes = {check(root, operation, before, after, entries) for root in left}
    assert outcomes == {before, after}
    assert len(left) > 50


@pytest.mark.parametrize("how", ["once", "twice", "power"])
def test_a_save_that_crashes_leaves_the_candidate_before_or_the_new_one(folder: Path, how: str) -> None:
    outcomes = set()
    left = crash(folder, trained, "save", how)
    for root in left:
        recover(root, NAME)
        found = state(root)
        outcomes.add(found[1])
        assert found in {("old", "new", "older", None), ("old", "newest", "older", None)}, root
        assert hidden(root) == []
        promote(root, NAME)  # it is whole: every byte of it is what was saved
        assert state(root)[0] == found[1]
    assert outcomes == {"new", "newest"}
    assert len(left) > 15


@both_systems
@every_act
def test_a_disk_that_is_full_refuses_and_loses_nothing(
    folder: Path, without_exchange: None,
    operation: str, begin: Callable[[Path], None], before: State, after: State, options: tuple[str, ...],
) -> None:  # fmt: skip
    told = []
    for root in crash(folder, begin, operation, "full", *options):
        told.append((folder / f"outcome-{root.name}").read_text())
        cut_short = "It is cut short" in told[-1]  # the disk took nothing any more, not even the way back
        expected = after if told[-1] == "done" else before
        assert cut_short or state(root) == expected, root
        recover(root, NAME)
        assert state(root) in ((before, after) if cut_short else (expected,)), root
        assert hidden(root) == []
        check_history(root)
    assert sum("Nothing has changed. Make room" in words for words in told) >= 10


def test_a_disk_that_fills_at_save_leaves_the_candidate_before(folder: Path) -> None:
    told = []
    for root in crash(folder, trained, "save", "full"):
        told.append((folder / f"outcome-{root.name}").read_text())
        recover(root, NAME)
        assert state(root) == ("old", "newest" if told[-1] == "done" else "new", "older", None), root
        assert hidden(root) == []
    assert sum("Nothing has changed. Make room" in words for words in told) >= 10
    assert "done" in told
