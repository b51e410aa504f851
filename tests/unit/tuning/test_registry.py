"""Models take each other's places by renames, and no crash leaves less than a whole champion."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tuning import BadRequest, CandidateBroken, ModelUnusable, NoCandidate, promote, recover, registry

NAME = "bert"


def put(folder: Path, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"of": content}))
    (folder / "weights").mkdir()
    (folder / "weights" / "model.safetensors").write_text(content * 1_000)


def content(folder: Path) -> str | None:
    """Whose model the folder holds, every byte of it; None if there is no such folder."""
    if not folder.exists():
        return None
    of: str = json.loads((folder / "config.json").read_text())["of"]
    assert (folder / "weights" / "model.safetensors").read_text() == of * 1_000, f"{folder} is mixed"
    return of


def state(root: Path) -> tuple[str | None, str | None, str | None]:
    """Whose the champion, the candidate and the previous model are."""
    at = registry.places(root, NAME)
    return content(at.champion), content(at.candidate), content(at.previous)


def hidden(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name.startswith("."))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Champion "old", candidate "new", previous "older"."""
    root = tmp_path / "template"
    put(root / NAME, "old")
    put(root / f"previous-{NAME}", "older")
    registry.save_candidate(root, NAME, lambda folder: put(folder, "new"), {"of": "new"})
    return root


def test_a_promotion_keeps_the_old_model_as_previous(root: Path) -> None:
    promotion = promote(root, NAME)
    assert state(root) == ("new", None, "old")
    assert promotion.champion == root / NAME
    assert promotion.previous == root / f"previous-{NAME}"
    assert promotion.report == {"of": "new"}
    assert hidden(root) == [f".lock-{NAME}"]


def test_without_a_candidate_nothing_is_promoted(root: Path) -> None:
    promote(root, NAME)
    with pytest.raises(NoCandidate) as raised:
        promote(root, NAME)
    assert str(raised.value) == "No temporary model detected, run a training first."
    assert state(root) == ("new", None, "old")


def test_a_first_promotion_has_nothing_to_retire(tmp_path: Path) -> None:
    registry.save_candidate(tmp_path, NAME, lambda folder: put(folder, "new"), {})
    assert promote(tmp_path, NAME).previous is None
    assert state(tmp_path) == ("new", None, None)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / registry.MARKER).unlink(), "incomplete"),
        (lambda folder: (folder / registry.MARKER).write_text("{"), "cannot be read"),
        (lambda folder: (folder / registry.MARKER).write_text("[]"), "cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), r"config\.json is not what was saved"),
        (lambda folder: (folder / "weights" / "model.safetensors").write_text("n"), "safetensors is not what was"),
    ],
)
def test_a_broken_candidate_is_refused(root: Path, damage, words: str) -> None:  # type: ignore[no-untyped-def]
    damage(root / f"temp-{NAME}")
    with pytest.raises(CandidateBroken, match=f"{words}.*run the training again"):
        promote(root, NAME)
    assert content(root / NAME) == "old"
    assert content(root / f"previous-{NAME}") == "older"


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "temp-bert", "previous-bert", "a b", "bert\n"])
def test_names_that_are_no_folder_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="model_name"):
        promote(tmp_path, name)


def test_a_folder_of_models_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="Set path"):
        recover(tmp_path / "nowhere", NAME)


def test_a_save_that_fails_leaves_the_candidate_before_it(root: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        registry.save_candidate(root, NAME, fails, {})
    assert recover(root, NAME) == [
        f"A candidate of {NAME} was only half saved and was removed: run the training again."
    ]
    assert state(root) == ("old", "new", "older")
    assert hidden(root) == [f".lock-{NAME}"]


def test_a_promotion_waits_while_the_champion_is_read(root: Path) -> None:
    waiter = threading.Thread(target=promote, args=(root, NAME))
    with registry.champion(root, NAME, log=print) as folder:
        waiter.start()
        waiter.join(timeout=0.2)
        assert waiter.is_alive()
        assert content(folder) == "old"
    waiter.join(timeout=10)
    assert state(root) == ("new", None, "old")


def crash(root: Path, operation: str, times: str) -> list[Path]:
    """The folders left by crashes of `operation` before each of its file operations, the finished one among them."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(here / "crashes.py"), str(root.parent), operation, times]
    subprocess.run(command, check=True, env=environment, timeout=60)
    return sorted(path for path in root.parent.iterdir() if path.name[0].isdigit())


@pytest.mark.parametrize("times", ["once", "twice"])
def test_a_promotion_killed_before_any_file_operation_leaves_a_whole_champion(root: Path, times: str) -> None:
    left = crash(root, "promote", times)
    outcomes = set()
    for folder in left:
        recover(folder, NAME)
        outcomes.add(state(folder))
        assert state(folder) in {("old", "new", "older"), ("new", None, "old")}, folder
        assert hidden(folder) == [f".lock-{NAME}"]
        assert recover(folder, NAME) == []
        if content(folder / f"temp-{NAME}"):  # what was cut short can be asked for again
            promote(folder, NAME)
        assert state(folder) == ("new", None, "old")
    assert len(outcomes) == 2
    assert len(left) > 10


@pytest.mark.parametrize("times", ["once", "twice"])
def test_a_save_killed_before_any_file_operation_loses_nothing(root: Path, times: str) -> None:
    left = crash(root, "save", times)
    outcomes = set()
    for folder in left:
        recover(folder, NAME)
        outcomes.add(state(folder)[1])
        assert state(folder) in {("old", "new", "older"), ("old", "newest", "older")}, folder
        assert hidden(folder) == [f".lock-{NAME}"]
        promote(folder, NAME)
    assert outcomes == {"new", "newest"}
    assert len(left) > 15
