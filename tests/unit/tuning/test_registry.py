"""A training saves a candidate, a promotion makes it the champion, a rollback takes that back, and the history tells."""

import hashlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

import tuning
from tuning import (
    BadRequest,
    CandidateBroken,
    CandidateChanged,
    ModelUnusable,
    NoCandidate,
    NoPrevious,
    NotBetter,
    disk,
    history,
    history_of,
    places,
    promote,
    recover,
    registry,
    roll_back,
)
from unit.tuning.champions import NAME, content, put


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
    assert promotion.report == {"of": "new", "candidate_id": promotion.entry["new"]["id"]}
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
    assert recover(root, NAME) == []
    assert state(root) == ("old", "new", "older")
    assert hidden(root) == [f".lock-{NAME}"]


def test_a_promotion_waits_while_the_champion_is_read(root: Path) -> None:
    waiter = threading.Thread(target=promote, args=(root, NAME))
    with registry.champion(root, NAME, log=print) as folder:
        waiter.start()
        waiter.join(timeout=0.2)
        assert waiter.is_alive()
        assert content(folder) == "old"
    waiter.join(timeout=60)
    assert state(root) == ("new", None, "old")


REPORT = {
    "verdict": "The new model is better.",
    "old_metrics": {"accuracy": 0.80, "loss": 0.50, "per_class": {}},
    "new_metrics": {"accuracy": 0.85, "loss": 0.60, "confusion_matrix": [[1]], "r2": None},
}


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Champion "old", candidate "new" with a report."""
    put(tmp_path / NAME, "old")
    registry.save_candidate(tmp_path, NAME, lambda folder: put(folder, "new"), dict(REPORT))
    return tmp_path


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"min_improvement": 0.06}, NotBetter, "accuracy is better by 0.05, from 0.8 to 0.85, and .* asks for 0.06"),
        ({"metric": "loss"}, NotBetter, "loss is worse by 0.1, from 0.5 to 0.6"),
        ({"metric": "loss", "min_improvement": "-0.05"}, NotBetter, "loss is worse"),
        ({"metric": "f1"}, BadRequest, "no metric 'f1' .* It has accuracy, loss"),
        ({"metric": "r2"}, BadRequest, "no metric 'r2'"),
        ({"min_improvement": "much"}, BadRequest, "min_improvement cannot be 'much'"),
        ({"min_improvement": True}, BadRequest, "min_improvement cannot be True"),
        ({"min_improvement": float("nan")}, BadRequest, "min_improvement cannot be nan"),
        ({"expect": "sha256:0123456789"}, CandidateChanged, "not the expected 0123456789"),
        ({"expect": "sha256:0"}, BadRequest, "first 8 letters"),
        ({"expect": "the newest one"}, BadRequest, "expect cannot be"),
        ({"min_improvment": 0.1}, BadRequest, "Did you mean min_improvement"),
    ],
)
def test_a_condition_that_is_not_met_promotes_nothing(judged: Path, fields, error, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        promote(judged, NAME, fields)
    assert state(judged) == ("old", "new", None)
    assert history_of(judged, NAME, 5) == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"min_improvement": 0.05},
        {"min_improvement": "0.05"},
        {"metric": "accuracy"},
        {"metric": "loss", "min_improvement": -0.1},
    ],
)
def test_a_condition_that_is_met(judged: Path, fields: dict[str, object]) -> None:
    assert promote(judged, NAME, fields).entry["notes"] == []
    assert state(judged) == ("new", None, "old")


def test_only_the_candidate_that_was_looked_at_is_promoted(judged: Path) -> None:
    looked_at = json.loads((judged / f"temp-{NAME}" / "report.json").read_text())["candidate_id"]
    assert looked_at == places.noted_id(judged / f"temp-{NAME}")
    newest = registry.save_candidate(judged, NAME, lambda folder: put(folder, "newest"), dict(REPORT))
    with pytest.raises(CandidateChanged, match="another training has replaced it"):
        promote(judged, NAME, {"expect": looked_at})
    (judged / f"temp-{NAME}" / "vocab.txt").write_text("added later")
    with pytest.raises(CandidateChanged, match="changed its files"):
        promote(judged, NAME, {"expect": newest})
    (judged / f"temp-{NAME}" / "vocab.txt").unlink()
    assert promote(judged, NAME, {"expect": newest.removeprefix("sha256:")[:12]}).entry["new"]["id"] == newest


def test_a_card_and_a_report_are_no_part_of_the_id(tmp_path: Path) -> None:
    first = registry.save_candidate(tmp_path, NAME, lambda folder: put(folder, "new"), {"of": "new"})

    def with_card(folder: Path) -> None:
        put(folder, "new")
        (folder / "README.md").write_text("# A card")

    assert registry.save_candidate(tmp_path, NAME, with_card, dict(REPORT)) == first


def test_what_was_trained_from_another_champion_is_not_said_to_be_better(judged: Path) -> None:
    other = {**REPORT, "base": "sha256:" + "0" * 64}
    registry.save_candidate(judged, NAME, lambda folder: put(folder, "newer"), other)
    with pytest.raises(NotBetter, match=r"trained from sha256:000.*Nothing was promoted"):
        promote(judged, NAME, {"min_improvement": 0.01})
    line = promote(judged, NAME).line
    assert "its old metrics are another model's" in line


def test_a_rollback_and_its_second(root: Path) -> None:
    promote(root, NAME)
    back = roll_back(root, NAME, by="an item")
    assert state(root) == ("old", "new", None)
    assert back.previous == root / f"temp-{NAME}"
    assert back.line == f"{NAME} is now the previous model again; the one before is kept as temp-{NAME}."
    with pytest.raises(NoPrevious, match=f"rolled back already.*in temp-{NAME}: promote it"):
        roll_back(root, NAME)
    assert state(root) == ("old", "new", None)
    assert promote(root, NAME).report["of"] == "new"
    assert state(root) == ("new", None, "old")


def test_a_message_that_is_handled_again_is_answered_and_not_obeyed_again(root: Path) -> None:
    done = promote(root, NAME, message="5 of today")
    assert promote(root, NAME, message="5 of today") == done
    back = roll_back(root, NAME, message="6 of today")
    assert roll_back(root, NAME, message="6 of today") == back
    assert state(root) == ("old", "new", None)
    assert len(history_of(root, NAME, 10)) == 2
    assert promote(root, NAME, message="7 of today").line == done.line
    with pytest.raises(NoCandidate):
        promote(root, NAME, message="8 of today")


def test_a_rollback_spares_the_candidate_that_waits(root: Path) -> None:
    promote(root, NAME)
    registry.save_candidate(root, NAME, lambda folder: put(folder, "newest"), {})
    assert roll_back(root, NAME).previous == root / f"rolled-back-{NAME}"
    assert state(root) == ("old", "newest", None)
    assert content(root / f"rolled-back-{NAME}") == "new"


def test_nothing_to_roll_back_to(judged: Path) -> None:
    with pytest.raises(NoPrevious, match="nothing was promoted here yet"):
        roll_back(judged, NAME)


def test_a_broken_previous_model_is_refused(root: Path) -> None:
    promote(root, NAME)
    registry.save_candidate(root, NAME, lambda folder: put(folder, "newest"), {})
    promote(root, NAME)
    (root / f"previous-{NAME}" / "config.json").write_text("{}")
    with pytest.raises(CandidateBroken, match=r"config\.json is not what was saved.*The champion is untouched"):
        roll_back(root, NAME)
    assert content(root / NAME) == "newest"


def test_a_previous_model_without_a_marker_is_known_from_the_history(root: Path) -> None:
    promote(root, NAME)
    (root / f"previous-{NAME}" / "weights" / "model.safetensors").write_text("old" * 999 + "odd")
    with pytest.raises(CandidateBroken, match=r"is not the one that was taken away.*The champion is untouched"):
        roll_back(root, NAME)
    assert content(root / NAME) == "new"


def test_the_history_says_when_who_which_and_how_good(judged: Path) -> None:
    promote(judged, NAME, by="EnsLib.Testing.Service (sent by SuperUser)")
    roll_back(judged, NAME, by="Nightly")
    rollback, promotion = history_of(judged, NAME, 5)
    assert [rollback["act"], promotion["act"]] == ["rollback", "promotion"]
    assert [rollback["by"], promotion["by"]] == ["Nightly", "EnsLib.Testing.Service (sent by SuperUser)"]
    assert promotion["when"].endswith("+00:00")
    assert promotion["old_metrics"] == {"accuracy": 0.80, "loss": 0.50}
    assert promotion["new"]["metrics"] == {"accuracy": 0.85, "loss": 0.60}
    assert promotion["new"]["trained"] == "The new model is better."
    assert promotion["kept_as"] == f"previous-{NAME}"
    assert rollback["new"]["id"] == promotion["old"]["id"] == places.read(judged / NAME).id
    assert rollback["old"] == promotion["new"]
    weights = hashlib.sha256((judged / NAME / "weights" / "model.safetensors").read_bytes()).hexdigest()
    assert rollback["new"]["weights"] == {"weights/model.safetensors": weights}
    assert rollback["new"]["config"] == hashlib.sha256((judged / NAME / "config.json").read_bytes()).hexdigest()
    assert history_of(judged, NAME, "1") == [rollback]
    with pytest.raises(BadRequest, match="limit"):
        history_of(judged, NAME, 0)


def test_a_history_that_a_crash_or_an_editor_left_without_its_end(judged: Path) -> None:
    promote(judged, NAME)
    file = judged / f"promotions-{NAME}.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"entry": "half')
    assert len(history.read(file)) == 1
    roll_back(judged, NAME)
    assert file.read_bytes().startswith(whole)
    assert len(history.read(file)) == 2
    file.write_bytes(file.read_bytes().rstrip(b"\n"))  # whole, but for the end of its line
    promote(judged, NAME)
    assert len(history.read(file)) == 3
    assert len(file.read_text().splitlines()) == 3


def test_no_reader_ever_misses_the_champion(root: Path) -> None:
    missed, looked, over = [], [], threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                looked.append((root / NAME / "config.json").stat().st_ino)
            except FileNotFoundError as error:
                missed.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(10):
        promote(root, NAME)
        roll_back(root, NAME)
    over.set()
    reader.join(60)
    assert missed == []
    assert len(set(looked)) == 2


def test_a_system_without_an_exchange_of_names(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_exchanging_call", lambda: None)
    promote(root, NAME)
    assert state(root) == ("new", None, "old")
    roll_back(root, NAME)
    assert state(root) == ("old", "new", None)


def test_a_folder_that_may_not_be_written_to(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(disk, "rename", refuse)
    with pytest.raises(tuning.DiskRefused, match=r"Permission denied.*try again"):
        promote(root, NAME)
    assert state(root) == ("old", "new", "older")


def test_a_journal_that_nobody_can_read(root: Path) -> None:
    (root / f".journal-{NAME}.json").write_text("{")
    with pytest.raises(ModelUnusable, match="put the right one in its place, and remove that file"):
        recover(root, NAME)


def test_models_whose_names_begin_alike_leave_each_other_alone(root: Path) -> None:
    trash = root / f".trash-{'0' * 32}-{NAME}-large"
    trash.mkdir()
    recover(root, NAME)
    assert trash.is_dir()
    recover(root, f"{NAME}-large")
    assert not trash.exists()


def test_a_promotion_and_a_rollback_of_a_large_model_take_less_than_a_second(tmp_path: Path) -> None:
    def large(folder: Path) -> None:
        put(folder, "new")
        (folder / "model.safetensors").write_bytes(os.urandom(1_000_000) * 90)  # as large as the MiniLM

    put(tmp_path / NAME, "old")
    registry.save_candidate(tmp_path, NAME, large, {})
    promote(tmp_path, NAME)
    began_s = time.process_time()  # of this work alone: tests share their machine
    roll_back(tmp_path, NAME)
    assert time.process_time() - began_s < 1
